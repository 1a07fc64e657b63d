package evidence

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// MaxEK is the size of the largest public area that CheckEK reads, MaxEKCertificate
// that of the largest certificate, in bytes.
const (
	MaxEK            = 1 << 10
	MaxEKCertificate = maxCertSize
)

// TrustsEKs reports whether there is any endorsement key that CheckEK could find
// genuine.
func (t *Trust) TrustsEKs() bool { return t != nil && !t.ek.none() }

// CheckEK reads the public area of an endorsement key, a TPMT_PUBLIC, and requires
// that it is one of a genuine TPM at the time now: the key is pinned (with all of
// its public area, where the pin has that), or the certificate, in DER, is for this
// key and this purpose and chains to a trusted root. What comes of a pinned key's
// certificate does not matter.
//
// A certificate vouches for the key alone. That the rest of the public area is the
// TPM's own shows when it activates a credential, which another name algorithm or
// cipher keeps it from (TPM 2.0 Part 1, 24).
//
// Source: TCG EK Credential Profile 2.5, 3.2.
func (t *Trust) CheckEK(public, certificate []byte, now time.Time) (*tpm.Public, error) {
	if t == nil || now.IsZero() {
		return nil, errors.New("endorsement key: nothing says what is trusted, or when")
	}
	p, key, err := parseEK(public)
	if err != nil {
		return nil, fmt.Errorf("endorsement key: %w", err)
	}
	if pin := t.ek.pinned(key); pin != nil {
		if pin.public != nil && !bytes.Equal(pin.public.Append(nil), public) {
			return nil, errors.New("endorsement key: it differs from the public area of the pinned key")
		}
		return p, nil
	}
	if err := t.checkEKCertificate(key, certificate, now); err != nil {
		return nil, fmt.Errorf("certificate of the endorsement key: %w", err)
	}
	return p, nil
}

func parseEK(public []byte) (*tpm.Public, crypto.PublicKey, error) {
	if len(public) > MaxEK {
		return nil, nil, fmt.Errorf("%d bytes, at most %d are read", len(public), MaxEK)
	}
	p, err := tpm.ParsePublic(public)
	if err != nil {
		return nil, nil, err
	}
	if err := p.CheckEK(); err != nil {
		return nil, nil, err
	}
	key, err := p.Key()
	return p, key, err
}

func (t *Trust) checkEKCertificate(key crypto.PublicKey, der []byte, now time.Time) error {
	const advice = "ek/roots and ek/intermediates of the trust directory are for those who certify TPMs, ek/pins is for single keys"
	if len(der) == 0 {
		return hint.New(errors.New("there is none, and the key is not pinned"), advice)
	}
	cert, err := parseCertificateDER(der)
	if err != nil {
		return err
	}
	if !equalKeys(cert.PublicKey, key) {
		return errors.New("it is another key's")
	}
	if err := checkEKProfile(cert); err != nil {
		return err
	}
	if _, _, err := t.ek.chain(cert, nil, now); err != nil {
		return hint.New(err, advice)
	}
	return nil
}

// checkEKProfile requires of an EK certificate that it is for encrypting to the key
// of a TPM and for nothing else, and not of an instance that says it is for tests.
// Not all of Google's have the extended key usage.
func checkEKProfile(cert *x509.Certificate) error {
	want := x509.KeyUsageKeyAgreement
	if _, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		want = x509.KeyUsageKeyEncipherment
	}
	switch {
	case cert.IsCA:
		return errors.New("it is that of a certification authority")
	case !cert.BasicConstraintsValid:
		return errors.New("it does not say that it is no certification authority (basicConstraints)")
	case cert.KeyUsage != want:
		return hint.New(fmt.Errorf("key usage is %s, want %s alone", keyUsages(cert.KeyUsage), keyUsages(want)),
			"attestation keys chain to the same roots: use the certificate of the endorsement key")
	case len(cert.ExtKeyUsage) > 0:
		return errors.New("extended key usage is for another purpose than an endorsement key")
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		if !oid.Equal(oidEKCertificate) {
			return fmt.Errorf("extended key usage %v, want %v", oid, oidEKCertificate)
		}
	}
	if !slices.ContainsFunc(cert.Extensions, isInstance) {
		return nil
	}
	in, err := instanceOf(cert)
	if err == nil && (in.production == nil || !*in.production) {
		err = errors.New("it is not of a production instance (isProduction)")
	}
	return err
}
