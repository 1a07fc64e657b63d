package evidence

import (
	"testing"
	"testing/fstest"

	"github.com/attestctl/attestctl/internal/forge"
)

// Forged mints a machine with an ECC key, which is quick, for a nonce of 16 bytes.
func Forged(tb testing.TB, m forge.Machine) *forge.Evidence {
	tb.Helper()
	m.AK = forge.P256
	e, err := m.Attest([]byte("0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// ForgeTrust is what a verifier of forged evidence trusts: the root it names, or the
// pinned key.
func ForgeTrust(tb testing.TB, e *forge.Evidence) *Trust {
	tb.Helper()
	files := fstest.MapFS{}
	for name, data := range e.TrustFiles() {
		files[name] = &fstest.MapFile{Data: data}
	}
	trust := new(Trust)
	var err error
	if len(files) > 0 {
		if trust, err = LoadTrust(files); err != nil {
			tb.Fatal(err)
		}
	}
	if e.Token != nil && e.Token.Key != nil {
		if trust, err = trust.WithTokenKey(e.Token.Key); err != nil {
			tb.Fatal(err)
		}
	}
	if e.Root == nil && e.Raw == nil {
		if trust, err = trust.WithPinnedAK(e.AK.TPM2BPublic()); err != nil {
			tb.Fatal(err)
		}
	}
	return trust
}
