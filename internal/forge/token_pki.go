package forge

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"
)

// TokenChain are the templates of a chain, and the type of the leaf's key.
type TokenChain struct {
	Leaf, Intermediate, Root *x509.Certificate
	LeafKey                  KeyType
}

// TokenPKI certifies the keys of tokens: a root, an intermediate for the one
// purpose 2.23.133.8.1, and a leaf without key usage or purpose, in the shape of
// Google's, but with keys of 2048 bits throughout.
type TokenPKI struct {
	Leaf, Intermediate, Root *x509.Certificate

	key, issuer crypto.Signer // of leaf and intermediate
}

// NewTokenPKI makes the PKI of a name, "" for the forge's own, for tokens of
// about this time.
func NewTokenPKI(keys *Keys, name string, at time.Time) (*TokenPKI, error) {
	return newTokenPKI(keys, name, at, nil)
}

func (t Token) pki() (*TokenPKI, error) {
	return newTokenPKI(t.Keys, t.Authority, t.Issued, t.Edits.Chain)
}

func newTokenPKI(keys *Keys, name string, at time.Time, edit func(*TokenChain) error) (*TokenPKI, error) {
	name = cmp.Or(name, "forge")
	c := tokenChain(keys, name, at)
	if err := apply(edit, c); err != nil {
		return nil, fmt.Errorf("editing the chain: %w", err)
	}
	rootKey, err := keys.Key("token root "+name, RSA2048)
	if err != nil {
		return nil, err
	}
	p := &TokenPKI{}
	if p.issuer, err = keys.Key("token intermediate "+name, RSA2048); err != nil {
		return nil, err
	}
	if p.key, err = keys.Key("token leaf "+name, c.LeafKey); err != nil {
		return nil, err
	}
	if p.Root, err = certify(c.Root, c.Root, rootKey.Public(), rootKey); err != nil {
		return nil, fmt.Errorf("making the root %q: %w", name, err)
	}
	if p.Intermediate, err = certify(c.Intermediate, p.Root, p.issuer.Public(), rootKey); err != nil {
		return nil, fmt.Errorf("making the intermediate %q: %w", name, err)
	}
	if p.Leaf, err = certify(c.Leaf, p.Intermediate, p.key.Public(), p.issuer); err != nil {
		return nil, fmt.Errorf("making the leaf %q: %w", name, err)
	}
	return p, nil
}

// tokenChain are honest templates. The leaf is for 60 days, as Google's are.
func tokenChain(keys *Keys, name string, at time.Time) *TokenChain {
	const authority = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	one := func(level string, from, to time.Time) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: serial(keys, "token "+name+" "+level),
			Subject: pkix.Name{
				Organization: []string{"attestctl test CA, not to be trusted"}, OrganizationalUnit: []string{name},
				CommonName: "Confidential Space " + level,
			},
			NotBefore: from, NotAfter: to, BasicConstraintsValid: true, SignatureAlgorithm: x509.SHA256WithRSA,
		}
	}
	c := &TokenChain{
		Root:         one("Root CA", Now().AddDate(-2, 0, 0), Now().AddDate(90, 0, 0)),
		Intermediate: one("Intermediate CA", Now().AddDate(-2, 0, 0), Now().AddDate(30, 0, 0)),
		Leaf:         one("Leaf Certificate", at.AddDate(0, 0, -5).UTC(), at.AddDate(0, 0, 55).UTC()),
	}
	c.Root.IsCA, c.Root.KeyUsage = true, authority
	c.Intermediate.IsCA, c.Intermediate.KeyUsage = true, authority
	c.Intermediate.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ekCertificate()}
	c.Intermediate.IssuingCertificateURL = []string{"http://ca.attestctl-forge.example/ca.crt"}
	c.Intermediate.CRLDistributionPoints = []string{"http://ca.attestctl-forge.example/crl.crl"}
	c.Leaf.IssuingCertificateURL = []string{"http://ca.attestctl-forge.example/leaf/ca.crt"}
	return c
}

// ekCertificate is tcg-kp-EKCertificate, the purpose of Google's intermediate.
func ekCertificate() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 23, 133, 8, 1} }

// X5C encodes certificates as the header of a token carries them: base64 of DER
// (RFC 7515 4.1.6).
func X5C(certs ...*x509.Certificate) []string {
	var list []string
	for _, c := range certs {
		list = append(list, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return list
}

// CRL is the intermediate's revocation list, for a month around the time.
func (p *TokenPKI) CRL(at time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	list := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: at.AddDate(0, 0, -15), NextUpdate: at.AddDate(0, 0, 15),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at.AddDate(0, 0, -1)})
	}
	der, err := x509.CreateRevocationList(nil, list, p.Intermediate, p.issuer)
	if err != nil {
		return nil, fmt.Errorf("making the revocation list: %w", err)
	}
	return der, nil
}
