package tdx

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Subject names of Intel's certificates (Intel SGX PCK Certificate and CRL
// Profile, section 1.3).
const (
	organization = "Intel Corporation"
	nameRoot     = "Intel SGX Root CA"
	namePlatform = "Intel SGX PCK Platform CA"
	nameProc     = "Intel SGX PCK Processor CA"
	namePCK      = "Intel SGX PCK Certificate"
	nameTCB      = "Intel SGX TCB Signing"
)

// Roots are the certificates a caller trusts to begin chains: as a rule the one
// Intel SGX Root CA. The zero value and nil trust nothing.
type Roots struct {
	certs []*x509.Certificate
}

// NewRoots returns roots that trust exactly the given certificates.
func NewRoots(certs ...*x509.Certificate) *Roots {
	return &Roots{certs: slices.DeleteFunc(slices.Clone(certs), func(c *x509.Certificate) bool { return c == nil })}
}

// trusted returns the root that the caller trusts and that the last certificate
// of a chain names: the same subject and the same key. Intel has issued its root
// more than once for one key.
func (r *Roots) trusted(last *x509.Certificate) (*x509.Certificate, error) {
	if r == nil || len(r.certs) == 0 {
		return nil, errors.New("no trusted root")
	}
	for _, root := range r.certs {
		if !bytes.Equal(root.RawSubject, last.RawSubject) || !bytes.Equal(root.RawSubjectPublicKeyInfo, last.RawSubjectPublicKeyInfo) {
			continue
		}
		if bytes.Equal(root.Raw, last.Raw) {
			return root, nil
		}
		return root, issuedBy(last, root)
	}
	return nil, fmt.Errorf("root %q is not trusted", last.Subject.CommonName)
}

// issuedBy checks that parent issued child, as far as the two certificates say.
func issuedBy(child, parent *x509.Certificate) error {
	name := child.Subject.CommonName
	switch {
	case !bytes.Equal(child.RawIssuer, parent.RawSubject):
		return fmt.Errorf("certificate %q names the issuer %q, the chain has %q", name, child.Issuer.CommonName, parent.Subject.CommonName)
	case child.SignatureAlgorithm != x509.ECDSAWithSHA256 || p256Key(parent) == nil:
		return fmt.Errorf("certificate %q is signed with %v, want ECDSA-SHA256 on p-256", name, child.SignatureAlgorithm)
	case child.IsCA && parent.MaxPathLenZero:
		return fmt.Errorf("certificate %q is a CA below %q, whose path length is 0", name, parent.Subject.CommonName)
	}
	if err := child.CheckSignatureFrom(parent); err != nil {
		return fmt.Errorf("certificate %q: %w", name, err)
	}
	return nil
}

// usableAt checks the validity of each certificate at the given time and that
// none has a critical extension nobody looked at.
func usableAt(at time.Time, certs ...*x509.Certificate) error {
	for _, c := range certs {
		switch {
		case at.Before(c.NotBefore):
			return fmt.Errorf("certificate %q is not valid before %s", c.Subject.CommonName, stamp(c.NotBefore))
		case at.After(c.NotAfter):
			return fmt.Errorf("certificate %q expired at %s", c.Subject.CommonName, stamp(c.NotAfter))
		case len(c.UnhandledCriticalExtensions) != 0:
			return fmt.Errorf("certificate %q has the unknown critical extension %v", c.Subject.CommonName, c.UnhandledCriticalExtensions[0])
		}
	}
	return nil
}

// isCA checks the name and the uses of a CA certificate (Profile, 1.3.1, 1.3.2).
func isCA(c *x509.Certificate, names ...string) error {
	if err := named(c, names...); err != nil {
		return err
	}
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("certificate %q may not sign certificates", c.Subject.CommonName)
	}
	return nil
}

// isLeaf checks the name and the uses of an end certificate (Profile, 1.3.4, 1.3.5).
func isLeaf(c *x509.Certificate, name string) error {
	if err := named(c, name); err != nil {
		return err
	}
	if !c.BasicConstraintsValid || c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return fmt.Errorf("certificate %q is a CA, want an end certificate", name)
	}
	if c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return fmt.Errorf("certificate %q may not sign: its key usage lacks digitalSignature", name)
	}
	if p256Key(c) == nil {
		return fmt.Errorf("certificate %q has no key on p-256", name)
	}
	return nil
}

func named(c *x509.Certificate, names ...string) error {
	if slices.Contains(names, c.Subject.CommonName) && slices.Equal(c.Subject.Organization, []string{organization}) {
		return nil
	}
	return fmt.Errorf("certificate of %q (%q), want %q of %q", c.Subject.CommonName, c.Subject.Organization, names, organization)
}

// stamp is how times stand in errors.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }
