package token

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// ErrUntrusted means that a token's certificates do not lead to a trusted root.
var ErrUntrusted = errors.New("certificate chain does not end in a trusted root")

// chainLength is that of every chain: leaf, intermediate, root.
const chainLength = 3

// keyPurpose is tcg-kp-EKCertificate, the only purpose of Google's intermediate.
var keyPurpose = asn1.ObjectIdentifier{2, 23, 133, 8, 1}

// parseCertificate decodes an item of x5c: base64, not base64url, of one
// certificate and nothing behind it (RFC 7515 4.1.6).
func parseCertificate(item string) (*x509.Certificate, error) {
	der, err := base64std.DecodeString(item)
	if err != nil || base64std.EncodedLen(len(der)) != len(item) {
		return nil, errors.New("certificate is not canonical base64")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	if len(cert.Raw) != len(der) {
		return nil, errors.New("certificate is followed by more bytes")
	}
	return cert, nil
}

// parseChain decodes an x5c of leaf, intermediate and root, and the leaf's key.
func parseChain(x5c []string) ([]*x509.Certificate, error) {
	if len(x5c) != chainLength {
		return nil, fmt.Errorf("x5c has %d certificates, want %d: leaf, intermediate, root", len(x5c), chainLength)
	}
	chain := make([]*x509.Certificate, chainLength)
	for i, item := range x5c {
		cert, err := parseCertificate(item)
		if err != nil {
			return nil, fmt.Errorf("x5c[%d]: %w", i, err)
		}
		chain[i] = cert
	}
	key, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("leaf has a key of type %v, want rsa", chain[0].PublicKeyAlgorithm)
	}
	if err := checkRSA(key); err != nil {
		return nil, fmt.Errorf("leaf's key %w", err)
	}
	return chain, nil
}

// verifyChain verifies a chain of three against trusted roots at each of the
// given times.
func (r *Roots) verifyChain(chain []*x509.Certificate, at ...time.Time) error {
	if r == nil || len(r.digests) == 0 {
		return ErrNoRoots
	}
	leaf, intermediate, root := chain[0], chain[1], chain[2]
	if !r.has(root) {
		return fmt.Errorf("%w: it ends in %s", ErrUntrusted, nameOf(root))
	}
	if err := checkProfile(leaf, intermediate, root); err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	options.Roots.AddCert(root)
	options.Intermediates.AddCert(intermediate)
	options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} // the intermediate's purpose is checkProfile's
	for _, t := range at {
		options.CurrentTime = t
		paths, err := leaf.Verify(options)
		if err != nil {
			return fmt.Errorf("at %s: %w", stamp(t), err)
		}
		if !slices.ContainsFunc(paths, func(p []*x509.Certificate) bool { return slices.EqualFunc(p, chain, (*x509.Certificate).Equal) }) {
			return fmt.Errorf("%w: the path found is not the token's", ErrUntrusted)
		}
	}
	return nil
}

// checkProfile checks what x509.Verify leaves open. Google's leaf is no
// authority and has no key usage or purpose, its intermediate one purpose.
func checkProfile(leaf, intermediate, root *x509.Certificate) error {
	for i, c := range []*x509.Certificate{leaf, intermediate, root} {
		if c.SignatureAlgorithm != x509.SHA256WithRSA {
			return fmt.Errorf("certificate %d is signed with %v, want %v", i, c.SignatureAlgorithm, x509.SHA256WithRSA)
		}
		if authority := c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0; i > 0 && !authority {
			return fmt.Errorf("certificate %d is not one of a certificate authority", i)
		}
	}
	switch {
	case leaf.IsCA:
		return errors.New("leaf is a certificate authority")
	case leaf.KeyUsage&^x509.KeyUsageDigitalSignature != 0:
		return errors.New("leaf is for another usage than signing")
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) != 0:
		return errors.New("leaf is for another purpose: it has an extended key usage")
	case !slices.EqualFunc(intermediate.UnknownExtKeyUsage, []asn1.ObjectIdentifier{keyPurpose}, asn1.ObjectIdentifier.Equal),
		len(intermediate.ExtKeyUsage) != 0:
		return fmt.Errorf("intermediate is for another purpose than %v", keyPurpose)
	case !bytes.Equal(root.RawIssuer, root.RawSubject):
		return errors.New("root is issued by another")
	}
	return nil
}

func nameOf(c *x509.Certificate) string { return strictjson.Quote(c.Subject.CommonName) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
