package seal_test

import (
	"crypto"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/attestctl/attestctl/server/seal"
)

// The next version of the library reads and writes the same.
func TestOtherImplementation(t *testing.T) {
	for _, curve := range bothCurves {
		priv := keyOn(t, curve, 1)
		key, err := seal.ParseKey(encode(t, public(t, &priv.PublicKey)))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := jwk.Import(&priv.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := theirs.Thumbprint(crypto.SHA256); err != nil || key.Thumbprint() != [32]byte(sum) {
			t.Errorf("thumbprint %x, theirs %x, %v", key.Thumbprint(), sum, err)
		}
		out, err := key.Seal([]byte("secret"), "application/octet-stream")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := jwe.Decrypt(out, jwe.WithKey(jwa.ECDH_ES(), priv)); err != nil || string(got) != "secret" {
			t.Errorf("they read %q, %v", got, err)
		}
		h := jwe.NewHeaders()
		if err := h.Set(jwe.KeyIDKey, thumbprint(t, &priv.PublicKey)); err != nil {
			t.Fatal(err)
		}
		out, err = jwe.Encrypt([]byte("theirs"), jwe.WithKey(jwa.ECDH_ES(), &priv.PublicKey), jwe.WithContentEncryption(jwa.A256GCM()), jwe.WithProtectedHeaders(h))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.Open(priv, out); err != nil || string(got) != "theirs" {
			t.Errorf("Open of theirs = %q, %v", got, err)
		}
	}
}
