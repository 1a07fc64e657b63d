package forge

import (
	"crypto/x509"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// Case is one thing that a verifier must decide rightly.
type Case struct {
	// Name is the acceptance test's name and a variant: "not_a_quote/certify".
	Name string
	// Row is the row of the acceptance table; 0 means that it has none.
	Row int
	// Check is the identifier of the one check that must fail, without the
	// bank in brackets; every check that does not depend on it still passes.
	// Empty means that the evidence is genuine and must be accepted.
	Check string
	// Also lists checks that cannot pass either, since they need what Check
	// found broken.
	Also []string
	// Want says what the claims must show when the evidence is accepted.
	Want string
	// Forged is a text (or a SHA-256 digest in hex) that no claim may present
	// as proven. Where it is set, accepting is as right as failing Check if
	// the claim that shows the text is listed as forgeable.
	Forged string

	machine Machine
	edit    func(*Machine)
	trust   func(*Evidence) error
	// nonce replaces that of the twin.
	nonce []byte
	// form changes how the evidence is sent, for the case and its twin.
	form func(*Evidence)
	// token is minted in the place of machine, and as mint has changed it.
	token *Token
	mint  func(*Token)
	// log is exported in the place of both, and as logs has changed its one run.
	log  *CloudLog
	logs func(*LogRun)
}

// Build makes the evidence. It is to be verified with Evidence.Nonce, at
// Evidence.Now, and by certificate under Evidence.Root or, where that is nil,
// with the pinned key of Evidence.AK. A token is to be verified with
// Evidence.Token, at Evidence.Now, under Evidence.TrustFiles.
func (c Case) Build() (*Evidence, error) {
	switch {
	case c.token != nil:
		return c.buildToken()
	case c.log != nil:
		return c.buildLog()
	}
	m := c.machine
	if c.edit != nil {
		c.edit(&m)
	}
	nonce := c.nonce
	if nonce == nil {
		nonce = caseNonce(m.Keys)
	}
	e, err := c.attest(m, nonce)
	if err != nil {
		return nil, err
	}
	return e, apply(c.trust, e)
}

// Twin makes the evidence of the same machine without the defect, which every
// verifier must accept.
func (c Case) Twin() (*Evidence, error) {
	switch {
	case c.token != nil:
		return c.token.Mint()
	case c.log != nil:
		return c.log.Export()
	}
	return c.attest(c.machine, caseNonce(c.machine.Keys))
}

func (c Case) attest(m Machine, nonce []byte) (*Evidence, error) {
	e, err := m.Attest(nonce)
	if err == nil && c.form != nil {
		c.form(e)
	}
	return e, err
}

func caseNonce(keys *Keys) []byte { return keys.bytes("nonce", 32) }

// Cases returns the catalogue of rows 18 to 30 of the acceptance table as far
// as evidence can be minted for them. The cases share one set of keys, are
// independent of one another, and give the same bytes in every run.
func Cases() []Case {
	keys := NewKeys(DefaultSeed)
	return withKeys(keys,
		nonceCases(), akCases(), certificateCases(keys), attestCases(), selectionCases(), valueCases(), bankCases(),
		signatureCases(), strippedCases(), forgedCases(), bombCases(), secureBootCases(),
	)
}

func withKeys(keys *Keys, of ...[]Case) []Case {
	cases := slices.Concat(of...)
	for i := range cases {
		cases[i].machine.Keys = keys
	}
	return cases
}

// inRow gives cases of one row their number, the row's name and, where they
// have none, its check.
func inRow(row int, name, check string, cases ...Case) []Case {
	for i := range cases {
		cases[i].Row, cases[i].Name = row, name+"/"+cases[i].Name
		if cases[i].Check == "" && cases[i].Want == "" {
			cases[i].Check = check
		}
	}
	return cases
}

// The functions below turn an edit of one stage into one of a machine.

func quoting(edit func(*Quote)) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Quote = func(q *Quote) error { edit(q); return nil }
	}
}

func certifying(edit func(*x509.Certificate)) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Certificate = func(c *x509.Certificate) error { edit(c); return nil }
	}
}

func measuring(edit func([]Event) []Event) func(*Machine) {
	return func(m *Machine) { m.Edits.Events = edit }
}

func logging(edit func([]Event) []Event) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Log = func(l *Log) error { l.Events = edit(l.Events); return nil }
	}
}

func sending(edit func(*attest.Attestation)) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Attestation = func(a *attest.Attestation) error { edit(a); return nil }
	}
}

// changing edits each event that matches.
func changing(matches func(Event) bool, edit func(*Event)) func([]Event) []Event {
	return func(events []Event) []Event {
		out := slices.Clone(events)
		for i := range out {
			if matches(out[i]) {
				edit(&out[i])
			}
		}
		return out
	}
}

// dropping leaves out the events that match.
func dropping(matches func(Event) bool) func([]Event) []Event {
	return func(events []Event) []Event {
		return slices.DeleteFunc(slices.Clone(events), matches)
	}
}

// inserting puts an event before the first that matches.
func inserting(added Event, matches func(Event) bool) func([]Event) []Event {
	return func(events []Event) []Event {
		i := slices.IndexFunc(events, matches)
		if i < 0 {
			i = len(events)
		}
		return slices.Insert(slices.Clone(events), i, added)
	}
}
