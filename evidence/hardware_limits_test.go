package evidence_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

func machineOf(technology forge.Technology, h forge.Hardware) forge.Machine {
	return forge.Machine{Technology: technology, Hardware: &h}
}

// TestExpectationsOfReport: what is expected of a hardware report is compared with
// one, or refuses.
func TestExpectationsOfReport(t *testing.T) {
	plain, snp, tdx := forged(t, forge.Machine{Technology: forge.AMDSEV}), forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{})), forged(t, machineOf(forge.IntelTDX, forge.Hardware{}))
	padded := forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{Binding: forge.BindNonce}))
	for name, tc := range map[string]struct {
		e     *forge.Evidence
		want  evidence.Expect
		check string
	}{
		"no report, nonce of its own":   {plain, evidence.Expect{TEENonce: make([]byte, 64)}, "tee.present"},
		"no report, report data":        {plain, evidence.Expect{ReportData: make([]byte, 64)}, "tee.present"},
		"no report, extra":              {plain, evidence.Expect{TEEExtra: []byte{1}}, "tee.present"},
		"no report, formula":            {plain, evidence.Expect{Binding: "nonce-ak"}, "tee.present"},
		"no report, VMPL":               {plain, evidence.Expect{VMPL: 1}, "tee.present"},
		"VMPL of TDX":                   {tdx, evidence.Expect{VMPL: 1}, "tee.present"},
		"extra that no formula took":    {snp, evidence.Expect{TEEExtra: []byte{1}}, "tee.binding"},
		"extra beside a padded nonce":   {padded, evidence.Expect{TEEExtra: []byte{1}}, "tee.binding"},
		"a nonce that was padded":       {padded, evidence.Expect{TEENonce: []byte("fedcba9876543210")}, "tee.binding"},
		"a nonce that can be guessed":   {snp, evidence.Expect{TEENonce: []byte{1}}, "tee.binding"},
		"another formula":               {snp, evidence.Expect{Binding: "workload-attestation"}, "tee.binding"},
		"an age without a CRL":          {snp, evidence.Expect{MaxAge: time.Hour}, "snp.revocation"},
		"collateral too old":            {tdx, evidence.Expect{MaxAge: time.Minute}, "tdx.collateral"},
		"evaluation number not reached": {tdx, evidence.Expect{MinEvaluationDataNumber: 1 << 20}, "tdx.collateral"},
	} {
		res, err := verifyWith(t, tc.e, tc.want)
		if err == nil || !failed(res, tc.check) {
			t.Errorf("%s: %v, want it refused by %s", name, err, tc.check)
		}
	}
}

// TestFloorsWithoutMaterial: an age or a number that nothing can be compared with
// refuses.
func TestFloorsWithoutMaterial(t *testing.T) {
	e := forged(t, machineOf(forge.IntelTDX, forge.Hardware{}))
	files := fstest.MapFS{}
	for name, data := range e.TrustFiles() {
		if !strings.HasPrefix(name, "intel/collateral/") {
			files[name] = &fstest.MapFile{Data: data}
		}
	}
	trust, err := evidence.LoadTrust(files)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Expect{Nonce: e.Nonce, Now: e.Now}
	if _, err := verify(data, trust, want); err != nil {
		t.Fatal(err)
	}
	want.MaxAge = time.Hour
	refuses(t, "tdx.collateral")(verify(data, trust, want))
	want.MaxAge, want.MinEvaluationDataNumber = 0, 1
	refuses(t, "tdx.collateral")(verify(data, trust, want))
}

// TestRevocationList: a current list of the right key counts, bounds the validity
// of the result, and may be too old for the user.
func TestRevocationList(t *testing.T) {
	e := forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{}))
	amd, err := forge.NewAMD(forge.ForgeVendor, forge.Milan)
	if err != nil {
		t.Fatal(err)
	}
	issued := e.Now.Add(-48 * time.Hour)
	crl, err := amd.CRL(issued)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := forgeTrust(t, e).WithCRL(crl)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Expect{Nonce: e.Nonce, Now: e.Now, MaxAge: 72 * time.Hour}
	res, err := verify(data, trust, want)
	if err != nil || res.Claims.TEE.SNP.Revocation != "checked" {
		t.Fatalf("Verify = %v, want the list to count", err)
	}
	if limit := issued.AddDate(0, 7, 0); res.ValidUntil.After(limit) {
		t.Errorf("valid until %v, the list ends before %v", res.ValidUntil, limit)
	}
	unlisted, err := verifyWith(t, e, evidence.Expect{})
	if err != nil || unlisted.Claims.TEE.SNP.Revocation != "unchecked" || !unlisted.ValidUntil.After(res.ValidUntil) {
		t.Errorf("without a list: %v, revocation %q, valid until %v", err, unlisted.Claims.TEE.SNP.Revocation, unlisted.ValidUntil)
	}
	want.MaxAge = 24 * time.Hour
	refuses(t, "snp.revocation")(verify(data, trust, want))
}

// TestHardwareOfPinnedKey: a key that somebody pinned says nothing of whose machine
// it is, so that no hwmodel of Google's follows from a genuine report.
func TestHardwareOfPinnedKey(t *testing.T) {
	for _, technology := range []forge.Technology{forge.AMDSEVSNP, forge.IntelTDX} {
		e := forged(t, machineOf(technology, forge.Hardware{}))
		trust, err := forgeTrust(t, e).WithPinnedAK(e.AK.TPM2BPublic())
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		res, err := verify(data, trust, evidence.Expect{Nonce: e.Nonce, Now: e.Now})
		if err != nil || res.Claims.TEE == nil || res.Claims.HWModel != "" || res.Claims.AttesterTCB != nil {
			t.Errorf("Verify = %v, claims %+v, want a report and no hwmodel", err, res.Claims)
		}
	}
}

// TestContainerOfOtherMachine: a quote that is not bound to the vTPM's key may be
// another machine's, and so may the container that its RTMR 3 shows.
func TestContainerOfOtherMachine(t *testing.T) {
	m := machineOf(forge.IntelTDX, forge.Hardware{Binding: forge.BindNonce})
	m.Container = forge.DefaultContainer()
	res, err := verifyWith(t, forged(t, m), evidence.Expect{})
	if err != nil {
		t.Fatal(err)
	}
	if c := res.Claims; c.SWName != "" || c.Submods.Container != nil || !slices.Equal(c.TEE.BoundTo, []string{"nonce"}) {
		t.Errorf("swname %q, container %+v, want none", c.SWName, c.Submods.Container)
	}
}

// TestProvisional: firmware that is not committed can be taken back.
func TestProvisional(t *testing.T) {
	older := forge.DefaultTCB(forge.Milan)
	older.SNP--
	for name, s := range map[string]forge.SNP{"TCB": {Committed: &older}, "none": {}} {
		res, err := verifyWith(t, forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{SNP: &s})), evidence.Expect{})
		if err != nil || res.Claims.TEE.SNP.Provisional != (name != "none") {
			t.Errorf("%s: %v, provisional %t", name, err, res.Claims.TEE.SNP.Provisional)
		}
	}
}

// TestBareReportExpectations: a report by itself is compared with one thing.
func TestBareReportExpectations(t *testing.T) {
	snp := snpReports(t)[1]
	refuses(t, "tee.binding")(snp.verify(t, snp.data, func(x *evidence.Expect) { x.Nonce = make([]byte, 32) }))
	refuses(t, "tee.binding")(snp.verify(t, snp.data, func(x *evidence.Expect) { x.InsecureNoNonce = true }))
	refuses(t, "tee.binding")(snp.verify(t, snp.data, func(x *evidence.Expect) { x.ReportData = nil }))
}
