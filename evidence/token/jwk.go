package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// Limits on keys. Genuine key sets have 1 to 30 keys of 2048 to 4096 bits.
const (
	MaxJWKS     = 256 << 10 // bytes
	maxKeys     = 64
	minRSABits  = 2048
	maxRSABits  = 8192
	rsaExponent = 65537
)

// Key is a public key that an issuer signs with.
type Key struct {
	ID        string           // kid; empty for a key that the caller names
	Algorithm string           // alg, or empty where the file names none
	Public    crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
}

// JWKS is the key set of one issuer, each kid in it once.
type JWKS struct{ keys []Key }

// Keys returns the keys of the set in the order of the file.
func (s *JWKS) Keys() []Key {
	if s == nil {
		return nil
	}
	return slices.Clone(s.keys)
}

func (s *JWKS) byID(id string) (Key, bool) {
	if s == nil {
		return Key{}, false
	}
	i := slices.IndexFunc(s.keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return s.keys[i], true
}

// Merge returns the keys of both sets, which may share keys. One kid for two keys
// is an error.
func (s *JWKS) Merge(more *JWKS) (*JWKS, error) {
	merged := &JWKS{s.Keys()}
	for _, k := range more.Keys() {
		known, ok := merged.byID(k.ID)
		switch {
		case !ok:
			merged.keys = append(merged.keys, k)
		case !sameKey(known, k):
			return nil, fmt.Errorf("the kid %s is that of two keys", strictjson.Quote(k.ID))
		}
	}
	return merged, nil
}

func sameKey(a, b Key) bool {
	public, ok := a.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(b.Public) && a.Algorithm == b.Algorithm
}

// ParseJWKS decodes a JWK set (RFC 7517 5), {"keys": [...]}, of at most 256 KiB
// and 64 keys. One key that could not be meant for verifying tokens makes the
// whole file an error: a symmetric or private one, one without kid or with the
// kid of another, one for another use, RSA keys outside 2048 to 8192 bits or
// with another exponent than 65537, EC keys outside P-256 and P-384, and an alg
// that is not of the key's type. Members that say nothing of that are passed
// over. RSA keys may come as a certificate alone, as Microsoft publishes them.
func ParseJWKS(data []byte) (*JWKS, error) {
	n, err := parseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	list, ok := n.Get("keys")
	if !ok || list.Kind != strictjson.Array {
		return nil, errors.New("key set has no array \"keys\"")
	}
	if len(list.Items) == 0 || len(list.Items) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys, want 1 to %d", len(list.Items), maxKeys)
	}
	set := &JWKS{}
	for i, item := range list.Items {
		k, err := parseKey(item)
		if err == nil && k.ID == "" {
			err = errors.New("has no kid")
		}
		if _, again := set.byID(k.ID); err == nil && again {
			err = fmt.Errorf("has the kid %s of another key", strictjson.Quote(k.ID))
		}
		if err != nil {
			return nil, fmt.Errorf("key %d of the set %w", i, err)
		}
		set.keys = append(set.keys, k)
	}
	return set, nil
}

// ParseKey decodes one JWK (RFC 7517 4) that the caller names as the key of an
// issuer. It may lack kid; otherwise what ParseJWKS refuses is refused.
func ParseKey(data []byte) (*Key, error) {
	n, err := parseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	k, err := parseKey(n)
	if err != nil {
		return nil, fmt.Errorf("key %w", err)
	}
	return &k, nil
}

func parseKeyFile(data []byte) (node, error) {
	if len(data) > MaxJWKS {
		return node{}, fmt.Errorf("file has %d bytes, at most %d are read", len(data), MaxJWKS)
	}
	return parseObject(data)
}

// secrets are the members of private and symmetric keys (RFC 7518 6.2.2, 6.3.2
// and 6.4).
var secrets = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

func parseKey(n node) (Key, error) {
	if n.Kind != strictjson.Object {
		return Key{}, fmt.Errorf("is %v, want an object", n.Kind)
	}
	for _, name := range secrets {
		if _, ok := n.Get(name); ok {
			return Key{}, fmt.Errorf("is private or symmetric: it has a member %q", name)
		}
	}
	var failed error
	f := fieldsOf(n, &failed)
	k := Key{ID: f.text("kid"), Algorithm: f.text("alg")}
	kty := f.text("kty")
	err := checkUse(f)
	if failed != nil {
		return Key{}, fmt.Errorf("is malformed: %w", failed)
	}
	if err != nil {
		return Key{}, err
	}
	switch kty {
	case "RSA":
		k.Public, err = rsaKey(n)
	case "EC":
		k.Public, err = ecKey(n)
	default:
		return Key{}, fmt.Errorf("has the type %s, want \"RSA\" or \"EC\"", strictjson.Quote(kty))
	}
	if err != nil {
		return Key{}, err
	}
	if _, ok := n.Get("alg"); ok && !fits(k.Algorithm, k.Public) {
		return Key{}, fmt.Errorf("has the algorithm %s, which does not fit it or is not supported", strictjson.Quote(k.Algorithm))
	}
	return k, nil
}

// checkUse checks the name of the key and what it is for (RFC 7517 4.2 and 4.3).
func checkUse(f fields) error {
	use, ops, kid := f.text("use"), f.texts("key_ops"), f.text("kid")
	_, hasID := f.node.Get("kid")
	_, hasUse := f.node.Get("use")
	_, hasOps := f.node.Get("key_ops")
	switch {
	case hasID && !isKeyID(kid):
		return fmt.Errorf("has a kid that is not 1 to %d letters, digits or -_+/=", maxKeyID)
	case hasUse && use != "sig":
		return fmt.Errorf("is for use %s, want \"sig\"", strictjson.Quote(use))
	case hasOps && !slices.Equal(ops, []string{"verify"}):
		return errors.New("has key_ops that are not \"verify\" alone")
	}
	return nil
}

// bytes reads canonical base64url without padding (RFC 7518 2).
func (f fields) bytes(name string) []byte {
	s := f.text(name)
	b, err := decodeSegment([]byte(s))
	if err != nil {
		f.fail(name, "%v", err)
	}
	return b
}

func rsaKey(n node) (*rsa.PublicKey, error) {
	certified, err := certifiedKey(n)
	if err != nil {
		return nil, err
	}
	_, hasN := n.Get("n")
	_, hasE := n.Get("e")
	if !hasN && !hasE && certified != nil {
		return certified, checkRSA(certified)
	}
	var failed error
	f := fieldsOf(n, &failed)
	modulus, exponent := f.bytes("n"), f.bytes("e")
	switch {
	case failed != nil:
		return nil, fmt.Errorf("is malformed: %w", failed)
	case modulus[0] == 0:
		return nil, errors.New("has a modulus with leading zeros")
	case len(modulus) > maxRSABits/8:
		return nil, fmt.Errorf("has more than %d bits", maxRSABits)
	case !bytes.Equal(exponent, []byte{1, 0, 1}): // 65537, compared before it is narrowed to an int
		return nil, fmt.Errorf("has another exponent than %d", rsaExponent)
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: rsaExponent}
	if certified != nil && !certified.Equal(key) {
		return nil, errors.New("has a certificate of another key (rfc 7517 4.7)")
	}
	return key, checkRSA(key)
}

// certifiedKey returns the key of the first certificate of x5c, or nil. The
// certificate proves nothing here: the caller trusts the file.
func certifiedKey(n node) (*rsa.PublicKey, error) {
	if _, ok := n.Get("x5c"); !ok {
		return nil, nil //nolint:nilnil // no certificate is no error
	}
	var failed error
	list := fieldsOf(n, &failed).texts("x5c")
	if failed != nil || len(list) == 0 {
		return nil, errors.New("has an x5c that is not a list of certificates")
	}
	cert, err := parseCertificate(list[0])
	if err != nil {
		return nil, fmt.Errorf("has a malformed x5c: %w", err)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("has the certificate of another type of key")
	}
	return key, nil
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("has %d bits, want %d to %d", bits, minRSABits, maxRSABits)
	}
	if k.E != rsaExponent {
		return fmt.Errorf("has another exponent than %d", rsaExponent)
	}
	if k.N.Bit(0) == 0 {
		return errors.New("has an even modulus")
	}
	return nil
}

func ecKey(n node) (*ecdsa.PublicKey, error) {
	var failed error
	f := fieldsOf(n, &failed)
	crv, x, y := f.text("crv"), f.bytes("x"), f.bytes("y")
	if failed != nil {
		return nil, fmt.Errorf("is malformed: %w", failed)
	}
	curve, size := elliptic.P256(), 32
	switch crv {
	case "P-256":
	case "P-384":
		curve, size = elliptic.P384(), 48
	default:
		return nil, fmt.Errorf("is on the curve %s, want \"P-256\" or \"P-384\"", strictjson.Quote(crv))
	}
	if len(x) != size || len(y) != size { // RFC 7518 6.2.1.2
		return nil, fmt.Errorf("has coordinates of %d and %d bytes, want %d", len(x), len(y), size)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("is not a point of its curve")
	}
	return key, nil
}
