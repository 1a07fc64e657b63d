package seal_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/server/seal"
)

// FuzzParseKey wants what is accepted to be what encoding/json reads, with no member
// of a private key, and to be the key that a second implementation makes of it.
func FuzzParseKey(f *testing.F) {
	for _, curve := range bothCurves {
		priv := keyOn(f, curve, 1)
		jwk := public(f, &priv.PublicKey)
		f.Add(encode(f, jwk))
		jwk["use"], jwk["alg"], jwk["kid"] = "enc", "ECDH-ES", thumbprint(f, &priv.PublicKey)
		f.Add(encode(f, jwk))
		jwk["d"] = "AQAB"
		f.Add(encode(f, jwk))
	}
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"","y":""}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		key, err := seal.ParseKey(in)
		if err != nil {
			if key != nil {
				t.Error("a key and an error")
			}
			return
		}
		var got map[string]string
		if err := json.Unmarshal(in, &got); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", in, err)
		}
		for name := range got {
			if !slices.Contains([]string{"kty", "crv", "x", "y", "use", "alg", "kid"}, name) {
				t.Errorf("member %q was accepted", name)
			}
		}
		canonical := encode(t, map[string]string{"kty": "EC", "crv": got["crv"], "x": got["x"], "y": got["y"]})
		if key.Thumbprint() != sha256.Sum256(canonical) {
			t.Errorf("%q is not the key %s", in, canonical)
		}
		if again, err := seal.ParseKey(canonical); err != nil || again.Thumbprint() != key.Thumbprint() {
			t.Errorf("ParseKey(%s) = %v", canonical, err)
		}
		if _, err := key.Seal([]byte("x"), ""); err != nil {
			t.Errorf("%q is a key that nothing can be sealed to: %v", in, err)
		}
	})
}

// FuzzOpen makes a JWE of a header that decrypts, so that the header alone decides,
// and then takes the header's bytes for a JWE. What is accepted has exactly the
// header that Seal makes, decrypts by hand and has one spelling.
func FuzzOpen(f *testing.F) {
	priv, once := keyOn(f, elliptic.P256(), 1), keyOn(f, elliptic.P256(), 2)
	h := headerFor(f, &once.PublicKey, &priv.PublicKey)
	f.Add(encode(f, h), []byte("secret"))
	h["cty"] = "text/plain"
	f.Add(encode(f, h), []byte("s"))
	h["zip"] = "DEF"
	f.Add(encode(f, h), []byte{3, 0})
	f.Add(sealed(f, priv, "text/plain"), []byte("secret"))
	f.Add([]byte(`{"protected":"e30","iv":"","ciphertext":"","tag":""}`), []byte{})
	f.Fuzz(func(t *testing.T, in, plaintext []byte) {
		for _, jwe := range [][]byte{sealWith(t, in, plaintext, once, &priv.PublicKey), in} {
			got, err := seal.Open(priv, jwe)
			if err != nil {
				if got != nil {
					t.Error("a plaintext and an error")
				}
				continue
			}
			checkOpened(t, jwe, got)
		}
	})
}

func checkOpened(tb testing.TB, jwe, got []byte) {
	tb.Helper()
	priv := keyOn(tb, elliptic.P256(), 1)
	if want, err := openBy(tb, jwe, priv); err != nil || string(want) != string(got) {
		tb.Fatalf("%q by hand: %v", jwe, err)
	}
	part := strings.Split(string(jwe), ".")
	for i, s := range part {
		part[i] = b64(unb64(tb, s))
	}
	if strings.Join(part, ".") != string(jwe) || len(part) != 5 {
		tb.Errorf("accepts two encodings: %q", jwe)
	}
	var h map[string]any
	if err := json.Unmarshal(unb64(tb, part[0]), &h); err != nil {
		tb.Fatal(err)
	}
	delete(h, "cty")
	if names := slices.Sorted(maps.Keys(h)); !slices.Equal(names, []string{"alg", "enc", "epk", "kid"}) ||
		h["alg"] != "ECDH-ES" || h["enc"] != "A256GCM" || h["kid"] != thumbprint(tb, &priv.PublicKey) {
		tb.Errorf("accepts the header %v", h)
	}
}
