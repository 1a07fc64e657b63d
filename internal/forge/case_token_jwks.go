package forge

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// HostileKeySet is a key set, in the form in which a trust directory keeps it,
// that must be refused as a whole when it is read.
type HostileKeySet struct {
	Name string
	Data []byte
}

// HostileKeySets returns the catalogue of row 12 of the acceptance table, each
// named "jwks_hostile_file" and a variant. In every other respect they are the
// set of [GoogleKeySet].
func HostileKeySets() []HostileKeySet {
	keys := NewKeys(DefaultSeed)
	var out []HostileKeySet
	for _, c := range slices.Concat(hostileRSA(keys), hostileKeys(keys), hostileFiles()) {
		data, err := c.build(keys)
		if err != nil {
			panic(fmt.Sprintf("key set %s: %v", c.name, err)) // no key of the forge fails
		}
		out = append(out, HostileKeySet{Name: "jwks_hostile_file/" + c.name, Data: data})
	}
	return out
}

// hostileRSA are keys that are no public RSA keys for signatures.
func hostileRSA(keys *Keys) []keySetCase {
	return []keySetCase{
		{"duplicate_kid", func(s *keySet) { s.keys[1].Set("kid", s.value(0, "kid")) }, nil},
		{"key_twice", func(s *keySet) { s.keys = append(s.keys, s.keys[0]) }, nil},
		{"oct_key", func(s *keySet) { s.keys = []*Object{octKey(keys)} }, nil},
		{"oct_key_among_others", func(s *keySet) { s.keys = append(s.keys, octKey(keys)) }, nil},
		{"use_enc", func(s *keySet) { s.keys[1].Set("use", "enc") }, nil},
		{"use_null", func(s *keySet) { s.keys[1].Set("use", nil) }, nil},
		{"key_ops_sign", func(s *keySet) { s.keys[1].Set("key_ops", []string{"sign", "verify"}) }, nil},
		{"private_exponent", func(s *keySet) { s.keys[1].Set("d", base64url(keys.bytes("d", 256))) }, nil},
		{"private_primes", func(s *keySet) { s.keys[1].Set("p", base64url(keys.bytes("p", 128))) }, nil},
		{"rsa_1024", func(s *keySet) { s.fail(s.rsa(keys, RSA1024)) }, nil},
		{"exponent_3", func(s *keySet) { s.fail(s.rsa(keys, RSA2048e3)) }, nil},
		{"exponent_1", func(s *keySet) { s.exponent(big.NewInt(1)) }, nil},
		{"exponent_even", func(s *keySet) { s.exponent(big.NewInt(65536)) }, nil},
		{"exponent_of_65_bits", func(s *keySet) { s.exponent(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537))) }, nil},
		{"exponent_of_64_ones", func(s *keySet) {
			s.exponent(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(1)))
		}, nil},
		{"exponent_of_2048_bits", func(s *keySet) { s.keys[1].Set("e", s.value(1, "n")) }, nil},
		{"exponent_with_zeros", func(s *keySet) { s.keys[1].Set("e", "AAEAAQ") }, nil},
		{"modulus_with_zeros", func(s *keySet) { s.keys[1].Set("n", "AAAA"+s.value(1, "n")) }, nil},
		{"modulus_even", func(s *keySet) { s.keys[1].Set("n", base64url(append(bytes.Repeat([]byte{0xff}, 255), 0xfe))) }, nil},
		{"modulus_of_16384_bits", func(s *keySet) { s.keys[1].Set("n", base64url(bytes.Repeat([]byte{0xff}, 2048))) }, nil},
		{"modulus_padded", func(s *keySet) { s.keys[1].Set("n", s.value(1, "n")+"==") }, nil},
		{"modulus_in_standard_base64", func(s *keySet) { s.keys[1].Set("n", "+/"+s.value(1, "n")[2:]) }, nil},
		{"modulus_missing", func(s *keySet) { s.keys[1].Delete("n") }, nil},
	}
}

// hostileKeys are keys that the header of a token could not pick, or that are for
// another algorithm, and too many of them.
func hostileKeys(keys *Keys) []keySetCase {
	return []keySetCase{
		{"algorithm_of_a_curve", func(s *keySet) { s.keys[1].Set("alg", "ES256") }, nil},
		{"algorithm_symmetric", func(s *keySet) { s.keys[1].Set("alg", "HS256") }, nil},
		{"algorithm_none", func(s *keySet) { s.keys[1].Set("alg", "none") }, nil},
		{"algorithm_for_encryption", func(s *keySet) { s.keys[1].Set("alg", "RSA-OAEP") }, nil},
		{"algorithm_is_a_number", func(s *keySet) { s.keys[1].Set("alg", 256) }, nil},
		{"type_missing", func(s *keySet) { s.keys[1].Delete("kty") }, nil},
		{"type_unknown", func(s *keySet) { s.keys[1].Set("kty", "OKP") }, nil},
		{"point_off_the_curve", func(s *keySet) {
			s.fail(s.curve(keys, P256, func(o *Object) { o.Set("y", base64url(keys.bytes("y", 32))) }))
		}, nil},
		{"point_too_short", func(s *keySet) {
			s.fail(s.curve(keys, P256, func(o *Object) { o.Set("y", base64url(keys.bytes("y", 31))) }))
		}, nil},
		{"curve_p224", func(s *keySet) { s.fail(s.curve(keys, P224, func(*Object) {})) }, nil},
		{"curve_of_another_algorithm", func(s *keySet) { s.fail(s.curve(keys, P256, func(o *Object) { o.Set("alg", "ES384") })) }, nil},
		{"certificate_of_another_key", func(s *keySet) { s.fail(s.certified(keys)) }, nil},
		{"kid_number", func(s *keySet) { s.keys[1].Set("kid", 1) }, nil},
		{"kid_null", func(s *keySet) { s.keys[1].Set("kid", nil) }, nil},
		{"kid_missing", func(s *keySet) { s.keys[1].Delete("kid") }, nil},
		{"kid_empty", func(s *keySet) { s.keys[1].Set("kid", "") }, nil},
		{"kid_path", func(s *keySet) { s.keys[1].Set("kid", "../../etc/passwd") }, nil},
		{"kid_long", func(s *keySet) { s.keys[1].Set("kid", strings.Repeat("a", 300)) }, nil},
		{"no_keys", func(s *keySet) { s.keys = []*Object{} }, nil},
		{"key_null", func(s *keySet) { s.keys[1] = nil }, nil},
		{"65_keys", func(s *keySet) { s.fail(s.many(keys, 65)) }, nil},
		{"100000_keys", func(s *keySet) { s.fail(s.many(keys, 100_000)) }, nil},
		{"member_twice", func(s *keySet) { *s.keys[1] = append(*s.keys[1], Member{"n", s.value(0, "n")}) }, nil},
		{"member_in_two_cases", func(s *keySet) { *s.keys[1] = append(*s.keys[1], Member{"KID", s.value(0, "kid")}) }, nil},
	}
}

// hostileFiles are not one JSON object of a decent size.
func hostileFiles() []keySetCase {
	return []keySetCase{
		{"keys_twice", nil, inFrontOfKeys(`"keys": [],`)},
		{"keys_missing", nil, func(b []byte) []byte { return bytes.Replace(b, []byte(`"keys"`), []byte(`"key"`), 1) }},
		{"keys_is_an_object", nil, func([]byte) []byte { return []byte(`{"issuer": "` + GoogleIssuer + `", "keys": {}}`) }},
		{"trailing_bytes", nil, func(b []byte) []byte { return append(b, "garbage"...) }},
		{"trailing_nul", nil, func(b []byte) []byte { return append(b, 0) }},
		{"two_objects", nil, func(b []byte) []byte { return append(b, b...) }},
		{"array", nil, func(b []byte) []byte { return append(append([]byte("["), b...), ']') }},
		{"cut_off", nil, func(b []byte) []byte { return b[:len(b)/2] }},
		{"empty", nil, func([]byte) []byte { return nil }},
		{"bom", nil, func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }},
		{"deep", nil, inFrontOfKeys(`"x": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,`)},
		{"over_256_kib", nil, inFrontOfKeys(`"x": "` + strings.Repeat("a", 256<<10) + `",`)},
		{"over_256_kib_of_space", nil, func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 256<<10)...) }},
	}
}

// keySetCase edits the keys, or the file.
type keySetCase struct {
	name string
	edit func(*keySet)
	file func([]byte) []byte
}

type keySet struct {
	keys []*Object
	err  error
}

func (c keySetCase) build(keys *Keys) ([]byte, error) {
	s := &keySet{}
	for _, name := range []string{"google", "google next"} {
		jwk, err := googleJWK(keys, name)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, jwk)
	}
	if c.edit != nil {
		c.edit(s)
	}
	if s.err != nil {
		return nil, s.err
	}
	data, err := savedKeySet(GoogleIssuer, GoogleIssuer, s.keys...)
	if err == nil && c.file != nil {
		data = c.file(data)
	}
	return data, err
}

func inFrontOfKeys(members string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(`"keys":`), []byte(members+` "keys":`), 1) }
}

func (s *keySet) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// value is a text of one of the keys.
func (s *keySet) value(i int, name string) string {
	v, _ := s.keys[i].Get(name)
	text, ok := v.(string)
	if !ok {
		s.fail(fmt.Errorf("no text %q in key %d", name, i))
	}
	return text
}

func (s *keySet) exponent(e *big.Int) { s.keys[1].Set("e", base64url(e.Bytes())) }

func (s *keySet) rsa(keys *Keys, t KeyType) error {
	key, err := keys.Key("token weak", t)
	if err != nil {
		return err
	}
	jwk, err := publicJWK(key.Public())
	for _, name := range []string{"n", "e"} {
		value, _ := jwk.Get(name)
		s.keys[1].Set(name, value)
	}
	return err
}

func (s *keySet) curve(keys *Keys, t KeyType, edit func(*Object)) error {
	key, err := keys.Key("token curve", t)
	if err != nil {
		return err
	}
	jwk, err := publicJWK(key.Public())
	if err != nil {
		return err
	}
	jwk.Set("kid", s.value(1, "kid"))
	edit(jwk)
	s.keys[1] = jwk
	return nil
}

func (s *keySet) certified(keys *Keys) error {
	pki, err := NewTokenPKI(keys, "foreign", Now())
	if err == nil {
		s.keys[1].Set("x5c", X5C(pki.Leaf))
	}
	return err
}

// many are as short as keys can be, so that a few fit where many do not.
func (s *keySet) many(keys *Keys, n int) error {
	key, err := keys.Key("token curve", P256)
	if err != nil {
		return err
	}
	jwk, err := publicJWK(key.Public())
	s.keys = nil
	for i := range n {
		one := append(Object{}, *jwk...)
		one.Set("kid", strconv.Itoa(i))
		s.keys = append(s.keys, &one)
	}
	return err
}

// octKey is a symmetric key, which verifies what anybody has made who reads it.
func octKey(keys *Keys) *Object {
	return &Object{
		{"kty", "oct"},
		{"alg", "HS256"},
		{"kid", "symmetric"},
		{"use", "sig"},
		{"k", base64.RawURLEncoding.EncodeToString(keys.bytes("oct", 32))},
	}
}
