package evidence

import (
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// keyTrust says which keys of one kind a TPM may have: those that an authority
// certifies, and those that the user pinned.
type keyTrust struct {
	roots         *x509.CertPool // nil: no certificate is trusted
	intermediates *x509.CertPool
	pins          []pin
}

func newKeyTrust() keyTrust { return keyTrust{intermediates: x509.NewCertPool()} }

// none reports whether no key is trusted.
func (k *keyTrust) none() bool { return k.roots == nil && len(k.pins) == 0 }

func (k *keyTrust) clone() keyTrust { return keyTrust{k.roots, k.intermediates, slices.Clip(k.pins)} }

// pinned returns the pin of the key, or nil.
func (k *keyTrust) pinned(key crypto.PublicKey) *pin {
	for i := range k.pins {
		if equalKeys(k.pins[i].key, key) {
			return &k.pins[i]
		}
	}
	return nil
}

func (k *keyTrust) addRoot(f *TrustFile) error {
	if err := f.authority(); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if k.roots != nil {
		pool = k.roots.Clone()
	}
	pool.AddCert(f.Cert)
	k.roots = pool
	return nil
}

func (k *keyTrust) addIntermediate(f *TrustFile) error {
	if err := f.authority(); err != nil {
		return err
	}
	k.intermediates = k.intermediates.Clone()
	k.intermediates.AddCert(f.Cert)
	return nil
}

// addPin adds a key, of which fits judges the public area if the file has it.
func (k *keyTrust) addPin(f *TrustFile, fits func(*tpm.Public) error) error {
	p, err := parsePin(f.Data)
	if err != nil {
		return err
	}
	if p.public != nil && fits != nil {
		if err := fits(p.public); err != nil {
			return err
		}
	}
	f.Kind, f.key = KindKey, p.key
	if f.DER, err = x509.MarshalPKIXPublicKey(p.key); err != nil {
		return err
	}
	k.pins = append(k.pins, *p)
	return nil
}

// chain verifies that cert chains at the time now to a trusted root, through
// trusted intermediates and those that came with it. It returns the root of the
// chain that lasts longest, and when its first certificate ends. Extended key
// usages are the business of its caller.
func (k *keyTrust) chain(cert *x509.Certificate, carried []*x509.Certificate, now time.Time) (root *x509.Certificate, until time.Time, err error) {
	if k.roots == nil {
		return nil, until, errors.New("no root is trusted")
	}
	leaf, err := acceptSAN(cert)
	if err != nil {
		return nil, until, err
	}
	pool := k.intermediates
	if len(carried) > 0 {
		pool = pool.Clone()
		for _, c := range carried {
			pool.AddCert(c)
		}
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         k.roots,
		Intermediates: pool,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, until, err
	}
	for _, c := range chains {
		if end := earliestEnd(c); end.After(until) {
			root, until = c[len(c)-1], end
		}
	}
	return root, until, nil
}
