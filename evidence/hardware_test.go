package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/corpus"
)

// A realReport is a genuine hardware report of the corpus without a vTPM.
type realReport struct {
	name       string
	data       []byte
	cert       []byte // of the key, where the report carries none
	reportData []byte
	at         time.Time
	vmpl       uint32
	floor      string                   // the check that refuses it, as genuine as it is
	check      func(*claims.TEE) string // what is wrong with the claims, or ""
}

// inReport and inQuote say where the report data lies in a report and in the body
// of a quote of version 4 (AMD 56860; Intel TDX DCAP, A.3.2); a quote of version 5
// has six bytes before its body.
const (
	inReport = 0x50
	inQuote  = 48 + 520
	inQuote5 = inQuote + 6
)

func snpReports(tb testing.TB) []realReport {
	tb.Helper()
	var list []realReport
	for _, s := range []struct{ report, cert, product, key string }{
		{"gsg-attestation.bin", "gsg-vcek.der", "Milan", "VCEK"},
		{"trustee-report.bin", "trustee-vcek.der", "Milan", "VCEK"},
		{"trustee-vlek-report.bin", "trustee-vlek.der", "Milan", "VLEK"},
		{"lunal-genoa-v5.bin", "lunal-genoa-vcek.der", "Genoa", "VCEK"}, // Bergamo
		{"oak-milan-oc-release-report.bin", "oak-milan-oc-release-vcek.der", "Milan", "VCEK"},
		{"oak-turin-oc-report.bin", "oak-turin-oc-vcek.der", "Turin", "VCEK"},
		{"layr-snp-dbg-report.bin", "layr-snp-dbg-vcek.der", "Milan", "VCEK"},
	} {
		r := realReport{name: s.report, data: corpus.Read(tb, "c-sev-snp/"+s.report), cert: corpus.Read(tb, "c-sev-snp/"+s.cert)}
		r.at = middle(tb, r.cert)
		switch s.report {
		case "gsg-attestation.bin":
			r.floor = "snp.policy" // it allows debugging
		case "trustee-vlek-report.bin":
			r.vmpl = 1
		}
		r.check = func(t *claims.TEE) string {
			if t.SNP == nil || t.SNP.Product != s.product || t.SNP.SigningKey != s.key || (t.SNP.TCB.Reported.FMC != nil) != (s.product == "Turin") {
				return fmt.Sprintf("snp = %+v, want %s and %s", t.SNP, s.product, s.key)
			}
			return ""
		}
		list = append(list, r)
	}
	extended := realReport{
		name: "veraison, extended", at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		data:  slices.Concat(corpus.Read(tb, "c-sev-snp/veraison-outblob.bin"), corpus.Read(tb, "c-sev-snp/veraison-auxblob.bin")),
		check: func(*claims.TEE) string { return "" },
	}
	list = append(list, extended)
	for i := range list {
		list[i].reportData = list[i].data[inReport : inReport+evidence.ReportDataSize]
	}
	return list
}

func tdxQuotes(tb testing.TB) []realReport {
	tb.Helper()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var list []realReport
	for name, offset := range map[string]int{
		"gtg-cos-113-tdx-quote.dat":       inQuote,
		"gtg-quote_v5_sample.dat":         inQuote5,
		"trustee-tdx_quote_4.dat":         inQuote,
		"trustee-tdx_quote_5.dat":         inQuote5,
		"trustee-az-td-quote.bin":         inQuote,
		"qvl-tdx_quote":                   inQuote,
		"fb-dcap-tdx-1766059550570652607": inQuote,
	} {
		data := corpus.Read(tb, "d-tdx/"+name)
		floor := map[string]string{"trustee-tdx_quote_4.dat": "tdx.attributes"}[name] // a trust domain under debug
		list = append(list, realReport{
			name: name, data: data, at: at, floor: floor, reportData: data[offset : offset+evidence.ReportDataSize],
			check: func(t *claims.TEE) string {
				if t.TDX == nil || t.TDX.TCBStatus != "unchecked" || len(t.TDX.RTMR) != 4 {
					return fmt.Sprintf("tdx = %+v, want an unchecked status", t.TDX)
				}
				return ""
			},
		})
	}
	slices.SortFunc(list, func(a, b realReport) int { return strings.Compare(a.name, b.name) })
	return list
}

// middle returns a time in the middle of a certificate's validity.
func middle(tb testing.TB, cert []byte) time.Time {
	tb.Helper()
	if block, _ := pem.Decode(cert); block != nil {
		cert = block.Bytes
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		tb.Fatal(err)
	}
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
}

func (r realReport) verify(tb testing.TB, data []byte, edit func(*evidence.Expect)) (*evidence.Result, error) {
	tb.Helper()
	trust := embeddedTrust(tb)
	if r.cert != nil {
		var err error
		if trust, err = trust.WithKey(r.cert); err != nil {
			tb.Fatal(err)
		}
	}
	want := evidence.Expect{ReportData: r.reportData, Now: r.at, VMPL: r.vmpl}
	if edit != nil {
		edit(&want)
	}
	return verify(data, trust, want)
}

// TestRealReports verifies every genuine report of the corpus that the hardware
// gave, each product and version, at a time of its own.
func TestRealReports(t *testing.T) {
	for _, r := range slices.Concat(snpReports(t), tdxQuotes(t)) {
		t.Run(r.name, func(t *testing.T) {
			res, err := r.verify(t, r.data, nil)
			if r.floor != "" {
				if list := res.Failures(); len(list) != 1 || list[0].ID != r.floor {
					t.Errorf("Verify = %v, want it refused by %s alone", err, r.floor)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tee := res.Claims.TEE
			if tee == nil || !slices.Equal(tee.BoundTo, []string{"report_data"}) || res.Claims.TPM != nil || res.Claims.HWModel != "" {
				t.Fatalf("claims = %s", toJSON(t, res.Claims))
			}
			if wrong := r.check(tee); wrong != "" {
				t.Error(wrong)
			}
			if !res.ValidUntil.After(r.at) || res.Claims.ValidUntil != res.ValidUntil.Unix() {
				t.Errorf("valid until %v at %v", res.ValidUntil, r.at)
			}
			refuses(t, "tee.binding")(r.verify(t, r.data, func(x *evidence.Expect) { x.ReportData = bytes.Repeat([]byte{1}, 64) }))
			expired := "snp.chain"
			if tee.TDX != nil {
				expired = "tdx.chain"
			}
			refuses(t, expired)(r.verify(t, r.data, func(x *evidence.Expect) { x.Now = time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC) }))
		})
	}
}

// refuses wants a refusal by one check.
func refuses(tb testing.TB, check string) func(*evidence.Result, error) {
	tb.Helper()
	return func(res *evidence.Result, err error) {
		tb.Helper()
		if err == nil || res.Claims != nil || !failed(res, check) {
			tb.Errorf("Verify = %v, want it refused by %s", err, check)
		}
	}
}

func failed(res *evidence.Result, check string) bool {
	return slices.ContainsFunc(res.Failures(), func(c evidence.Check) bool { return c.ID == check })
}

// TestRealReportsAltered flips a bit in every ninth byte of genuine reports. What
// follows the report or quote proper is padding, which the decoders look at.
func TestRealReportsAltered(t *testing.T) {
	for _, r := range slices.Concat(snpReports(t)[1:2], snpReports(t)[5:6], tdxQuotes(t)[:2]) {
		if _, err := r.verify(t, r.data, nil); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		for i := 0; i < len(r.data); i += 9 {
			altered := slices.Clone(r.data)
			altered[i] ^= 0x10
			if res, err := r.verify(t, altered, nil); err == nil || res.Claims != nil {
				t.Errorf("%s: byte %d was changed and nobody saw it", r.name, i)
			}
		}
	}
}

// TestForgedChain refuses the report whose ARK, ASK and VCEK are all self-made.
func TestForgedChain(t *testing.T) {
	data := corpus.Read(t, "c-sev-snp/forged-chain.pb")
	b, err := evidence.Load(bytes.NewReader(data))
	if err != nil || b.Format() != "sev-snp-binarypb" {
		t.Fatalf("Load = %v", err)
	}
	refuses(t, "snp.chain")(b.Verify(embeddedTrust(t), evidence.Expect{ReportData: make([]byte, 64), Now: at}))
}

// TestRealCCEL replays the event log of a trust domain beside its quote.
func TestRealCCEL(t *testing.T) {
	quote := corpus.Read(t, "d-tdx/gtg-cos-113-tdx-quote.dat")
	log := corpus.Read(t, "e-ccel-cel/gel-cos-113-intel-tdx.bin")
	want := evidence.Expect{ReportData: quote[inQuote : inQuote+64], Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	verify := func(log []byte) (*evidence.Result, error) {
		b, err := evidence.LoadTDXQuote(bytes.NewReader(quote), bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		return b.Verify(embeddedTrust(t), want)
	}
	res, err := verify(log)
	if err != nil || !slices.Equal(res.Claims.TEE.TDX.RTMRReplayed, []int{0, 1, 2}) {
		t.Fatalf("Verify = %v, want RTMR 0 to 2 replayed", err)
	}
	altered := slices.Clone(log)
	altered[32+binary.LittleEndian.Uint32(log[28:])+14] ^= 1 // in the digest of the event behind the header
	refuses(t, "tdx.rtmr")(verify(altered))
	refuses(t, "tdx.rtmr")(verify(corpus.Read(t, "e-ccel-cel/gel-ubuntu-2404-intel-tdx.bin")))
	refuses(t, "tdx.rtmr")(verify([]byte("no log")))
}

// TestRealReportMoved takes the hardware reports of Google's machines away, puts
// them into the evidence of another machine, and changes a byte of each signed
// part: the check that is meant for it must refuse.
func TestRealReportMoved(t *testing.T) {
	cases := map[string]realCase{}
	for _, c := range layrCases(t) {
		cases[c.name] = c
	}
	for _, kind := range []string{"snp", "tdx"} {
		c, other := cases["b-layr-"+kind+"-dbg"], cases["b-layr-"+kind+"-dbg-x"]
		edited := func(edit func(*attest.Attestation)) (*evidence.Result, error) {
			msg := decodeAny(t, c.data)
			edit(msg)
			data, err := proto.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			return verify(data, embeddedTrust(t), c.want)
		}
		refuses(t, "tee.present")(edited(func(a *attest.Attestation) { a.TeeAttestation = nil }))
		refuses(t, "tee.binding")(edited(func(a *attest.Attestation) { a.TeeAttestation = decodeAny(t, other.data).GetTeeAttestation() }))
		swapped := decodeAny(t, cases["b-layr-"+map[string]string{"snp": "tdx", "tdx": "snp"}[kind]+"-dbg"].data).GetTeeAttestation()
		refuses(t, "tee.present")(edited(func(a *attest.Attestation) { a.TeeAttestation = swapped }))
		if kind == "snp" {
			refuses(t, "snp.signature")(edited(func(a *attest.Attestation) { a.GetSevSnpAttestation().Report.Measurement[0] ^= 1 }))
			refuses(t, "snp.chain")(edited(func(a *attest.Attestation) {
				cert := a.GetSevSnpAttestation().CertificateChain.VcekCert
				cert[len(cert)-1] ^= 1
			}))
			refuses(t, "snp.chain")(edited(func(a *attest.Attestation) {
				ask := a.GetSevSnpAttestation().CertificateChain.AskCert
				ask[len(ask)-1] ^= 1
			}))
			continue
		}
		refuses(t, "tdx.signature")(edited(func(a *attest.Attestation) { a.GetTdxAttestation().TdQuoteBody.MrTd[0] ^= 1 }))
		refuses(t, "tdx.signature")(edited(func(a *attest.Attestation) {
			a.GetTdxAttestation().SignedData.CertificationData.QeReportCertificationData.QeReportSignature[0] ^= 1
		}))
	}
}

// TestExtrasOfReport: what a host adds to the certificate chain must at least be
// named as it should be.
func TestExtrasOfReport(t *testing.T) {
	msg := decodeAny(t, layrCases(t)[0].data)
	for _, c := range layrCases(t) {
		if c.name == "b-layr-snp-dbg" {
			msg = decodeAny(t, c.data)
		}
	}
	msg.GetSevSnpAttestation().CertificateChain.Extras = map[string][]byte{"not-a-guid": {1}}
	data, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "format.strict")(verify(data, embeddedTrust(t), evidence.Expect{Nonce: make([]byte, 32), Now: at}))
}
