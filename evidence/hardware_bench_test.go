package evidence_test

import (
	"bytes"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-sev-guest/abi"
	pb "github.com/google/go-sev-guest/proto/sevsnp"
	oracle "github.com/google/go-sev-guest/verify"
	amd "github.com/google/go-sev-guest/verify/trust"
	tdxabi "github.com/google/go-tdx-guest/abi"
	tdxoracle "github.com/google/go-tdx-guest/verify"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
)

// BenchmarkSNP goes from the bytes of a report to claims, with trust that never
// saw its VCEK and with trust that did; go-sev-guest goes from the same bytes to
// its verdict, with explicit roots and without fetching.
func BenchmarkSNP(b *testing.B) {
	raw := corpus.Read(b, "c-sev-snp/layr-snp-dbg-report.bin")
	vcek := corpus.Read(b, "c-sev-snp/layr-snp-dbg-vcek.der")
	want := evidence.Expect{ReportData: raw[inReport : inReport+evidence.ReportDataSize], Now: middle(b, vcek)}
	run := func(b *testing.B, trust *evidence.Trust) {
		b.Helper()
		if _, err := verify(raw, trust, want); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("attestctl/cold", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			b.StopTimer()
			trust := milanTrust(b, vcek)
			b.StartTimer()
			run(b, trust)
		}
	})
	b.Run("attestctl/seen", func(b *testing.B) {
		b.ReportAllocs()
		trust := milanTrust(b, vcek)
		run(b, trust)
		b.ResetTimer()
		for range b.N {
			run(b, trust)
		}
	})
	b.Run("go-sev-guest", func(b *testing.B) {
		b.ReportAllocs()
		root := amd.AMDRootCertsProduct("Milan")
		if err := root.FromKDSCertBytes(amd.AskArkMilanVcekBytes); err != nil {
			b.Fatal(err)
		}
		for range b.N {
			report, err := abi.ReportToProto(raw)
			if err != nil {
				b.Fatal(err)
			}
			err = oracle.SnpAttestation(&pb.Attestation{Report: report, CertificateChain: &pb.CertificateChain{VcekCert: vcek}}, &oracle.Options{
				DisableCertFetching: true, TrustedRoots: map[string][]*amd.AMDRootCerts{"Milan": {root}}, Now: want.Now,
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// milanTrust is new trust in the Milan keys alone, as the oracle has it.
func milanTrust(tb testing.TB, vcek []byte) *evidence.Trust {
	tb.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"ark-milan.pem", "ask-milan.pem"} {
		data, err := fs.ReadFile(os.DirFS("anchors"), "amd/roots/"+name)
		if err != nil {
			tb.Fatal(err)
		}
		files["amd/roots/"+name] = &fstest.MapFile{Data: data}
	}
	trust, err := evidence.LoadTrust(files)
	if err == nil {
		trust, err = trust.WithKey(vcek)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return trust
}

// BenchmarkTDX goes from the bytes of a quote to claims beside go-tdx-guest, both
// without collateral.
func BenchmarkTDX(b *testing.B) {
	raw := corpus.Read(b, "d-tdx/qvl-tdx_quote")
	r := tdxQuotes(b)[0]
	want := evidence.Expect{ReportData: raw[inQuote : inQuote+evidence.ReportDataSize], Now: r.at}
	b.Run("attestctl", func(b *testing.B) {
		b.ReportAllocs()
		trust := embeddedTrust(b)
		for range b.N {
			if _, err := verify(raw, trust, want); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-tdx-guest", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			quote, err := tdxabi.QuoteToProto(bytes.Clone(raw))
			if err != nil {
				b.Fatal(err)
			}
			if err := tdxoracle.TdxQuote(quote, &tdxoracle.Options{Now: &tdxoracle.TimeSet{PckCertChain: want.Now}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
