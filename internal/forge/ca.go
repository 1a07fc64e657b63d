package forge

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// Now returns the time at which forged evidence is meant to be verified:
// every honest certificate is valid then and for decades after.
func Now() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// CA is a two-level certification authority in the shape of the one that
// certifies GCE attestation keys. Its names say that it is a test CA.
type CA struct {
	Root         *x509.Certificate
	Intermediate *x509.Certificate
	keys         *Keys
	issuer       crypto.Signer
}

// NewCA makes the CA of a name, for example "forge". Another name gives
// another CA, which nobody trusts.
func NewCA(keys *Keys, name string) (*CA, error) {
	rootKey, err := keys.Key("ca root "+name, P256)
	if err != nil {
		return nil, err
	}
	issuer, err := keys.Key("ca intermediate "+name, P256)
	if err != nil {
		return nil, err
	}
	rootTemplate := caTemplate(keys, name, "root")
	root, err := certify(rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("making the root of CA %q: %w", name, err)
	}
	intermediate, err := certify(caTemplate(keys, name, "intermediate"), root, issuer.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("making the intermediate of CA %q: %w", name, err)
	}
	return &CA{Root: root, Intermediate: intermediate, keys: keys, issuer: issuer}, nil
}

func caTemplate(keys *Keys, name, level string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(keys, name+" "+level),
		Subject: pkix.Name{
			Organization:       []string{"attestctl test CA, not to be trusted"},
			OrganizationalUnit: []string{name},
			CommonName:         "attestctl " + name + " test " + level,
		},
		NotBefore:             Now().AddDate(-2, 0, 0),
		NotAfter:              Now().AddDate(90, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        level == "intermediate",
	}
}

// Issue signs a certificate for the public key. The template says everything
// else, as in [x509.CreateCertificate].
func (ca *CA) Issue(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	return certify(template, ca.Intermediate, public, ca.issuer)
}

// certify needs no randomness: the template has a serial number and the signer
// is deterministic, so that the certificate is too.
func certify(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(nil, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serial returns a positive serial number of 16 bytes.
func serial(keys *Keys, name string) *big.Int {
	b := keys.bytes("serial "+name, 16)
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b)
}
