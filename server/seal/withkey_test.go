package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/elliptic"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"

	"github.com/attestctl/attestctl/server/seal"
)

var shared = slices.Repeat([]byte{1}, seal.KeySize)

// directWith makes a compact JWE with this header, by hand.
func directWith(tb testing.TB, header string) []byte {
	tb.Helper()
	block, err := aes.NewCipher(shared)
	if err != nil {
		tb.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		tb.Fatal(err)
	}
	iv := make([]byte, gcm.NonceSize())
	h := b64([]byte(header))
	out := gcm.Seal(nil, iv, []byte("secret"), []byte(h))
	return []byte(strings.Join([]string{h, "", b64(iv), b64(out[:6]), b64(out[6:])}, "."))
}

func TestWithKey(t *testing.T) {
	out, err := seal.WithKey(shared, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.OpenWithKey(shared, out); err != nil || string(got) != "secret" {
		t.Errorf("OpenWithKey = %q, %v", got, err)
	}
	if h := string(unb64(t, strings.Split(string(out), ".")[0])); h != `{"alg":"dir","enc":"A256GCM"}` {
		t.Errorf("header %s", h)
	}
	if again, err := seal.WithKey(shared, []byte("secret")); err != nil || bytes.Equal(again, out) {
		t.Errorf("an initialization vector was used twice, or %v", err)
	}
	// The next version of the library reads and writes the same.
	if got, err := jwe.Decrypt(out, jwe.WithKey(jwa.DIRECT(), shared)); err != nil || string(got) != "secret" {
		t.Errorf("they read %q, %v", got, err)
	}
	theirs, err := jwe.Encrypt([]byte("theirs"), jwe.WithKey(jwa.DIRECT(), shared), jwe.WithContentEncryption(jwa.A256GCM()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.OpenWithKey(shared, theirs); err != nil || string(got) != "theirs" {
		t.Errorf("OpenWithKey of theirs = %q, %v", got, err)
	}
	for n := range 8 * len(out) {
		c := slices.Clone(out)
		c[n/8] ^= 1 << (n % 8)
		if got, err := seal.OpenWithKey(shared, c); err == nil || got != nil {
			t.Errorf("bit %d: OpenWithKey = %q, %v", n, got, err)
		}
	}
	if got, err := seal.OpenWithKey(make([]byte, seal.KeySize), out); !errors.Is(err, seal.ErrOpen) || got != nil {
		t.Errorf("OpenWithKey with another key = %q, %v", got, err)
	}
}

func TestWithKeyRefuses(t *testing.T) {
	for _, tc := range []struct {
		name      string
		key       []byte
		plaintext string
	}{
		{"no key", nil, "canary"},
		{"short key", shared[:16], "canary"},
		{"long key", append(slices.Clone(shared), 0), "canary"},
		{"nothing", shared, ""},
		{"too much", shared, strings.Repeat("canary", seal.MaxPlaintext/6+1)},
	} {
		out, err := seal.WithKey(tc.key, []byte(tc.plaintext))
		if err == nil || out != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: WithKey = %d bytes, %v", tc.name, len(out), err)
		}
		if got, err := seal.OpenWithKey(tc.key, directWith(t, `{"alg":"dir","enc":"A256GCM"}`)); len(tc.key) != seal.KeySize && (err == nil || got != nil) {
			t.Errorf("%s: OpenWithKey = %q, %v", tc.name, got, err)
		}
	}
}

// Each of these JWEs decrypts: what is wrong is the header alone.
func TestOpenWithKeyRefuses(t *testing.T) {
	for _, tc := range []struct{ name, header, want string }{
		{"good", `{"alg":"dir","enc":"A256GCM"}`, ""},
		{"good in other order", `{"enc":"A256GCM","alg":"dir"}`, ""},
		{"to a key", `{"alg":"ECDH-ES","enc":"A256GCM"}`, "alg is"},
		{"key wrap", `{"alg":"A256GCMKW","enc":"A256GCM"}`, "alg is"},
		{"case", `{"alg":"DIR","enc":"A256GCM"}`, "alg is"},
		{"enc", `{"alg":"dir","enc":"A256CBC-HS512"}`, "enc is"},
		{"no alg", `{"enc":"A256GCM"}`, `"alg"`},
		{"no enc", `{"alg":"dir"}`, `"enc"`},
		{"zip", `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, `"zip"`},
		{"crit", `{"alg":"dir","enc":"A256GCM","crit":[]}`, `"crit"`},
		{"cty", `{"alg":"dir","enc":"A256GCM","cty":"text/plain"}`, `"cty"`},
		{"kid", `{"alg":"dir","enc":"A256GCM","kid":"x"}`, `"kid"`},
		{"twice", `{"alg":"dir","alg":"dir","enc":"A256GCM"}`, `"alg"`},
		{"array", `[]`, "an array"},
		{"behind", `{"alg":"dir","enc":"A256GCM"}{}`, "after"},
	} {
		got, err := seal.OpenWithKey(shared, directWith(t, tc.header))
		if tc.want == "" {
			if err != nil || string(got) != "secret" {
				t.Errorf("%s: OpenWithKey = %q, %v", tc.name, got, err)
			}
			continue
		}
		if err == nil || got != nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: OpenWithKey = %q, %v, want an error with %q", tc.name, got, err, tc.want)
		}
	}
	good := string(directWith(t, `{"alg":"dir","enc":"A256GCM"}`))
	for _, jwe := range []string{"", good + "\n", good + "=", " " + good, strings.Replace(good, "..", ".AA.", 1), good + ".", good[:len(good)-4]} {
		if got, err := seal.OpenWithKey(shared, []byte(jwe)); err == nil || got != nil || errors.Is(err, seal.ErrOpen) {
			t.Errorf("OpenWithKey(%q) = %q, %v", jwe, got, err)
		}
	}
	// Neither kind is taken for the other.
	if got, err := seal.Open(keyOn(t, elliptic.P256(), 1), []byte(good)); err == nil || got != nil {
		t.Errorf("Open = %q, %v", got, err)
	}
}
