package evidence

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/attestctl/attestctl/internal/forge"
)

// parts counts what a verifier gets to use of a Trust.
type parts struct {
	akRoots, amd, intel, collateral bool
	pins, keys, lists               int
}

func partsOf(t *Trust) parts {
	return parts{t.ak.roots != nil, t.amd != nil, t.intel != nil, t.collateral != nil, len(t.ak.pins), len(t.amdKeys), len(t.amdCRLs)}
}

// TestTrustParts follows each file from the directory, or from the method that
// adds it, to where the verifier looks.
func TestTrustParts(t *testing.T) {
	keys := forge.NewKeys("parts")
	hardware, err := forge.HardwareTrust(keys)
	if err != nil {
		t.Fatal(err)
	}
	dir, collateral := fstest.MapFS{}, fstest.MapFS{}
	for name, data := range hardware {
		dir[name] = &fstest.MapFile{Data: data}
		if rest, ok := strings.CutPrefix(name, collateralFolder+"/"); ok {
			collateral[rest] = dir[name]
		}
	}
	amd, err := forge.NewAMD(forge.ForgeVendor, forge.Milan)
	if err != nil {
		t.Fatal(err)
	}
	list, err := amd.CRL(forge.Now())
	if err != nil {
		t.Fatal(err)
	}
	report, err := forge.SNP{}.Report(keys)
	if err != nil {
		t.Fatal(err)
	}
	dir["amd/crls/a"], dir["amd/keys/a"] = &fstest.MapFile{Data: list}, &fstest.MapFile{Data: report.Leaf.Raw}
	ak, err := keys.Key("ak", forge.P256)
	if err != nil {
		t.Fatal(err)
	}
	pin := publicPEM(t, ak.Public())
	all, zero := must(t)(LoadTrust(dir)), new(Trust)
	embedded := must(t)(EmbeddedTrust())
	for _, tc := range []struct {
		name  string
		trust *Trust
		want  parts
	}{
		{"zero", zero, parts{}},
		{"directory", all, parts{amd: true, intel: true, collateral: true, keys: 1, lists: 1}},
		{"embedded", embedded, parts{akRoots: true, amd: true, intel: true}},
		{"zero with a list", must(t)(zero.WithCRL(list)), parts{lists: 1}},
		{"zero with a key", must(t)(zero.WithKey(report.Leaf.Raw)), parts{keys: 1}},
		{"zero with collateral", must(t)(zero.WithCollateral(collateral)), parts{collateral: true}},
		{"zero with a pin", must(t)(zero.WithPinnedAK(pin)), parts{pins: 1}},
		{"nil with a list", must(t)((*Trust)(nil).WithCRL(list)), parts{lists: 1}},
		{"embedded with a list", must(t)(embedded.WithCRL(list)), parts{akRoots: true, amd: true, intel: true, lists: 1}},
		{"embedded with a pin", must(t)(embedded.WithPinnedAK(pin)), parts{amd: true, intel: true, pins: 1}},
		{"pinned twice", must(t)(must(t)(embedded.WithPinnedAK(pin)).WithPinnedAK(pin)), parts{amd: true, intel: true, pins: 1}},
		{"PinAK", must(t)(PinAK(pin)), parts{amd: true, intel: true, pins: 1}},
		{"embedded, untouched", embedded, parts{akRoots: true, amd: true, intel: true}},
	} {
		if got := partsOf(tc.trust); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
	if _, err := all.amd.VerifyChain(all.amdKeys[0], forge.Now()); err != nil {
		t.Errorf("VerifyChain of the directory's key: %v", err)
	}
	if n := all.collateral.FMSPCs(); n != 1 {
		t.Errorf("collateral of %d kinds of platform, want 1", n)
	}
}

func must(t *testing.T) func(*Trust, error) *Trust {
	t.Helper()
	return func(trust *Trust, err error) *Trust {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return trust
	}
}

func publicPEM(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// TestTrustDocs wants every folder and every finding in docs/trust.md.
func TestTrustDocs(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "docs", "trust.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, f := range trustFolders {
		rows = append(rows, "| `"+f.path+"` | ")
	}
	for _, c := range FindingCodes {
		rows = append(rows, "| `"+c.Code+"` | "+c.Meaning+" |")
	}
	for _, row := range rows {
		if !strings.Contains(string(docs), "\n"+row) {
			t.Errorf("docs/trust.md has no row %q", row)
		}
	}
}
