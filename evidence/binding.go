package evidence

import (
	"bytes"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// binding is one row of the table of formulas by which the report data of a
// hardware report is made. A new one is a row here.
type binding struct {
	name string
	// proves lists what a report bound by it was made for: claims, tee.bound_to.
	proves []string
	// extra is whether the formula takes extra data. Where there is some, no other
	// formula will do.
	extra bool
	// data returns the report data, or nil where the user or the evidence gives
	// too little for the formula. An error says that the formula is ambiguous.
	data func(bindingInput) ([]byte, error)
}

// bindingInput is what the formulas are computed from.
type bindingInput struct {
	nonce      []byte // that of the quotes, or what stands for it
	teeNonce   []byte // one of the report's own
	reportData []byte // all of it, as the user expects it
	extra      []byte // what the workload bound besides
	ak         []byte // PKIX DER of the attestation key; nil without a vTPM
	quoted     bool   // the nonce is also that of a verified quote, byte for byte
}

// ReportDataSize is the length of report data in bytes.
const ReportDataSize = 64

// What a report can be bound to, as tee.bound_to has it.
const (
	boundNonce      = "nonce"
	boundAK         = "ak"
	boundExtra      = "extra"
	boundReportData = "report_data"
)

// bindings lists the formulas in the order in which they are tried.
var bindings = []binding{
	{"report-data", []string{boundReportData}, false, func(in bindingInput) ([]byte, error) { return in.reportData, nil }},
	{"tee-nonce", []string{boundNonce}, false, wholeNonce},
	{"nonce-padded", []string{boundNonce}, false, paddedNonce},
	{"nonce-ak", []string{boundNonce, boundAK}, false, nonceAndAK},
	{"workload-attestation", []string{boundNonce, boundAK}, true, workloadAttestation},
}

// Bindings lists the names of the formulas that --tee-binding takes.
func Bindings() []string {
	names := make([]string, len(bindings))
	for i, b := range bindings {
		names[i] = b.name
	}
	return names
}

// wholeNonce is report data that is a nonce of 64 bytes (gotpm attest --tee-nonce).
func wholeNonce(in bindingInput) ([]byte, error) {
	if len(in.teeNonce) != ReportDataSize {
		return nil, nil //nolint:nilnil // the formula does not apply
	}
	return in.teeNonce, nil
}

// paddedNonce is the nonce with zeros behind it, as gotpm attest makes it without
// --tee-nonce. A nonce that ends in a zero byte gives the same report data as a
// shorter one, unless a quote has the same nonce; gotpm cuts off what is beyond
// 64 bytes.
func paddedNonce(in bindingInput) ([]byte, error) {
	n := len(in.nonce)
	switch {
	case n == 0 || in.teeNonce != nil:
		return nil, nil //nolint:nilnil // the formula does not apply
	case n > ReportDataSize:
		return nil, fmt.Errorf("a nonce of %d bytes does not fit into the 64 of the report data", n)
	case !in.quoted && in.nonce[n-1] == 0:
		return nil, errors.New("a nonce that ends in a zero byte cannot be told from a shorter one with zeros behind it")
	}
	return append(slices.Clone(in.nonce), make([]byte, ReportDataSize-n)...), nil
}

// freshness is the nonce that a formula takes: the report's own, if it has one.
func (in bindingInput) freshness() []byte {
	if in.teeNonce != nil {
		return in.teeNonce
	}
	return in.nonce
}

// nonceAndAK is SHA-512 of the nonce and the attestation key in PKIX DER.
func nonceAndAK(in bindingInput) ([]byte, error) {
	nonce := in.freshness()
	if len(nonce) == 0 || in.ak == nil {
		return nil, nil //nolint:nilnil // the formula does not apply
	}
	sum := sha512.Sum512(slices.Concat(nonce, in.ak))
	return sum[:], nil
}

// workloadAttestation is what workloads on Confidential Space use that take the
// evidence themselves: SHA-512 of a label and of the digests of the challenge,
// the attestation key in PKIX DER and, if there is any, extra data.
func workloadAttestation(in bindingInput) ([]byte, error) {
	challenge := in.freshness()
	if len(challenge) == 0 || in.ak == nil {
		return nil, nil //nolint:nilnil // the formula does not apply
	}
	h := sha512.New()
	h.Write([]byte("WORKLOAD_ATTESTATION"))
	parts := [][]byte{challenge, in.ak}
	if in.extra != nil {
		parts = append(parts, in.extra)
	}
	for _, p := range parts {
		sum := sha512.Sum512(p)
		h.Write(sum[:])
	}
	return h.Sum(nil), nil
}

// checkBinding finds the formula that gives the report data, among those the
// user allows. They cannot be confused: each needs another digest or other bytes.
func (s *verification) checkBinding() (detail string, err error) {
	in := s.bindingInput()
	if err := s.checkFreshness(in); err != nil {
		return "", err
	}
	got := s.hw.reportData()
	var tried []string
	for i := range bindings {
		b := &bindings[i]
		if s.want.Binding != "" && b.name != s.want.Binding || !b.applies(in) {
			continue
		}
		data, err := b.data(in)
		switch {
		case err != nil:
			tried = append(tried, fmt.Sprintf("%s: %v", b.name, err))
		case data == nil:
		case bytes.Equal(data, got[:]):
			s.found.binding, s.found.boundTo = b.name, slices.Clone(b.proves)
			if in.extra != nil {
				s.found.boundTo = append(s.found.boundTo, boundExtra)
			}
			return fmt.Sprintf("%s: made for %s", b.name, strings.Join(s.found.boundTo, " and ")), nil
		default:
			tried = append(tried, b.name)
		}
	}
	err = fmt.Errorf("the report data %x was not made for what was expected", got)
	if len(tried) > 0 {
		err = fmt.Errorf("%w (tried %s)", err, strings.Join(tried, ", "))
	}
	return "", hint.New(err, "give what the guest put into the report: --tee-nonce, --report-data or --tee-binding")
}

// applies reports whether a formula may be tried: report data that is given leaves
// no other, and extra data must be in it.
func (b *binding) applies(in bindingInput) bool {
	if in.reportData != nil {
		return b.name == bindings[0].name
	}
	return in.extra == nil || b.extra
}

// checkFreshness wants something to compare with that nobody can have guessed.
func (s *verification) checkFreshness(in bindingInput) error {
	n := len(in.freshness())
	switch {
	case s.only == onlyHardware && s.want.InsecureNoNonce:
		return errors.New("the report data is not compared (--insecure-no-nonce)")
	case s.only == onlyHardware && in.reportData != nil && len(in.nonce) > 0:
		return hint.New(errors.New("a nonce and all of the report data are given, and only the latter can be compared"), "leave one of them out")
	case in.reportData != nil:
		return nil
	case n == 0:
		return hint.New(errors.New("nothing to compare the report data with"), "give --nonce, --tee-nonce or --report-data")
	case n < MinNonce && !s.want.InsecureShortNonce:
		return hint.New(fmt.Errorf("the nonce has %d bytes, fewer than %d can be guessed", n, MinNonce), "use a fresh random nonce of 32 bytes")
	}
	return nil
}

func (s *verification) bindingInput() bindingInput {
	in := bindingInput{
		nonce: s.want.Nonce, teeNonce: s.want.TEENonce, reportData: s.want.ReportData, extra: s.want.TEEExtra,
		quoted: len(s.quotes) > 0 && !s.failed("tpm.quote.nonce") && !s.want.InsecureNoNonce,
	}
	if s.ak.key == nil {
		return in
	}
	if der, err := x509.MarshalPKIXPublicKey(s.ak.key); err == nil {
		in.ak = der
	}
	return in
}
