package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-tdx-guest/pcs"
	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/hint"
)

// Where the numbers of a report lie (AMD 56860, ATTESTATION_REPORT).
const (
	currentAt, reportedAt, cpuidAt, chipAt, committedAt, launchAt = 0x38, 0x180, 0x188, 0x1a0, 0x1e0, 0x1f0
)

// names lays TCB_VERSION out for each product, the least significant byte first;
// "" is reserved (AMD 56860).
var names = map[string][8]string{
	"Milan": {"bootloader", "tee", "", "", "", "", "snp", "microcode"},
	"Genoa": {"bootloader", "tee", "", "", "", "", "snp", "microcode"},
	"Turin": {"fmc", "bootloader", "tee", "snp", "", "", "", "microcode"},
}

// named names the bytes of a TCB_VERSION.
func named(product string, b []byte) evidence.TCBComponents {
	var list evidence.TCBComponents
	for i, name := range names[product] {
		if name != "" {
			list = append(list, evidence.TCBComponent{Name: name, SPL: b[i]})
		}
	}
	return list
}

var inNotes = regexp.MustCompile(`report v(\d) .*signer (\S+) .*reportedTCB \{BlSpl:(\d+) TeeSpl:(\d+) Spl4:(\d+) Spl5:(\d+) Spl6:(\d+) Spl7:(\d+) SnpSpl:(\d+) UcodeSpl:(\d+)\} .*chip ([0-9a-f]{12})`)

// manifestTCB is what the manifest of the corpus says of a report.
type manifestTCB struct {
	version  int
	signer   string
	reported []byte // the eight bytes of TCB_VERSION
	chip     string // its first digits
}

func manifestOf(tb testing.TB, id string) (corpus.Entry, manifestTCB) {
	tb.Helper()
	for _, e := range corpus.Entries(tb, "c") {
		if e.ID != id {
			continue
		}
		m := inNotes.FindStringSubmatch(e.Notes)
		if m == nil {
			tb.Fatalf("%s: the manifest says no TCB: %q", id, e.Notes)
		}
		want := manifestTCB{signer: m[2], chip: m[11]}
		want.version, _ = strconv.Atoi(m[1])
		for _, text := range m[3:11] {
			n, err := strconv.ParseUint(text, 10, 8)
			if err != nil {
				tb.Fatal(err)
			}
			want.reported = append(want.reported, byte(n))
		}
		return e, want
	}
	tb.Fatalf("the manifest has no %s", id)
	return corpus.Entry{}, manifestTCB{}
}

func tcbsOf(tb testing.TB, data, cert []byte) *evidence.TCBs {
	tb.Helper()
	b, err := evidence.Load(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	var key *evidence.SNPKey
	if cert != nil {
		if key, err = evidence.ParseSNPKey(cert); err != nil {
			tb.Fatal(err)
		}
	}
	t, err := evidence.TCBsWithKey(b, key)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func snpFile(tb testing.TB, name string) []byte {
	tb.Helper()
	return corpus.Read(tb, "c-sev-snp/"+name)
}

// TestSNPTCBs compares what is decoded of every genuine report with the manifest,
// and with the bytes of the report where the manifest is silent.
func TestSNPTCBs(t *testing.T) {
	for _, c := range []struct{ id, cert, product, from string }{
		{"c-gsg-report", "gsg-vcek.der", "Milan", "certificate"},
		{"c-trustee-report", "trustee-vcek.der", "Milan", "certificate"},
		{"c-trustee-vlek-report", "trustee-vlek.der", "Milan", "cpuid"},
		{"c-lunal-genoa-v5", "lunal-genoa-vcek.der", "Genoa", "cpuid"}, // Bergamo
		{"c-oak-milan-oc-release-report", "oak-milan-oc-release-vcek.der", "Milan", "cpuid"},
		{"c-oak-turin-oc-report", "oak-turin-oc-vcek.der", "Turin", "cpuid"},
		{"c-layr-snp-dbg-report", "layr-snp-dbg-vcek.der", "Milan", "cpuid"},
		{"c-veraison-outblob", "", "Genoa", "cpuid"},
	} {
		t.Run(c.id, func(t *testing.T) {
			entry, want := manifestOf(t, c.id)
			data := corpus.Read(t, entry.File)
			raw := data
			var cert []byte
			if c.cert != "" {
				cert = snpFile(t, c.cert)
			} else {
				data = slices.Concat(data, snpFile(t, "veraison-auxblob.bin"))
			}
			got := tcbsOf(t, data, cert).SNP
			if got.Product != c.product || got.ProductFrom != c.from || got.ReportVersion != want.version || got.SigningKey != want.signer {
				t.Errorf("version %d signed by %s, %s from %s; want %d, %s, %s, %s", got.ReportVersion, got.SigningKey,
					got.Product, got.ProductFrom, want.version, want.signer, c.product, c.from)
			}
			for name, l := range map[string]struct {
				level evidence.TCBLevel
				bytes []byte
			}{
				"reported": {got.Reported, want.reported}, "committed": {got.Committed, raw[committedAt:]},
				"current": {got.Current, raw[currentAt:]}, "launch": {got.Launch, raw[launchAt:]},
			} {
				if comps := named(c.product, l.bytes); !slices.Equal(l.level.Components, comps) || l.level.Error != "" {
					t.Errorf("%s is %v (%s), want %v", name, l.level.Components, l.level.Error, comps)
				}
				if number := fmt.Sprintf("%016x", binary.LittleEndian.Uint64(l.bytes)); l.level.Raw != number {
					t.Errorf("%s is %s, want %s", name, l.level.Raw, number)
				}
			}
			if provisional := !bytes.Equal(raw[currentAt:currentAt+8], raw[committedAt:committedAt+8]); got.Provisional != provisional {
				t.Errorf("provisional = %t, want %t", got.Provisional, provisional)
			}
			if k := got.Certificate; k == nil || !k.Fits || k.WhyNot != nil || k.Key != want.signer ||
				!slices.Equal(k.TCB.Components, named(c.product, want.reported)) {
				t.Errorf("certificate %+v, want one that fits", k)
			}
			checkVCEKURL(t, got, c.product, raw, want)
		})
	}
}

// checkVCEKURL makes the URL of AMD 57230 by hand.
func checkVCEKURL(t *testing.T, got *evidence.SNPTCBs, product string, raw []byte, want manifestTCB) {
	t.Helper()
	if want.signer == "VLEK" {
		if got.VCEKURL != "" || got.NoVCEK == "" || got.ChipID != "" {
			t.Errorf("VLEK: url %q, no url %q, chip %q", got.VCEKURL, got.NoVCEK, got.ChipID)
		}
		return
	}
	if !strings.HasPrefix(got.ChipID, want.chip) {
		t.Errorf("chip %s, want %s…", got.ChipID, want.chip)
	}
	size := map[string]int{"Turin": 8}[product]
	if size == 0 {
		size = 64
	}
	params := map[string]string{"fmc": "fmcSPL", "bootloader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}
	var query []string
	for _, c := range named(product, want.reported) {
		query = append(query, fmt.Sprintf("%s=%d", params[c.Name], c.SPL))
	}
	url := fmt.Sprintf("https://kdsintf.amd.com/vcek/v1/%s/%x?%s", product, raw[chipAt:chipAt+size], strings.Join(query, "&"))
	if got.VCEKURL != url {
		t.Errorf("url %s, want %s", got.VCEKURL, url)
	}
}

// TestSNPTCBsOfAttestation finds in an attest.Attestation what the report alone
// says, and the certificate beside it.
func TestSNPTCBsOfAttestation(t *testing.T) {
	want, err := json.Marshal(tcbsOf(t, snpFile(t, "layr-snp-dbg-report.bin"), snpFile(t, "layr-snp-dbg-vcek.der")))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"snp-dbg.pb", "snp-dbg.textproto"} {
		got, err := json.Marshal(tcbsOf(t, corpus.Read(t, "b-tpm-quotes/layr/"+name), nil))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

// TestMisfit compares reports with certificates of others: every difference is
// named. What the certificates say is what the reports they belong to say.
func TestMisfit(t *testing.T) {
	_, gsg := manifestOf(t, "c-gsg-report")
	_, trustee := manifestOf(t, "c-trustee-report")
	differ := func(name string, at int) string {
		return fmt.Sprintf("%s: report %d, certificate %d", name, gsg.reported[at], trustee.reported[at])
	}
	for _, c := range []struct {
		report, cert string
		want         []string
	}{
		{"gsg-attestation.bin", "trustee-vcek.der", []string{
			differ("bootloader", 0), differ("snp", 6), differ("microcode", 7), "chip: another one than the report's",
		}},
		{"layr-snp-dbg-report.bin", "layr-snp-dbg-x-vcek.der", nil}, // the same machine
		{"layr-snp-dbg-report.bin", "lunal-genoa-vcek.der", []string{"product: report Milan, certificate Genoa"}},
		{"trustee-vlek-report.bin", "oak-turin-oc-vcek.der", []string{
			"signing key: report VLEK, certificate VCEK", "product: report Milan, certificate Turin",
		}},
	} {
		got := tcbsOf(t, snpFile(t, c.report), snpFile(t, c.cert)).SNP
		if k := got.Certificate; !slices.Equal(k.WhyNot, c.want) || k.Fits != (c.want == nil) {
			t.Errorf("%s with %s: fits %t, %q; want %q", c.report, c.cert, k.Fits, k.WhyNot, c.want)
		}
	}
	got := tcbsOf(t, snpFile(t, "gsg-attestation.bin"), snpFile(t, "trustee-vcek.der")).SNP
	chip := hex.EncodeToString(snpFile(t, "gsg-attestation.bin")[chipAt : chipAt+64])
	if !strings.Contains(got.VCEKURL, chip) || !strings.HasSuffix(got.VCEKURL, "?blSPL=2&teeSPL=0&snpSPL=5&ucodeSPL=68") {
		t.Errorf("url %s, want the report's own", got.VCEKURL)
	}
}

// TestNoProduct decodes reports whose TCB has no meaning: it stays a number, and
// the other numbers of the certificate do not replace the report's product.
func TestNoProduct(t *testing.T) {
	floor := floorOf(t, `{"Milan": {"snp": 1}, "Genoa": {"snp": 1}, "Turin": {"snp": 1}}`)
	without := tcbsOf(t, snpFile(t, "gsg-attestation.bin"), nil)
	unknown := snpFile(t, "layr-snp-dbg-report.bin")
	unknown[cpuidAt+1] = 0xf0
	foreign := tcbsOf(t, unknown, snpFile(t, "layr-snp-dbg-vcek.der"))
	for name, got := range map[string]*evidence.TCBs{"version 2": without, "unknown processor": foreign} {
		s := got.SNP
		if s.Product != "" || s.NoProduct == "" || s.VCEKURL != "" || s.NoVCEK == "" || s.Reported.Components != nil || len(s.Reported.Raw) != 16 {
			t.Errorf("%s: %+v, want no product", name, s)
		}
		if below := got.Below(floor); len(below) != 1 || !strings.HasPrefix(below[0], "no floor applies") {
			t.Errorf("%s: below %q, want that no floor applies", name, below)
		}
	}
	if k := foreign.SNP.Certificate; k.Fits || len(k.WhyNot) != 1 || !strings.Contains(k.WhyNot[0], "no known product") {
		t.Errorf("unknown processor: fits %t, %q; want that the product is not known", k.Fits, k.WhyNot)
	}
	misfit := tcbsOf(t, snpFile(t, "gsg-attestation.bin"), snpFile(t, "trustee-vcek.der"))
	if below := misfit.Below(floor); len(below) != 1 || !strings.Contains(below[0], "does not fit") {
		t.Errorf("product of a foreign certificate: below %q, want that no floor applies", below)
	}
	if below := tcbsOf(t, snpFile(t, "gsg-attestation.bin"), snpFile(t, "gsg-vcek.der")).Below(floor); below != nil {
		t.Errorf("product of the fitting certificate: below %q, want none", below)
	}
}

// TestBrokenKey keeps the report when the certificate beside it is none.
func TestBrokenKey(t *testing.T) {
	data := slices.Concat(snpFile(t, "veraison-outblob.bin"), snpFile(t, "veraison-auxblob.bin"))
	const begin = "-----BEGIN CERTIFICATE-----\n"
	data[bytes.LastIndex(data, []byte(begin))+len(begin)]++ // no longer a DER sequence; the VCEK is the last one
	got := tcbsOf(t, data, nil).SNP
	if got.Certificate == nil || got.Certificate.Fits || len(got.Certificate.WhyNot) == 0 || got.Reported.Components == nil {
		t.Errorf("%+v with %+v, want TCBs and a certificate that does not fit", got, got.Certificate)
	}
	if _, err := evidence.ParseSNPKey(data); err == nil {
		t.Error("ParseSNPKey takes a report")
	}
	if _, err := evidence.ParseSNPKey(snpFile(t, "roots/ask_ark_milan.pem")); err == nil {
		t.Error("ParseSNPKey takes two certificates")
	}
}

// TestTDXTCBs compares quotes with their bytes (Intel TDX DCAP, A.3 and A.4), with
// go-tdx-guest's decoder of PCK certificates, and with the FMSPC of the collateral
// that the manifest lists for them.
func TestTDXTCBs(t *testing.T) {
	fmspcs := map[string]string{
		"qvl-tdx_quote": "b0c06f000000", "fb-dcap-tdx-1766059550570652607": "00806f050000", "gtg-quote_v5_sample.dat": "90c06f000000",
	}
	for _, q := range tdxQuotes(t) {
		t.Run(q.name, func(t *testing.T) {
			const header, body, body15, toQE, isvSVN = 48, 584, 648, 4 + 64 + 64 + 6, 258
			start, end := header, header+body
			if q.data[0] == 5 {
				start, end = header+6, header+6+body15
			}
			got := tcbsOf(t, q.data, nil).TDX
			if got.QuoteVersion != int(q.data[0]) || got.TeeTCBSVN != [16]byte(q.data[start:]) ||
				got.Module != (evidence.TDXModule{Major: q.data[start+1], Minor: q.data[start]}) {
				t.Errorf("version %d, %v, module %+v; want %d, %v", got.QuoteVersion, got.TeeTCBSVN, got.Module, q.data[0], q.data[start:start+16])
			}
			switch second := q.data[start+body:]; {
			case q.data[0] == 4 && (got.TeeTCBSVN2 != nil || got.Module2 != nil):
				t.Errorf("version 4 has a second TEE TCB SVN: %v", got.TeeTCBSVN2)
			case q.data[0] == 5 && (*got.TeeTCBSVN2 != [16]byte(second) || *got.Module2 != evidence.TDXModule{Major: second[1], Minor: second[0]}):
				t.Errorf("second TEE TCB SVN %v, %+v; want %v", got.TeeTCBSVN2, got.Module2, second[:16])
			}
			if want := int(binary.LittleEndian.Uint16(q.data[end+toQE+isvSVN:])); got.QESVN != want {
				t.Errorf("qe svn %d, want %d", got.QESVN, want)
			}
			x := pckExtensions(t, q.data)
			if p := got.PCK; p.FMSPC != x.FMSPC || p.PCEID != x.PCEID || p.PCESVN != int(x.TCB.PCESvn) || p.CPUSVN != hex.EncodeToString(x.TCB.CPUSvn) ||
				!bytes.Equal(p.SGXComponents[:], x.TCB.CPUSvnComponents) || p.Error != "" {
				t.Errorf("pck %+v, want %+v", p, x)
			}
			if want := fmspcs[q.name]; want != "" && got.PCK.FMSPC != want {
				t.Errorf("fmspc %s, the collateral is for %s", got.PCK.FMSPC, want)
			}
		})
	}
}

// TestBrokenPCK reads a quote whose PCK certificate says nothing of the platform.
func TestBrokenPCK(t *testing.T) {
	data := corpus.Read(t, "d-tdx/qvl-tdx_quote")
	at := bytes.Index(data, []byte("-----BEGIN"))
	block, rest := pem.Decode(data[at:])
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1} // of the SGX extension
	block.Bytes[bytes.Index(block.Bytes, oid)+len(oid)-1] = 0x7f
	got := tcbsOf(t, slices.Concat(data[:at], pem.EncodeToMemory(block), rest), nil)
	if p := got.TDX.PCK; !strings.Contains(p.Error, "no SGX extension") || p.SGXComponents != nil || p.FMSPC != "" {
		t.Errorf("pck %+v, want an error alone", p)
	}
	if below := got.Below(floorOf(t, `{"TDX": {"pcesvn": 0}}`)); len(below) != 1 || !strings.HasPrefix(below[0], "pcesvn: ") {
		t.Errorf("an unknown pcesvn is below %q", below)
	}
}

// pckExtensions reads the first certificate in a quote.
func pckExtensions(tb testing.TB, quote []byte) *pcs.PckExtensions {
	tb.Helper()
	block, _ := pem.Decode(quote[bytes.Index(quote, []byte("-----BEGIN")):])
	if block == nil {
		tb.Fatal("the quote has no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	x, err := pcs.PckCertificateExtensions(cert)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// TestNoTCBs refuses evidence without a hardware report, and evidence that does
// not decode.
func TestNoTCBs(t *testing.T) {
	msg := new(attest.Attestation)
	if err := proto.Unmarshal(corpus.Read(t, "b-tpm-quotes/layr/snp-dbg.pb"), msg); err != nil {
		t.Fatal(err)
	}
	msg.Quotes[0].Pcrs.Hash = 1 << 17
	malformed, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"no report": corpus.GoogleEvidence(t), "malformed": malformed,
	} {
		b, err := evidence.Load(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		got, err := evidence.TCBsOf(b)
		if _, ok := errors.AsType[*evidence.FormatError](err); !ok || got != nil {
			t.Errorf("%s: TCBsOf = %v, %v; want a *FormatError", name, got, err)
		}
		if name == "no report" && hint.Of(err) == "" {
			t.Errorf("%s: %v has no hint", name, err)
		}
	}
}
