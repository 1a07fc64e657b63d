package seal_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/seal"
)

func TestParseKey(t *testing.T) {
	for _, curve := range bothCurves {
		priv := keyOn(t, curve, 1)
		jwk := public(t, &priv.PublicKey)
		want := sha256.Sum256(encode(t, jwk))
		plain := string(encode(t, jwk))
		jwk["use"], jwk["alg"], jwk["kid"] = "enc", "ECDH-ES", b64(want[:])
		for _, in := range []string{
			plain,
			" {\n" + plain[1:] + "\n",
			string(encode(t, jwk)),
			strings.Replace(`{"kty":"EC",`+plain[1:], `,"kty":"EC"`, "", 1),
		} {
			if key, err := seal.ParseKey([]byte(in)); err != nil || key.Thumbprint() != want {
				t.Errorf("ParseKey(%s) = %v", in, err)
			}
		}
	}
	one, _ := seal.ParseKey(encode(t, public(t, &keyOn(t, elliptic.P256(), 1).PublicKey)))
	two, _ := seal.ParseKey(encode(t, public(t, &keyOn(t, elliptic.P256(), 2).PublicKey)))
	if one.Thumbprint() == two.Thumbprint() {
		t.Error("two keys have one thumbprint")
	}
}

func TestParseKeyRefuses(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	good := string(encode(t, public(t, &priv.PublicKey)))
	d, err := priv.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) string {
		h := public(t, &priv.PublicKey)
		if h[name] = value; value == nil {
			delete(h, name)
		}
		return string(encode(t, h))
	}
	x, _ := public(t, &priv.PublicKey)["x"].(string)
	y, _ := public(t, &priv.PublicKey)["y"].(string)
	zero := b64(make([]byte, 32))
	alphabet := strings.NewReplacer("-", "+", "_", "/")
	for _, tc := range []struct{ name, jwk, want string }{
		{"empty", "", "plain jwk"},
		{"large", good + strings.Repeat(" ", seal.MaxKey), "more than 4 KiB"},
		{"null", "null", "null"},
		{"array", "[]", "an array"},
		{"text", `"` + x + `"`, "a string"},
		{"empty object", "{}", `no member "kty"`},
		{"two", good + good, "after the object"},
		{"cut", good[:len(good)-1], "plain jwk"},
		{"key set", `{"keys":[` + good + `]}`, "levels"},
		{"private", set("d", b64(d)), "private key"},
		{"private, null", set("d", json.RawMessage("null")), "private key"},
		{"private in upper case", set("D", b64(d)), `member "D"`},
		{"factors", set("p", b64(d)), `member "p"`},
		{"secret", set("k", b64(d)), `member "k"`},
		{"others", set("oth", "x"), `member "oth"`},
		{"unknown", set("exp", 1), `member "exp"`},
		{"certificate by address", set("x5u", "https://example.com"), `member "x5u"`},
		{"operations", set("key_ops", []string{}), `member "key_ops"`},
		{"x twice", `{"x":"` + y + `",` + good[1:], `members "x"`},
		{"x twice in another case", `{"X":"` + y + `",` + good[1:], `members "X"`},
		{"x escaped", strings.Replace(good, `"x"`, `"\u0078"`, 1), "escapes"},
		{"not utf-8", strings.Replace(good, "EC", "\xff\xfe", 1), "utf-8"},
		{"for signatures", set("use", "sig"), "use other"},
		{"use empty", set("use", ""), "use other"},
		{"for another algorithm", set("alg", "ES256"), "alg other"},
		{"for key wrap", set("alg", "ECDH-ES+A256KW"), "alg other"},
		{"kid of its own", set("kid", "key-1"), "kid other"},
		{"alg a number", set("alg", 1), "alg is a number"},
		{"rsa", `{"kty":"RSA","n":"AQAB","e":"AQAB"}`, `member "`},
		{"rsa with members of a curve", set("kty", "RSA"), "kty is not EC"},
		{"kty in lower case", set("kty", "ec"), "kty is not EC"},
		{"octets", set("kty", "oct"), "kty is not EC"},
		{"no kty", set("kty", nil), `no member "kty"`},
		{"no crv", set("crv", nil), `no member "crv"`},
		{"no y", set("y", nil), `no member "y"`},
		{"crv empty", set("crv", ""), "neither"},
		{"p-224", set("crv", "P-224"), "neither"},
		{"p-521", set("crv", "P-521"), "neither"},
		{"secp256k1", set("crv", "secp256k1"), "neither"},
		{"p-384 with coordinates of p-256", set("crv", "P-384"), "48 bytes"},
		{"x null", set("x", json.RawMessage("null")), "x is null"},
		{"x a number", set("x", 1), "x is a number"},
		{"x empty", set("x", ""), "32 bytes"},
		{"x padded", set("x", x+"="), "32 bytes"},
		{"x with a zero before", set("x", b64(append([]byte{0}, unb64(t, x)...))), "32 bytes"},
		{"x short", set("x", b64(unb64(t, x)[1:])), "32 bytes"},
		{"x with a byte behind", set("x", b64(append(unb64(t, x), 0))), "32 bytes"},
		{"x in hex", set("x", strings.Repeat("0f", 32)), "32 bytes"},
		{"x with bits behind the end", set("x", x[:42]+bitsBehind(x[42])), "32 bytes"},
		{"x with a line end", set("x", json.RawMessage(`"`+x[:9]+`\n`+x[9:]+`"`)), "escapes"},
		{"standard alphabet", `{"crv":"P-256","kty":"EC","x":"` + alphabet.Replace(b64(bytes.Repeat([]byte{0xFB}, 32))) + `","y":"` + y + `"}`, "32 bytes"},
		{"swapped", set("x", y), "point"},
		{"off the curve", set("y", b64(flip(unb64(t, y)))), "point"},
		{"at infinity", `{"crv":"P-256","kty":"EC","x":"` + zero + `","y":"` + zero + `"}`, "point"},
		{"x over p", set("x", b64(slices.Repeat([]byte{255}, 32))), "point"},
	} {
		key, err := seal.ParseKey([]byte(tc.jwk))
		if err == nil || key != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: ParseKey = %v, want an error with %q", tc.name, err, tc.want)
			continue
		}
		if strings.Contains(err.Error()+hint.Of(err), b64(d)) {
			t.Errorf("%s: the error shows the private key: %v", tc.name, err)
		}
	}
}

func flip(b []byte) []byte {
	b[len(b)-1] ^= 1
	return b
}

// Any bit of a coordinate makes it another key or none.
func TestParseKeyOneBit(t *testing.T) {
	jwk := public(t, &keyOn(t, elliptic.P256(), 1).PublicKey)
	good, err := seal.ParseKey(encode(t, jwk))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "y"} {
		was, _ := jwk[name].(string)
		for n := range 256 {
			b := unb64(t, was)
			b[n/8] ^= 1 << (n % 8)
			jwk[name] = b64(b)
			if key, err := seal.ParseKey(encode(t, jwk)); err == nil && (name == "y" || key.Thumbprint() == good.Thumbprint()) {
				t.Errorf("bit %d of %s changes nothing", n, name)
			}
		}
		jwk[name] = was
	}
}

func TestNewKey(t *testing.T) {
	priv, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if want := encode(t, public(t, &priv.PublicKey)); !bytes.Equal(jwk, want) {
		t.Errorf("jwk %s, want %s", jwk, want)
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := key.Seal([]byte("secret"), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.Open(priv, jwe); err != nil || string(got) != "secret" {
		t.Errorf("Open = %q, %v", got, err)
	}
	other, _, err := seal.NewKey(rand.Reader)
	if err != nil || other.Equal(priv) {
		t.Errorf("two keys are the same, or %v", err)
	}
	if got, err := seal.Open(other, jwe); err == nil || got != nil {
		t.Errorf("Open with another key = %q, %v", got, err)
	}
}

func TestNewKeyRandomness(t *testing.T) {
	one := bytes.Repeat([]byte{1}, 32)
	a, _, err := seal.NewKey(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	// What is no key is drawn again: zero, and the order of the group.
	order := elliptic.P256().Params().N.Bytes()
	b, _, err := seal.NewKey(bytes.NewReader(slices.Concat(make([]byte, 32), order, one)))
	if err != nil || !a.Equal(b) {
		t.Errorf("after what is no key: %v", err)
	}
	broken := errors.New("broken")
	for name, r := range map[string]io.Reader{
		"none": nil, "short": bytes.NewReader(one[:31]), "broken": iotest.ErrReader(broken),
		"only zeros": bytes.NewReader(make([]byte, 1<<10)), "only ones": bytes.NewReader(bytes.Repeat([]byte{255}, 1<<10)),
	} {
		if priv, jwk, err := seal.NewKey(r); err == nil || priv != nil || jwk != nil {
			t.Errorf("%s: a key, %v", name, err)
		}
	}
	if _, _, err := seal.NewKey(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("the cause is lost: %v", err)
	}
}
