package evidence

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// The certificates below anchors/ are copies of those that the modules of
// embeddedOrigins carry. anchors/README.md gives the SHA-256 of each; a test
// compares them with the modules, and verifies what AMD's keys sign.
//
//go:embed anchors/ak anchors/ek anchors/amd anchors/intel anchors/token
var anchorFiles embed.FS

// embeddedOrigins says for each top folder where its files come from.
var embeddedOrigins = map[string]string{ //nolint:gosec // names of files, of which one speaks of tokens
	"ak":    "google/go-tpm-tools v0.4.10, server/ca-certs",
	"ek":    "google/go-tpm-tools v0.4.10, server/ca-certs",
	"amd":   "google/go-sev-guest v0.15.0, verify/trust",
	"intel": "google/go-tdx-guest v0.3.2-0.20250814004405-ffb0869e6f4d, verify/trusted_root.pem",
	"token": "SHA-256 of the certificate that Google Cloud Attestation serves as confidential_space_root.crt",
}

var embedded = sync.OnceValues(func() (*Trust, error) {
	sub, err := fs.Sub(anchorFiles, "anchors")
	if err != nil {
		return nil, fmt.Errorf("embedded trust anchors: %w", err)
	}
	t, err := loadTrust(sub)
	if err != nil {
		return nil, fmt.Errorf("embedded trust anchors: %w", err)
	}
	for i := range t.anchors {
		top, _, _ := strings.Cut(t.anchors[i].Path, "/")
		t.anchors[i].Origin = embeddedOrigins[top]
	}
	return t, nil
})

// EmbeddedTrust returns the trust anchors that attestctl ships: the roots and
// intermediates of Google's attestation and endorsement key hierarchies, AMD's
// keys for Milan, Genoa and Turin, the Intel SGX Root CA, and the digest of the
// root of Google's tokens that carry certificates. They are read when they are
// first asked for.
func EmbeddedTrust() (*Trust, error) { return embedded() }
