package evidence_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/forge"
)

// authority mints certificates for a trust directory: a root, and what it signs.
type authority struct {
	tb   testing.TB
	key  crypto.Signer
	cert *x509.Certificate
}

func newAuthority(tb testing.TB, edit func(*x509.Certificate)) *authority {
	tb.Helper()
	a := &authority{tb: tb, key: p256(tb)}
	a.cert = a.issue("root", a.key.Public(), edit)
	return a
}

func p256(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func (a *authority) issue(name string, key crypto.PublicKey, edit func(*x509.Certificate)) *x509.Certificate {
	a.tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{strings.Repeat("x", 64)}}, NotBefore: forge.Now().AddDate(-1, 0, 0), NotAfter: forge.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if edit != nil {
		edit(template)
	}
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return cert
}

// withSHA1 makes the certificate say that it is signed with SHA-1.
func withSHA1(tb testing.TB, c *x509.Certificate) []byte {
	tb.Helper()
	sha256, sha1 := []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1}
	text := strings.ReplaceAll(string(c.Raw), "\x30\x0a\x06\x08"+string(sha256), "\x30\x0a\x06\x07"+string(sha1)+"\x00")
	// the identifier is a byte shorter: what is left over must go, and three lengths with it
	text = strings.ReplaceAll(text, "\x30\x0a\x06\x07"+string(sha1)+"\x00", "\x30\x09\x06\x07"+string(sha1))
	der := []byte(text)
	shorten(der, 2, 2)
	shorten(der, 6, 1)
	return der
}

// shorten takes n off the two-byte length at the offset.
func shorten(der []byte, at, n int) {
	length := int(der[at])<<8 | int(der[at+1])
	der[at], der[at+1] = byte((length-n)>>8), byte(length-n)
}

// brokenTrusts are trust directories with one thing wrong, on top of what
// hardwareFiles has, at forge.Now.
type brokenTrust struct {
	name  string
	files map[string][]byte // nil takes a file away
	want  string            // path, severity and code, one a line
}

func brokenTrusts(t *testing.T) []brokenTrust {
	t.Helper()
	base := hardwareFiles(t, "", nil)
	file := func(name string) []byte { return base[name].Data }
	root := newAuthority(t, nil)
	other := newAuthority(t, nil)
	dated := func(from, to time.Time) []byte {
		return newAuthority(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }).cert.Raw
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weakPin, err := x509.MarshalPKIXPublicKey(weak.Public())
	if err != nil {
		t.Fatal(err)
	}
	amd, err := forge.NewAMD(forge.ForgeVendor, forge.Milan)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := forge.SNP{Vendor: forge.ForeignVendor}.Report(forge.NewKeys("trust"))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := forge.Machine{NoCertificate: true}.Attest([]byte("nonce"))
	if err != nil {
		t.Fatal(err)
	}
	now := forge.Now()
	inter := root.issue("middle", p256(t).Public(), nil)
	between := &authority{tb: t, key: p256(t)}
	between.cert = root.issue("between", between.key.Public(), nil)
	below := between.issue("below", p256(t).Public(), nil)
	leaf := root.issue("leaf", p256(t).Public(), func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	otherIntel := strings.ReplaceAll(string(file(intelRoot)), "\n", "\n\n")
	collateral := func(name string) string { return "intel/collateral/" + name }
	tcbinfo := slices.DeleteFunc(slices.Collect(maps.Keys(base)), func(p string) bool { return !strings.Contains(p, "tcbinfo/") })[0]
	return []brokenTrust{
		{"nothing", nil, ""},
		{"chain of intermediates", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/i": inter.Raw}, ""},
		{"two levels of intermediates", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/1": below.Raw, "ak/intermediates/2": between.cert.Raw}, ""},
		{"list and key", map[string][]byte{"amd/crls/l": mintCRL(t, now), "amd/keys/k": vcek(t)}, ""},
		{"unknown folder", map[string][]byte{"ak/root/r": root.cert.Raw}, "ak/root error layout"},
		{"unknown file", map[string][]byte{"root.crt": root.cert.Raw}, "root.crt error layout"},
		{"huge file", map[string][]byte{"ak/roots/r": make([]byte, 1<<17)}, "ak/roots/r error layout"},
		{"garbage", map[string][]byte{"ak/roots/r": []byte("x")}, "ak/roots/r error malformed"},
		{"list with trailing bytes", map[string][]byte{"amd/crls/l": append(mintCRL(t, now), 0)}, "amd/crls/l error malformed"},
		{"leaf as a root", map[string][]byte{"ak/roots/r": leaf.Raw}, "ak/roots/r error purpose"},
		{"ASK among AK roots", map[string][]byte{askMilan: nil, "ak/roots/r": amd.ASK.Raw}, "ak/roots/r error purpose"},
		{"VCEK among AMD's roots", map[string][]byte{"amd/roots/k": vcek(t)}, "amd/roots/k error purpose"},
		{"Intel's root among AMD's", map[string][]byte{"amd/roots/i": file(intelRoot), intelRoot: nil}, "amd/roots error incomplete\namd/roots/i error purpose\nintel/collateral/root_ca.crl error unvouched\nintel/collateral/tcb_sign_chain.pem error unvouched"},
		{"root as an intermediate", map[string][]byte{"ak/intermediates/i": root.cert.Raw}, "ak/intermediates/i error purpose"},
		{"an authority of AKs and EKs", map[string][]byte{"ak/roots/r": root.cert.Raw, "ek/roots/r": root.cert.Raw, "ak/intermediates/i": inter.Raw, "ek/intermediates/i": inter.Raw}, ""},
		{"an authority of EKs twice", map[string][]byte{"ek/roots/r": root.cert.Raw, "ek/roots/s": root.cert.Raw}, "ek/roots/s error duplicate"},
		{"root as an intermediate of EKs", map[string][]byte{"ek/intermediates/i": root.cert.Raw}, "ek/intermediates/i error purpose"},
		{"intermediate of EKs of a root of AKs", map[string][]byte{"ak/roots/r": root.cert.Raw, "ek/intermediates/i": inter.Raw}, "ek/intermediates/i error unvouched"},
		{"leaf as a root of EKs", map[string][]byte{"ek/roots/r": leaf.Raw}, "ek/roots/r error purpose"},
		{"ASK among EK roots", map[string][]byte{askMilan: nil, "ek/roots/r": amd.ASK.Raw}, "ek/roots/r error purpose"},
		{"AK among pinned EKs", map[string][]byte{"ek/pins/p": machine.AK.TPMTPublic()}, "ek/pins/p error malformed"},
		{"intermediate as a root of EKs", map[string][]byte{"ek/roots/r": inter.Raw}, "ek/roots/r note purpose"},
		{"intermediate as a root", map[string][]byte{"ak/roots/r": inter.Raw}, "ak/roots/r note purpose"},
		{"intermediate of another root", map[string][]byte{"ak/roots/r": other.cert.Raw, "ak/intermediates/i": inter.Raw}, "ak/intermediates/i error unvouched"},
		{"list of another ARK", map[string][]byte{"amd/crls/l": mintCRL(t, now), "amd/roots/ark_Milan.crt": nil, "amd/roots/ask_Milan.crt": nil, "amd/roots/asvk_Milan.crt": nil}, "amd/crls/l error unvouched"},
		{"list with a broken signature", map[string][]byte{"amd/crls/l": flipped(mintCRL(t, now))}, "amd/crls/l error unvouched"},
		{"list that revokes the ASK", map[string][]byte{"amd/crls/l": mintCRL(t, now, amd.ASK)}, "amd/roots/ask_Milan.crt error revoked"},
		{"VCEK of another vendor", map[string][]byte{"amd/keys/k": foreign.Leaf.Raw}, "amd/keys/k error unvouched"},
		{"ASK that the ARK did not sign", map[string][]byte{askMilan: flipped(amd.ASK.Raw)}, "amd/roots error unvouched"},
		{"ASK without its ARK", map[string][]byte{arkMilan: nil}, "amd/roots error incomplete"},
		{"the same in PEM and DER", map[string][]byte{"amd/roots/z": amd.ASK.Raw}, "amd/roots/z error duplicate"},
		{"the same in two folders", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/r": root.cert.Raw}, "ak/intermediates/r error purpose\nak/roots/r error duplicate"},
		{"Intel's root twice", map[string][]byte{"intel/roots/again": []byte(otherIntel)}, "intel/roots/root.crt error duplicate"},
		{"RSA of 1024 bits", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/i": root.issue("weak", weak.Public(), nil).Raw}, "ak/intermediates/i error weak"},
		{"pin of 1024 bits", map[string][]byte{"ak/pins/p": weakPin}, "ak/pins/p error weak"},
		{"P-224", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/i": root.issue("weak", p224.Public(), nil).Raw}, "ak/intermediates/i error weak"},
		{"SHA-1", map[string][]byte{"ak/roots/r": root.cert.Raw, "ak/intermediates/i": withSHA1(t, inter)}, "ak/intermediates/i error unvouched\nak/intermediates/i error weak"},
		{"root with SHA-1", map[string][]byte{"ak/roots/r": withSHA1(t, root.cert)}, "ak/roots/r note weak"},
		{"expired", map[string][]byte{"ak/roots/r": dated(now.AddDate(-1, 0, 0), now.Add(-time.Second))}, "ak/roots/r error expired"},
		{"of the future", map[string][]byte{"ak/roots/r": dated(now.Add(time.Second), now.AddDate(1, 0, 0))}, "ak/roots/r error not-yet-valid"},
		{"expires in 29 days", map[string][]byte{"ak/roots/r": dated(now.AddDate(-1, 0, 0), now.AddDate(0, 0, 29))}, "ak/roots/r note expires-soon"},
		{"expires in 31 days", map[string][]byte{"ak/roots/r": dated(now.AddDate(-1, 0, 0), now.AddDate(0, 0, 31))}, ""},
		{"stale list", map[string][]byte{"amd/crls/l": mintCRL(t, now.AddDate(0, -7, 0))}, "amd/crls/l error stale"},
		{"old list", map[string][]byte{"amd/crls/l": mintCRL(t, now.AddDate(0, 0, -41))}, "amd/crls/l error stale"},
		{"list of the future", map[string][]byte{"amd/crls/l": mintCRL(t, now.AddDate(0, 0, 1))}, "amd/crls/l error not-yet-valid"},
		{"collateral without QE identity", map[string][]byte{collateral("qe_identity.json"): nil}, "intel/collateral error incomplete"},
		{"collateral without TCB info", map[string][]byte{tcbinfo: nil}, "intel/collateral error incomplete"},
		{"collateral without chain", map[string][]byte{collateral("tcb_sign_chain.pem"): nil}, "intel/collateral error incomplete"},
		{"collateral without the root's list", map[string][]byte{collateral("root_ca.crl"): nil}, "intel/collateral error incomplete"},
		{"collateral without PCK lists", map[string][]byte{collateral("pck_crl_platform.der"): nil, collateral("pck_crl_processor.der"): nil}, "intel/collateral error incomplete"},
		{"collateral with a PCK chain in place of lists", map[string][]byte{
			collateral("pck_crl_platform.der"): nil, collateral("pck_crl_processor.der"): nil, collateral("pck_crl_platform_chain.pem"): file(intelRoot),
		}, "intel/collateral error incomplete"},
		{"chain with a broken signature", map[string][]byte{collateral("tcb_sign_chain.pem"): brokenChain(t, file(collateral("tcb_sign_chain.pem")))}, collateral("tcb_sign_chain.pem error unvouched")},
		{"root's list with a broken signature", map[string][]byte{collateral("root_ca.crl"): flipped(file(collateral("root_ca.crl")))}, collateral("root_ca.crl error unvouched")},
		{"changed TCB info", map[string][]byte{tcbinfo: []byte(strings.Replace(string(file(tcbinfo)), `"pceId":"0000"`, `"pceId":"0001"`, 1))}, tcbinfo + " error unvouched"},
		{"two lists for one CA", map[string][]byte{collateral("pck_crl_platform.pem"): pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: foreignList(t)})}, ". error layout"},
	}
}

// brokenChain flips a bit of the first certificate's signature.
func brokenChain(t *testing.T, chain []byte) []byte {
	t.Helper()
	block, rest := pem.Decode(chain)
	return append(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: flipped(block.Bytes)}), rest...)
}

// foreignList is a list of PCKs that is not among those of hardwareFiles.
func foreignList(t *testing.T) []byte {
	t.Helper()
	files, err := forge.HardwareTrust(forge.NewKeys("other"))
	if err != nil {
		t.Fatal(err)
	}
	return files["intel/collateral/pck_crl_platform.der"]
}

// TestCheckTrust finds exactly what is wrong. Every code of the documentation
// occurs, and none beside them.
func TestCheckTrust(t *testing.T) {
	documented := map[string]bool{}
	for _, c := range evidence.FindingCodes {
		documented[c.Code] = false
	}
	for _, tc := range brokenTrusts(t) {
		t.Run(tc.name, func(t *testing.T) {
			dir := hardwareFiles(t, "", nil)
			for name, data := range tc.files {
				if dir[name] = (&fstest.MapFile{Data: data}); data == nil {
					delete(dir, name)
				}
			}
			findings, err := evidence.CheckTrust(dir, forge.Now(), 40*24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, f.Path+" "+string(f.Severity)+" "+f.Code)
				if _, known := documented[f.Code]; !known || f.Detail == "" {
					t.Errorf("finding %+v, want a documented code and a detail", f)
				}
				documented[f.Code] = true
			}
			slices.Sort(got)
			if strings.Join(got, "\n") != tc.want {
				t.Errorf("CheckTrust = %+v, want %q", findings, tc.want)
			}
		})
	}
	for code, found := range documented {
		if !found {
			t.Errorf("no case has the code %q", code)
		}
	}
}

func TestCheckTrustEmpty(t *testing.T) {
	findings, err := evidence.CheckTrust(fstest.MapFS{}, forge.Now(), 0)
	if err != nil || len(findings) != 1 || findings[0].Code != "incomplete" || !strings.Contains(findings[0].Detail, "no anchor") {
		t.Errorf("CheckTrust of nothing = %+v, %v", findings, err)
	}
	if _, err := evidence.CheckTrust(os.DirFS(filepath.Join(t.TempDir(), "none")), forge.Now(), 0); err == nil {
		t.Error("CheckTrust of a directory that is not there gives no error")
	}
	if _, err := evidence.CheckTrust(fstest.MapFS{}, time.Time{}, 0); err == nil {
		t.Error("CheckTrust at no time gives no error")
	}
}

// TestCheckTrustLink has links in place of files and folders.
func TestCheckTrustLink(t *testing.T) {
	dir := hardwareFiles(t, "", nil)
	dir[intelRoot].Mode = fs.ModeSymlink
	dir["ak"] = &fstest.MapFile{Mode: fs.ModeSymlink}
	findings, err := evidence.CheckTrust(dir, forge.Now(), 0)
	if err != nil || !slices.ContainsFunc(findings, func(f evidence.Finding) bool { return f.Path == intelRoot && f.Code == "layout" }) ||
		!slices.ContainsFunc(findings, func(f evidence.Finding) bool { return f.Path == "ak" && f.Code == "layout" }) {
		t.Errorf("CheckTrust = %+v, %v, want both links", findings, err)
	}
}

// TestEmbeddedIsSound checks the embedded anchors, and beside them AMD's and
// Intel's own lists and collateral at a time when they were current.
func TestEmbeddedIsSound(t *testing.T) {
	dir := fstest.MapFS{}
	for _, f := range embeddedTrust(t).Files() {
		dir[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	at := time.Date(2025, 6, 21, 12, 0, 0, 0, time.UTC)
	if findings, err := evidence.CheckTrust(dir, at, 0); err != nil || len(findings) > 0 {
		t.Errorf("CheckTrust of the embedded anchors = %+v, %v", findings, err)
	}
	for _, name := range []string{"genoa", "milan"} {
		dir["amd/crls/"+name] = &fstest.MapFile{Data: corpus.Read(t, "c-sev-snp/openpcc-test_amd_"+name+"_crl.pem")}
	}
	for name, data := range genuineCollateral(t) {
		dir["intel/collateral/"+name] = &fstest.MapFile{Data: data}
	}
	if findings, err := evidence.CheckTrust(dir, at, 0); err != nil || len(findings) > 0 {
		t.Errorf("CheckTrust with genuine lists and collateral = %+v, %v", findings, err)
	}
	trust, err := evidence.LoadTrust(dir)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(trust.Files(), func(f evidence.TrustFile) bool { return f.Kind == evidence.KindTCBInfo })
	if f := trust.Files()[i]; f.FMSPC != "b0c06f000000" || f.EvaluationNumber != 17 || f.StatusAt(at) != evidence.StatusValid ||
		f.StatusAt(at.AddDate(0, 2, 0)) != evidence.StatusStale || f.AgeAt(at).Truncate(time.Hour) != 49*time.Hour {
		t.Errorf("TCB info is %+v", f)
	}
}

// genuineCollateral lays out collateral that Intel served in June 2025.
func genuineCollateral(t *testing.T) map[string][]byte {
	t.Helper()
	var c map[string]string
	if err := json.Unmarshal(corpus.Read(t, "d-tdx/qvl-tdx_quote_collateral.json"), &c); err != nil {
		t.Fatal(err)
	}
	binary := func(name string) []byte {
		b, err := hex.DecodeString(c[name])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return map[string][]byte{
		"tcbinfo/b0c06f000000.json":  []byte(`{"tcbInfo":` + c["tcb_info"] + `,"signature":"` + c["tcb_info_signature"] + `"}`),
		"qe_identity.json":           []byte(`{"enclaveIdentity":` + c["qe_identity"] + `,"signature":"` + c["qe_identity_signature"] + `"}`),
		"tcb_sign_chain.pem":         []byte(c["tcb_info_issuer_chain"]),
		"pck_crl_platform.der":       binary("pck_crl"),
		"pck_crl_platform_chain.pem": []byte(c["pck_crl_issuer_chain"]),
		"root_ca.crl":                pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: binary("root_ca_crl")}),
	}
}
