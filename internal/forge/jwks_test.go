package forge_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/forge"
)

func TestHostileKeySets(t *testing.T) {
	t.Parallel()
	honest, err := forge.GoogleKeySet(forge.NewKeys(forge.DefaultSeed))
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.ParseJWKS(honest)
	if err != nil || len(set.Keys()) != 2 {
		t.Fatalf("ParseJWKS of the honest set = %v, %v, want two keys", set, err)
	}
	again := forge.HostileKeySets()
	names := map[string]bool{}
	for i, h := range forge.HostileKeySets() {
		if names[h.Name] || !strings.HasPrefix(h.Name, "jwks_hostile_file/") {
			t.Errorf("%s is no name, or one of two", h.Name)
		}
		names[h.Name] = true
		if set, err := token.ParseJWKS(h.Data); err == nil {
			t.Errorf("%s: ParseJWKS = %v, want an error", h.Name, set)
		}
		if !bytes.Equal(h.Data, again[i].Data) {
			t.Errorf("%s: two builds differ", h.Name)
		}
	}
	if len(names) < 50 {
		t.Errorf("%d hostile key sets, want all of them", len(names))
	}
}
