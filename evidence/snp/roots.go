package snp

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ErrNoRoots means that trust was asked of Roots that hold no key.
var ErrNoRoots = errors.New("no AMD keys are trusted")

// ErrForeignRoot means that evidence carries an ASK, ASVK or ARK that is not,
// byte for byte, one of the trusted certificates.
var ErrForeignRoot = errors.New("evidence carries an AMD key certificate that is not a trusted one")

const (
	maxRoots    = 64   // certificates; AMD has nine for three products
	minRSABits  = 4096 // every genuine ASK, ASVK and ARK has as many
	amdName     = "Advanced Micro Devices"
	arkPrefix   = "ARK-"
	askPrefix   = "SEV-"
	asvkPrefix  = "SEV-VLEK-"
	rsaExponent = 65537
)

// Roots are the AMD keys that are trusted: for each product an ARK, and the ASK
// (which issues VCEKs) and ASVK (which issues VLEKs) that it signed. The zero
// Roots trusts nothing. Roots are safe for concurrent use.
type Roots struct {
	all     []*x509.Certificate
	arks    map[Product]*ark
	issuers []issuer
	seen    memo
}

// An ark is the root of a product. genuine verifies once that it signed itself.
type ark struct {
	cert    *x509.Certificate
	genuine func() error
}

// An issuer is an ASK or ASVK. vouched verifies once that its ARK is genuine and
// signed it.
type issuer struct {
	cert, root *x509.Certificate
	product    Product
	issues     SigningKey
	vouched    func() error
}

// NewRoots builds Roots out of ARK, ASK and ASVK certificates, in any order;
// the same certificate may occur again. An error results from a certificate of
// any other shape or issuer, an ASK or ASVK without its ARK, two ARKs for one
// product, and no certificate at all.
//
// The signatures by which each ARK vouches for itself and for its ASK and ASVK
// cost a verification of RSA-4096 each. They are verified by VerifyChain, once
// and for the product it needs, or all at once by Check. Validity in time is
// checked by VerifyChain.
func NewRoots(certs []*x509.Certificate) (*Roots, error) {
	if len(certs) == 0 {
		return nil, ErrNoRoots
	}
	if len(certs) > maxRoots {
		return nil, fmt.Errorf("%d AMD key certificates, at most %d are possible", len(certs), maxRoots)
	}
	r := &Roots{arks: map[Product]*ark{}}
	for _, c := range certs {
		if c == nil {
			return nil, errors.New("AMD key certificate is nil")
		}
		if r.has(c) {
			continue
		}
		r.all = append(r.all, c)
		if err := checkAuthority(c); err != nil {
			return nil, err
		}
		if err := r.addARK(c); err != nil {
			return nil, err
		}
	}
	for _, c := range r.all {
		if err := r.addIssuer(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Check verifies the signatures of all ARKs and of all that they issued. Without
// it a certificate that its ARK did not sign is found by VerifyChain, which
// refuses what such a certificate signed. Roots without a certificate give
// ErrNoRoots.
func (r *Roots) Check() error {
	if r == nil || len(r.all) == 0 {
		return ErrNoRoots
	}
	var errs []error
	for _, p := range slices.Sorted(maps.Keys(r.arks)) {
		if err := r.arks[p].genuine(); err != nil {
			errs = append(errs, err)
			continue // none of its ASKs can be vouched for
		}
		for i := range r.issuers {
			if r.issuers[i].product == p {
				errs = append(errs, r.issuers[i].vouched())
			}
		}
	}
	return errors.Join(errs...)
}

// CheckCarried compares the ASK, ASVK and ARK certificates that came with
// evidence with the trusted ones. They are never trusted themselves: one that
// is not among the trusted ones gives an error that wraps ErrForeignRoot.
func (r *Roots) CheckCarried(carried []*x509.Certificate) error {
	for _, c := range carried {
		if c == nil || r == nil || !r.has(c) {
			return fmt.Errorf("%w: %s", ErrForeignRoot, nameOf(c))
		}
	}
	return nil
}

func (r *Roots) has(c *x509.Certificate) bool {
	for _, known := range r.all {
		if bytes.Equal(known.Raw, c.Raw) {
			return true
		}
	}
	return false
}

// checkAuthority checks the shape that AMD's ARK, ASK and ASVK share (AMD
// 57230, ARK and ASK certificate format).
func checkAuthority(c *x509.Certificate) error {
	if err := checkSigned(c); err != nil {
		return fmt.Errorf("certificate of %s %w", nameOf(c), err)
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("certificate of %s has a %v key, want rsa", nameOf(c), c.PublicKeyAlgorithm)
	case key.N.BitLen() < minRSABits || key.E != rsaExponent:
		return fmt.Errorf("certificate of %s has an rsa key of %d bits with exponent %d, want at least %d bits with %d",
			nameOf(c), key.N.BitLen(), key.E, minRSABits, rsaExponent)
	case len(c.Subject.Organization) != 1 || c.Subject.Organization[0] != amdName:
		return fmt.Errorf("certificate of %s is of organization %q, want %q", nameOf(c), c.Subject.Organization, amdName)
	case !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("certificate of %s is not one of a certificate authority", nameOf(c))
	}
	return nil
}

func (r *Roots) addARK(c *x509.Certificate) error {
	name, isARK := strings.CutPrefix(c.Subject.CommonName, arkPrefix)
	p := Product(name)
	if !isARK {
		return nil
	}
	if !p.known() {
		return fmt.Errorf("certificate of %s is an ARK of no known product", nameOf(c))
	}
	if r.arks[p] != nil {
		return fmt.Errorf("two different ARKs for %s", p)
	}
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return fmt.Errorf("certificate of %s is issued by %q, want by itself", nameOf(c), c.Issuer.CommonName)
	}
	r.arks[p] = &ark{c, sync.OnceValue(func() error {
		if err := c.CheckSignatureFrom(c); err != nil {
			return fmt.Errorf("certificate of %s is not signed by itself: %w", nameOf(c), err)
		}
		return nil
	})}
	return nil
}

// addIssuer adds an ASK or ASVK; an ARK is none.
func (r *Roots) addIssuer(c *x509.Certificate) error {
	name := c.Subject.CommonName
	if strings.HasPrefix(name, arkPrefix) {
		return nil
	}
	is := issuer{cert: c, issues: VLEK}
	product, found := strings.CutPrefix(name, asvkPrefix)
	if !found {
		product, found = strings.CutPrefix(name, askPrefix)
		is.issues = VCEK
	}
	is.product = Product(product)
	if !found || !is.product.known() {
		return fmt.Errorf("certificate of %s is no ARK, ASK or ASVK of a known product", nameOf(c))
	}
	root := r.arks[is.product]
	if root == nil {
		return fmt.Errorf("certificate of %s comes without the ARK of %s", nameOf(c), is.product)
	}
	if is.root = root.cert; !bytes.Equal(c.RawIssuer, is.root.RawSubject) {
		return fmt.Errorf("certificate of %s is issued by %q, want %q", nameOf(c), c.Issuer.CommonName, is.root.Subject.CommonName)
	}
	is.vouched = sync.OnceValue(func() error {
		if err := root.genuine(); err != nil {
			return err
		}
		if err := c.CheckSignatureFrom(root.cert); err != nil {
			return fmt.Errorf("certificate of %s is not signed by %s: %w", nameOf(c), nameOf(root.cert), err)
		}
		return nil
	})
	r.issuers = append(r.issuers, is)
	return nil
}

func nameOf(c *x509.Certificate) string {
	if c == nil {
		return "nobody"
	}
	return fmt.Sprintf("%q", c.Subject.CommonName)
}
