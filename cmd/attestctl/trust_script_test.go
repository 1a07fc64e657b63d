package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/attestctl/attestctl/internal/forge"
)

// hardwareCommand writes a trust directory for minted hardware reports: roots of
// AMD's and Intel's kind, collateral, a revocation list and a VCEK.
func hardwareCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hardware DIR")
	}
	keys := forge.NewKeys("trust")
	files, err := forge.HardwareTrust(keys)
	ts.Check(err)
	amd, err := forge.NewAMD(forge.ForgeVendor, forge.Milan)
	ts.Check(err)
	files["amd/crls/milan.der"], err = amd.CRL(forge.Now())
	ts.Check(err)
	report, err := forge.SNP{}.Report(keys)
	ts.Check(err)
	files["amd/keys/vcek.der"] = report.Leaf.Raw
	for name, data := range files {
		name = filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o700))
		ts.Check(os.WriteFile(name, data, 0o600))
	}
}
