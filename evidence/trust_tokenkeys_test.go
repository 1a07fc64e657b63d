package evidence

import (
	"crypto/x509"
	"testing"

	"github.com/attestctl/attestctl/evidence/token"
)

// TestRootsAreGoogles: no other issuer's tokens bring certificates that count.
func TestRootsAreGoogles(t *testing.T) {
	trust, err := EmbeddedTrust()
	if err != nil {
		t.Fatal(err)
	}
	trust = trust.clone()
	trust.tokenCRLs = []*x509.RevocationList{{}}
	if k := trust.tokenKeys(token.GoogleIssuer, ""); k.Roots == nil || len(k.CRLs) != 1 {
		t.Errorf("Google's: roots %v, %d lists", k.Roots, len(k.CRLs))
	}
	for _, issuer := range []string{"", "https://issuer.example", token.GoogleIssuer + "/"} {
		for _, profile := range []string{"", token.EAR} {
			if k := trust.tokenKeys(issuer, profile); k.Roots != nil || k.CRLs != nil {
				t.Errorf("%q, %q: roots %v, %d lists", issuer, profile, k.Roots, len(k.CRLs))
			}
		}
	}
}
