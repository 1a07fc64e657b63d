package token

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
)

// GoogleRootSHA256 is the SHA-256 digest of the DER of Google's root for tokens
// with a certificate chain, "Confidential Space Root CA", 2024-01-19 to
// 2034-01-16.
const GoogleRootSHA256 = "148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39"

// ErrNoRoots means that a chain was to be trusted and no root is.
var ErrNoRoots = errors.New("no root is trusted")

// Roots are the roots of certificate chains that are trusted, by the digest of
// the whole certificate. The zero Roots trusts nothing.
type Roots struct{ digests [][sha256.Size]byte }

// NewRoots trusts the given certificates, of which there is at least one.
func NewRoots(certs []*x509.Certificate) (*Roots, error) {
	r := &Roots{}
	for _, c := range certs {
		if c == nil || len(c.Raw) == 0 {
			return nil, errors.New("root certificate is empty")
		}
		r.digests = append(r.digests, sha256.Sum256(c.Raw))
	}
	if len(r.digests) == 0 {
		return nil, ErrNoRoots
	}
	return r, nil
}

// PinRoots trusts the roots of the given digests: SHA-256 of the DER, 64 hex
// digits. A pin is all that is needed, because the token brings the root along.
func PinRoots(digests ...string) (*Roots, error) {
	r := &Roots{}
	for _, s := range digests {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != sha256.Size {
			return nil, errors.New("digest of a root is not 64 hex digits")
		}
		r.digests = append(r.digests, [sha256.Size]byte(b))
	}
	if len(r.digests) == 0 {
		return nil, ErrNoRoots
	}
	return r, nil
}

func (r *Roots) has(c *x509.Certificate) bool {
	return slices.Contains(r.digests, sha256.Sum256(c.Raw))
}

// With returns roots that trust what either trusts.
func (r *Roots) With(more *Roots) *Roots {
	if r == nil {
		return more
	}
	return &Roots{slices.Concat(r.digests, more.digests)}
}
