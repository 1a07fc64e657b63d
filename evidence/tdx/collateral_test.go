package tdx_test

import (
	"encoding/pem"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// files is good collateral for the minted platform as a directory.
func (m *mint) files(tb testing.TB) fstest.MapFS {
	tb.Helper()
	c := m.collateral(tb)
	file := func(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b} }
	return fstest.MapFS{
		"README.md":             file([]byte("from where and when")),
		"tcbinfo/90c06f.json":   file(c.TCBInfo),
		"tcbinfo/other.json":    file(m.sign(tb, "tcbInfo", edited(m.tcbInfo(), set("fmspc", "00806f050000")))),
		"qe_identity.json":      file(c.QEIdentity),
		"tcb_sign_chain.pem":    file([]byte(strings.ReplaceAll(string(c.TCBInfoChain), "\n", "\r\n"))),
		"pck_crl_platform.der":  file(c.PCKCRL),
		"pck_crl_processor.pem": file(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl(tb, m.processor, nil)})),
		"root_ca.crl":           file(c.RootCRL),
	}
}

func TestLoadCollateral(t *testing.T) {
	m := newMint(t)
	for _, ca := range []issued{m.platform, m.processor} {
		m.issuePCK(t, ca, nil)
		q, pck := m.verified(t, nil)
		files := m.files(t)
		files["pck_crl_platform_chain.pem"] = &fstest.MapFile{Data: pemChain(m.platform.cert, m.root.cert)}
		set, err := tdx.LoadCollateral(files)
		if err != nil {
			t.Fatal(err)
		}
		if set.FMSPCs() != 2 {
			t.Errorf("FMSPCs = %d, want 2", set.FMSPCs())
		}
		c, err := set.For(pck)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
		if err != nil || s.TCBStatus != tdx.UpToDate {
			t.Errorf("Evaluate with the files for the %s ca = %q, %v", pck.CA, s.TCBStatus, err)
		}
		pck.FMSPC[0]++
		_, err = set.For(pck)
		checkErr(t, "For", err, "no tcb info for the fmspc 91c06f000000")
	}
	var none *tdx.CollateralSet
	_, err := none.For(tdx.PCK{})
	checkErr(t, "For of no set", err, "no tcb info")
}

func TestLoadCollateralRefuses(t *testing.T) {
	m := newMint(t)
	good := m.files(t)
	many := fstest.MapFS{}
	for i := range 300 {
		many["tcbinfo/"+strings.Repeat("x", i+1)+".json"] = good["qe_identity.json"]
	}
	file := func(name string, data []byte) fstest.MapFS { return fstest.MapFS{name: {Data: data}} }
	for _, tc := range []struct {
		name  string
		extra fstest.MapFS
		want  string
	}{
		{"none", nil, ""},
		{"unknown file", file("notes.txt", []byte("x")), `unknown file "notes.txt"`},
		{"unknown directory", file("more/x.json", []byte("x")), `unknown file "more"`},
		{"unknown file in tcbinfo", file("tcbinfo/x.txt", []byte("x")), `unknown file "tcbinfo/x.txt"`},
		{"directory in tcbinfo", file("tcbinfo/x.json/y", []byte("x")), `unknown file "tcbinfo/x.json"`},
		{"file with another case", file("QE_identity.json", []byte("x")), "unknown file"},
		{"directory for a file", file("root_ca.crl.der/x", []byte("x")), "unknown file"},
		{"readme is a directory", fstest.MapFS{"README.md": nil, "README.md/x": {Data: []byte("x")}}, "unknown file"},
		{"second root crl", file("root_ca.crl.der", []byte("x")), "second file for the root ca's crl"},
		{"second pck crl", file("pck_crl_platform.pem", []byte("x")), "second file for the platform ca's pck crl"},
		{"second fmspc", file("tcbinfo/z.json", good["tcbinfo/90c06f.json"].Data), "second file for the fmspc 90c06f000000"},
		{"tcb info that does not decode", file("tcbinfo/z.json", []byte("{}")), `"tcbinfo/z.json": tcb info`},
		{"empty file", file("qe_identity.json", nil), "is empty"},
		{"large file", file("qe_identity.json", make([]byte, tdx.MaxCollateralFile+1)), "more than"},
		{"many files", many, "300 files"},
		{"no regular file", fstest.MapFS{"qe_identity.json": {Mode: fs.ModeNamedPipe}}, "no regular file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := maps.Clone(good)
			if tc.name == "many files" {
				files = fstest.MapFS{}
			}
			maps.Copy(files, tc.extra)
			maps.DeleteFunc(files, func(_ string, f *fstest.MapFile) bool { return f == nil })
			set, err := tdx.LoadCollateral(files)
			checkErr(t, "LoadCollateral", err, tc.want)
			if err != nil && set != nil {
				t.Error("a value beside an error")
			}
		})
	}
}
