package tdx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
)

// What VerifySignature can find wrong, one for each of its steps.
var (
	ErrBodySignature     = errors.New("quote signature does not verify under its attestation key")
	ErrAttestationKey    = errors.New("qe report does not vouch for the attestation key")
	ErrQEReportSignature = errors.New("qe report signature does not verify under the pck certificate")
)

// VerifySignature checks that the quote hangs together: the three steps
// VerifyBody, VerifyAttestationKey and VerifyQEReport, all of which run. It says
// nothing of who issued the PCK certificate: [Roots.VerifyPCK] does. The error
// wraps ErrBodySignature, ErrAttestationKey and ErrQEReportSignature as they
// apply.
func (q *Quote) VerifySignature() error {
	return errors.Join(
		q.VerifyBody(),
		q.VerifyAttestationKey(),
		q.VerifyQEReport(),
	)
}

// VerifyBody checks the ECDSA P-256 signature of the attestation key over header
// and body (Appendix A.3.8).
func (q *Quote) VerifyBody() error {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, q.AttestationKey[:]...))
	if err != nil {
		return fmt.Errorf("%w: not a point on p-256", ErrBodySignature)
	}
	if !verifyRaw(key, q.Signed, q.Signature) {
		return ErrBodySignature
	}
	return nil
}

// VerifyAttestationKey checks that the QE report's data is SHA-256 over
// attestation key and QE auth data, followed by 32 zero bytes (A.3.10).
func (q *Quote) VerifyAttestationKey() error {
	h := sha256.New()
	h.Write(q.AttestationKey[:])
	h.Write(q.QEAuthData)
	var want [64]byte
	h.Sum(want[:0])
	if q.QEReport.ReportData != want {
		return fmt.Errorf("%w: report data is %x, want %x", ErrAttestationKey, q.QEReport.ReportData, want)
	}
	return nil
}

// VerifyQEReport checks the ECDSA P-256 signature of the PCK, the first
// certificate of the quote's chain, over the QE report (A.3.10).
func (q *Quote) VerifyQEReport() error {
	if len(q.chain) == 0 {
		return fmt.Errorf("%w: no certificate", ErrQEReportSignature)
	}
	key := p256Key(q.chain[0])
	if key == nil {
		return fmt.Errorf("%w: its key is not on p-256", ErrQEReportSignature)
	}
	if !verifyRaw(key, q.rawQEReport, q.QEReportSignature) {
		return ErrQEReportSignature
	}
	return nil
}

// verifyRaw checks an ECDSA signature r ‖ s over SHA-256 of data.
func verifyRaw(key *ecdsa.PublicKey, data []byte, sig [64]byte) bool {
	digest := sha256.Sum256(data)
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return ecdsa.Verify(key, digest[:], r, s)
}

// p256Key returns the certificate's key, or nil if it is of another kind.
func p256Key(cert *x509.Certificate) *ecdsa.PublicKey {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil
	}
	return key
}
