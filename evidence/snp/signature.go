package snp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// signedSize is the number of bytes that the signature covers, from the first
// (AMD 56860, ATTESTATION_REPORT: offset of SIGNATURE).
const signedSize = 0x2A0

// algECDSA is the only signature algorithm: ECDSA on P-384 with SHA-384 (AMD
// 56860, signature algorithm encodings).
const algECDSA = 1

// ErrSignature means that the key of a certificate did not sign a report.
var ErrSignature = errors.New("report is not signed by this key")

// VerifySignature verifies that the key of c signed the report as it was
// parsed; later changes of fields are not seen. The report must name the kind
// of key that c is, and each of the two numbers of the signature must lie
// between 1 and the order of the curve. A wrong signature gives ErrSignature.
// Whether c is to be trusted, and belongs to this report, is
// Roots.VerifyChain's and Report.Matches' matter.
func (r *Report) VerifySignature(c *Certificate) error {
	if r == nil || len(r.raw) != ReportSize {
		return errors.New("report was not parsed")
	}
	if c == nil || c.X509 == nil {
		return errors.New("no VCEK or VLEK certificate")
	}
	if err := r.checkSigner(c); err != nil {
		return err
	}
	key, ok := c.X509.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P384() {
		return fmt.Errorf("%v certificate has no ecdsa key on P-384", c.Key)
	}
	rr, err := scalar("r", r.SignatureR)
	if err != nil {
		return err
	}
	ss, err := scalar("s", r.SignatureS)
	if err != nil {
		return err
	}
	sum := sha512.Sum384(r.raw[:signedSize])
	if !ecdsa.Verify(key, sum[:], rr, ss) {
		return ErrSignature
	}
	return nil
}

// checkSigner checks the report's own word on its signature.
func (r *Report) checkSigner(c *Certificate) error {
	if k := r.KeyInfo.SigningKey; k != VCEK && k != VLEK {
		return fmt.Errorf("report names the signing key %v, want VCEK or VLEK", k)
	}
	if r.KeyInfo.SigningKey != c.Key {
		return fmt.Errorf("report is signed with a %v, the certificate is that of a %v", r.KeyInfo.SigningKey, c.Key)
	}
	if r.SignatureAlgorithm != algECDSA {
		return fmt.Errorf("signature algorithm %d, want %d (ecdsa P-384 with sha384)", r.SignatureAlgorithm, algECDSA)
	}
	return nil
}

// scalar decodes a number of the signature: little-endian, in a field of 72
// bytes of which P-384 needs 48 (AMD 56860, ECDSA P-384 signature).
func scalar(name string, field [72]byte) (*big.Int, error) {
	for _, b := range field[48:] {
		if b != 0 {
			return nil, fmt.Errorf("signature %s: bytes 48 to 71 must be zero", name)
		}
	}
	slices.Reverse(field[:]) // a copy
	n := new(big.Int).SetBytes(field[:])
	if n.Sign() == 0 || n.Cmp(elliptic.P384().Params().N) >= 0 {
		return nil, fmt.Errorf("signature %s is not between 1 and the order of the curve", name)
	}
	return n, nil
}
