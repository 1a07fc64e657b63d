package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// Lengths of a nonce in bytes. A TPM takes at most the size of its largest
// digest (TPM 2.0 Part 2, 10.4.3).
const (
	MinNonce = 16
	MaxNonce = 64
)

// checkQuotes makes every check on every quote: one that fails in one bank
// fails the evidence.
func (s *verification) checkQuotes() {
	if len(s.quotes) == 0 {
		err := hint.New(errors.New("the evidence has no quote: nothing in it is signed"), "take it with gotpm attest or tpm2_quote")
		for _, id := range []string{"tpm.quote.signature", "tpm.quote.magic", "tpm.quote.nonce", "tpm.quote.selection", "tpm.quote.pcrs", "tpm.quote.banks"} {
			s.record(id, "", err)
		}
		return
	}
	for _, q := range s.quotes {
		s.record("tpm.quote.signature["+q.name()+"]", s.signatureDetail(q), q.checkSignature(s.ak.key, s.ak.public)) // TPM 2.0 Part 3, 18.4
	}
	if !s.record("tpm.quote.magic", fmt.Sprintf("%d quotes made by a TPM", len(s.quotes)), s.eachQuote((*quote).checkMagic)) { // TPM 2.0 Part 2, 6.2 and 6.9
		s.notRun("not a quote", "tpm.quote.nonce", "tpm.quote.selection", "tpm.quote.pcrs", "tpm.quote.banks")
		return
	}
	s.record("tpm.quote.nonce", fmt.Sprintf("%x", s.want.Nonce), s.checkNonce()) // TPM 2.0 Part 2, 10.12.12
	s.record("tpm.quote.selection", s.selectionDetail(), s.eachQuote(func(q *quote) error {
		return q.checkSelection(s.want.requiredPCRs()) // TPM 2.0 Part 2, 10.6.2
	}))
	s.record("tpm.quote.pcrs", "the values are the quoted ones", s.eachQuote((*quote).checkPCRs)) // TPM 2.0 Part 3, 18.4
	s.record("tpm.quote.banks", s.bankNames(), s.checkBanks())                                    // TCG PFP 1.06, 3.3
}

// eachQuote makes one check on all quotes and joins what fails. Banks that fail
// alike are named together.
func (s *verification) eachQuote(check func(*quote) error) error {
	var failed []error
	var banks []string
	for _, q := range s.quotes {
		err := check(q)
		if err == nil {
			continue
		}
		if last := len(failed) - 1; last >= 0 && failed[last].Error() == err.Error() {
			banks[last] += ", " + q.name()
			continue
		}
		failed, banks = append(failed, err), append(banks, q.name())
	}
	for i := range failed {
		failed[i] = fmt.Errorf("%s: %w", banks[i], failed[i])
	}
	return joinLines(failed)
}

// joinLines makes one error of several on one line, with the first one's hint.
func joinLines(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	words := make([]string, len(errs))
	for i, err := range errs {
		words[i] = err.Error()
	}
	return hint.New(errors.New(strings.Join(words, "; ")), hint.Of(errs[0]))
}

func (s *verification) checkNonce() error {
	switch n := len(s.want.Nonce); {
	case s.want.InsecureNoNonce:
		return errors.New("not compared (--insecure-no-nonce): the evidence may be old or another's")
	case n == 0:
		return hint.New(errors.New("no nonce to compare with was given"), "pass the nonce that was sent to the VM with --nonce HEX")
	case n > MaxNonce || n < MinNonce && !s.want.InsecureShortNonce:
		return hint.New(fmt.Errorf("the expected nonce has %d bytes, want %d to %d", n, MinNonce, MaxNonce),
			"use a fresh random nonce of 32 bytes; --insecure-short-nonce accepts a shorter one")
	}
	return s.eachQuote(func(q *quote) error { return q.checkNonce(s.want.Nonce) })
}

func (s *verification) signatureDetail(q *quote) string {
	return fmt.Sprintf("%v with %v", q.sig.Scheme, q.sig.Hash)
}

func (s *verification) selectionDetail() string {
	if len(s.quotes[0].banks) == 0 {
		return ""
	}
	return "PCR " + ranges(indexes(s.quotes[0].banks[0]))
}

// banks lists the quoted banks in order.
func (s *verification) banks() []bankValues {
	var list []bankValues
	for _, q := range s.quotes {
		list = append(list, q.banks...)
	}
	return list
}

func (s *verification) bankNames() string {
	var names []string
	for _, b := range s.banks() {
		names = append(names, b.alg.String())
	}
	return strings.Join(names, ", ")
}

// checkBanks requires that no bank can stand in for another: each comes once,
// is known, is of the same boot, and was extended if any was.
func (s *verification) checkBanks() error {
	seen := map[tpm.Alg]bool{}
	var blank, extended []string
	for _, b := range s.banks() {
		if b.alg.Size() == 0 {
			return fmt.Errorf("bank %v is not one that attestctl can compute", b.alg)
		}
		if seen[b.alg] {
			return fmt.Errorf("bank %v is quoted twice", b.alg)
		}
		seen[b.alg] = true
		if b.blank() {
			blank = append(blank, b.alg.String())
		} else {
			extended = append(extended, b.alg.String())
		}
	}
	if !seen[tpm.AlgSHA256] && !seen[tpm.AlgSHA384] {
		return hint.New(errors.New("no SHA-256 or SHA-384 bank is quoted"), "quote the SHA-256 bank: SHA-1 alone proves nothing")
	}
	if len(blank) > 0 && len(extended) > 0 {
		return hint.New(fmt.Errorf("bank %s was never extended, %s was", strings.Join(blank, ", "), strings.Join(extended, ", ")),
			"deactivate the bank that the firmware does not use (tpm2_pcrallocate)")
	}
	return s.checkOneBoot()
}

// blank reports whether all values of PCR 0 to 16 are zero: nothing was ever
// measured into the bank.
func (b bankValues) blank() bool {
	for _, v := range b.values {
		if v.index <= 16 && strings.Trim(string(v.value), "\x00") != "" {
			return false
		}
	}
	return true
}

func (s *verification) checkOneBoot() error {
	first := s.quotes[0].attest
	for _, q := range s.quotes[1:] {
		a, c := q.attest, q.attest.Clock
		switch {
		case c.ResetCount != first.Clock.ResetCount || c.RestartCount != first.Clock.RestartCount:
			return hint.New(fmt.Errorf("the TPM was reset between the quotes: reset count %d and %d, restart count %d and %d",
				first.Clock.ResetCount, c.ResetCount, first.Clock.RestartCount, c.RestartCount), "take all quotes in one boot")
		case a.FirmwareVersion != first.FirmwareVersion:
			return fmt.Errorf("the quotes are of TPM firmware %d and %d", first.FirmwareVersion, a.FirmwareVersion)
		case !bytes.Equal(a.QualifiedSigner, first.QualifiedSigner):
			return errors.New("the quotes name two signers")
		}
	}
	return nil
}
