package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-tpm-tools/proto/attest"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/corpus"
)

// TestEmbeddedAnchors compares the embedded certificates with those of the
// modules they were copied from, none missing and none beside them, and with the
// digests that anchors/README.md documents.
func TestEmbeddedAnchors(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("anchors", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	originals := map[string]map[string]bool{ // by top folder, then DER
		"ak":    certificatesIn(t, "github.com/google/go-tpm-tools", "server/ca-certs/*"),
		"ek":    certificatesIn(t, "github.com/google/go-tpm-tools", "server/ca-certs/*"),
		"amd":   certificatesIn(t, "github.com/google/go-sev-guest", "verify/trust/*.pem"),
		"intel": certificatesIn(t, "github.com/google/go-tdx-guest", "verify/trusted_root.pem"),
	}
	for top, want := range map[string]int{"ak": 5, "ek": 5, "amd": 9, "intel": 1} {
		if got := len(originals[top]); got != want {
			t.Errorf("the module of %s has %d certificates, want %d", top, got, want)
		}
	}
	for _, a := range embeddedTrust(t).Anchors() {
		top, _, _ := strings.Cut(a.Path, "/")
		if top == "token" { // see TestEmbeddedTokenRoot
			continue
		}
		if !originals[top][string(a.DER)] {
			t.Errorf("%s is not in the module, or embedded twice", a.Path)
		}
		delete(originals[top], string(a.DER))
		if row := "| " + a.Path + " | " + a.SHA256() + " |"; !strings.Contains(string(readme), row) {
			t.Errorf("anchors/README.md has no row %q", row)
		}
		if origin, _, _ := strings.Cut(a.Origin, ","); a.Cert == nil || !a.Cert.IsCA || !strings.Contains(string(readme), "From "+origin) {
			t.Errorf("%s: certificate %v of origin %q, want a CA with an origin that the README names", a.Path, a.Cert, a.Origin)
		}
	}
	for top, left := range originals {
		if len(left) > 0 {
			t.Errorf("%d certificates of %s are not embedded", len(left), top)
		}
	}
}

// TestEmbeddedTokenRoot: the root of Google's tokens is known by its digest alone.
func TestEmbeddedTokenRoot(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("anchors", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, a := range embeddedTrust(t).Anchors() {
		if !strings.HasPrefix(a.Path, "token/") {
			continue
		}
		found++
		if a.Kind != evidence.KindDigest || a.SHA256() != token.GoogleRootSHA256 || a.Origin == "" {
			t.Errorf("%s is %s %s of %q", a.Path, a.Kind, a.SHA256(), a.Origin)
		}
		if row := "| " + a.Path + " | " + a.SHA256() + " |"; !strings.Contains(string(readme), row) {
			t.Errorf("anchors/README.md has no row %q", row)
		}
	}
	if found != 1 {
		t.Errorf("%d anchors for tokens are embedded, want 1", found)
	}
}

// certificatesIn returns the certificates of a module's files, DER or PEM.
func certificatesIn(t *testing.T, module, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus.Module(t, module), filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]bool{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(data)
		if block == nil && strings.HasPrefix(filepath.Ext(name), ".c") {
			list[string(data)] = true
		}
		for ; block != nil; block, rest = pem.Decode(rest) {
			list[string(block.Bytes)] = true
		}
	}
	return list
}

// TestEmbeddedLinks verifies the signatures among AMD's embedded keys and that
// of Intel's root, which EmbeddedTrust leaves to their first use.
func TestEmbeddedLinks(t *testing.T) {
	files := fstest.MapFS{}
	for _, a := range embeddedTrust(t).Anchors() {
		files[a.Path] = &fstest.MapFile{Data: a.Data}
	}
	trust, err := evidence.LoadTrust(files)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(trust.Anchors()), len(embeddedTrust(t).Anchors()); got != want {
		t.Errorf("%d anchors, want %d", got, want)
	}
	for _, a := range trust.Anchors() {
		if path.Base(path.Dir(a.Path)) != "roots" || a.Cert == nil || strings.HasPrefix(path.Base(a.Path), "as") {
			continue
		}
		if err := a.Cert.CheckSignatureFrom(a.Cert); err != nil {
			t.Errorf("%s does not sign itself: %v", a.Path, err)
		}
	}
}

// rootPEM returns an embedded root as PEM.
func rootPEM(tb testing.TB) []byte {
	tb.Helper()
	for _, a := range embeddedTrust(tb).Anchors() {
		if path.Dir(a.Path) == "ak/roots" {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.DER})
		}
	}
	tb.Fatal("no root is embedded")
	return nil
}

func TestLoadTrust(t *testing.T) {
	root := rootPEM(t)
	leaf, err := x509.ParseCertificate(decodeAny(t, corpus.GoogleEvidence(t)).GetAkCert())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		files map[string]*fstest.MapFile
		want  string // in the error; "" for success
	}{
		{"root in PEM", fstest.MapFS{"ak/roots/a.pem": {Data: root}}, ""},
		{"README beside it", fstest.MapFS{"ak/roots/a.pem": {Data: root}, "README.md": {Data: []byte("x")}}, ""},
		{"empty", fstest.MapFS{}, "no anchor"},
		{"file outside of the layout", fstest.MapFS{"root.pem": {Data: root}}, "outside of the layout"},
		{"unknown folder", fstest.MapFS{"ak/root/a.pem": {Data: root}}, "not part of the layout"},
		{"two certificates in a file", fstest.MapFS{"ak/roots/a.pem": {Data: append(bytes.Clone(root), root...)}}, "more than one PEM block"},
		{"leaf as a root", fstest.MapFS{"ak/roots/a.der": {Data: leaf.Raw}}, "not the certificate of a certification authority"},
		{"link", fstest.MapFS{"ak/roots/a.pem": {Data: root, Mode: os.ModeSymlink}}, "not a regular file"},
		{"oversized", fstest.MapFS{"ak/roots/a.pem": {Data: make([]byte, 1<<17)}}, "larger than 64 KiB"},
		{"private key", fstest.MapFS{"ak/pins/a.pem": {Data: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})}}, `PEM block is "PRIVATE KEY"`},
		{"empty file", fstest.MapFS{"ak/roots/a.pem": {}}, "file is empty"},
		{"intermediate alone", fstest.MapFS{"ak/intermediates/a.pem": {Data: root}}, "no anchor"},
		{"no key", fstest.MapFS{"ak/pins/a.bin": {Data: []byte("hello")}}, "not a public key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trust, err := evidence.LoadTrust(fstest.MapFS(tc.files))
			switch {
			case tc.want == "" && (err != nil || len(trust.Anchors()) != 1):
				t.Errorf("LoadTrust = %v, want one anchor", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("LoadTrust = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestZeroTrust verifies real evidence with nothing trusted: the chain must
// fail and nothing else.
func TestZeroTrust(t *testing.T) {
	for name, trust := range map[string]*evidence.Trust{"zero": {}, "nil": nil} {
		res, err := verify(corpus.GoogleEvidence(t), trust, evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true})
		if err == nil || res.Claims != nil {
			t.Fatalf("%s Trust accepted evidence", name)
		}
		if f := res.Failures(); len(f) != 1 || f[0].ID != "tpm.ak.chain" {
			t.Errorf("%s Trust: failures are %v, want tpm.ak.chain alone", name, f)
		}
	}
}

// TestZeroExpect verifies real evidence with nothing expected: without a nonce
// and a time nothing is accepted.
func TestZeroExpect(t *testing.T) {
	res, err := verify(corpus.GoogleEvidence(t), embeddedTrust(t), evidence.Expect{})
	if err == nil || res.Claims != nil {
		t.Fatal("the zero Expect accepted evidence")
	}
	for _, id := range []string{"tpm.ak.chain", "tpm.quote.nonce"} {
		if c := checkOf(t, res, id); c.Status != evidence.Fail {
			t.Errorf("%s is %v, want fail", id, c.Status)
		}
	}
}

// TestPinAK verifies Google's evidence with its AK pinned, in each form that a
// pin can have.
func TestPinAK(t *testing.T) {
	msg := decodeAny(t, corpus.GoogleEvidence(t))
	cert, err := x509.ParseCertificate(msg.GetAkCert())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := msg.GetAkPub()
	want := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true}
	for name, key := range map[string][]byte{
		"DER":          der,
		"PEM":          pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"TPMT_PUBLIC":  public,
		"TPM2B_PUBLIC": append([]byte{byte(len(public) >> 8), byte(len(public))}, public...),
	} {
		t.Run(name, func(t *testing.T) {
			trust, err := evidence.PinAK(key)
			if err != nil {
				t.Fatal(err)
			}
			res, err := verify(corpus.GoogleEvidence(t), trust, want)
			if err != nil {
				t.Fatalf("Verify: %v", err)
			}
			if res.Claims.TPM.AK.Trust != "pinned" || res.Claims.TPM.AK.Certificate != nil || res.Claims.Sub != "" || res.Claims.OEMID != nil {
				t.Errorf("claims of a pinned key: trust %q, sub %q: want no identity from a certificate that was not verified",
					res.Claims.TPM.AK.Trust, res.Claims.Sub)
			}
		})
	}
}

// TestPinAKWithOtherParts combines a pinned key's evidence with a certificate
// that is another's, or none: a part that does not belong is never passed over.
func TestPinAKWithOtherParts(t *testing.T) {
	trust, err := evidence.PinAK(decodeAny(t, corpus.GoogleEvidence(t)).GetAkPub())
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true}
	for name, edit := range map[string]func(*attest.Attestation){
		"malformed certificate": func(a *attest.Attestation) { a.AkCert = a.AkCert[:100] },
		"certificate of a CA":   func(a *attest.Attestation) { a.AkCert = embeddedTrust(t).Anchors()[0].DER },
		"malformed ak_pub":      func(a *attest.Attestation) { a.AkPub = a.AkPub[:10] },
	} {
		res, err := verify(altered(t, corpus.GoogleEvidence(t), edit), trust, want)
		if err == nil || res.Claims != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestInsecureIsNeverAccepted switches off one ground of trust at a time on
// evidence that is otherwise perfect.
func TestInsecureIsNeverAccepted(t *testing.T) {
	base := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true}
	for name, edit := range map[string]func(*evidence.Expect){
		"insecure-evidence-ak": func(x *evidence.Expect) { x.InsecureEvidenceAK = true },
		"insecure-no-nonce":    func(x *evidence.Expect) { x.InsecureNoNonce = true },
	} {
		want := base
		edit(&want)
		res, err := verify(corpus.GoogleEvidence(t), embeddedTrust(t), want)
		if err == nil || res.Verdict != evidence.Untrusted || res.Claims != nil {
			t.Errorf("%s: verdict %v, %v, want untrusted without claims", name, res.Verdict, err)
		}
		if !strings.Contains(strings.Join(res.Insecure, " "), name) {
			t.Errorf("%s is not named in the result: %v", name, res.Insecure)
		}
		broken := altered(t, corpus.GoogleEvidence(t), alterations[3].edit)
		if res, _ := verify(broken, embeddedTrust(t), want); res.Verdict != evidence.Refused {
			t.Errorf("%s: verdict on altered evidence is %v, want refused", name, res.Verdict)
		}
	}
}

// FuzzLoadTrust puts bytes into each folder of a trust directory: what loads is
// one anchor, and for a root or an intermediate the certificate of a CA.
func FuzzLoadTrust(f *testing.F) {
	f.Add(rootPEM(f), byte(0))
	f.Add(embeddedTrust(f).Anchors()[0].DER, byte(1))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), byte(2))
	folders := []string{"ak/roots", "ak/intermediates", "ak/pins"}
	f.Fuzz(func(t *testing.T, data []byte, folder byte) {
		in := folders[int(folder)%len(folders)]
		trust, err := evidence.LoadTrust(fstest.MapFS{in + "/file": {Data: data}})
		if err != nil {
			if trust != nil {
				t.Error("a Trust beside an error")
			}
			return
		}
		anchors := trust.Anchors()
		if len(anchors) != 1 || in != "ak/pins" && (anchors[0].Cert == nil || !anchors[0].Cert.IsCA) {
			t.Errorf("%s: anchors are %v", in, anchors)
		}
	})
}
