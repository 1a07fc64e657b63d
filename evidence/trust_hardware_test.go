package evidence_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

// hardwareFiles are the files of a trust directory for minted hardware reports,
// with one change: nil data takes a file away.
func hardwareFiles(tb testing.TB, path string, data []byte) fstest.MapFS {
	tb.Helper()
	files, err := forge.HardwareTrust(forge.NewKeys("trust"))
	if err != nil {
		tb.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, data := range files {
		dir[name] = &fstest.MapFile{Data: data}
	}
	switch {
	case data != nil:
		dir[path] = &fstest.MapFile{Data: data}
	case path != "":
		delete(dir, path)
	}
	return dir
}

// vcek mints the certificate of a VCEK.
func vcek(tb testing.TB) []byte {
	tb.Helper()
	r, err := forge.SNP{}.Report(forge.NewKeys("trust"))
	if err != nil {
		tb.Fatal(err)
	}
	return r.Leaf.Raw
}

// flipped has the last bit of data flipped: where a signature ends.
func flipped(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)-1] ^= 1
	return data
}

// der returns the DER of a file in PEM.
func der(dir fstest.MapFS, path string) []byte {
	block, _ := pem.Decode(dir[path].Data)
	return block.Bytes
}

const arkMilan, askMilan, intelRoot = "amd/roots/ark_Milan.crt", "amd/roots/ask_Milan.crt", "intel/roots/root.crt"

func TestLoadHardwareTrust(t *testing.T) {
	base := hardwareFiles(t, "", nil)
	list := mintCRL(t, forge.Now())
	for _, tc := range []struct {
		name, path string
		data       []byte
		want       string // in the error; "" for success
	}{
		{"as it is", "", nil, ""},
		{"DER", askMilan, der(base, askMilan), ""},
		{"notes", "intel/collateral/README.md", []byte("x"), ""},
		{"list", "amd/crls/a.der", list, ""},
		{"key", "amd/keys/a.der", vcek(t), ""},
		{"unknown folder", "amd/root/a.crt", vcek(t), "folder is not part of the layout"},
		{"file above the folders", "amd/a.crt", vcek(t), "outside of the layout"},
		{"VCEK as a root", "amd/roots/a.crt", vcek(t), "not the certificate of a certification authority"},
		{"ARK as a key", "amd/keys/a.crt", der(base, arkMilan), `want SEV-VCEK or SEV-VLEK`},
		{"Intel's root among AMD's", "amd/roots/a.crt", der(base, intelRoot), "amd/roots: certificate of"},
		{"AMD's root among Intel's", "intel/roots/a.crt", der(base, arkMilan), `certificate of "ARK-Milan", want "Intel SGX Root CA"`},
		{"Intel's root with a broken signature", intelRoot, flipped(der(base, intelRoot)), "not signed by itself"},
		{"Intel's root on P-384", intelRoot, p384Root(t), "no key on P-256"},
		{"ASK without its ARK", arkMilan, nil, "without the ARK of Milan"},
		{"ASK that the ARK did not sign", askMilan, flipped(der(base, askMilan)), `not signed by "ARK-Milan"`},
		{"ARK that did not sign itself", arkMilan, flipped(der(base, arkMilan)), `not signed by itself`},
		{"list with trailing bytes", "amd/crls/a.der", append(bytes.Clone(list), 0), "followed by 1 more bytes"},
		{"Intel's list among AMD's", "amd/crls/a.der", base["intel/collateral/root_ca.crl"].Data, "signed with ECDSA-SHA256"},
		{"huge list", "amd/crls/a.der", make([]byte, 1<<20+1), "larger than 1024 KiB"},
		{"huge key", "amd/keys/a.der", make([]byte, 1<<16+1), "larger than 64 KiB"},
		{"unknown collateral", "intel/collateral/x.json", []byte("{}"), "not part of the collateral"},
		{"folder in the collateral", "intel/collateral/old/x.json", []byte("{}"), "folder is not part of the layout"},
		{"second list of the root", "intel/collateral/root_ca.crl.der", base["intel/collateral/root_ca.crl"].Data, "second file"},
		{"collateral's list with trailing bytes", "intel/collateral/root_ca.crl", append(bytes.Clone(base["intel/collateral/root_ca.crl"].Data), 0), "followed by 1 more bytes"},
		{"chain with more behind it", "intel/collateral/tcb_sign_chain.pem", append(bytes.Clone(base["intel/collateral/tcb_sign_chain.pem"].Data), 'x'), "not certificates in PEM and nothing else"},
		{"QE identity of another kind", "intel/collateral/qe_identity.json", []byte("{}"), "qe_identity.json"},
		{"TCB info of another kind", "intel/collateral/tcbinfo/x.json", []byte("{}"), "tcbinfo/x.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkLoad(t, hardwareFiles(t, tc.path, tc.data), tc.want)
		})
	}
	t.Run("helpers alone", func(t *testing.T) {
		dir := fstest.MapFS{"amd/crls/a": {Data: list}, "amd/keys/a": {Data: vcek(t)}}
		for name, f := range base {
			if strings.HasPrefix(name, "intel/collateral") {
				dir[name] = f
			}
		}
		checkLoad(t, dir, "no anchor")
	})
	t.Run("linked collateral", func(t *testing.T) {
		dir := hardwareFiles(t, "", nil)
		dir["intel/collateral/qe_identity.json"].Mode = fs.ModeSymlink
		checkLoad(t, dir, "not a regular file")
	})
}

// p384Root has the name of Intel's root and a key of another kind.
func p384Root(tb testing.TB) []byte {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &authority{tb: tb, key: key}
	return a.issue("Intel SGX Root CA", key.Public(), nil).Raw
}

// checkLoad loads a directory. What does not load must not pass CheckTrust.
func checkLoad(t *testing.T, dir fstest.MapFS, want string) {
	t.Helper()
	trust, err := evidence.LoadTrust(dir)
	switch {
	case want == "" && err != nil:
		t.Errorf("LoadTrust = %v", err)
	case want != "" && (err == nil || trust != nil || !strings.Contains(err.Error(), want)):
		t.Errorf("LoadTrust = %v, want an error with %q", err, want)
	}
	findings, checkErr := evidence.CheckTrust(dir, forge.Now(), 0)
	refused := slices.ContainsFunc(findings, func(f evidence.Finding) bool { return f.Severity == evidence.SeverityError })
	if checkErr != nil || err != nil && !refused {
		t.Errorf("CheckTrust = %v, %v, want an error among them: LoadTrust says %v", findings, checkErr, err)
	}
}

// mintCRL makes a list of Milan's ARK for half a year.
func mintCRL(tb testing.TB, issued time.Time, revoked ...*x509.Certificate) []byte {
	tb.Helper()
	a, err := forge.NewAMD(forge.ForgeVendor, forge.Milan)
	if err != nil {
		tb.Fatal(err)
	}
	list, err := a.CRL(issued, revoked...)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// paths lists the files of a Trust.
func paths(t *evidence.Trust) []string {
	var list []string
	for _, f := range t.Files() {
		list = append(list, f.Path)
	}
	return list
}

// TestTrustWith adds files one by one: each call gives a copy and leaves the
// original and earlier copies as they are, and what comes out is a directory
// again.
func TestTrustWith(t *testing.T) {
	base, err := evidence.LoadTrust(hardwareFiles(t, "intel/collateral/README.md", []byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	before := paths(base)
	one, err := base.WithCRL(mintCRL(t, forge.Now()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := base.WithCRL(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: mintCRL(t, forge.Now().AddDate(0, 0, 1))}))
	if err != nil {
		t.Fatal(err)
	}
	again, err := one.WithCRL(mintCRL(t, forge.Now()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := one.WithKey(vcek(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		trust *evidence.Trust
		more  int
	}{{"base", base, 0}, {"one list", one, 1}, {"other list", other, 1}, {"same list again", again, 1}, {"list and key", key, 2}} {
		if got := len(paths(tc.trust)); got != len(before)+tc.more {
			t.Errorf("%s: files %q, want %d more than %q", tc.name, paths(tc.trust), tc.more, before)
		}
	}
	if slices.Equal(paths(one), paths(other)) || !slices.Equal(paths(base), before) || !slices.IsSorted(paths(key)) {
		t.Errorf("files are %q and %q of base %q, want them apart and in order", paths(one), paths(other), before)
	}
	written := fstest.MapFS{}
	for _, f := range key.Files() {
		written[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	reread, err := evidence.LoadTrust(written)
	if err != nil || !slices.Equal(paths(reread), paths(key)) {
		t.Errorf("files written and read again: %v", err)
	}
}

func TestTrustWithRefuses(t *testing.T) {
	base, zero := hardwareFiles(t, "", nil), new(evidence.Trust)
	full, err := evidence.LoadTrust(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, want string
		with       func() (*evidence.Trust, error)
	}{
		{"key as a list", "reading the revocation list", func() (*evidence.Trust, error) { return zero.WithCRL(vcek(t)) }},
		{"ARK as a key", "reading the VCEK or VLEK certificate", func() (*evidence.Trust, error) { return zero.WithKey(base[arkMilan].Data) }},
		{"list as a key", "reading the VCEK or VLEK certificate", func() (*evidence.Trust, error) { return zero.WithKey(mintCRL(t, forge.Now())) }},
		{"nothing as collateral", "holds none", func() (*evidence.Trust, error) { return zero.WithCollateral(fstest.MapFS{}) }},
		{"nothing in place of collateral", "holds none", func() (*evidence.Trust, error) { return full.WithCollateral(fstest.MapFS{}) }},
		{"notes as collateral", "holds none", func() (*evidence.Trust, error) {
			return zero.WithCollateral(fstest.MapFS{"README.md": {Data: []byte("x")}})
		}},
		{"trust directory as collateral", "not part of the layout", func() (*evidence.Trust, error) { return zero.WithCollateral(base) }},
		{"link as collateral", "not a regular file", func() (*evidence.Trust, error) {
			return zero.WithCollateral(fstest.MapFS{"root_ca.crl": {Data: base["intel/collateral/root_ca.crl"].Data, Mode: fs.ModeSymlink}})
		}},
		{"garbage as a pin", "not a public key", func() (*evidence.Trust, error) { return zero.WithPinnedAK([]byte("x")) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trust, err := tc.with()
			if trust != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestWithCollateral replaces the collateral and nothing else.
func TestWithCollateral(t *testing.T) {
	dir := hardwareFiles(t, "", nil)
	base, err := evidence.LoadTrust(dir)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := base.WithCollateral(fstest.MapFS{"root_ca.crl": {Data: dir["intel/collateral/root_ca.crl"].Data}})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(paths(base), func(p string) bool {
		return strings.HasPrefix(p, "intel/collateral/") && p != "intel/collateral/root_ca.crl"
	})
	if got := paths(trust); !slices.Equal(got, want) {
		t.Errorf("files are %q, want %q", got, want)
	}
}
