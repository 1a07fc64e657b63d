package snp

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ErrUntrusted means that no trusted ASK or ASVK signed a VCEK or VLEK.
var ErrUntrusted = errors.New("not signed by a trusted AMD key")

// ErrNotValidAt means that a certificate of the chain is expired or not valid
// yet at the time of the verification.
var ErrNotValidAt = errors.New("certificate is not valid at this time")

// Chain is a verified path of three certificates, the last two trusted ones.
// The zero Chain is verified by nobody.
type Chain struct {
	Leaf, Intermediate, Root *x509.Certificate
	Product                  Product
	Key                      SigningKey // VCEK or VLEK
	NotAfter                 time.Time  // the earliest end of the three
}

// VerifyChain verifies that a trusted ASK (for a VCEK) or ASVK (for a VLEK) of
// the leaf's product signed the leaf, that its ARK signed it and itself, and that
// all three certificates are valid at the given time, ends included. Errors wrap ErrNoRoots, ErrUntrusted or
// ErrNotValidAt. Revocation is Chain.Revoked.
//
// The signature of a leaf that these Roots verified before is not computed
// again; its validity is checked every time.
func (r *Roots) VerifyChain(leaf *Certificate, at time.Time) (Chain, error) {
	if r == nil || len(r.issuers) == 0 {
		return Chain{}, ErrNoRoots
	}
	if leaf == nil || leaf.X509 == nil {
		return Chain{}, errors.New("no VCEK or VLEK certificate")
	}
	by, err := r.issuerOf(leaf)
	if err != nil {
		return Chain{}, err
	}
	chain := Chain{Leaf: leaf.X509, Intermediate: by.cert, Root: by.root, Product: by.product, Key: by.issues}
	for _, c := range []*x509.Certificate{chain.Leaf, chain.Intermediate, chain.Root} {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return Chain{}, fmt.Errorf("%w: %s is valid from %s to %s, not at %s", ErrNotValidAt, nameOf(c),
				c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
		if chain.NotAfter.IsZero() || c.NotAfter.Before(chain.NotAfter) {
			chain.NotAfter = c.NotAfter
		}
	}
	return chain, nil
}

// issuerOf finds the trusted key that signed leaf. AMD renewed ASKs under the
// same name, so that each of that name is tried.
func (r *Roots) issuerOf(leaf *Certificate) (*issuer, error) {
	id := digestOf(leaf.X509.Raw)
	if i, ok := r.seen.get(id); ok && r.issuers[i].fits(leaf) {
		return &r.issuers[i], nil
	}
	err := fmt.Errorf("%v of %s issued by %q: %w", leaf.Key, leaf.Product, leaf.X509.Issuer.CommonName, ErrUntrusted)
	for i := range r.issuers {
		by := &r.issuers[i]
		if !by.fits(leaf) {
			continue
		}
		cause := by.vouched()
		if cause == nil {
			cause = leaf.X509.CheckSignatureFrom(by.cert)
		}
		if cause != nil {
			err = fmt.Errorf("%w: %w", err, cause)
			continue
		}
		r.seen.put(id, i)
		return by, nil
	}
	return nil, err
}

// fits reports whether the key may issue leaf: an ASK a VCEK, an ASVK a VLEK,
// of its own product and in its own name.
func (i *issuer) fits(leaf *Certificate) bool {
	return i.issues == leaf.Key && i.product == leaf.Product && bytes.Equal(i.cert.RawSubject, leaf.X509.RawIssuer)
}
