package tdx

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// crlFile decodes a CRL in DER or, if it begins like that, in PEM.
func crlFile(raw []byte) (*x509.RevocationList, error) {
	if len(raw) == 0 {
		return nil, errMissing
	}
	if len(raw) > MaxCollateralFile {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(raw), MaxCollateralFile)
	}
	if bytes.HasPrefix(raw, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(raw)
		if block == nil || block.Type != "X509 CRL" || len(bytes.TrimSpace(rest)) != 0 {
			return nil, errors.New("not exactly one crl in pem")
		}
		raw = block.Bytes
	}
	crl, err := x509.ParseRevocationList(raw)
	if err != nil {
		return nil, err
	}
	if n := len(raw) - len(crl.Raw); n != 0 { // crypto/x509 reads past them
		return nil, fmt.Errorf("%d bytes after the crl", n)
	}
	for _, e := range crl.Extensions {
		if e.Critical { // a delta CRL, or one for some certificates only
			return nil, fmt.Errorf("critical extension %v", e.Id)
		}
	}
	return crl, nil
}

// issuedCRL decodes a CRL and checks that issuer signed it and that it is the
// current one at the given time (Intel SGX PCK Certificate and CRL Profile, 1.4).
func issuedCRL(raw []byte, issuer *x509.Certificate, at time.Time) (*x509.RevocationList, error) {
	crl, err := crlFile(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(crl.RawIssuer, issuer.RawSubject):
		return nil, fmt.Errorf("issued by %q, want %q", crl.Issuer.CommonName, issuer.Subject.CommonName)
	case crl.SignatureAlgorithm != x509.ECDSAWithSHA256:
		return nil, fmt.Errorf("signed with %v, want ECDSA-SHA256", crl.SignatureAlgorithm)
	case issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return nil, fmt.Errorf("certificate %q may not sign crls", issuer.Subject.CommonName)
	}
	if err := crl.CheckSignatureFrom(issuer); err != nil {
		return nil, err
	}
	switch {
	case at.Before(crl.ThisUpdate):
		return nil, fmt.Errorf("not issued before %s", stamp(crl.ThisUpdate))
	case crl.NextUpdate.IsZero():
		return nil, errors.New("no next update")
	case at.After(crl.NextUpdate):
		return nil, fmt.Errorf("expired: the next update was due at %s", stamp(crl.NextUpdate))
	}
	return crl, nil
}

// notRevoked checks that none of the certificates is on the CRL of their issuer.
func notRevoked(crl *x509.RevocationList, certs ...*x509.Certificate) error {
	for _, c := range certs {
		for _, e := range crl.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return fmt.Errorf("certificate %q with serial %x was revoked at %s", c.Subject.CommonName, c.SerialNumber, stamp(e.RevocationTime))
			}
		}
	}
	return nil
}
