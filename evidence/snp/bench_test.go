package snp_test

import (
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

// BenchmarkVerify verifies the same genuine report from its bytes: with Roots
// that never saw the VCEK, with Roots that did, and with go-sev-guest.
func BenchmarkVerify(b *testing.B) {
	it := items[5]
	raw, der := it.raw(b), it.der(b)
	certs := rootCerts(b)
	verify := func(b *testing.B, roots *snp.Roots) {
		b.Helper()
		c, err := snp.ParseCertificate(der)
		if err != nil {
			b.Fatal(err)
		}
		if err := verifyAll(raw, c, roots); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("cold", func(b *testing.B) {
		roots := make([]*snp.Roots, 0, b.N)
		for range b.N {
			r, err := snp.NewRoots(certs[:2])
			if err != nil {
				b.Fatal(err)
			}
			if err := r.Check(); err != nil {
				b.Fatal(err)
			}
			roots = append(roots, r)
		}
		b.ResetTimer()
		for i := range b.N {
			verify(b, roots[i])
		}
	})
	b.Run("cold with new roots", func(b *testing.B) {
		for range b.N {
			r, err := snp.NewRoots(certs[:2])
			if err != nil {
				b.Fatal(err)
			}
			verify(b, r)
		}
	})
	b.Run("repeat", func(b *testing.B) {
		roots := genuineRoots(b)
		verify(b, roots)
		b.ResetTimer()
		for range b.N {
			verify(b, roots)
		}
	})
	b.Run("go-sev-guest", func(b *testing.B) {
		_, c := it.parse(b)
		roots := oracleRoots(b)
		for range b.N {
			if err := oracleVerify(raw, c, roots, middle(c.X509)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
