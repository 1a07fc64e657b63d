package evidence

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"
)

// The certificates below anchors/ are byte-for-byte copies of those that
// google/go-tpm-tools v0.4.10 carries under server/ca-certs. anchors/README.md
// gives the SHA-256 of each; a test compares them with the module.
//
//go:embed anchors/ak
var anchorFiles embed.FS

const embeddedOrigin = "google/go-tpm-tools v0.4.10, server/ca-certs"

var embedded = sync.OnceValues(func() (*Trust, error) {
	sub, err := fs.Sub(anchorFiles, "anchors")
	if err != nil {
		return nil, fmt.Errorf("embedded trust anchors: %w", err)
	}
	t, err := LoadTrust(sub)
	if err != nil {
		return nil, fmt.Errorf("embedded trust anchors: %w", err)
	}
	for i := range t.anchors {
		t.anchors[i].Origin = embeddedOrigin
	}
	return t, nil
})

// EmbeddedTrust returns the trust anchors that attestctl ships: the roots and
// intermediates of Google's attestation and endorsement key hierarchies.
func EmbeddedTrust() (*Trust, error) { return embedded() }
