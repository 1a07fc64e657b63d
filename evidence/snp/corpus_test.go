package snp_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/internal/corpus"
)

// An item is one genuine report of the corpus with its certificate.
type item struct {
	report, cert string // file names in the corpus
	product      snp.Product
	version      uint32
	key          snp.SigningKey
	masked       bool
	cpuid        snp.CPUID
	tcb          snp.TCB
}

var items = []item{
	{
		report: "gsg-attestation.bin", cert: "gsg-vcek.der", product: snp.Milan, version: 2,
		tcb: snp.TCB{Product: snp.Milan, BootLoader: 2, SNP: 5, Microcode: 68},
	},
	{
		report: "trustee-report.bin", cert: "trustee-vcek.der", product: snp.Milan, version: 2,
		tcb: snp.TCB{Product: snp.Milan, BootLoader: 3, SNP: 8, Microcode: 115},
	},
	{
		report: "trustee-vlek-report.bin", cert: "trustee-vlek.der", product: snp.Milan, version: 3, key: snp.VLEK, masked: true,
		cpuid: snp.CPUID{Family: 0x19, Model: 0x01, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Milan, BootLoader: 4, SNP: 24, Microcode: 217},
	},
	{
		report: "trustee-hcl.bin", cert: "trustee-hcl-vcek.pem", product: snp.Milan, version: 2,
		tcb: snp.TCB{Product: snp.Milan, BootLoader: 3, SNP: 8, Microcode: 115},
	},
	{
		report: "lunal-genoa-v5.bin", cert: "lunal-genoa-vcek.der", product: snp.Genoa, version: 5,
		cpuid: snp.CPUID{Family: 0x19, Model: 0xA0, Stepping: 2}, // Bergamo
		tcb:   snp.TCB{Product: snp.Genoa, BootLoader: 10, SNP: 27, Microcode: 27},
	},
	{
		report: "oak-milan-oc-release-report.bin", cert: "oak-milan-oc-release-vcek.der", product: snp.Milan, version: 3,
		cpuid: snp.CPUID{Family: 0x19, Model: 0x01, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Milan, BootLoader: 4, SNP: 24, Microcode: 219},
	},
	{
		report: "oak-turin-oc-report.bin", cert: "oak-turin-oc-vcek.der", product: snp.Turin, version: 5,
		cpuid: snp.CPUID{Family: 0x1A, Model: 0x02, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Turin, FMC: 0, BootLoader: 1, TEE: 0, SNP: 2, Microcode: 71},
	},
	{
		report: "veraison-outblob.bin", cert: "veraison-auxblob.bin", product: snp.Genoa, version: 3,
		cpuid: snp.CPUID{Family: 0x19, Model: 0x11, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Genoa, BootLoader: 10, SNP: 23, Microcode: 84},
	},
	{
		report: "layr-snp-dbg-report.bin", cert: "layr-snp-dbg-vcek.der", product: snp.Milan, version: 5,
		cpuid: snp.CPUID{Family: 0x19, Model: 0x01, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Milan, BootLoader: 4, SNP: 28, Microcode: 222},
	},
	{
		report: "layr-snp-dbg-x-report.bin", cert: "layr-snp-dbg-x-vcek.der", product: snp.Milan, version: 5,
		cpuid: snp.CPUID{Family: 0x19, Model: 0x01, Stepping: 1},
		tcb:   snp.TCB{Product: snp.Milan, BootLoader: 4, SNP: 28, Microcode: 222},
	},
}

// hclReport is the offset of the report in the report of Azure's paravisor.
const hclReport = 0x20

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	return corpus.Read(tb, "c-sev-snp/"+name)
}

func (it item) raw(tb testing.TB) []byte {
	tb.Helper()
	raw := read(tb, it.report)
	if it.report == "trustee-hcl.bin" {
		raw = raw[hclReport : hclReport+snp.ReportSize]
	}
	return raw
}

func (it item) parse(tb testing.TB) (*snp.Report, *snp.Certificate) {
	tb.Helper()
	r, err := snp.ParseReport(it.raw(tb))
	if err != nil {
		tb.Fatalf("ParseReport(%s): %v", it.report, err)
	}
	c, err := snp.ParseCertificate(it.der(tb))
	if err != nil {
		tb.Fatalf("ParseCertificate(%s): %v", it.cert, err)
	}
	return r, c
}

// der returns the certificate out of DER, of PEM with the chain behind it, or
// of a certificate table.
func (it item) der(tb testing.TB) []byte {
	tb.Helper()
	data := read(tb, it.cert)
	switch path.Ext(it.cert) {
	case ".pem":
		block, _ := pem.Decode(data)
		return block.Bytes
	case ".bin":
		table, err := snp.ParseCertTable(data)
		if err != nil {
			tb.Fatalf("ParseCertTable(%s): %v", it.cert, err)
		}
		blob, ok := table.Find(snp.GUIDVCEK)
		if !ok {
			tb.Fatalf("%s has no VCEK", it.cert)
		}
		der, err := snp.CertificateDER(blob)
		if err != nil {
			tb.Fatalf("CertificateDER: %v", err)
		}
		return der
	default:
		return data
	}
}

// rootFiles are AMD's keys as its key distribution service serves them.
var rootFiles = []string{
	"ask_ark_milan.pem", "ask_ark_milan_vlek.pem", "ask_ark_genoa.pem", "ask_ark_genoa_vlek.pem",
	"ask_ark_turin_vcek.pem", "ask_ark_turin_vlek.pem", "trustee-milan_ask_ark_asvk.pem",
}

func pemCerts(tb testing.TB, data []byte) []*x509.Certificate {
	tb.Helper()
	var list []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func rootCerts(tb testing.TB) []*x509.Certificate {
	tb.Helper()
	var list []*x509.Certificate
	for _, name := range rootFiles {
		list = append(list, pemCerts(tb, read(tb, "roots/"+name))...)
	}
	return list
}

func genuineRoots(tb testing.TB) *snp.Roots {
	tb.Helper()
	roots, err := snp.NewRoots(rootCerts(tb))
	if err != nil {
		tb.Fatalf("NewRoots of AMD's own certificates: %v", err)
	}
	return roots
}

func middle(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
}

func TestGenuine(t *testing.T) {
	roots := genuineRoots(t)
	for _, it := range items {
		t.Run(it.report, func(t *testing.T) {
			r, c := it.parse(t)
			if r.Version != it.version || r.KeyInfo.SigningKey != it.key || r.CPUID != it.cpuid || r.ChipIDMasked() != it.masked {
				t.Errorf("version %d, key %v, cpuid %+v, masked %v; want %d, %v, %+v, %v", r.Version, r.KeyInfo.SigningKey,
					r.CPUID, r.ChipIDMasked(), it.version, it.key, it.cpuid, it.masked)
			}
			if got, err := r.ReportedTCB.Decode(it.product); err != nil || got != it.tcb || c.TCB != it.tcb {
				t.Errorf("reported TCB %v, %v, certificate's %v, want %v", got, err, c.TCB, it.tcb)
			}
			if p, ok := r.Product(); ok != (it.version > 2) || ok && p != it.product {
				t.Errorf("Product() = %q, %v", p, ok)
			}
			if err := r.Matches(c); err != nil {
				t.Errorf("Matches: %v", err)
			}
			if err := r.VerifySignature(c); err != nil {
				t.Errorf("VerifySignature: %v", err)
			}
			chain, err := roots.VerifyChain(c, middle(c.X509))
			if err != nil {
				t.Fatalf("VerifyChain: %v", err)
			}
			if chain.Product != it.product || chain.Key != it.key || !chain.NotAfter.Equal(c.X509.NotAfter) {
				t.Errorf("chain of %s, %v, to %s; want %s, %v, %s", chain.Product, chain.Key, chain.NotAfter,
					it.product, it.key, c.X509.NotAfter)
			}
			for _, at := range []time.Time{c.X509.NotBefore.Add(-time.Second), c.X509.NotAfter.Add(time.Second)} {
				if _, err := roots.VerifyChain(c, at); !errors.Is(err, snp.ErrNotValidAt) {
					t.Errorf("VerifyChain at %s = %v, want ErrNotValidAt", at, err)
				}
			}
		})
	}
}

// TestCorpusIsCovered keeps the table above complete: every report that the
// manifest calls genuine is in it.
func TestCorpusIsCovered(t *testing.T) {
	covered := map[string]bool{}
	for _, it := range items {
		covered[it.report] = true
	}
	for _, e := range corpus.Entries(t, "c") {
		genuine := strings.HasPrefix(e.Verdict, "accept") || strings.HasPrefix(e.Verdict, "genuine")
		if genuine && !covered[path.Base(e.File)] {
			t.Errorf("%s is not tested", e.ID)
		}
	}
}

func TestGenuineJSON(t *testing.T) {
	var wrapper struct {
		Evidence struct {
			Report string `json:"attestation_report"`
		} `json:"evidence"`
	}
	if err := json.Unmarshal(read(t, "lunal-genoa-evidence.json"), &wrapper); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(wrapper.Evidence.Report)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := snp.ParseReport(raw); err != nil || r.Version != 5 {
		t.Errorf("ParseReport = %v, %v", r, err)
	}
}

func TestTrusteeInvalidLegacy(t *testing.T) {
	roots := genuineRoots(t)
	c, err := snp.ParseCertificate(read(t, "trustee-vcek-invalid-legacy.der"))
	if err != nil {
		t.Fatalf("ParseCertificate: %v, but its form is right", err)
	}
	if _, err := roots.VerifyChain(c, middle(c.X509)); !errors.Is(err, snp.ErrUntrusted) {
		t.Errorf("VerifyChain = %v, want ErrUntrusted", err)
	}
	r, err := snp.ParseReport(read(t, "trustee-report.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.VerifySignature(c); !errors.Is(err, snp.ErrSignature) {
		t.Errorf("VerifySignature = %v, want ErrSignature", err)
	}
	if err := r.Matches(c); !errors.Is(err, snp.ErrMismatch) || !strings.Contains(err.Error(), "differ in snp, microcode") {
		t.Errorf("Matches = %v, want a mismatch of snp and microcode", err)
	}
}

// TestGenuineCrossed gives each report each other's certificate: only reports
// of the same chip and TCB go together.
func TestGenuineCrossed(t *testing.T) {
	for i, a := range items {
		for j, b := range items {
			if i == j || strings.HasPrefix(a.report, "layr") && strings.HasPrefix(b.report, "layr") {
				continue
			}
			r, _ := a.parse(t)
			_, c := b.parse(t)
			if err := r.Matches(c); err == nil {
				t.Errorf("%s matches %s", a.report, b.cert)
			}
			if err := r.VerifySignature(c); err == nil {
				t.Errorf("%s is signed by %s", a.report, b.cert)
			}
		}
	}
}

func TestGenuineCRL(t *testing.T) {
	roots := genuineRoots(t)
	crl := func(name string) *x509.RevocationList {
		list, err := snp.ParseCRL(read(t, name))
		if err != nil {
			t.Fatalf("ParseCRL(%s): %v", name, err)
		}
		return list
	}
	milan, genoa := crl("openpcc-test_amd_milan_crl.pem"), crl("openpcc-test_amd_genoa_crl.pem")
	_, c := items[1].parse(t)
	chain, err := roots.VerifyChain(c, middle(c.X509))
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tt := range []struct {
		name  string
		lists []*x509.RevocationList
		at    string
		want  snp.Revocation
		err   error
	}{
		{"good", []*x509.RevocationList{genoa, milan}, "2026-01-01", snp.RevocationGood, nil},
		{"of another product", []*x509.RevocationList{genoa}, "2025-01-01", snp.RevocationUnchecked, nil},
		{"none", nil, "2025-01-01", snp.RevocationUnchecked, nil},
		{"stale", []*x509.RevocationList{milan}, "2026-06-01", snp.RevocationUnchecked, snp.ErrStaleCRL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, detail, err := chain.Revoked(tt.lists, day(tt.at))
			if got != tt.want || !errors.Is(err, tt.err) || err == nil && detail == "" {
				t.Errorf("Revoked = %v, %q, %v, want %v, %v", got, detail, err, tt.want, tt.err)
			}
		})
	}
	if _, _, err := chain.Revoked([]*x509.RevocationList{milan}, day("2025-01-01")); err == nil {
		t.Error("Revoked accepts a list from the future")
	}
}

func TestGenuineRootsCarried(t *testing.T) {
	roots := genuineRoots(t)
	for _, name := range []string{"openpcc-test_amd_sev_milan_root_certs.pem", "openpcc-test_amd_sev_genoa_root_certs.pem"} {
		if err := roots.CheckCarried(pemCerts(t, read(t, name))); err != nil {
			t.Errorf("CheckCarried(%s) = %v", name, err)
		}
	}
	for _, g := range []snp.GUID{snp.GUIDASK, snp.GUIDARK} {
		table, err := snp.ParseCertTable(read(t, "veraison-auxblob.bin"))
		if err != nil {
			t.Fatal(err)
		}
		blob, _ := table.Find(g)
		if err := roots.CheckCarried(pemCerts(t, blob)); err != nil {
			t.Errorf("CheckCarried(%s) = %v", g.Name(), err)
		}
	}
	c, err := snp.CertificateDER(read(t, "openpcc-test_vcek.pem"))
	if err != nil {
		t.Fatal(err)
	}
	vcek, err := snp.ParseCertificate(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := roots.VerifyChain(vcek, middle(vcek.X509)); err != nil {
		t.Errorf("VerifyChain(openpcc VCEK) = %v", err)
	}
}
