package tdx_test

import (
	"testing"

	oracle "github.com/google/go-tdx-guest/verify"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// BenchmarkQuote verifies one genuine quote up to Intel's root, without collateral,
// beside go-tdx-guest.
func BenchmarkQuote(b *testing.B) {
	raw, roots, pool := genuineQuote(b, "qvl-tdx_quote"), intelRoots(b), intelPool(b)
	b.Run("attestctl", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := accept(raw, roots, chainTime); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-tdx-guest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := oracle.RawTdxQuote(raw, oracleOptions(pool, nil, "", chainTime)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCollateral does the same with collateral.
func BenchmarkCollateral(b *testing.B) {
	raw, roots, pool := genuineQuote(b, "qvl-tdx_quote"), intelRoots(b), intelPool(b)
	c := genuineCollateral(b)["qvl"]
	b.Run("attestctl", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			q, err := tdx.ParseQuote(raw)
			if err != nil {
				b.Fatal(err)
			}
			pck, err := roots.VerifyPCK(q, c.at)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Evaluate(q, pck, roots, c.at, tdx.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-tdx-guest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := oracle.RawTdxQuote(raw, oracleOptions(pool, c.Collateral, "b0c06f000000", c.at)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
