package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/evidence/tpm"
)

// vtpmEvidence is what a vTPM's evidence consists of, whichever format it came
// in. Parts that are absent are nil.
type vtpmEvidence struct {
	format        string
	malformed     error // what stopped the decoding of an inner structure
	unknown       int   // fields of the message that are not defined
	akPublic      *tpm.Public
	akCert        []byte
	intermediates [][]byte
	quotes        []*quote
	eventLog      []byte
	cel           []byte
	hw            hardware
	token         *tokenEvidence
	log           *LogGroup // that all else is from
	nonces        string    // what they were compared with; "" is what was expected
	only          onlyPart
}

// onlyPart says which part the evidence is where it is one alone.
type onlyPart int

const (
	onlyNothing  onlyPart = iota // a vTPM's evidence
	onlyHardware                 // a hardware report
	onlyToken                    // an attestation token
)

// verification is one run over vTPM evidence: what it is given, what it has
// found out so far, and the checks made.
type verification struct {
	checklist

	*vtpmEvidence

	trust *Trust
	want  Expect

	ak    akFindings
	boot  bootFindings
	cos   *celFindings
	found hardwareFindings

	verified *token.Verified // nil unless the token was verified
	until    time.Time       // when the first thing that the verification rests on ends
}

// verifyParts verifies evidence, whatever it consists of.
func verifyParts(of carrier, trust *Trust, want Expect) (res *Result, err error) {
	if trust == nil {
		trust = new(Trust)
	}
	s := &verification{vtpmEvidence: new(vtpmEvidence), trust: trust, want: want}
	defer s.guard(&res, &err)

	s.vtpmEvidence = of.parts()
	s.record("format.detected", s.format, nil)
	if !s.checkStrict() {
		return s.result()
	}
	if !s.checkEntries() {
		return s.result()
	}
	switch s.only {
	case onlyHardware:
		s.skipParts("a hardware report alone: no vTPM in this evidence", "tpm", "eventlog", "cel")
		s.checkTEE()
	case onlyToken:
		s.skipParts("a token alone: what it says of the machine is its issuer's word", "tpm", "eventlog", "cel", "tee", "snp", "tdx")
	case onlyNothing:
		s.checkVTPM()
	}
	s.checkToken()
	s.checkAgreement()
	return s.result()
}

func (s *verification) checkVTPM() {
	s.checkAK()
	s.checkQuotes()
	proven := s.quotesProven()
	if proven {
		s.checkEventLog()
	}
	s.checkTEE()
	if proven {
		s.checkCEL()
	}
}

// logChecks are those of an export of Cloud Logging.
var logChecks = []string{"log.entries", "log.agreement"}

// skipParts skips the checks of parts that this evidence does not have.
func (s *verification) skipParts(why string, parts ...string) {
	for _, c := range Checks {
		if part, _, _ := strings.Cut(c.ID, "."); slices.Contains(parts, part) {
			s.skip(c.ID, why)
		}
	}
}

func (s *verification) checkStrict() bool {
	detail := "every byte is accounted for"
	switch {
	case s.only == onlyToken:
		s.skip("format.strict", "of a token, token.form says so")
		return true
	case s.unknown > 0:
		detail = fmt.Sprintf("%d unknown fields, not used", s.unknown)
	}
	return s.record("format.strict", detail, s.malformed)
}

// quotesProven reports whether the PCR values are what the key signed. Until
// then a comparison with them means nothing.
func (s *verification) quotesProven() bool {
	for _, id := range []string{"tpm.quote.signature", "tpm.quote.magic", "tpm.quote.selection", "tpm.quote.pcrs", "tpm.quote.banks"} {
		if s.failed(id) {
			s.notRun("the PCR values are not proven: "+id, "eventlog.format", "eventlog.replay", "eventlog.coverage",
				"eventlog.semantics", "cel.replay", "cel.cos")
			return false
		}
	}
	return true
}

// guard turns a panic into a refusal. Together with decodeGuarded it is the
// boundary that no panic crosses.
func (s *verification) guard(res **Result, err *error) {
	if p := recover(); p != nil {
		s.done = nil
		s.record("format.strict", "", fmt.Errorf("internal error while verifying: %v", p))
		*res, *err = s.result()
	}
}

// result closes the verification. Claims are made only if no check failed and
// every check that had to run has run.
func (s *verification) result() (*Result, error) {
	r := &Result{
		Format:        s.format,
		Checks:        s.complete(),
		Insecure:      s.want.insecure(),
		UnknownFields: s.unknown,
	}
	verdict, first := s.verdict(r.Checks)
	if verdict != Accepted {
		r.Verdict = verdict
		return r, &Refusal{verdict, first}
	}
	r.Verdict = Accepted
	r.ValidUntil = s.until
	r.AKName = s.akName()
	r.Claims = s.claims(r)
	return r, nil
}

// verdict accepts if every check passed or was skipped. A failure that only
// says which ground of trust an option has taken away makes it untrusted.
func (s *verification) verdict(checks []Check) (Verdict, Check) {
	var given, refused, undecided *Check // the first of each kind
	for i := range checks {
		c := &checks[i]
		switch {
		case c.Status == Pass || c.Status == Skip:
		case c.Status == NotRun:
			undecided = cmp.Or(undecided, c)
		case s.givenUp(c.ID):
			given = cmp.Or(given, c)
		default:
			refused = cmp.Or(refused, c)
		}
	}
	if first := cmp.Or(refused, undecided); first != nil {
		return Refused, *first
	}
	if given != nil {
		return Untrusted, *given
	}
	return Accepted, Check{}
}

// givenUp reports whether an option gave up the ground of trust that the check
// decides.
func (s *verification) givenUp(id string) bool {
	return id == "tpm.ak.chain" && s.want.InsecureEvidenceAK ||
		(id == "tpm.quote.nonce" || id == "tee.binding" || id == token.StepNonce) && s.want.InsecureNoNonce
}

// claims turns what was proven into the document.
func (s *verification) claims(r *Result) *claims.Claims {
	c := &claims.Claims{
		Schema:     claims.Schema,
		Format:     s.format,
		VerifiedAt: s.want.Now.Unix(),
		Checks:     make(map[string]string, len(r.Checks)),
		Insecure:   r.Insecure,
	}
	for _, check := range r.Checks {
		c.Checks[check.ID] = check.Status.String()
	}
	if !s.until.IsZero() {
		c.ValidUntil = s.until.Unix()
	}
	if s.want.AtLogged {
		c.TimeSource = "log"
	}
	c.NonceSource = s.nonceSource()
	s.rawClaims(c)
	s.tokenClaims(c)
	return c
}

// What the nonces of evidence were compared with.
const (
	nonceExpected = "expected"
	nonceLogged   = "log"
	nonceNone     = "none"
)

func (s *verification) nonceSource() string {
	if s.only == onlyToken && s.expectToken().NoNonce {
		return nonceNone
	}
	return cmp.Or(s.nonces, nonceExpected)
}

// rawClaims publishes what is proven without a token.
func (s *verification) rawClaims(c *claims.Claims) {
	if s.only == onlyNothing {
		s.tpmClaims(c)
		s.bootClaims(c)
		s.identityClaims(c)
	}
	s.teeClaims(c)
}
