package evidence_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

// TestLaunchLogLeftOut: a TDX quote that only shares the nonce with this vTPM says
// nothing of what the vTPM's machine launched, so that it is not called plain.
func TestLaunchLogLeftOut(t *testing.T) {
	for binding, want := range map[forge.Binding]string{forge.BindNonce: absent, forge.BindNonceAK: "GCE"} {
		e := forged(t, machineOf(forge.IntelTDX, forge.Hardware{Binding: binding}))
		res, err := verifyForged(t, e)
		if err != nil {
			t.Fatalf("binding %v: %v", binding, err)
		}
		checkClaims(t, res, map[string]string{"swname": want})
	}
}

// TestSecondReadings: a message of go-sev-guest or go-tdx-guest with a value that
// its bytes cannot hold would be read in two ways.
func TestSecondReadings(t *testing.T) {
	old := forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{SNP: &forge.SNP{Version: 2}}))
	if _, err := verifyForged(t, old); err != nil {
		t.Fatalf("a report of version 2: %v", err)
	}
	old.Attestation.GetSevSnpAttestation().GetReport().Cpuid1EaxFms = 0xa00f11 // version 2 has no room for it
	snp := forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{}))
	snp.Attestation.GetSevSnpAttestation().GetReport().CurrentMajor += 0x100
	tdx := forged(t, machineOf(forge.IntelTDX, forge.Hardware{}))
	tdx.Attestation.GetTdxAttestation().GetTdQuoteBody().TeeTcbSvn = append(tdx.Attestation.GetTdxAttestation().GetTdQuoteBody().GetTeeTcbSvn(), 0)
	version := forged(t, machineOf(forge.IntelTDX, forge.Hardware{}))
	version.Attestation.GetTdxAttestation().GetHeader().Version += 0x10000
	for name, e := range map[string]*forge.Evidence{"snp, version": old, "snp": snp, "tdx, long": tdx, "tdx, version": version} {
		res, err := verifyForged(t, e)
		if err == nil || res.Claims != nil || !failed(res, "format.strict") {
			t.Errorf("%s: %v, want format.strict to fail", name, err)
		}
	}
}

// TestManyExtras: a host may add a few entries to the certificates of a report.
func TestManyExtras(t *testing.T) {
	for n, accepted := range map[int]bool{16: true, 17: false} {
		e := forged(t, machineOf(forge.AMDSEVSNP, forge.Hardware{}))
		chain := e.Attestation.GetSevSnpAttestation().GetCertificateChain()
		chain.Extras = map[string][]byte{}
		for i := range n {
			chain.Extras[fmt.Sprintf("9f4116cd-c503-4f5a-8f6f-%012x", i)] = []byte{1}
		}
		if res, err := verifyForged(t, e); (err == nil) != accepted || !accepted && !failed(res, "format.strict") {
			t.Errorf("%d extras: %v, want accepted %t", n, err, accepted)
		}
	}
}

// TestManyStrings: strings in a row are one value of a text form, and each costs
// memory before it is one.
func TestManyStrings(t *testing.T) {
	e := forged(t, forge.Machine{})
	text, err := e.Textproto()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(append(text, "# "+strings.Repeat(`""`, 20000)+"\n"...), forgeTrust(t, e), forgeExpect(e)); err != nil {
		t.Errorf("strings in a comment: %v", err)
	}
	bomb := append(text, "canonical_event_log: "+strings.Repeat(`"" `, 20000)+"\n"...)
	res, err := verify(bomb, forgeTrust(t, e), forgeExpect(e))
	if err == nil || !strings.Contains(err.Error(), "strings") || !failed(res, "format.strict") {
		t.Errorf("a value of 20000 strings: %v", err)
	}
}

// TestLongErrorsAreCut: what is wrong with the input is said in bounded space,
// whatever the input says.
func TestLongErrorsAreCut(t *testing.T) {
	name := strings.Repeat("x", 1<<20)
	for _, in := range []string{name + ": 1", `{"` + name + `": 1}`} {
		_, err := evidence.Load(strings.NewReader(in))
		if err == nil || len(err.Error()) > 4000 {
			t.Errorf("an error of %d characters", len(err.Error()))
		}
	}
}

// TestOldCRLsOfCollateral: the age of Intel's collateral is that of its oldest
// part, revocation lists included.
func TestOldCRLsOfCollateral(t *testing.T) {
	fresh := func(d map[string]any) error {
		d["issueDate"] = forge.Now().Add(-time.Hour).Format(time.RFC3339)
		return nil
	}
	e := forged(t, machineOf(forge.IntelTDX, forge.Hardware{TDX: &forge.TDX{Edits: forge.TDXEdits{TCBInfo: fresh, QEIdentity: fresh}}}))
	for age, accepted := range map[time.Duration]bool{365 * 24 * time.Hour: true, 12 * time.Hour: false} {
		res, err := verifyWith(t, e, evidence.Expect{MaxAge: age})
		if (err == nil) != accepted || !accepted && !failed(res, "tdx.collateral") {
			t.Errorf("lists older than the documents, age %v: %v, want accepted %t", age, err, accepted)
		}
	}
}
