package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/attestctl/attestctl/evidence/token"
)

var weakRSA = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(1024) })

// azureKey is a key as Microsoft publishes them: kid, type and certificate.
func azureKey(tb testing.TB) object {
	tb.Helper()
	return object{"kty": "RSA", "kid": mintKid, "x5c": x5c(newPKI(tb, nil).leaf)}
}

func TestParseJWKS(t *testing.T) {
	set := syndJWKS(t)
	var ids []string
	for _, k := range set.Keys() {
		ids = append(ids, k.ID[:8]+" "+k.Algorithm)
	}
	if want := []string{"f86c2ed7 RS256", "d6d5071a RS256"}; !slices.Equal(ids, want) {
		t.Errorf("keys of Google's set = %v, want %v", ids, want)
	}
	set.Keys()[0].ID = "changed"
	if set.Keys()[0].ID == "changed" {
		t.Error("a change of the list changes the set")
	}
	p384 := ecJWK(t, &ec384Key().PublicKey, object{"kid": "b", "alg": "ES384", "key_ops": []string{"verify"}, "use": "sig"})
	mixed := keySet(t, azureKey(t), p384)
	for i, want := range []crypto.PublicKey{&rsaKey().PublicKey, &ec384Key().PublicKey} {
		if got := mixed.Keys()[i].Public; !equalKeys(got, want) {
			t.Errorf("key %d = %v, want %v", i, got, want)
		}
	}
}

func equalKeys(a, b crypto.PublicKey) bool {
	switch k := a.(type) {
	case *rsa.PublicKey:
		return k.Equal(b)
	case *ecdsa.PublicKey:
		return k.Equal(b)
	}
	return false
}

// Rows JW-31, JW-33 and JW-45: one bad key is enough.
func TestParseJWKSRefuses(t *testing.T) {
	k := &rsaKey().PublicKey
	big65 := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537)).Bytes()
	even := new(big.Int).Add(k.N, big.NewInt(1)).Bytes()
	r := func(changes object) object { return rsaJWK(k, changes) }
	e := func(changes object) object { return ecJWK(t, &ecKey().PublicKey, changes) }
	for _, c := range []struct {
		name string
		key  object
		want string
	}{
		{"symmetric", object{"kty": "oct", "kid": "a", "k": "AAAA"}, "symmetric"},
		{"symmetric without key", object{"kty": "oct", "kid": "a"}, `type "oct"`},
		{"private rsa", r(object{"d": "AAAA"}), "private"},
		{"private prime", r(object{"p": "AAAA"}), "private"},
		{"private ec", e(object{"d": "AAAA"}), "private"},
		{"edwards", object{"kty": "OKP", "kid": "a", "crv": "Ed25519", "x": "AAAA"}, `type "OKP"`},
		{"no kty", r(object{"kty": nil}), `type ""`},
		{"no kid", r(object{"kid": nil}), "no kid"},
		{"kid is a number", r(object{"kid": 1}), "kid is a number"},
		{"kid is a path", r(object{"kid": "../x"}), "kid"},
		{"for encryption", r(object{"use": "enc"}), `use "enc"`},
		{"for an empty use", r(object{"use": ""}), `use ""`},
		{"to sign with", r(object{"key_ops": []string{"sign", "verify"}}), "key_ops"},
		{"for nothing", r(object{"key_ops": []string{}}), "key_ops"},
		{"symmetric algorithm", r(object{"alg": "HS256"}), `algorithm "HS256"`},
		{"algorithm none", r(object{"alg": "none"}), `algorithm "none"`},
		{"empty algorithm", r(object{"alg": ""}), `algorithm ""`},
		{"algorithm of ec", r(object{"alg": "ES256"}), `algorithm "ES256"`},
		{"algorithm of rsa", e(object{"alg": "RS256"}), `algorithm "RS256"`},
		{"algorithm of another curve", e(object{"alg": "ES384"}), `algorithm "ES384"`},
		{"1024 bits", rsaJWK(&weakRSA().PublicKey, nil), "1024 bits"},
		{"16384 bits", r(object{"n": b64(bytes.Repeat([]byte{255}, 2048))}), "more than 8192"},
		{"no modulus", r(object{"n": nil}), "malformed"},
		{"even modulus", r(object{"n": b64(even)}), "even"},
		{"modulus with a zero", r(object{"n": b64(append([]byte{0}, k.N.Bytes()...))}), "leading zeros"},
		{"modulus in base64", r(object{"n": base64.StdEncoding.EncodeToString(k.N.Bytes())}), "canonical"},
		{"exponent 1", r(object{"e": "AQ"}), "exponent"},
		{"exponent 3", r(object{"e": "Aw"}), "exponent"},
		{"exponent even", r(object{"e": b64([]byte{1, 0, 0})}), "exponent"},
		{"exponent 2^64+65537", r(object{"e": b64(big65)}), "exponent"},
		{"exponent with a zero", r(object{"e": b64([]byte{0, 1, 0, 1})}), "exponent"},
		{"p-521", e(object{"crv": "P-521"}), "P-521"},
		{"secp256k1", e(object{"crv": "secp256k1"}), "secp256k1"},
		{"other curve", e(object{"crv": "P-384"}), "coordinates"},
		{"not on the curve", e(object{"x": b64(make([]byte, 32))}), "point"},
		{"certificate of another key", r(object{"x5c": x5c(newPKI(t, nil).intermediate)}), "another key"},
		{"certificate is none", r(object{"x5c": []string{"AAAA"}}), "x5c"},
		{"certificates are none", r(object{"x5c": []string{}}), "x5c"},
	} {
		set, err := token.ParseJWKS(jsonOf(object{"keys": []object{with(rsaJWK(k, nil), object{"kid": "good"}), c.key}}))
		if err == nil || set != nil || !strings.Contains(err.Error(), "key 1 of the set") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: ParseJWKS = %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestParseJWKSFile(t *testing.T) {
	one := string(jsonOf(rsaJWK(&rsaKey().PublicKey, nil)))
	many := make([]object, 65)
	for i := range many {
		many[i] = rsaJWK(&rsaKey().PublicKey, object{"kid": fmt.Sprint("k", i)})
	}
	for _, c := range []struct{ name, in, want string }{
		{"empty", ``, "object"},
		{"an array", `[` + one + `]`, "object"},
		{"no keys", `{}`, "no array"},
		{"keys is an object", `{"keys":{}}`, "no array"},
		{"no key", `{"keys":[]}`, "0 keys"},
		{"65 keys", string(jsonOf(object{"keys": many})), "65 keys"},
		{"duplicate kid", `{"keys":[` + one + `,` + one + `]}`, "of another key"},
		{"duplicate member", `{"keys":[{"kty":"oct",` + one[1:] + `]}`, "of one object"},
		{"member in two cases", `{"keys":[{"N":"AAAA",` + one[1:] + `]}`, "of one object"},
		{"two sets", `{"keys":[` + one + `],"Keys":[]}`, "of one object"},
		{"a key is a string", `{"keys":["x"]}`, "a string"},
		{"trailing data", `{"keys":[` + one + `]}{}`, "after the object"},
		{"too long", `{"keys":[` + one + `]}` + strings.Repeat(" ", token.MaxJWKS), "at most"},
	} {
		if set, err := token.ParseJWKS([]byte(c.in)); err == nil || set != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: ParseJWKS = %v, want an error with %q", c.name, err, c.want)
		}
	}
	if _, err := token.ParseJWKS([]byte(`{"fetched":1,"keys":[` + one + `]}`)); err != nil {
		t.Errorf("ParseJWKS with another member = %v, want nil (rfc 7517 5)", err)
	}
	if k, err := token.ParseKey([]byte(`{"kty":"oct","k":"AAAA"}`)); err == nil || k != nil {
		t.Errorf("ParseKey of a symmetric key = %v, want an error", err)
	}
}

// token.key: a kid names one key of the issuer, or there is none.
func TestKeyLookup(t *testing.T) {
	raw := good()
	noKid := mint("RS256", rsaKey(), header("RS256", object{"kid": nil}), googleClaims())
	k := &rsaKey().PublicKey
	own := &token.Key{Public: k, Algorithm: "RS256"}
	for _, c := range []struct {
		name string
		raw  []byte
		keys token.Keys
		want string // empty: verified
	}{
		{"in the set", raw, token.Keys{JWKS: keySet(t, rsaJWK(k, object{"kid": "x"}), rsaJWK(k, nil))}, ""},
		{"other kid", raw, token.Keys{JWKS: keySet(t, rsaJWK(k, object{"kid": "x"}))}, "no such key"},
		{"kid in another case", raw, token.Keys{JWKS: keySet(t, rsaJWK(k, object{"kid": strings.ToUpper(mintKid)}))}, "no such key"},
		{"no kid and one key", noKid, token.Keys{JWKS: keySet(t, rsaJWK(k, nil))}, "names none"},
		{"no keys", raw, token.Keys{}, "no such key"},
		{"empty set", raw, token.Keys{JWKS: &token.JWKS{}}, "no such key"},
		{"key names no algorithm", raw, token.Keys{JWKS: keySet(t, rsaJWK(k, object{"alg": nil}))}, "no algorithm"},
		{"key of another algorithm", raw, token.Keys{JWKS: keySet(t, rsaJWK(k, object{"alg": "PS384"}))}, "not for the algorithm"},
		{"ec key", raw, token.Keys{JWKS: keySet(t, ecJWK(t, &ecKey().PublicKey, object{"alg": "ES256"}))}, "not for the algorithm"},
		{"one key for google", raw, token.Keys{Key: own}, "wants a key set"},
		{"keys of another issuer", raw, token.Keys{Issuer: itaIssuer, JWKS: keySet(t, rsaJWK(k, nil))}, "those of"},
	} {
		want := googleWant(t)
		if c.keys.Issuer == "" {
			c.keys.Issuer = token.GoogleIssuer
		}
		want.Keys = c.keys
		checkOnly(t, c.name, c.raw, want, token.StepKey, c.want)
	}
	want := googleWant(t)
	want.Keys.JWKS = keySet(t, rsaJWK(&otherRSAKey().PublicKey, nil))
	if _, err := token.Verify(parse(t, raw), want); !errors.Is(err, token.ErrSignature) {
		t.Errorf("other key of the same kid: Verify = %v, want %v", err, token.ErrSignature)
	}
}

// JW-05: a key that the token brings along is never used.
func TestEmbeddedKeys(t *testing.T) {
	other := otherRSAKey()
	cert := certify(t, template("self", false), template("self", false), other, other)
	for name, c := range map[string]struct {
		header object
		failed string
	}{
		"jwk": {object{"jwk": rsaJWK(&other.PublicKey, nil)}, token.StepForm},
		"jku": {object{"jku": "https://evil.example/jwks"}, token.StepForm},
		"x5c": {object{"x5c": x5c(cert)}, token.StepKey},
	} {
		_, steps := token.Appraise(parse(t, mint("RS256", other, header("RS256", c.header), googleClaims())), googleWant(t))
		if failed, _ := failing(steps); fmt.Sprint(failed) != "["+c.failed+"]" {
			t.Errorf("%s: failed %v, want %s", name, failed, c.failed)
		}
	}
	// Where the profile bears with the member, the signature still counts.
	for _, c := range []struct {
		claims, header object
		want           token.Expect
		alg            string
		key            crypto.Signer
	}{
		{
			with(googleClaims(), object{"iss": itaIssuer}),
			object{"jku": "https://evil.example"},
			foreign(itaIssuer, mintAud, "nonce-of-the-test", mintTime, keySet(t, rsaJWK(&rsaKey().PublicKey, nil))), "RS256", other,
		},
		{earClaims(), object{"kid": nil, "jwk": ecJWK(t, &otherEC().PublicKey, nil)}, earWant(t), "ES256", otherEC()},
	} {
		_, steps := token.Appraise(parse(t, mint(c.alg, c.key, header(c.alg, c.header), c.claims)), c.want)
		if failed, _ := failing(steps); fmt.Sprint(failed) != "[token.signature]" {
			t.Errorf("%s: failed %v, want token.signature", c.alg, failed)
		}
	}
}

var otherEC = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
