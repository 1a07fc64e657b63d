package seal_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/server/seal"
)

// This file is a second implementation, of the standard library alone.

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// derive is the Concat KDF of RFC 7518, 4.6.2, for up to 32 bytes.
func derive(z []byte, algorithm, apu, apv string, size int) []byte {
	h := sha256.New()
	number := func(n int) { h.Write(binary.BigEndian.AppendUint32(nil, uint32(n))) }
	number(1)
	h.Write(z)
	for _, s := range []string{algorithm, apu, apv} {
		number(len(s))
		h.Write([]byte(s))
	}
	number(8 * size)
	return h.Sum(nil)[:size]
}

// RFC 7518, appendix C.
func TestOracleKDF(t *testing.T) {
	alice := scalar(t, elliptic.P256(), unb64(t, "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"))
	bob := scalar(t, elliptic.P256(), unb64(t, "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"))
	if got := b64(derive(agree(t, alice, &bob.PublicKey), "A128GCM", "Alice", "Bob", 16)); got != "VqqN6vgjbSBcIijNcacQGg" {
		t.Errorf("derived %s", got)
	}
}

func scalar(tb testing.TB, curve elliptic.Curve, d []byte) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func agree(tb testing.TB, priv *ecdsa.PrivateKey, public *ecdsa.PublicKey) []byte {
	tb.Helper()
	a, err := priv.ECDH()
	if err != nil {
		tb.Fatal(err)
	}
	b, err := public.ECDH()
	if err != nil {
		tb.Fatal(err)
	}
	z, err := a.ECDH(b)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// keyOn makes a key that is the same for every run.
func keyOn(tb testing.TB, curve elliptic.Curve, seed byte) *ecdsa.PrivateKey {
	tb.Helper()
	d := make([]byte, (curve.Params().BitSize+7)/8)
	if _, err := rand.NewChaCha8([32]byte{seed}).Read(d); err != nil {
		tb.Fatal(err)
	}
	return scalar(tb, curve, d)
}

// public is a JWK as encoding/json writes it, its members in order.
func public(tb testing.TB, k *ecdsa.PublicKey) map[string]any {
	tb.Helper()
	point, err := k.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	half := len(point) / 2
	return map[string]any{"kty": "EC", "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func thumbprint(tb testing.TB, k *ecdsa.PublicKey) string {
	tb.Helper()
	sum := sha256.Sum256(encode(tb, public(tb, k)))
	return b64(sum[:])
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealWith makes a JWE that decrypts, whatever its header says.
func sealWith(tb testing.TB, header, plaintext []byte, once *ecdsa.PrivateKey, to *ecdsa.PublicKey) []byte {
	tb.Helper()
	aead, err := gcm(derive(agree(tb, once, to), "A256GCM", "", "", 32))
	if err != nil {
		tb.Fatal(err)
	}
	iv := []byte("twelve bytes")
	protected := b64(header)
	box := aead.Seal(nil, iv, plaintext, []byte(protected))
	cut := len(box) - 16
	return []byte(strings.Join([]string{protected, "", b64(iv), b64(box[:cut]), b64(box[cut:])}, "."))
}

// openBy decrypts a JWE by hand.
func openBy(tb testing.TB, jwe []byte, priv *ecdsa.PrivateKey) ([]byte, error) {
	tb.Helper()
	part := strings.Split(string(jwe), ".")
	var h struct {
		Alg, Enc string
		Epk      struct{ Kty, Crv, X, Y string }
	}
	if err := json.Unmarshal(unb64(tb, part[0]), &h); err != nil {
		return nil, err
	}
	if len(part) != 5 || part[1] != "" || h.Alg != "ECDH-ES" || h.Enc != "A256GCM" || h.Epk.Crv != priv.Params().Name {
		return nil, fmt.Errorf("header %+v", h)
	}
	curve := map[string]ecdh.Curve{"P-256": ecdh.P256(), "P-384": ecdh.P384()}[h.Epk.Crv]
	epk, err := curve.NewPublicKey(slices.Concat([]byte{4}, unb64(tb, h.Epk.X), unb64(tb, h.Epk.Y)))
	if err != nil {
		return nil, err
	}
	d, err := priv.ECDH()
	if err != nil {
		return nil, err
	}
	z, err := d.ECDH(epk)
	if err != nil {
		return nil, err
	}
	aead, err := gcm(derive(z, h.Enc, "", "", 32))
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, unb64(tb, part[2]), slices.Concat(unb64(tb, part[3]), unb64(tb, part[4])), []byte(part[0]))
}

var bothCurves = []elliptic.Curve{elliptic.P256(), elliptic.P384()}

func TestSealedOpensByHand(t *testing.T) {
	for _, curve := range bothCurves {
		priv := keyOn(t, curve, 1)
		key, err := seal.ParseKey(encode(t, public(t, &priv.PublicKey)))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, 15, 16, 17, 64 << 10, seal.MaxPlaintext} {
			want := make([]byte, n)
			rand.NewChaCha8([32]byte{byte(n)}).Read(want) //nolint:errcheck // never fails
			jwe, err := key.Seal(want, "text/plain")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := openBy(t, jwe, priv); err != nil || string(got) != string(want) {
				t.Errorf("%s, %d bytes: by hand: %v", curve.Params().Name, n, err)
			}
			if got, err := seal.Open(priv, jwe); err != nil || string(got) != string(want) {
				t.Errorf("%s, %d bytes: Open: %v", curve.Params().Name, n, err)
			}
			if len(jwe) > seal.MaxJWE {
				t.Errorf("%d bytes are sealed in %d", n, len(jwe))
			}
		}
	}
}

func headerFor(tb testing.TB, once, to *ecdsa.PublicKey) map[string]any {
	tb.Helper()
	return map[string]any{"alg": "ECDH-ES", "enc": "A256GCM", "kid": thumbprint(tb, to), "epk": public(tb, once)}
}

func TestSealedByHandOpens(t *testing.T) {
	for _, curve := range bothCurves {
		priv := keyOn(t, curve, 1)
		for seed := range byte(20) {
			once := keyOn(t, curve, 100+seed)
			jwe := sealWith(t, encode(t, headerFor(t, &once.PublicKey, &priv.PublicKey)), []byte("secret"), once, &priv.PublicKey)
			if got, err := seal.Open(priv, jwe); err != nil || string(got) != "secret" {
				t.Errorf("%s %d: Open = %q, %v", curve.Params().Name, seed, got, err)
			}
		}
	}
}

// One agreement in 256 begins with a zero byte, which is part of what the key is
// derived from (RFC 7518, 4.6.2; SEC 1, 2.3.5), as are those of coordinates.
func TestLeadingZeros(t *testing.T) {
	errDone := errors.New("found")
	for _, curve := range bothCurves {
		priv := keyOn(t, curve, 1)
		found := map[string]error{}
		d := make([]byte, (curve.Params().BitSize+7)/8)
		r := rand.NewChaCha8([32]byte{7})
		for n := 0; n < 20_000 && len(found) < 3; n++ {
			r.Read(d) //nolint:errcheck // never fails
			d[0] &= 0x7F
			once := scalar(t, curve, d)
			point, err := once.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			var what string
			switch z := agree(t, once, &priv.PublicKey); {
			case z[0] == 0:
				what = "z"
			case point[1] == 0:
				what = "x"
			case point[1+len(d)] == 0:
				what = "y"
			default:
				continue
			}
			if found[what] != nil {
				continue
			}
			found[what] = errDone
			jwe := sealWith(t, encode(t, headerFor(t, &once.PublicKey, &priv.PublicKey)), []byte("secret"), once, &priv.PublicKey)
			if got, err := seal.Open(priv, jwe); err != nil || string(got) != "secret" {
				t.Errorf("%s: zero at the beginning of %s: %q, %v", curve.Params().Name, what, got, err)
			}
			// And as a client's key.
			key, err := seal.ParseKey(encode(t, public(t, &once.PublicKey)))
			if err != nil {
				t.Fatal(err)
			}
			jwe, err = key.Seal([]byte("secret"), "")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := openBy(t, jwe, once); err != nil || string(got) != "secret" {
				t.Errorf("%s: sealed to a key with a zero at the beginning of %s: %q, %v", curve.Params().Name, what, got, err)
			}
		}
		if len(found) != 3 {
			t.Errorf("%s: found only %v", curve.Params().Name, found)
		}
	}
}

// The library's own agreements begin with a zero, too, now and then.
func TestSealMany(t *testing.T) {
	priv := keyOn(t, elliptic.P256(), 1)
	key, err := seal.ParseKey(encode(t, public(t, &priv.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	zeros := 0
	for range 1500 {
		jwe, err := key.Seal([]byte("secret"), "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := openBy(t, jwe, priv); err != nil || string(got) != "secret" {
			t.Fatalf("%s: %q, %v", jwe, got, err)
		}
		var h struct{ Epk struct{ X, Y string } }
		if err := json.Unmarshal(unb64(t, strings.Split(string(jwe), ".")[0]), &h); err != nil {
			t.Fatal(err)
		}
		if unb64(t, h.Epk.X)[0] == 0 || unb64(t, h.Epk.Y)[0] == 0 {
			zeros++
		}
	}
	t.Logf("%d one-time keys with a zero at the beginning", zeros)
}
