package token

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

const maxCRL = 1 << 20

// ErrRevoked means that a certificate of a token's chain is revoked.
var ErrRevoked = errors.New("certificate is revoked")

// ParseCRL decodes a certificate revocation list in DER or as one PEM block. It
// refuses lists over 1 MiB, trailing bytes, and critical extensions, which would
// make it an indirect, partial or delta list (RFC 5280 5.2 and 5.3). Signature
// and times are checked with the chain.
func ParseCRL(data []byte) (*x509.RevocationList, error) {
	if len(data) > maxCRL {
		return nil, fmt.Errorf("revocation list has %d bytes, at most %d are read", len(data), maxCRL)
	}
	if block, rest := pem.Decode(data); block != nil {
		if block.Type != "X509 CRL" || len(bytes.TrimSpace(rest)) != 0 {
			return nil, errors.New("want one pem block of type \"X509 CRL\"")
		}
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, fmt.Errorf("parsing revocation list: %w", err)
	}
	if len(list.Raw) != len(data) { // crypto/x509 passes over the rest
		return nil, fmt.Errorf("revocation list is followed by %d more bytes", len(data)-len(list.Raw))
	}
	extensions := list.Extensions
	for _, entry := range list.RevokedCertificateEntries {
		extensions = append(extensions, entry.Extensions...)
	}
	for _, x := range extensions {
		if x.Critical {
			return nil, fmt.Errorf("revocation list has the critical extension %v", x.Id)
		}
	}
	return list, nil
}

// checkRevocation looks the leaf up in lists of the intermediate, of which there
// is at least one, and the intermediate in lists of the root, if any. Lists of
// others are passed over.
func checkRevocation(chain []*x509.Certificate, lists []*x509.RevocationList, now time.Time) error {
	current := false
	for i, cert := range chain[:chainLength-1] {
		issuer := chain[i+1]
		for _, list := range lists {
			if list == nil || !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
				continue
			}
			if err := list.CheckSignatureFrom(issuer); err != nil {
				return fmt.Errorf("revocation list is not signed by %s: %w", nameOf(issuer), err)
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
					return fmt.Errorf("%w: %s, serial number 0x%x", ErrRevoked, nameOf(cert), cert.SerialNumber)
				}
			}
			if now.Before(list.ThisUpdate) || now.After(list.NextUpdate) {
				return fmt.Errorf("revocation list of %s is for %s to %s, not for %s",
					nameOf(issuer), stamp(list.ThisUpdate), stamp(list.NextUpdate), stamp(now))
			}
			current = current || i == 0
		}
	}
	if !current {
		return fmt.Errorf("no revocation list of %s", nameOf(chain[1]))
	}
	return nil
}
