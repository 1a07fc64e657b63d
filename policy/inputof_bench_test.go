package policy

import (
	"encoding/json"
	"testing"

	"github.com/attestctl/attestctl/evidence/claims"
)

// BenchmarkInputOf makes the input of a token's and of a machine's claims.
func BenchmarkInputOf(b *testing.B) {
	for _, name := range []string{"pair-gce-sev-token", "gce-sev-es"} {
		raw, err := json.Marshal(claimsOf(b, "../fixtures/"+name+"/want.json"))
		if err != nil {
			b.Fatal(err)
		}
		var c claims.Claims
		if err := json.Unmarshal(raw, &c); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := InputOf(&c, map[string]any{"secret": "db", "remote": "127.0.0.1"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
