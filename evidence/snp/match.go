package snp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrMismatch means that a certificate is not that of the chip and TCB which a
// report names. The key of such a certificate may well be genuine.
var ErrMismatch = errors.New("certificate does not fit the report")

// Matches checks that c belongs to the report: the same product where the
// report names one, the same TCB as the reported one in every component, and
// for a VCEK the same chip, unless the report hides it: see ChipIDMasked. A
// difference gives an error that wraps ErrMismatch, says which, and where AMD
// serves the VCEK that fits. A reserved byte in any of the four TCBs that is
// not zero is an error too. A version 2 report takes the product from c.
func (r *Report) Matches(c *Certificate) error {
	if c == nil || c.X509 == nil {
		return errors.New("no VCEK or VLEK certificate")
	}
	if err := r.matchProduct(c); err != nil {
		return err
	}
	reported, err := r.decodeTCBs(c.Product)
	if err != nil {
		return err
	}
	if err := matchTCB(reported, c.TCB); err != nil {
		return fmt.Errorf("%w: %w%s", ErrMismatch, err, r.advice(c))
	}
	if c.Key == VCEK && !r.ChipIDMasked() && !r.isChip(c) {
		return fmt.Errorf("%w: the report is of another chip than the certificate%s", ErrMismatch, r.advice(c))
	}
	return nil
}

func (r *Report) matchProduct(c *Certificate) error {
	p, known := r.Product()
	switch {
	case !r.HasCPUID() && c.Product.known():
		return nil
	case !known:
		return fmt.Errorf("report is of cpuid family 0x%02x model 0x%02x, which is no known product", r.CPUID.Family, r.CPUID.Model)
	case p != c.Product:
		return fmt.Errorf("%w: the report is of %s, the certificate of %s", ErrMismatch, p, c.ProductName)
	}
	return nil
}

// decodeTCBs decodes all four TCBs and returns the reported one.
func (r *Report) decodeTCBs(p Product) (TCB, error) {
	for _, other := range []struct {
		name string
		raw  RawTCB
	}{{"current", r.CurrentTCB}, {"committed", r.CommittedTCB}, {"launch", r.LaunchTCB}} {
		if _, err := other.raw.Decode(p); err != nil {
			return TCB{}, fmt.Errorf("%s %w", other.name, err)
		}
	}
	reported, err := r.ReportedTCB.Decode(p)
	if err != nil {
		return TCB{}, fmt.Errorf("reported %w", err)
	}
	return reported, nil
}

func matchTCB(report, cert TCB) error {
	if report == cert {
		return nil
	}
	var list []string
	of := cert.Components()
	for i, c := range report.Components() {
		if i >= len(of) || c != of[i] {
			list = append(list, c.Name)
		}
	}
	return fmt.Errorf("they differ in %s (report: %v; certificate: %v)", strings.Join(list, ", "), report, cert)
}

// ChipIDMasked reports whether CHIP_ID is all zero, as it is where the host
// hides it (AMD 56860, MASK_CHIP_ID) and in some reports that a VLEK signs. The
// report then does not say which chip it is from. KeyInfo.MaskChipKey is
// another thing: it keeps the VCEK from signing.
func (r *Report) ChipIDMasked() bool { return r.ChipID == [64]byte{} }

// isChip compares CHIP_ID with the hwID of a VCEK, which is the shorter one on
// Turin; what the hwID does not cover must be zero.
func (r *Report) isChip(c *Certificate) bool {
	var want [64]byte
	return len(c.HWID) == c.Product.hwidSize() && copy(want[:], c.HWID) > 0 && want == r.ChipID
}

// VCEKFor returns the path and query at which https://kdsintf.amd.com serves
// the VCEK that signs this report (AMD 57230, VCEK request). The product is the
// report's own, or product for a report that does not name one. It is an error
// where no VCEK signs the report, the chip is hidden or the product is unknown.
// Nothing is fetched.
func VCEKFor(r *Report, product Product) (string, error) {
	if p, ok := r.Product(); ok {
		product = p
	} else if r.HasCPUID() {
		product = ""
	}
	if r.KeyInfo.SigningKey != VCEK {
		return "", fmt.Errorf("report names the signing key %v, want VCEK", r.KeyInfo.SigningKey)
	}
	if r.ChipIDMasked() {
		return "", errors.New("report does not name its chip")
	}
	tcb, err := r.ReportedTCB.Decode(product)
	if err != nil {
		return "", err
	}
	var query []string
	for _, part := range tcb.layout() {
		if part.spl != nil {
			query = append(query, fmt.Sprintf("%s=%d", part.param, *part.spl))
		}
	}
	chip := hex.EncodeToString(r.ChipID[:product.hwidSize()])
	return fmt.Sprintf("/vcek/v1/%s/%s?%s", product, chip, strings.Join(query, "&")), nil
}

func (r *Report) advice(c *Certificate) string {
	path, err := VCEKFor(r, c.Product)
	if err != nil {
		return ""
	}
	return "; the one that fits is https://kdsintf.amd.com" + path
}
