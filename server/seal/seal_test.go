package seal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/server/seal"
)

func sealed(tb testing.TB, priv *ecdsa.PrivateKey, contentType string) []byte {
	tb.Helper()
	key, err := seal.ParseKey(encode(tb, public(tb, &priv.PublicKey)))
	if err != nil {
		tb.Fatal(err)
	}
	jwe, err := key.Seal([]byte("secret"), contentType)
	if err != nil {
		tb.Fatal(err)
	}
	return jwe
}

func TestSealHeader(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	seen := map[string]bool{}
	for _, contentType := range []string{"", "text/plain", "text/plain; charset=utf-8", "application/vnd.x+json"} {
		part := strings.Split(string(sealed(t, priv, contentType)), ".")
		var h map[string]any
		if err := json.Unmarshal(unb64(t, part[0]), &h); err != nil {
			t.Fatal(err)
		}
		want := []string{"alg", "enc", "epk", "kid"}
		if contentType != "" {
			want = slices.Insert(want, 1, "cty")
		}
		if got := slices.Sorted(maps.Keys(h)); !slices.Equal(got, want) {
			t.Errorf("header members %q, want %q", got, want)
		}
		epk, _ := h["epk"].(map[string]any)
		if got := slices.Sorted(maps.Keys(epk)); !slices.Equal(got, []string{"crv", "kty", "x", "y"}) {
			t.Errorf("epk members %q", got)
		}
		if cty, _ := h["cty"].(string); h["kid"] != thumbprint(t, &priv.PublicKey) || h["alg"] != "ECDH-ES" || h["enc"] != "A256GCM" || cty != contentType {
			t.Errorf("header %v", h)
		}
		x, _ := epk["x"].(string)
		if seen[x] || seen[part[2]] {
			t.Error("a one-time key or an initialization vector was used twice")
		}
		seen[x], seen[part[2]] = true, true
	}
}

func TestSealRefuses(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	key, err := seal.ParseKey(encode(t, public(t, &priv.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name        string
		key         *seal.ClientKey
		plaintext   string
		contentType string
	}{
		{"no key", nil, "canary", ""},
		{"zero key", &seal.ClientKey{}, "canary", ""},
		{"nothing", key, "", ""},
		{"too much", key, strings.Repeat("canary", seal.MaxPlaintext), ""},
		{"no media type", key, "canary", "text/"},
		{"quotes", key, "canary", `text/plain; a="b"`},
		{"line end", key, "canary", "text/plain\n"},
		{"control character", key, "canary", "text/plain; a=b\x01"},
		{"not ascii", key, "canary", "text/pläin"},
		{"escaped in html", key, "canary", "text/plain; a=b&c"},
		{"long", key, "canary", "text/" + strings.Repeat("x", 123)},
	} {
		out, err := tc.key.Seal([]byte(tc.plaintext), tc.contentType)
		if err == nil || out != nil {
			t.Errorf("%s: Seal = %d bytes, %v", tc.name, len(out), err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error shows the plaintext: %v", tc.name, err)
		}
	}
}

// Each of these JWEs decrypts: what is wrong is the header alone.
func TestOpenRefusesHeaders(t *testing.T) {
	priv, once := keyOn(t, elliptic.P256(), 1), keyOn(t, elliptic.P256(), 2)
	p384, other := keyOn(t, elliptic.P384(), 3), keyOn(t, elliptic.P256(), 4)
	good := string(encode(t, headerFor(t, &once.PublicKey, &priv.PublicKey)))
	set := func(name string, value any) string {
		h := headerFor(t, &once.PublicKey, &priv.PublicKey)
		if h[name] = value; value == nil {
			delete(h, name)
		}
		return string(encode(t, h))
	}
	epk := func(name string, value any) string {
		p := public(t, &once.PublicKey)
		if p[name] = value; value == nil {
			delete(p, name)
		}
		return set("epk", p)
	}
	x, _ := public(t, &once.PublicKey)["x"].(string)
	y, _ := public(t, &once.PublicKey)["y"].(string)
	zero := b64(make([]byte, 32))
	for _, tc := range []struct{ name, header, want string }{
		{"good", good, ""},
		{"good with cty", set("cty", "text/plain"), ""},
		{"good in other order", strings.Replace(`{"kid":"`+thumbprint(t, &priv.PublicKey)+`",`+good[1:], `,"kid":"`+thumbprint(t, &priv.PublicKey)+`"}`, "}", 1), ""},

		{"key wrap", set("alg", "ECDH-ES+A256KW"), "alg is"},
		{"dir", set("alg", "dir"), "alg is"},
		{"rsa", set("alg", "RSA-OAEP"), "alg is"},
		{"password", set("alg", "PBES2-HS256+A128KW"), "alg is"},
		{"none", set("alg", "none"), "alg is"},
		{"case of alg", set("alg", "ecdh-es"), "alg is"},
		{"empty alg", set("alg", ""), "alg is"},
		{"no alg", set("alg", nil), `no member "alg"`},
		{"alg a number", set("alg", 1), "alg is a number"},
		{"alg an array", set("alg", []string{"ECDH-ES"}), "alg is an array"},
		{"enc short", set("enc", "A128GCM"), "enc is"},
		{"enc cbc", set("enc", "A256CBC-HS512"), "enc is"},
		{"no enc", set("enc", nil), `no member "enc"`},
		{"zip", set("zip", "DEF"), `member "zip"`},
		{"zip empty", set("zip", ""), `member "zip"`},
		{"crit", set("crit", []string{"exp"}), `member "crit"`},
		{"crit empty", set("crit", []string{}), `member "crit"`},
		{"kid of another", set("kid", thumbprint(t, &other.PublicKey)), "kid is"},
		{"kid in upper case", set("kid", strings.ToUpper(thumbprint(t, &priv.PublicKey))), "kid is"},
		{"kid empty", set("kid", ""), "kid is"},
		{"no kid", set("kid", nil), `no member "kid"`},
		{"apu", set("apu", "QQ"), `member "apu"`},
		{"apv", set("apv", "QQ"), `member "apv"`},
		{"typ", set("typ", "JOSE"), `member "typ"`},
		{"jku", set("jku", "https://example.com"), `member "jku"`},
		{"jwk", set("jwk", public(t, &once.PublicKey)), `member "jwk"`},
		{"x5c", set("x5c", []string{}), `member "x5c"`},
		{"p2c", set("p2c", 1), `member "p2c"`},
		{"another", set("x", "y"), `member "x"`},
		{"cty with an escape", set("cty", "text/plain\n"), "escapes"},
		{"cty no media type", set("cty", "a b"), "content type"},
		{"alg twice", `{"alg":"ECDH-ES",` + good[1:], `members "alg"`},
		{"alg twice in another case", `{"Alg":"dir",` + good[1:], `members "Alg"`},
		{"alg in another case", strings.Replace(good, `"alg"`, `"Alg"`, 1), `member "Alg"`},
		{"alg escaped", strings.Replace(good, `"alg"`, `"\u0061lg"`, 1), "escapes"},
		{"bytes behind", good + "x", "after the object"},
		{"two headers", good + good, "after the object"},
		{"array", "[]", "an array"},
		{"null", "null", "null"},
		{"not json", "{}}", "bytes after"},
		{"empty object", "{}", `no member "epk"`},
		{"not utf-8", strings.Replace(good, "EC", "\xff\xfe", 1), "utf-8"},
		{"deep", strings.Replace(good, `"EC"`, `[[[["EC"]]]]`, 1), "levels"},
		{"long", `{"cty":"` + strings.Repeat("x", 1024) + `",` + good[1:], "the header has"},

		{"no epk", set("epk", nil), `no member "epk"`},
		{"epk a text", set("epk", "x"), "epk: a string"},
		{"epk null", strings.Replace(good, `"epk":{`, `"epk":null,"x":{`, 1), `member "x"`},
		{"epk on another curve", set("epk", public(t, &p384.PublicKey)), "another curve"},
		{"epk names another curve", epk("crv", "P-384"), "48 bytes"},
		{"epk off the curve", epk("y", x), "point"},
		{"epk at infinity", set("epk", map[string]any{"kty": "EC", "crv": "P-256", "x": zero, "y": zero}), "point"},
		{"epk with x over p", epk("x", b64(slices.Repeat([]byte{255}, 32))), "point"},
		{"epk with a long x", epk("x", b64(append([]byte{0}, unb64(t, x)...))), "32 bytes"},
		{"epk with a short y", epk("y", b64(unb64(t, y)[:31])), "32 bytes"},
		{"epk padded", epk("x", x+"="), "32 bytes"},
		{"epk private", epk("d", zero), "private key"},
		{"epk with more", epk("use", "enc"), `member "use"`},
		{"epk without y", epk("y", nil), `no member "y"`},
		{"epk without kty", epk("kty", nil), `no member "kty"`},
		{"epk x25519", set("epk", map[string]any{"kty": "OKP", "crv": "X25519", "x": zero, "y": zero}), "kty is not EC"},
		{"epk p-521", epk("crv", "P-521"), "crv is neither"},
		{"epk secp256k1", epk("crv", "secp256k1"), "crv is neither"},
	} {
		got, err := seal.Open(priv, sealWith(t, []byte(tc.header), []byte("secret"), once, &priv.PublicKey))
		switch {
		case tc.want == "":
			if err != nil || string(got) != "secret" {
				t.Errorf("%s: Open = %q, %v", tc.name, got, err)
			}
		case err == nil || got != nil || !strings.Contains(err.Error(), tc.want):
			t.Errorf("%s: Open = %q, %v, want an error with %q", tc.name, got, err, tc.want)
		case errors.Is(err, seal.ErrOpen):
			t.Errorf("%s: it came to the library", tc.name)
		}
	}
}

func TestOpenRefusesForms(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	good := string(sealed(t, priv, ""))
	part := strings.Split(good, ".")
	with := func(n int, s string) string {
		p := slices.Clone(part)
		p[n] = s
		return strings.Join(p, ".")
	}
	tag := unb64(t, part[4])
	flattened := string(encode(t, map[string]string{"protected": part[0], "iv": part[2], "ciphertext": part[3], "tag": part[4]}))
	general := string(encode(t, map[string]any{"protected": part[0], "recipients": []any{map[string]any{"header": map[string]string{"alg": "ECDH-ES"}}}, "iv": part[2], "ciphertext": part[3], "tag": part[4]}))
	authentic := []string{"other initialization vector", "longer ciphertext", "shorter ciphertext", "tag of zeros"}
	for _, tc := range []struct {
		name, jwe string
		alone     bool // the library accepts it by itself
	}{
		{"empty", "", false},
		{"four segments", strings.Join(part[:4], "."), false},
		{"six segments", good + ".", false},
		{"three segments", "a.b.c", false},
		{"flattened json", flattened, true},
		{"general json", general, true},
		{"line end behind", good + "\n", true},
		{"space before", " " + good, true},
		{"line end in a segment", part[0][:9] + "\n" + good[9:], false},
		{"padding", good + "==", true},
		{"standard alphabet", with(4, strings.NewReplacer("-", "+", "_", "/").Replace(b64(tag))+"=="), true},
		{"bits behind the end", with(4, part[4][:21]+bitsBehind(part[4][21])), true},
		{"encrypted key", with(1, "QQ"), true},
		{"no header", with(0, ""), false},
		{"no initialization vector", with(2, ""), false},
		{"short initialization vector", with(2, b64(make([]byte, 11))), false},
		{"long initialization vector", with(2, b64(make([]byte, 13))), false},
		{"other initialization vector", with(2, b64(make([]byte, 12))), false},
		{"no ciphertext", with(3, ""), false},
		{"longer ciphertext", with(3, b64(append(unb64(t, part[3]), 0))), false},
		{"shorter ciphertext", with(3, b64(unb64(t, part[3])[:5])), false},
		{"no tag", with(4, ""), false},
		{"short tag", with(4, b64(tag[:12])), false},
		{"long tag", with(4, b64(append(slices.Clone(tag), 0))), false},
		{"tag of zeros", with(4, b64(make([]byte, 16))), false},
		{"large", with(3, strings.Repeat("A", seal.MaxJWE)), false},
	} {
		got, err := seal.Open(priv, []byte(tc.jwe))
		if err == nil || got != nil {
			t.Errorf("%s: Open = %q, %v", tc.name, got, err)
		}
		if errors.Is(err, seal.ErrOpen) != slices.Contains(authentic, tc.name) {
			t.Errorf("%s: Open = %v, want what has the wrong form, and only that, to be kept from the library", tc.name, err)
		}
		if _, err := seal.DecryptUngated(priv, []byte(tc.jwe)); (err == nil) != tc.alone {
			t.Errorf("%s: the library accepts it: %t, want %t (%v)", tc.name, err == nil, tc.alone, err)
		}
	}
	if got, err := seal.Open(priv, []byte(good)); err != nil || string(got) != "secret" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

// bitsBehind is another character that decodes to the same, for those who look at
// no more than they need.
func bitsBehind(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)|1])
}

func TestOpenOneBit(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	good := sealed(t, priv, "text/plain")
	for n := range 8 * len(good) {
		jwe := slices.Clone(good)
		jwe[n/8] ^= 1 << (n % 8)
		if got, err := seal.Open(priv, jwe); err == nil || got != nil {
			t.Errorf("bit %d: Open = %q, %v", n, got, err)
		}
	}
}

func TestOpenWrongKey(t *testing.T) {
	priv, other := keyOn(t, elliptic.P256(), 1), keyOn(t, elliptic.P256(), 2)
	jwe := sealed(t, priv, "")
	if got, err := seal.Open(other, jwe); err == nil || got != nil {
		t.Errorf("Open with another key = %q, %v", got, err)
	}
	// Sealed to one key in the name of another.
	lie := sealWith(t, encode(t, headerFor(t, &other.PublicKey, &priv.PublicKey)), []byte("secret"), other, &other.PublicKey)
	if got, err := seal.Open(priv, lie); !errors.Is(err, seal.ErrOpen) || got != nil {
		t.Errorf("Open of what was sealed to another key = %q, %v", got, err)
	}
	p224, err := ecdsa.ParseRawPrivateKey(elliptic.P224(), slices.Repeat([]byte{1}, 28))
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.ParseRawPrivateKey(elliptic.P521(), slices.Repeat([]byte{1}, 66))
	if err != nil {
		t.Fatal(err)
	}
	mixed := *priv
	mixed.PublicKey = other.PublicKey
	for name, k := range map[string]*ecdsa.PrivateKey{
		"none": nil, "zero": {}, "on P-224": p224, "on P-521": p521, "with another's public half": &mixed,
		"without a private half": {PublicKey: priv.PublicKey},
	} {
		if got, err := seal.Open(k, jwe); err == nil || got != nil {
			t.Errorf("a key %s: Open = %q, %v", name, got, err)
		}
	}
}

// The library is in one file.
func TestOneFileKnowsTheLibrary(t *testing.T) {
	list, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return strings.Contains(i.Path.Value, "jwx") }) {
			who = append(who, e.Name())
		}
	}
	if !slices.Equal(who, []string{"jwe.go"}) {
		t.Errorf("jwx is imported by %q", who)
	}
}

func BenchmarkSeal(b *testing.B) {
	priv := keyOn(b, elliptic.P256(), 1)
	key, err := seal.ParseKey(encode(b, public(b, &priv.PublicKey)))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := key.Seal([]byte("secret"), ""); err != nil {
			b.Fatal(err)
		}
	}
}
