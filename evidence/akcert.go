package evidence

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/attestctl/attestctl/internal/hint"
)

var (
	oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}
	// Extended key usages of TPM certificates (TCG EK Credential Profile 2.5,
	// 3.2.16): Google's AK certificates carry the first.
	oidEKCertificate = asn1.ObjectIdentifier{2, 23, 133, 8, 1}
	oidAKCertificate = asn1.ObjectIdentifier{2, 23, 133, 8, 3}
)

// earliestEnd returns when the first certificate of a chain ends.
func earliestEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// acceptSAN returns cert with a critical subjectAltName taken off the list of
// unhandled extensions, if it is well formed. crypto/x509 does not handle the
// directoryName that TPM certificates carry there.
func acceptSAN(cert *x509.Certificate) (*x509.Certificate, error) {
	if len(cert.UnhandledCriticalExtensions) == 0 {
		return cert, nil
	}
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oidSAN) {
			if err := checkGeneralNames(ext.Value); err != nil {
				return nil, fmt.Errorf("subjectAltName: %w", err)
			}
		}
	}
	leaf := *cert
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions), oidSAN.Equal)
	return &leaf, nil
}

// checkGeneralNames requires one or more GeneralName elements (RFC 5280, 4.2.1.6).
func checkGeneralNames(der []byte) error {
	s := cryptobyte.String(der)
	var names cryptobyte.String
	if !s.ReadASN1(&names, cbasn1.SEQUENCE) || !s.Empty() {
		return errors.New("not one SEQUENCE")
	}
	if names.Empty() {
		return errors.New("empty")
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1Element(&name, &tag) || tag&0xc0 != 0x80 || tag&0x1f > 8 {
			return errors.New("not a GeneralName")
		}
	}
	return nil
}

func explainChain(err error, cert *x509.Certificate, now time.Time) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return hint.New(fmt.Errorf("the certificate does not chain to a trusted root: its issuer is %q", cert.Issuer),
			"name the trust directory with --trust, or pin the key with --ak-pub; `attestctl trust list` shows what is trusted")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		return hint.New(fmt.Errorf("at %s the certificate of %s is not valid: it is from %s to %s", now.UTC().Format(time.RFC3339),
			holder(c), c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339)),
			"give the time the evidence was made with --at")
	}
	return err
}

// holder names whose certificate it is. Google's first hierarchy certifies keys
// without a subject.
func holder(c *x509.Certificate) string {
	if c.Subject.String() == "" {
		return fmt.Sprintf("the key (serial %x)", c.SerialNumber)
	}
	return fmt.Sprintf("%q", c.Subject)
}

// checkProfile requires of an AK certificate what Google's have: it is for
// signing, for a TPM key, no CA, and of a production instance.
func checkProfile(cert *x509.Certificate) (*instance, error) {
	switch {
	case cert.IsCA:
		return nil, errors.New("the certificate is that of a certification authority")
	case !cert.BasicConstraintsValid:
		return nil, errors.New("the certificate does not say that it is no certification authority (basicConstraints)")
	case cert.KeyUsage != x509.KeyUsageDigitalSignature:
		return nil, hint.New(fmt.Errorf("key usage is %s, want digitalSignature alone", keyUsages(cert.KeyUsage)),
			"endorsement keys chain to the same roots: use the certificate of the signing key")
	case len(cert.ExtKeyUsage) > 0:
		return nil, errors.New("extended key usage is for another purpose than a TPM key")
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		if !oid.Equal(oidEKCertificate) && !oid.Equal(oidAKCertificate) {
			return nil, fmt.Errorf("extended key usage %v, want 2.23.133.8.1 or 2.23.133.8.3", oid)
		}
	}
	in, err := instanceOf(cert)
	if err != nil {
		return nil, err
	}
	if in.production == nil || !*in.production {
		return nil, errors.New("the certificate is not of a production instance (isProduction)")
	}
	return in, nil
}

var keyUsageNames = []string{
	"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement",
	"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

func keyUsages(u x509.KeyUsage) string {
	var names []string
	for i, name := range keyUsageNames {
		if u&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "absent"
	}
	return strings.Join(names, "+")
}
