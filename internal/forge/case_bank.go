package forge

import (
	"bytes"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
	tpmpb "github.com/google/go-tpm-tools/proto/tpm"
	"google.golang.org/protobuf/proto"
)

// forgedLine is the command line that the owner of a machine would like to
// be seen.
const forgedLine = "/boot/vmlinuz-6.8.0-1010-gcp root=/dev/mapper/verified ro lockdown=confidentiality"

// bankCases: all banks tell the same story, each told once, or none is
// believed.
func bankCases() []Case {
	return inRow(24, "bank_carte_blanche_and_dup_quote", "tpm.quote.banks",
		Case{Name: "sha384_missing_from_log", Check: "eventlog.replay", edit: logBanks(SHA1, SHA256)},
		Case{Name: "sha384_never_extended", edit: func(m *Machine) {
			logBanks(SHA1, SHA256)(m)
			m.Edits.Banks = func(banks Banks) (err error) {
				banks[SHA384], err = NewBank(SHA384)
				return err
			}
		}},
		Case{Name: "sha384_tells_another_story", Check: "eventlog.replay", Forged: forgedLine, edit: anotherStory},
		Case{Name: "digests_of_one_event_disagree", Check: "eventlog.semantics", Forged: forgedLine, edit: disagreeingDigests},
		Case{Name: "broken_signature_of_sha1", Check: "tpm.quote.signature", edit: breakSignature(SHA1)},
		Case{Name: "broken_signature_of_sha256", Check: "tpm.quote.signature", edit: breakSignature(SHA256)},
		Case{Name: "broken_signature_of_sha384", Check: "tpm.quote.signature", edit: breakSignature(SHA384)},
		Case{Name: "same_quote_twice", edit: sending(func(a *attest.Attestation) {
			a.Quotes = append(a.Quotes, proto.CloneOf(a.GetQuotes()[1]))
		})},
		Case{Name: "two_quotes_of_one_bank", edit: secondQuote},
		Case{Name: "quotes_of_two_boots", edit: quoting(func(q *Quote) {
			if q.Bank == SHA384 {
				q.Clock.ResetCount++
			}
		})},
		Case{Name: "sha1_alone", edit: sending(func(a *attest.Attestation) {
			a.Quotes = slices.DeleteFunc(a.Quotes, func(q *tpmpb.Quote) bool { return bankOf(q) != SHA1 })
		})},
		Case{
			Name: "no_quote", Also: []string{
				"tpm.quote.signature", "tpm.quote.magic", "tpm.quote.nonce", "tpm.quote.selection", "tpm.quote.pcrs",
			},
			edit: sending(func(a *attest.Attestation) { a.Quotes = nil }),
		},
	)
}

func logBanks(banks ...Alg) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Log = func(l *Log) error { l.Banks = banks; return nil }
	}
}

func isKernelLine(e Event) bool {
	return e.PCR == 8 && bytes.HasPrefix(e.Data, []byte("kernel_cmdline: "))
}

// anotherStory extends the SHA-384 bank with a forged log, which is the log
// that is sent; the other banks were extended by the firmware.
func anotherStory(m *Machine) {
	forge := changing(isKernelLine, func(e *Event) { *e = GRUBCommand("kernel_cmdline", forgedLine) })
	var truth []Event
	m.Edits.Events = func(events []Event) []Event { truth = events; return events }
	m.Edits.Banks = func(banks Banks) (err error) {
		banks[SHA384], err = Replay(SHA384, forge(truth))
		return err
	}
	m.Edits.Log = func(l *Log) error { l.Events = forge(l.Events); return nil }
}

// disagreeingDigests does the same so that every bank replays: the digests of
// one event are of the truth in the lesser banks, of the forgery in SHA-384.
func disagreeingDigests(m *Machine) {
	m.Edits.Events = changing(isKernelLine, func(e *Event) {
		truth := *e
		*e = GRUBCommand("kernel_cmdline", forgedLine)
		e.Digests = map[Alg][]byte{}
		for _, bank := range []Alg{SHA1, SHA256} {
			if d, err := truth.Digest(bank); err == nil { // never fails for these banks
				e.Digests[bank] = d
			}
		}
	})
}

func breakSignature(bank Alg) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Attestation = func(a *attest.Attestation) error {
			q, err := quoteOf(a, bank)
			if err == nil {
				q.RawSig[len(q.GetRawSig())-1] ^= 1
			}
			return err
		}
	}
}

// secondQuote adds another honest quote of a bank, taken a second later.
func secondQuote(m *Machine) {
	later := *m
	later.Edits.Quote = func(q *Quote) error { q.Clock.Clock += 1000; return nil }
	m.Edits.Attestation = func(a *attest.Attestation) error {
		second, err := later.Attest(caseNonce(m.Keys))
		if err != nil {
			return err
		}
		q, err := quoteOf(second.Attestation, SHA256)
		a.Quotes = append(a.Quotes, q)
		return err
	}
}
