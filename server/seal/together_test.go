package seal_test

import (
	"crypto/rand"
	"sync"
	"testing"

	"github.com/attestctl/attestctl/server/seal"
)

// TestOpenTogether: many may open with one key at the same time.
func TestOpenTogether(t *testing.T) {
	priv, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("secret"), "")
	if err != nil {
		t.Fatal(err)
	}
	const openers, times = 8, 500
	var wg sync.WaitGroup
	for range openers {
		wg.Go(func() {
			for range times {
				if got, err := seal.Open(priv, sealed); err != nil || string(got) != "secret" {
					t.Errorf("Open = %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
