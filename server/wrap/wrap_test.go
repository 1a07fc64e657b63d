package wrap_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server/seal"
	"github.com/attestctl/attestctl/server/wrap"
)

// ek is a software EK and its public area.
func ek(tb testing.TB, kind forge.KeyType) (*forge.EK, *tpm.Public) {
	tb.Helper()
	made, err := forge.NewEK(forge.NewKeys("wrap"), "tpm", kind)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := tpm.ParsePublic(made.TPMTPublic())
	if err != nil {
		tb.Fatal(err)
	}
	return made, p
}

// name is that of some key.
var name = append([]byte{0, 0x0b}, slices.Repeat([]byte{7}, 32)...)

func wrapped(tb testing.TB, to *tpm.Public) []byte {
	tb.Helper()
	out, err := wrap.Seal(rand.Reader, to, name, []byte("inner"))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// activate is the TPM in which the key of that name lies.
func activate(e *forge.EK, akName []byte) func(credential, seed []byte) ([]byte, error) {
	return func(credential, seed []byte) ([]byte, error) { return e.Activate(akName, credential, seed) }
}

func TestSealOpen(t *testing.T) {
	for _, kind := range []forge.KeyType{forge.RSA2048, forge.P256, forge.P384} {
		made, public := ek(t, kind)
		out := wrapped(t, public)
		if inner, err := wrap.Open(out, activate(made, name)); err != nil || string(inner) != "inner" {
			t.Errorf("Open = %q, %v", inner, err)
		}
		if bytes.Equal(out, wrapped(t, public)) || bytes.Count(out, []byte("\n")) != 1 || !bytes.HasSuffix(out, []byte("\n")) {
			t.Errorf("not one line that is new each time: %q", out)
		}
		var got map[string]string
		if err := json.Unmarshal(out, &got); err != nil || len(got) != 3 {
			t.Errorf("members %v, %v", got, err)
		}
		for n := range 8 * len(name) {
			other := slices.Clone(name)
			other[n/8] ^= 1 << (n % 8)
			if inner, err := wrap.Open(out, activate(made, other)); err == nil || inner != nil {
				t.Errorf("bit %d of the Name does not count: %q, %v", n, inner, err)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	_, rsa := ek(t, forge.RSA2048)
	_, ecc := ek(t, forge.P256)
	edit := func(p *tpm.Public, f func(*tpm.Public)) *tpm.Public {
		c := *p
		c.RSA.Modulus, c.ECC.X, c.ECC.Y = slices.Clone(p.RSA.Modulus), slices.Clone(p.ECC.X), slices.Clone(p.ECC.Y)
		f(&c)
		return &c
	}
	for _, tc := range []struct {
		name, want string
		ek         *tpm.Public
		akName     []byte
		inner      string
	}{
		{"no EK", "no endorsement key", nil, name, "canary"},
		{"empty EK", "lacks", &tpm.Public{}, name, "canary"},
		{"exponent 3", "exponent", edit(rsa, func(p *tpm.Public) { p.RSA.Exponent = 3 }), name, "canary"},
		{"exponent 1", "exponent", edit(rsa, func(p *tpm.Public) { p.RSA.Exponent = 1 }), name, "canary"},
		{"huge exponent", "exponent", edit(rsa, func(p *tpm.Public) { p.RSA.Exponent = 1<<32 - 1 }), name, "canary"},
		{"even modulus", "modulus", edit(rsa, func(p *tpm.Public) { p.RSA.Modulus[255] &^= 1 }), name, "canary"},
		{"zero modulus", "modulus", edit(rsa, func(p *tpm.Public) { clear(p.RSA.Modulus) }), name, "canary"},
		{"long modulus", "modulus", edit(rsa, func(p *tpm.Public) { p.RSA.Modulus = append([]byte{0}, p.RSA.Modulus...) }), name, "canary"},
		{"no modulus", "modulus", edit(rsa, func(p *tpm.Public) { p.RSA.Modulus = nil }), name, "canary"},
		{"other keyBits", "modulus", edit(rsa, func(p *tpm.Public) { p.RSA.KeyBits = 3072 }), name, "canary"},
		{"short", "1024 bits", edit(rsa, func(p *tpm.Public) { p.RSA.KeyBits, p.RSA.Modulus = 1024, p.RSA.Modulus[:128] }), name, "canary"},
		{"long", "8192 bits", edit(rsa, func(p *tpm.Public) { p.RSA.KeyBits, p.RSA.Modulus = 8192, slices.Repeat([]byte{255}, 1024) }), name, "canary"},
		{"sha1", "nameAlg", edit(rsa, func(p *tpm.Public) { p.NameAlg = tpm.AlgSHA1 }), name, "canary"},
		{"no digest", "nameAlg", edit(rsa, func(p *tpm.Public) { p.NameAlg = tpm.AlgNull }), name, "canary"},
		{"no cipher", "AES", edit(rsa, func(p *tpm.Public) { p.Symmetric = tpm.Symmetric{Alg: tpm.AlgNull} }), name, "canary"},
		{"another mode", "CFB", edit(rsa, func(p *tpm.Public) { p.Symmetric.Mode = 0x42 }), name, "canary"},
		{"odd key size", "AES", edit(rsa, func(p *tpm.Public) { p.Symmetric.KeyBits = 0 }), name, "canary"},
		{"scheme", "scheme", edit(rsa, func(p *tpm.Public) { p.Scheme = tpm.Scheme{Alg: 0x17, Hash: tpm.AlgSHA1} }), name, "canary"},
		{"off the curve", "curve", edit(ecc, func(p *tpm.Public) { p.ECC.Y[0] ^= 1 }), name, "canary"},
		{"at infinity", "curve", edit(ecc, func(p *tpm.Public) { clear(p.ECC.X); clear(p.ECC.Y) }), name, "canary"},
		{"short coordinate", "coordinates", edit(ecc, func(p *tpm.Public) { p.ECC.X = p.ECC.X[1:] }), name, "canary"},
		{"P-224", "curve", edit(ecc, func(p *tpm.Public) { p.ECC.Curve = 2 }), name, "canary"},
		{"P-521", "curve", edit(ecc, func(p *tpm.Public) { p.ECC.Curve = 5 }), name, "canary"},
		{"no curve", "curve", edit(ecc, func(p *tpm.Public) { p.ECC.Curve = 0 }), name, "canary"},
		{"kdf", "kdf", edit(ecc, func(p *tpm.Public) { p.ECC.KDF = tpm.Scheme{Alg: 0x20, Hash: tpm.AlgSHA256} }), name, "canary"},
		{"neither", "key type", edit(ecc, func(p *tpm.Public) { p.Type = 8 }), name, "canary"},
		{"no Name", "Name", rsa, nil, "canary"},
		{"a handle for a Name", "Name", rsa, []byte{0x40, 0, 0, 1}, "canary"},
		{"short Name", "Name", rsa, name[:33], "canary"},
		{"long Name", "Name", rsa, append(slices.Clone(name), 0), "canary"},
		{"sha1 Name", "Name", rsa, append([]byte{0, 4}, make([]byte, 20)...), "canary"},
		{"nothing", "0 bytes", rsa, name, ""},
		{"too much", "bytes to seal", rsa, name, strings.Repeat("canary", seal.MaxPlaintext/6+1)},
	} {
		out, err := wrap.Seal(rand.Reader, tc.ek, tc.akName, []byte(tc.inner))
		switch {
		case err == nil || out != nil || !strings.Contains(err.Error(), tc.want):
			t.Errorf("%s: Seal = %q, %v, want an error with %q", tc.name, out, err, tc.want)
		case strings.Contains(err.Error(), "canary"):
			t.Errorf("%s: the error shows what was to be wrapped: %v", tc.name, err)
		}
	}
	if out, err := wrap.Seal(nil, rsa, name, []byte("canary")); err == nil || out != nil {
		t.Errorf("without randomness: Seal = %q, %v", out, err)
	}
	if out, err := wrap.Seal(iotest.ErrReader(errors.New("empty")), rsa, name, []byte("canary")); err == nil || out != nil {
		t.Errorf("with broken randomness: Seal = %q, %v", out, err)
	}
}

// The attributes of a key that anybody may decrypt with, or that may leave its TPM.
func TestSealAttributes(t *testing.T) {
	_, public := ek(t, forge.P256)
	for n := range 32 {
		c := *public
		c.Attributes ^= 1 << n
		_, err := wrap.Seal(rand.Reader, &c, name, []byte("inner"))
		matters := slices.Contains([]tpm.Attributes{
			tpm.FixedTPM, tpm.FixedParent, tpm.AdminWithPolicy, tpm.Restricted, tpm.Decrypt, tpm.Sign, tpm.X509Sign,
		}, 1<<n)
		if (err != nil) != matters {
			t.Errorf("attributes %v: Seal = %v, want an error: %t", c.Attributes.Names(), err, matters)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	_, public := ek(t, forge.P256)
	good := string(wrapped(t, public))
	var m map[string]string
	if err := json.Unmarshal([]byte(good), &m); err != nil {
		t.Fatal(err)
	}
	with := func(member, value string) string { return strings.Replace(good, m[member], value, 1) }
	b64 := base64.RawURLEncoding.EncodeToString
	for _, tc := range []struct{ name, body, want string }{
		{"empty", "", "json value"},
		{"no object", "[]", "an array"},
		{"null", "null", "null"},
		{"two lines", good + good, "after"},
		{"unknown member", strings.Replace(good, "{", `{"x":"y",`, 1), "members"},
		{"member twice", strings.Replace(good, "{", `{"jwe":"`+m["jwe"]+`",`, 1), "members"},
		{"member twice in place of another", strings.Replace(good, `"seed"`, `"jwe"`, 1), `"jwe"`},
		{"name in another case", strings.Replace(good, `"jwe"`, `"Jwe"`, 1), `"jwe"`},
		{"no seed", strings.Replace(good, `"seed"`, `"sead"`, 1), `"seed"`},
		{"a number", strings.Replace(good, `"`+m["seed"]+`"`, "1", 1), `"seed"`},
		{"escape", with("jwe", `\u0065`+m["jwe"][1:]), "escape"},
		{"no credential", with("credential", ""), "credential"},
		{"large credential", with("credential", b64(make([]byte, 101))), "credential"},
		{"large seed", with("seed", b64(make([]byte, 513))), "seed"},
		{"padding", with("seed", m["seed"]+"="), "seed"},
		{"standard alphabet", with("seed", "+/"), "seed"},
		{"bits behind the end", with("seed", "AB"), "seed"},
		{"no jwe", with("jwe", ""), "jwe"},
		{"jwe to a key", with("jwe", b64([]byte(`{"alg":"ECDH-ES","enc":"A256GCM"}`))+m["jwe"][strings.IndexByte(m["jwe"], '.'):]), "jwe"},
		{"large", good + strings.Repeat(" ", wrap.MaxBody), "KiB"},
	} {
		inner, err := wrap.Open([]byte(tc.body), func([]byte, []byte) ([]byte, error) {
			t.Errorf("%s: the TPM was asked", tc.name)
			return nil, errors.New("no")
		})
		if err == nil || inner != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Open = %q, %v, want an error with %q", tc.name, inner, err, tc.want)
		}
	}
}

// What the TPM gives out is checked as well, and does not stay.
func TestOpenKey(t *testing.T) {
	made, public := ek(t, forge.P256)
	out := wrapped(t, public)
	for _, size := range []int{0, 16, 31, 33, 64} {
		if inner, err := wrap.Open(out, func([]byte, []byte) ([]byte, error) { return make([]byte, size), nil }); err == nil || inner != nil {
			t.Errorf("a key of %d bytes: Open = %q, %v", size, inner, err)
		}
	}
	if _, err := wrap.Open(out, func([]byte, []byte) ([]byte, error) { return make([]byte, 32), nil }); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another key: Open = %v", err)
	}
	failed := errors.New("of the TPM")
	if _, err := wrap.Open(out, func([]byte, []byte) ([]byte, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("Open = %v, want the error of the TPM", err)
	}
	var key []byte
	if _, err := wrap.Open(out, func(credential, seed []byte) (k []byte, err error) {
		key, err = made.Activate(name, credential, seed)
		return key, err
	}); err != nil || new(big.Int).SetBytes(key).Sign() != 0 {
		t.Errorf("the key stays in memory, or %v", err)
	}
}

// FuzzSeal wants what can be wrapped for to be an EK, read by the library as it is
// read here, and a Name.
func FuzzSeal(f *testing.F) {
	for _, kind := range []forge.KeyType{forge.RSA2048, forge.P256, forge.P384, forge.RSA1024, forge.P224} {
		if made, err := forge.NewEK(forge.NewKeys("wrap"), "tpm", kind); err == nil {
			f.Add(made.TPMTPublic(), name)
		}
	}
	f.Fuzz(func(t *testing.T, area, akName []byte) {
		p, err := tpm.ParsePublic(area)
		if err != nil {
			return
		}
		out, err := wrap.Seal(rand.Reader, p, akName, []byte("inner"))
		if err != nil {
			if out != nil {
				t.Error("a body and an error")
			}
			return
		}
		theirs, err := tpm2.Unmarshal[tpm2.TPMTPublic](area)
		if err != nil || !bytes.Equal(tpm2.Marshal(theirs), area) {
			t.Errorf("the library reads %x otherwise: %v", area, err)
		}
		if err := p.CheckEK(); err != nil || len(akName) < 34 {
			t.Errorf("wrapped for %x and the Name %x: %v", area, akName, err)
		}
	})
}

// FuzzOpen wants what is accepted to have the three members, no other, and one
// spelling of each.
func FuzzOpen(f *testing.F) {
	made, public := ek(f, forge.P256)
	f.Add(wrapped(f, public))
	f.Add([]byte(`{"credential":"AA","seed":"AA","jwe":"e30..."}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		asked := false
		var c, s []byte
		inner, err := wrap.Open(raw, func(credential, seed []byte) ([]byte, error) {
			asked, c, s = true, credential, seed
			return made.Activate(name, credential, seed)
		})
		if err != nil && inner != nil {
			t.Error("a plaintext and an error")
		}
		if !asked {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		var got struct{ Credential, Seed, JWE string }
		if err := dec.Decode(&got); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", raw, err)
		}
		if b64 := base64.RawURLEncoding; got.Credential != b64.EncodeToString(c) || got.Seed != b64.EncodeToString(s) || strings.Count(got.JWE, ".") != 4 {
			t.Errorf("accepts another spelling: %q", raw)
		}
	})
}
