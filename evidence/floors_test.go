package evidence_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm/tpm2"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

var forged = evidence.Forged

func verifyWith(tb testing.TB, e *forge.Evidence, want evidence.Expect) (*evidence.Result, error) {
	tb.Helper()
	data, err := e.Binary()
	if err != nil {
		tb.Fatal(err)
	}
	want.Nonce, want.Now = e.Nonce, e.Now
	return verify(data, forgeTrust(tb, e), want)
}

func editQuotes(edit func(*forge.Quote)) forge.Edits {
	return forge.Edits{Quote: func(q *forge.Quote) error { edit(q); return nil }}
}

func editMessage(edit func(*attest.Attestation)) forge.Edits {
	return forge.Edits{Attestation: func(a *attest.Attestation) error { edit(a); return nil }}
}

// TestPinWithoutPublicArea pins a bare key. What the evidence says of its
// attributes is then said by nobody: it is checked for contradictions, and
// proves nothing.
func TestPinWithoutPublicArea(t *testing.T) {
	verifyPEM := func(m forge.Machine) (*evidence.Result, error) {
		m.NoCertificate = true
		e := forged(t, m)
		pem, err := e.AK.PEM()
		if err != nil {
			t.Fatal(err)
		}
		trust, err := evidence.PinAK(pem)
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		return verify(data, trust, evidence.Expect{Nonce: e.Nonce, Now: e.Now})
	}
	res, err := verifyPEM(forge.Machine{Technology: forge.AMDSEV})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if c := checkOf(t, res, "tpm.ak.attributes"); c.Status != evidence.Skip || res.Claims.TPM.AK.Attributes != nil {
		t.Errorf("tpm.ak.attributes is %v, claims %v, want skip and none", c.Status, res.Claims.TPM.AK.Attributes)
	}
	if res.Claims.HWModel != "" || res.Claims.OEMID != nil || res.Claims.Sub != "" {
		t.Errorf("a pinned key gives hwmodel %q, sub %q: nobody says that this is Google's", res.Claims.HWModel, res.Claims.Sub)
	}
	unrestricted := forge.Edits{AK: func(ak *forge.AK) error { ak.Public.ObjectAttributes.Restricted = false; return nil }}
	if res, err := verifyPEM(forge.Machine{Edits: unrestricted}); err == nil || checkOf(t, res, "tpm.ak.attributes").Status != evidence.Fail {
		t.Errorf("a public area that contradicts the pin: %v, want tpm.ak.attributes to fail", err)
	}
}

// TestAttributesNeedTheSigner edits the public area beside an honest
// certificate: the quote's qualified signer no longer proves it.
func TestAttributesNeedTheSigner(t *testing.T) {
	honest, err := verifyWith(t, forged(t, forge.Machine{}), evidence.Expect{})
	if err != nil || !slices.Contains(honest.Claims.TPM.AK.Attributes, "restricted") {
		t.Fatalf("honest machine: %v, %v", err, honest.Claims)
	}
	res, err := verifyWith(t, forged(t, forge.Machine{Edits: editMessage(func(a *attest.Attestation) { a.AkPub[4] ^= 4 })}), evidence.Expect{}) // noDA
	if err != nil {
		t.Fatal(err)
	}
	if c := checkOf(t, res, "tpm.ak.attributes"); c.Status != evidence.Skip || res.Claims.TPM.AK.Attributes != nil {
		t.Errorf("tpm.ak.attributes is %v %q, claims %v, want skip and none", c.Status, c.Detail, res.Claims.TPM.AK.Attributes)
	}
}

// TestUnquotedPCRsClaimNothing quotes PCR 0 alone. What the log says of others
// is not proven and must not be claimed, as true, false or anything.
func TestUnquotedPCRsClaimNothing(t *testing.T) {
	m := forge.Machine{Technology: forge.AMDSEV, Edits: editQuotes(func(q *forge.Quote) {
		q.Selection = []tpm2.TPMSPCRSelection{forge.Select(q.Bank, 0)}
	})}
	res, err := verifyWith(t, forged(t, m), evidence.Expect{RequirePCRs: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	b := res.Claims.Boot
	if b.Technology != "AMD_SEV" {
		t.Errorf("technology = %q, PCR 0 proves it", b.Technology)
	}
	if b.SecureBoot != nil || b.GRUB != nil || b.Kernel != nil || b.EFIApps != nil || b.ExitBootServices != nil ||
		b.UEFIDebug != nil || b.DMAProtectionDisabled != nil || res.Claims.SecBoot != nil || res.Claims.SWName != "" {
		t.Errorf("claims of PCRs that nobody quoted: %s", toJSON(t, b))
	}
	if b.Complete || !slices.Equal(b.RequiredPCRs, []int{0}) || !slices.Contains(b.UnquotedPCRs, 7) {
		t.Errorf("complete %t, required %v, unquoted %v: want what was waived to show", b.Complete, b.RequiredPCRs, b.UnquotedPCRs)
	}
}

// TestOneBankDoesNotProve makes PCR 14 differ from the log in one bank only,
// with PCR 14 not required: it is unexplained, and shim's state is not claimed.
func TestOneBankDoesNotProve(t *testing.T) {
	for _, bank := range forge.GCEBanks() {
		m := forge.Machine{Edits: forge.Edits{Banks: func(b forge.Banks) error {
			return b[bank].Extend(bank, 14, bytes.Repeat([]byte{1}, 20))
		}}}
		res, err := verifyWith(t, forged(t, m), evidence.Expect{RequirePCRs: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Claims.Boot.UnexplainedPCRs; !slices.Equal(got, []int{14}) {
			t.Errorf("%v: unexplained PCRs = %v, want 14", bank, got)
		}
		if sb := res.Claims.Boot.SecureBoot; sb.MOK != nil && sb.MOK.Events != nil {
			t.Errorf("%v: claims of PCR 14, which one bank does not explain: %s", bank, toJSON(t, sb.MOK))
		}
	}
}

func TestLaunchLog(t *testing.T) {
	launched := forge.Machine{Technology: forge.AMDSEV, Container: forge.DefaultContainer()}
	res, err := verifyWith(t, forged(t, launched), evidence.Expect{RequirePCRs: append(evidence.DefaultPCRs(), 13)})
	if err != nil || res.Claims.SWName != "CONFIDENTIAL_SPACE" || slices.Contains(res.Claims.Boot.UnexplainedPCRs, 13) {
		t.Fatalf("honest launch with PCR 13 required: %v", err)
	}
	if f := res.Claims.Boot.Forgeable; !slices.Contains(f, "swname") || !slices.Contains(f, "submods.container") {
		t.Errorf("forgeable = %v, any owner can extend PCR 13", f)
	}

	unfinished := *forge.DefaultContainer()
	unfinished.NotLaunched = true
	refusedBy(t, forged(t, forge.Machine{Container: &unfinished}), "cel.cos")

	stripped := launched
	stripped.Edits = editMessage(func(a *attest.Attestation) { a.CanonicalEventLog = nil })
	res, err = verifyWith(t, forged(t, stripped), evidence.Expect{})
	if err != nil || res.Claims.SWName != "" || !slices.Contains(res.Claims.Boot.UnexplainedPCRs, 13) {
		t.Errorf("launch log left out: %v, swname %q, want none and PCR 13 unexplained", err, res.Claims.SWName)
	}
	refusedBy(t, forged(t, forge.Machine{Container: forge.DefaultContainer(), Edits: editMessage(func(a *attest.Attestation) {
		a.CanonicalEventLog = append(a.CanonicalEventLog, 0)
	})}), "cel.replay")
	refusedBy(t, forged(t, forge.Machine{Edits: editMessage(func(a *attest.Attestation) {
		a.CanonicalEventLog = forged(t, launched).Attestation.CanonicalEventLog
	})}), "cel.replay")
}

// TestLaunchLogOfTDX: a launch log of RTMR 3 counts where the TDX quote has that
// register, and nowhere else.
func TestLaunchLogOfTDX(t *testing.T) {
	tdx := forge.Machine{Technology: forge.IntelTDX, Container: forge.DefaultContainer(), Hardware: &forge.Hardware{}}
	res, err := verifyWith(t, forged(t, tdx), evidence.Expect{})
	if err != nil {
		t.Fatal(err)
	}
	if c := checkOf(t, res, "cel.replay"); c.Status != evidence.Pass || !strings.HasPrefix(c.Detail, "RTMR 3") {
		t.Errorf("cel.replay is %v %q, want it passed over RTMR 3", c.Status, c.Detail)
	}
	if res.Claims.SWName != "CONFIDENTIAL_SPACE" || !slices.Equal(res.Claims.TEE.TDX.RTMRReplayed, []int{3}) {
		t.Errorf("swname %q, replayed %v", res.Claims.SWName, res.Claims.TEE.TDX.RTMRReplayed)
	}
	other := *forge.DefaultContainer()
	other.ImageDigest = "sha256:" + strings.Repeat("0", 64)
	swapped := tdx
	swapped.Container = &other
	log := forged(t, swapped).Attestation.CanonicalEventLog
	edited := tdx
	edited.Edits = editMessage(func(a *attest.Attestation) { a.CanonicalEventLog = log })
	if _, err := verifyWith(t, forged(t, edited), evidence.Expect{}); err == nil || !strings.HasPrefix(err.Error(), "cel.replay") && !strings.HasPrefix(err.Error(), "tdx.rtmr") {
		t.Errorf("another launch log: %v, want it refused by tdx.rtmr", err)
	}
	for _, technology := range []forge.Technology{forge.AMDSEV, forge.NoTechnology} {
		refusedBy(t, forged(t, forge.Machine{Technology: technology, Container: forge.DefaultContainer(), Edits: editMessage(func(a *attest.Attestation) {
			a.CanonicalEventLog = log
		})}), "cel.replay")
	}
	stripped := tdx
	stripped.Edits = editMessage(func(a *attest.Attestation) { a.CanonicalEventLog = nil })
	res, err = verifyWith(t, forged(t, stripped), evidence.Expect{})
	if err != nil || res.Claims.SWName != "" || res.Claims.TEE.TDX.RTMRReplayed != nil {
		t.Errorf("launch log left out: %v, want no swname and nothing replayed", err)
	}
}

// TestReportOfOtherTechnology puts a hardware report beside the log of another
// technology, and takes one away.
func TestReportOfOtherTechnology(t *testing.T) {
	snp, tdx := &forge.Hardware{SNP: &forge.SNP{}}, &forge.Hardware{TDX: &forge.TDX{}}
	refusedBy(t, forged(t, forge.Machine{Technology: forge.IntelTDX, Hardware: snp}), "tee.present")
	refusedBy(t, forged(t, forge.Machine{Technology: forge.NoTechnology, Hardware: snp}), "tee.present")
	refusedBy(t, forged(t, forge.Machine{Technology: forge.AMDSEVSNP, Hardware: tdx}), "tee.present")
	refusedBy(t, forged(t, forge.Machine{Technology: forge.AMDSEVSNP}), "tee.present")
	refusedBy(t, forged(t, forge.Machine{Technology: forge.IntelTDX}), "tee.present")
	for technology, hwmodel := range map[forge.Technology]string{forge.AMDSEVSNP: "GCP_AMD_SEV_SNP", forge.IntelTDX: "GCP_INTEL_TDX"} {
		res, err := verifyWith(t, forged(t, forge.Machine{Technology: technology, Hardware: &forge.Hardware{}}), evidence.Expect{})
		if err != nil || res.Claims.HWModel != hwmodel || !slices.Equal(res.Claims.TEE.BoundTo, []string{"nonce", "ak"}) {
			t.Errorf("a report of the measured technology: %v, %+v", err, res.Claims)
		}
		res, err = verifyWith(t, forged(t, forge.Machine{Technology: technology}), evidence.Expect{InsecureNoHardwareReport: true})
		if err != nil || res.Claims.HWModel != "" || res.Claims.TEE != nil || !slices.Equal(res.Insecure, []string{"insecure-no-hardware-report"}) {
			t.Errorf("without a report: %v, %+v, want no hwmodel", err, res.Claims)
		}
	}
}

// TestQuotesOfOneBoot changes what must be the same in all quotes in one.
func TestQuotesOfOneBoot(t *testing.T) {
	for name, edit := range map[string]func(*forge.Quote){
		"restart count":    func(q *forge.Quote) { q.Clock.RestartCount++ },
		"reset count":      func(q *forge.Quote) { q.Clock.ResetCount++ },
		"firmware version": func(q *forge.Quote) { q.Firmware++ },
		"signer":           func(q *forge.Quote) { q.Signer = bytes.Repeat([]byte{1}, 34) },
	} {
		t.Run(name, func(t *testing.T) {
			refusedBy(t, forged(t, forge.Machine{Edits: editQuotes(func(q *forge.Quote) {
				if q.Bank == forge.SHA384 {
					edit(q)
				}
			})}), "tpm.quote.banks")
		})
	}
}

// TestClockOfLastQuote: the TPM's clock says which quote is the last, whatever
// their order.
func TestClockOfLastQuote(t *testing.T) {
	ticks := map[forge.Alg]uint64{forge.SHA1: 30, forge.SHA256: 20, forge.SHA384: 10}
	res, err := verifyWith(t, forged(t, forge.Machine{Edits: editQuotes(func(q *forge.Quote) { q.Clock.Clock = ticks[q.Bank] })}), evidence.Expect{})
	if err != nil || res.Claims.TPM.Clock.Clock != "30" {
		t.Errorf("clock = %v, %v, want the latest of 30, 20 and 10", res.Claims.TPM.Clock, err)
	}
}

// refusedBy verifies evidence that one check must refuse.
func refusedBy(t *testing.T, e *forge.Evidence, check string) {
	t.Helper()
	res, err := verifyWith(t, e, evidence.Expect{})
	if err == nil || res.Claims != nil || checkOf(t, res, check).Status != evidence.Fail {
		t.Errorf("accepted or refused by another check than %s: %v", check, err)
	}
}

// TestBinaryHasOneReading spells values of a binary message in ways that leave
// its size alone.
func TestBinaryHasOneReading(t *testing.T) {
	e := forged(t, forge.Machine{Technology: forge.AMDSEVSNP})
	data, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][]byte{
		// an enum of -1 in five bytes reads as one of ten; a second ak_pub of three bytes makes up for it
		"enum beyond its type, field twice": slices.Concat([]byte{0x0a, 1, 1}, data, []byte{0x42, 10, 0x1a, 8, 0x0a, 6, 8, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		"field twice":                       slices.Concat(data, []byte{0x2a, 1, 1, 0x2a, 1, 1}),
		"map key twice":                     slices.Concat(data, []byte{0x12, 14, 0x1a, 12, 0x12, 4, 8, 1, 0x12, 0, 0x12, 4, 8, 1, 0x12, 0}),
		"map value before its key":          slices.Concat(data, []byte{0x12, 8, 0x1a, 6, 0x12, 4, 0x12, 0, 8, 1}),
		"both of a oneof":                   slices.Concat(data, []byte{0x42, 0, 0x4a, 0}),
		"default spelled out":               slices.Concat(data, []byte{0x22, 2, 0x18, 0}),
	} {
		_, err := verify(in, forgeTrust(t, e), evidence.Expect{Nonce: e.Nonce, Now: e.Now})
		if err == nil || !strings.Contains(err.Error(), "second reading") {
			t.Errorf("%s: %v, want the second reading refused", name, err)
		}
	}
}

// TestManyPCRs: entries of a map have no brace in JSON, and are bounded all the
// same.
func TestManyPCRs(t *testing.T) {
	e := forged(t, forge.Machine{})
	for i := range uint32(2000) {
		e.Attestation.Quotes[0].Pcrs.Pcrs[100+i] = nil
	}
	data, err := protojson.Marshal(e.Attestation)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Load(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("Load = %v, want the number of entries refused", err)
	}
	for i := range uint32(2000) {
		if i > 60 {
			delete(e.Attestation.Quotes[0].Pcrs.Pcrs, 100+i)
		}
	}
	res, err := verifyWith(t, e, evidence.Expect{})
	if err == nil || checkOf(t, res, "format.strict").Status != evidence.Fail {
		t.Errorf("85 PCRs: %v, want format.strict to fail", err)
	}
	for _, c := range res.Checks {
		if len(c.Detail) > 3000 {
			t.Errorf("%s says %d bytes", c.ID, len(c.Detail))
		}
	}
}

// TestForgeableIsComplete has the owner of a running VM do what he can: extend
// PCRs, add and relabel events, leave out logs. Every claim that changes must be
// listed as forgeable, or be gone.
func TestForgeableIsComplete(t *testing.T) {
	base := forge.Machine{Technology: forge.AMDSEV}
	honest, err := verifyWith(t, forged(t, base), evidence.Expect{})
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]func(*forge.Machine){}
	for _, pcr := range []uint32{0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 14, 16, 23} {
		for _, kind := range []uint32{0x0d, 0x80000003, 0x80000004, 0x80000007, 0x06, 0x80000001, 0x800000e0} {
			owner[fmt.Sprintf("extend PCR %d as %#x", pcr, kind)] = func(m *forge.Machine) {
				m.Edits.Events = func(events []forge.Event) []forge.Event {
					return append(slices.Clone(events), forge.Event{PCR: pcr, Type: kind, Data: []byte("kernel_cmdline: /evil"), Measured: []byte("/evil")})
				}
			}
		}
	}
	owner["unmeasured event"] = func(m *forge.Machine) {
		m.Edits.Log = func(l *forge.Log) error {
			zero := map[forge.Alg][]byte{}
			for _, b := range l.Banks {
				zero[b] = make([]byte, map[forge.Alg]int{forge.SHA1: 20, forge.SHA256: 32, forge.SHA384: 48}[b])
			}
			l.Events = append(l.Events, forge.Event{Type: 3, Data: []byte("hello"), Digests: zero})
			return nil
		}
	}
	owner["unknown type"] = func(m *forge.Machine) {
		m.Edits.Log = func(l *forge.Log) error {
			for i := range l.Events {
				if l.Events[i].PCR == 1 && l.Events[i].Type != 4 {
					l.Events[i].Type = 0x12345678
					return nil
				}
			}
			return nil
		}
	}
	changed := 0
	for name, edit := range owner {
		m := base
		edit(&m)
		res, err := verifyWith(t, forged(t, m), evidence.Expect{})
		if err != nil {
			continue // refusing is right
		}
		for p, v := range leaves(t, res.Claims) {
			if old, ok := leaves(t, honest.Claims)[p]; ok && old == v || !strings.HasPrefix(p, "boot.") && !strings.HasPrefix(p, "s") || strings.HasPrefix(p, "boot.forgeable") {
				continue
			}
			changed++
			if !slices.ContainsFunc(res.Claims.Boot.Forgeable, func(f string) bool { return p == f || strings.HasPrefix(p, f+".") }) {
				t.Errorf("%s changes claim %s to %q, which is not listed as forgeable", name, p, v)
			}
		}
	}
	if changed < 20 {
		t.Errorf("%d claims changed, the owner can do more", changed)
	}
}
