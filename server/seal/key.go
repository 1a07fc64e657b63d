package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// MaxKey is the size of the largest JWK that ParseKey takes, in bytes. Real ones
// have 200.
const MaxKey = 4 << 10

// The names of the algorithms (RFC 7518, 4.1 and 5.1).
const (
	keyAgreement      = "ECDH-ES"
	contentEncryption = "A256GCM"
)

// curves are those of RFC 7518, 6.2.1.1, that a key may be on.
var curves = []struct {
	name  string
	curve elliptic.Curve
	size  int // of a coordinate, in bytes
}{
	{"P-256", elliptic.P256(), 32},
	{"P-384", elliptic.P384(), 48},
}

// ClientKey is the public key of a client, valid and on its curve. The zero value is
// no key.
type ClientKey struct {
	public     *ecdsa.PublicKey
	thumbprint [32]byte
}

var keyForm = strictjson.Form{Depth: 1, Values: 16, Members: 8, Plain: true}

// ParseKey decodes a public key of type EC on P-256 or P-384 as a JWK (RFC 7517;
// RFC 7518, 6.2.1): the members kty, crv, x and y, the coordinates in base64url in
// their full length. It may say besides that it is for this: use "enc", alg
// "ECDH-ES", and its thumbprint as kid. Any other member is an error, those of a
// private key above all, as is a member twice, a point off the curve and more than
// MaxKey bytes. No error shows the value of a member that may be private.
func ParseKey(jwk []byte) (*ClientKey, error) {
	if len(jwk) > MaxKey {
		return nil, fmt.Errorf("the key has more than %d KiB", MaxKey>>10)
	}
	n, err := keyForm.Parse(jwk)
	if err != nil {
		return nil, fmt.Errorf("the key is not a plain jwk: %w", err)
	}
	k, err := keyOf(n, "use", "alg", "kid")
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	for _, want := range []struct{ name, value string }{{"use", "enc"}, {"alg", keyAgreement}, {"kid", k.kid()}} {
		if v, ok := n.Get(want.name); ok && v.Text != want.value {
			return nil, fmt.Errorf("the key has a %s other than %q", want.name, want.value)
		}
	}
	return k, nil
}

// keyOf decodes an object that has the members of a public key and may have those
// that are optional.
func keyOf(n strictjson.Node, optional ...string) (*ClientKey, error) {
	if _, ok := n.Get("d"); ok {
		return nil, hint.New(errors.New("it is a private key"), "make a new one and send only its public half: this one has been seen by others")
	}
	got, err := texts(n, []string{"kty", "crv", "x", "y"}, optional)
	if err != nil {
		return nil, err
	}
	if got["kty"] != "EC" {
		return nil, hint.New(errors.New("kty is not EC"), "use a key on P-256")
	}
	for _, c := range curves {
		if c.name != got["crv"] {
			continue
		}
		x, okX := decode(got["x"])
		y, okY := decode(got["y"])
		if !okX || !okY || len(x) != c.size || len(y) != c.size {
			return nil, fmt.Errorf("a coordinate is not %d bytes in base64url without padding", c.size)
		}
		// Refuses points off the curve (SEC 1, 2.3.4).
		public, err := ecdsa.ParseUncompressedPublicKey(c.curve, append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil, fmt.Errorf("not a point on %s: %w", c.name, err)
		}
		return &ClientKey{public, sha256.Sum256(jwkOf(c.name, x, y))}, nil
	}
	return nil, hint.New(errors.New("crv is neither P-256 nor P-384"), "use a key on P-256")
}

// texts returns the members of an object that has all of those required, some of
// those that are optional and no other, each a string.
func texts(n strictjson.Node, required, optional []string) (map[string]string, error) {
	if n.Kind != strictjson.Object {
		return nil, fmt.Errorf("%s, want an object", n.Kind)
	}
	known := map[string]bool{}
	for _, name := range append(append([]string{}, required...), optional...) {
		known[name] = true
	}
	got := map[string]string{}
	for _, m := range n.Members {
		switch {
		case !known[m.Name]:
			return nil, fmt.Errorf("member %s has no place here", strictjson.Quote(m.Name))
		case m.Value.Kind != strictjson.Text:
			return nil, fmt.Errorf("%s is %s, want a string", m.Name, m.Value.Kind)
		}
		got[m.Name] = m.Value.Text
	}
	for _, name := range required {
		if _, ok := got[name]; !ok {
			return nil, fmt.Errorf("no member %q", name)
		}
	}
	return got, nil
}

// jwkOf is the one spelling of a key whose SHA-256 is its thumbprint (RFC 7638, 3).
func jwkOf(curve string, x, y []byte) []byte {
	return fmt.Appendf(nil, `{"crv":%q,"kty":"EC","x":%q,"y":%q}`, curve, encoding.EncodeToString(x), encoding.EncodeToString(y))
}

// Thumbprint returns the SHA-256 thumbprint of the key (RFC 7638), the same however
// its JWK was written.
func (k *ClientKey) Thumbprint() [32]byte { return k.thumbprint }

func (k *ClientKey) kid() string { return encoding.EncodeToString(k.thumbprint[:]) }

// NewKey makes a key on P-256 and returns it with its public half as a JWK, which
// ParseKey takes. random must be fit for keys, as crypto/rand.Reader is.
func NewKey(random io.Reader) (priv *ecdsa.PrivateKey, jwk []byte, err error) {
	if random == nil {
		return nil, nil, errors.New("making a key: no source of randomness")
	}
	// One in 2^32 is too large or zero and is drawn again (FIPS 186-5, A.2.2).
	const tries = 4
	var d [32]byte
	defer clear(d[:])
	for range tries {
		if _, err := io.ReadFull(random, d[:]); err != nil {
			return nil, nil, fmt.Errorf("making a key: %w", err)
		}
		if priv, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	point, err := priv.PublicKey.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	return priv, jwkOf(curves[0].name, point[1:33], point[33:]), nil
}

// ownKey returns the public half of a private key, which must fit it.
func ownKey(priv *ecdsa.PrivateKey) (*ClientKey, error) {
	if priv == nil || priv.Curve == nil || priv.X == nil || priv.Y == nil || priv.D == nil { //nolint:staticcheck // asks no more than whether there is one
		return nil, errors.New("no key to open with")
	}
	d, err := priv.Bytes() // of package ecdsa's own copy, which others use: not to be cleared
	if err != nil {
		return nil, fmt.Errorf("the key to open with: %w", err)
	}
	for _, c := range curves {
		if c.curve != priv.Curve {
			continue
		}
		own, err := ecdsa.ParseRawPrivateKey(c.curve, d)
		if err != nil || !own.PublicKey.Equal(&priv.PublicKey) {
			return nil, errors.New("the key to open with is not the private half of its public half")
		}
		point, err := own.PublicKey.Bytes()
		if err != nil {
			return nil, fmt.Errorf("the key to open with: %w", err)
		}
		x, y := point[1:1+c.size], point[1+c.size:]
		return &ClientKey{&own.PublicKey, sha256.Sum256(jwkOf(c.name, x, y))}, nil
	}
	return nil, errors.New("the key to open with is neither on P-256 nor on P-384")
}
