package snp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxCertificate bounds a certificate in bytes. Genuine ones have about 1400,
// an ASK or ARK about 1700.
const maxCertificate = 16 << 10

// Certificate is a VCEK or a VLEK with what its extensions say (AMD 57230,
// VCEK and VLEK certificate extensions). It is not trusted before
// Roots.VerifyChain.
type Certificate struct {
	X509        *x509.Certificate
	Key         SigningKey // VCEK or VLEK
	Product     Product
	ProductName string // as the certificate has it, such as "Milan-B0"
	TCB         TCB    // what the key was derived for
	HWID        []byte // of a VCEK: 64 bytes, on Turin 8
	CSPID       string // of a VLEK: the cloud provider
}

// ParseCertificate decodes the DER of a VCEK or a VLEK. It refuses trailing
// bytes, a key other than ECDSA on P-384, a signature other than RSASSA-PSS
// with SHA-384, a certificate authority, an unknown critical extension, and a
// KDS extension that is missing, unknown, doubled or not in DER. Neither the
// signature nor the validity is checked.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("certificate has %d bytes, at most %d are read", len(der), maxCertificate)
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	c := &Certificate{X509: x}
	if err := c.checkShape(); err != nil {
		return nil, err
	}
	if err := c.readExtensions(); err != nil {
		return nil, fmt.Errorf("%v certificate: %w", c.Key, err)
	}
	return c, nil
}

// checkShape checks what all VCEKs and VLEKs have in common, and takes the kind
// from the subject's name (AMD 57230, VCEK and VLEK certificate format).
func (c *Certificate) checkShape() error {
	switch name := c.X509.Subject.CommonName; name {
	case "SEV-VCEK":
		c.Key = VCEK
	case "SEV-VLEK":
		c.Key = VLEK
	default:
		return fmt.Errorf("certificate of %q, want SEV-VCEK or SEV-VLEK", name)
	}
	if c.X509.IsCA {
		return fmt.Errorf("%v certificate is one of a certificate authority", c.Key)
	}
	if key, ok := c.X509.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P384() {
		return fmt.Errorf("%v certificate has a %v key, want ecdsa on P-384", c.Key, c.X509.PublicKeyAlgorithm)
	}
	if err := checkSigned(c.X509); err != nil {
		return fmt.Errorf("%v certificate %w", c.Key, err)
	}
	return nil
}

// checkSigned checks what every certificate of AMD's has: version 3, RSASSA-PSS
// with SHA-384, and no critical extension that crypto/x509 does not know.
func checkSigned(x *x509.Certificate) error {
	if x.Version != 3 {
		return fmt.Errorf("has version %d, want 3", x.Version)
	}
	if x.SignatureAlgorithm != x509.SHA384WithRSAPSS {
		return fmt.Errorf("is signed with %v, want %v", x.SignatureAlgorithm, x509.SHA384WithRSAPSS)
	}
	if len(x.UnhandledCriticalExtensions) > 0 {
		return fmt.Errorf("has the unknown critical extension %v", x.UnhandledCriticalExtensions[0])
	}
	return nil
}

// CertificateDER returns the DER of a certificate that evidence carries as DER
// or as exactly one PEM block; both occur in certificate tables. The DER itself
// is not looked at.
func CertificateDER(blob []byte) ([]byte, error) {
	return derOf(blob, "CERTIFICATE")
}

func derOf(blob []byte, kind string) ([]byte, error) {
	if len(blob) == 0 {
		return nil, fmt.Errorf("%s is empty", kind)
	}
	if blob[0] == 0x30 { // SEQUENCE: no PEM begins so
		return blob, nil
	}
	if !bytes.HasPrefix(blob, []byte("-----BEGIN ")) {
		return nil, fmt.Errorf("%s is neither DER nor PEM", kind)
	}
	block, rest := pem.Decode(blob)
	if block == nil || block.Type != kind || len(block.Headers) != 0 {
		return nil, fmt.Errorf("PEM is damaged or not a %s", kind)
	}
	if len(bytes.Trim(rest, " \t\r\n\x00")) != 0 {
		return nil, errors.New("PEM is followed by more data")
	}
	return block.Bytes, nil
}
