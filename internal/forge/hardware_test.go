package forge_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	sevabi "github.com/google/go-sev-guest/abi"
	sevverify "github.com/google/go-sev-guest/verify"
	sevtrust "github.com/google/go-sev-guest/verify/trust"
	tdxabi "github.com/google/go-tdx-guest/abi"
	"github.com/google/go-tdx-guest/pcs"
	tdxtesting "github.com/google/go-tdx-guest/testing"
	tdxverify "github.com/google/go-tdx-guest/verify"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/forge"
)

// below returns the files under a folder of the trust directory.
func below(files map[string][]byte, folder string) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok {
			out[rest] = data
		}
	}
	return out
}

func amdRoots(t *testing.T, files map[string][]byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for _, data := range below(files, "amd/roots") {
		out = append(out, mustCertificate(t, data))
	}
	return out
}

func mustCertificate(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hardwareTrust(t *testing.T, keys *forge.Keys) map[string][]byte {
	t.Helper()
	files, err := forge.HardwareTrust(keys)
	if err != nil {
		t.Fatalf("HardwareTrust: %v", err)
	}
	return files
}

// verifySNP does what a verifier must; the error is the first.
func verifySNP(t *testing.T, r *forge.SNPReport, amd []*x509.Certificate) error {
	t.Helper()
	roots, err := snp.NewRoots(amd)
	if err != nil {
		t.Fatalf("NewRoots: %v", err)
	}
	report, err := snp.ParseReport(r.Raw)
	if err != nil {
		return err
	}
	leaf, err := snp.ParseCertificate(r.Leaf.Raw)
	if err != nil {
		return err
	}
	if _, err := roots.VerifyChain(leaf, forge.Now()); err != nil {
		return err
	}
	if err := roots.CheckCarried([]*x509.Certificate{r.Issuer, r.Root}); err != nil {
		return err
	}
	if err := report.Matches(leaf); err != nil {
		return err
	}
	return report.VerifySignature(leaf)
}

func TestSNPReportsVerify(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("snp reports")
	amd := amdRoots(t, hardwareTrust(t, keys))
	for _, product := range forge.Products() {
		for version := uint32(2); version <= 5; version++ {
			for _, key := range []forge.SigningKey{forge.VCEK, forge.VLEK} {
				s := forge.SNP{Product: product, Version: version, Key: key, MaskChipID: key == forge.VLEK}
				r, err := s.Report(keys)
				if err != nil {
					t.Fatalf("%s version %d: %v", product, version, err)
				}
				if err := verifySNP(t, r, amd); err != nil {
					t.Errorf("%s version %d key %d: %v", product, version, key, err)
				}
				if again, err := s.Report(keys); err != nil || !bytes.Equal(again.Extended(), r.Extended()) {
					t.Errorf("%s version %d key %d: two mints differ: %v", product, version, key, err)
				}
				if table, err := snp.ParseCertTable(r.CertTable()); err != nil || len(table.Entries) != 3 {
					t.Errorf("%s: certificate table %v: %v", product, table, err)
				}
				oracleSNP(t, r, amd)
			}
		}
	}
}

// oracleSNP verifies with go-sev-guest, which knows neither Turin's TCB nor the
// format of a VLEK's intermediate.
func oracleSNP(t *testing.T, r *forge.SNPReport, amd []*x509.Certificate) {
	t.Helper()
	message, err := sevabi.ReportToProto(r.Raw)
	if err != nil {
		t.Fatalf("ReportToProto: %v", err)
	}
	if !proto.Equal(message, r.Proto().GetReport()) {
		t.Errorf("the message of %s differs from that of go-sev-guest:\n%v\n%v", r.Product, r.Proto().GetReport(), message)
	}
	if r.Product == forge.Turin {
		return
	}
	certs := &sevtrust.ProductCerts{}
	for _, c := range amd {
		switch c.Subject.CommonName {
		case "ARK-" + string(r.Product):
			certs.Ark = c
		case "SEV-" + string(r.Product):
			certs.Ask = c
		case "SEV-VLEK-" + string(r.Product):
			certs.Asvk = c
		}
	}
	err = sevverify.SnpAttestation(r.Proto(), &sevverify.Options{
		DisableCertFetching: true, Now: forge.Now(),
		TrustedRoots: map[string][]*sevtrust.AMDRootCerts{string(r.Product): {{Product: string(r.Product), ProductCerts: certs}}},
	})
	if err != nil {
		t.Errorf("go-sev-guest refuses %s version %d key %d: %v", r.Product, r.Proto().GetReport().GetVersion(), r.Key, err)
	}
}

func TestTDXQuotesVerify(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("tdx quotes")
	for name, c := range map[string]struct {
		forge.TDX
		want   tdx.TCBStatus
		differ bool // from go-tdx-guest
	}{
		"zero":      {want: tdx.UpToDate},
		"processor": {forge.TDX{Processor: true, Platform: "second"}, tdx.UpToDate, true}, // it knows the platform CA only
		"v5":        {TDX: forge.TDX{Version: 5}, want: tdx.UpToDate},
		"v5 1.5":    {TDX: forge.TDX{Version: 5, TDX15: true}, want: tdx.UpToDate},
		"padded":    {TDX: forge.TDX{Padding: 3000}, want: tdx.UpToDate},
		"contents":  {TDX: forge.TDX{Contents: forge.DefaultContainer().Contents()}, want: tdx.UpToDate},
		"platform":  {forge.TDX{Status: "OutOfDate", Advisories: []string{"INTEL-SA-00828"}}, tdx.OutOfDate, true}, // it looks at the module's alone
		"module":    {TDX: forge.TDX{ModuleStatus: "OutOfDate"}, want: tdx.OutOfDate},
		"enclave":   {TDX: forge.TDX{QEStatus: "SWHardeningNeeded"}, want: tdx.SWHardeningNeeded},
	} {
		d := c.TDX
		q, err := d.Quote(keys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again, err := d.Quote(keys); err != nil || !bytes.Equal(again.Raw, q.Raw) {
			t.Errorf("%s: two mints differ: %v", name, err)
		}
		files, err := d.Collateral(keys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		in, err := forge.NewIntel(keys, forge.ForgeVendor)
		if err != nil {
			t.Fatal(err)
		}
		if got := verifyTDX(t, q.Raw, in.Root, files); got != c.want {
			t.Errorf("%s: status %q, want %q", name, got, c.want)
		}
		if d.Version != 5 {
			oracleTDX(t, name, q, files, (c.want == tdx.UpToDate) != c.differ)
		}
	}
}

func verifyTDX(t *testing.T, raw []byte, root *x509.Certificate, files map[string][]byte) tdx.TCBStatus {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	set, err := tdx.LoadCollateral(fsys)
	if err != nil {
		t.Fatalf("LoadCollateral: %v", err)
	}
	q, err := tdx.ParseQuote(raw)
	if err != nil {
		t.Fatalf("ParseQuote: %v", err)
	}
	if err := q.VerifySignature(); err != nil {
		t.Errorf("VerifySignature: %v", err)
	}
	roots := tdx.NewRoots(root)
	pck, err := roots.VerifyPCK(q, forge.Now())
	if err != nil {
		t.Fatalf("VerifyPCK: %v", err)
	}
	c, err := set.For(pck)
	if err != nil {
		t.Fatal(err)
	}
	status, err := c.Evaluate(q, pck, roots, forge.Now(), tdx.Options{})
	if err != nil {
		t.Fatalf("Evaluate: %v", err)
	}
	return status.TCBStatus
}

func oracleTDX(t *testing.T, name string, q *forge.TDXQuote, files map[string][]byte, current bool) {
	t.Helper()
	message, err := q.Proto()
	if err != nil {
		t.Fatal(err)
	}
	want, err := tdxabi.QuoteToProto(q.Raw)
	if m, ok := want.(proto.Message); err != nil || !ok || !proto.Equal(m, message) {
		t.Errorf("%s: the message differs from that of go-tdx-guest: %v", name, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(q.Intel.Root)
	at := forge.Now()
	header := func(name string, chain []byte) map[string][]string {
		return map[string][]string{name: {url.QueryEscape(string(chain))}}
	}
	pemOf := func(certs ...*x509.Certificate) (out []byte) {
		for _, c := range certs {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		return out
	}
	ca := "platform"
	if q.CA.Equal(q.Intel.Processor) {
		ca = "processor"
	}
	opts := &tdxverify.Options{
		TrustedRoots: roots, GetCollateral: true, CheckRevocations: true,
		Now: &tdxverify.TimeSet{PckCertChain: at, TcbInfo: at, QeIdentity: at, PckCrl: at, RootCaCrl: at},
		Getter: &tdxtesting.Getter{Responses: map[string]tdxtesting.HTTPResponse{
			pcs.TdxBaseURL + "/qe/identity":            {Header: header(pcs.SgxQeIdentityIssuerChainPhrase, files["tcb_sign_chain.pem"]), Body: files["qe_identity.json"]},
			pcs.TdxBaseURL + "/tcb?fmspc=90c06f000000": {Header: header(pcs.TcbInfoIssuerChainPhrase, files["tcb_sign_chain.pem"]), Body: files["tcbinfo/90c06f000000.json"]},
			pcs.SgxBaseURL + "/pckcrl?ca=" + ca + "&encoding=der": {
				Header: header(pcs.SgxPckCrlIssuerChainPhrase, pemOf(q.CA, q.Intel.Root)), Body: files["pck_crl_"+ca+".der"],
			},
			"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der": {Body: files["root_ca.crl"]},
		}},
	}
	if err := tdxverify.RawTdxQuote(q.Raw, opts); (err == nil) != current {
		t.Errorf("%s: go-tdx-guest says %v, want accepted %t", name, err, current)
	}
}

// verifyHardware wants a genuine report under the trust files of its evidence.
func verifyHardware(t *testing.T, e *forge.Evidence) {
	t.Helper()
	files := e.TrustFiles()
	switch {
	case e.SNP != nil:
		if err := verifySNP(t, e.SNP, amdRoots(t, files)); err != nil {
			t.Errorf("the report is refused: %v", err)
		}
	case e.TDX != nil:
		root := mustCertificate(t, files["intel/roots/root.crt"])
		if got := verifyTDX(t, e.TDX.Raw, root, below(files, "intel/collateral")); got != tdx.UpToDate {
			t.Errorf("status %q", got)
		}
	default:
		t.Error("there is no hardware report")
	}
}

func TestHardwareBindsNonceAndAK(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("binding")
	key, err := keys.Key("ak", forge.P256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := func(parts ...[]byte) []byte {
		h := sha512.Sum512(slices.Concat(parts...))
		return h[:]
	}
	label := []byte("WORKLOAD_ATTESTATION")
	given := [64]byte{7}
	for name, tc := range map[string]struct {
		forge.Hardware
		want []byte
	}{
		"nonce and ak":   {want: sum(nonce(), der)},
		"nonce":          {forge.Hardware{Binding: forge.BindNonce}, append(nonce(), make([]byte, 32)...)},
		"workload":       {forge.Hardware{Binding: forge.BindWorkload}, sum(label, sum(nonce()), sum(der))},
		"workload extra": {forge.Hardware{Binding: forge.BindWorkload, Extra: []byte("x")}, sum(label, sum(nonce()), sum(der), sum([]byte("x")))},
		"given":          {forge.Hardware{Binding: forge.BindGiven, ReportData: given}, given[:]},
	} {
		for _, technology := range []forge.Technology{forge.AMDSEVSNP, forge.IntelTDX} {
			m := forge.Machine{Keys: keys, Technology: technology, AK: forge.P256, Hardware: &tc.Hardware}
			e := mustAttest(t, m)
			got := e.Attestation.GetSevSnpAttestation().GetReport().GetReportData()
			if technology == forge.IntelTDX {
				got = e.Attestation.GetTdxAttestation().GetTdQuoteBody().GetReportData()
			}
			if !bytes.Equal(got, tc.want) {
				t.Errorf("%s: report data = %x, want %x", name, got, tc.want)
			}
			if mustBinary(t, mustAttest(t, m)) != mustBinary(t, e) {
				t.Errorf("%s: two mints differ", name)
			}
			verifyHardware(t, e)
		}
	}
	if _, err := (forge.Machine{Keys: keys, Hardware: &forge.Hardware{}}).Attest(nonce()); err == nil {
		t.Error("a machine without confidential computing has a hardware report")
	}
}

// The launch is in RTMR 3 on TDX: what PCR 13 of the SHA-384 bank would have,
// since both start with zeros.
func TestTheLaunchIsInRTMR3(t *testing.T) {
	t.Parallel()
	m := forge.Machine{Technology: forge.IntelTDX, AK: forge.P256, Container: forge.DefaultContainer(), Banks: []forge.Alg{forge.SHA384}}
	want := mustAttest(t, m).PCRs[forge.SHA384][13]
	m.Hardware = &forge.Hardware{}
	e := mustAttest(t, m)
	q, err := tdx.ParseQuote(e.TDX.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(q.RTMR[3][:], want) {
		t.Errorf("RTMR 3 = %x, want %x", q.RTMR[3], want)
	}
	if pcr := e.PCRs[forge.SHA384][13]; !bytes.Equal(pcr, make([]byte, 48)) {
		t.Errorf("PCR 13 = %x, want it untouched", pcr)
	}
}

func TestAMDKeysAreOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, of := range []struct {
		vendor  string
		product forge.Product
	}{{forge.ForgeVendor, forge.Milan}, {forge.ForgeVendor, forge.Genoa}, {forge.ForgeVendor, forge.Turin}, {forge.ForeignVendor, forge.Milan}} {
		a, err := forge.NewAMD(of.vendor, of.product)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*x509.Certificate{a.ARK, a.ASK, a.ASVK} {
			key, ok := c.PublicKey.(*rsa.PublicKey)
			if !ok || key.N.BitLen() != 4096 || seen[key.N.String()] {
				t.Errorf("%v: %s has no RSA key of 4096 bits of its own", of, c.Subject.CommonName)
				continue
			}
			seen[key.N.String()] = true
		}
		der, err := a.CRL(forge.Now(), a.ASK)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snp.ParseCRL(der); err != nil {
			t.Errorf("%v: %v", of, err)
		}
	}
}
