package replay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
)

const (
	kindVariable = 0x80000001
	kindAction   = 0x80000007
	kindDriver   = 0x80000004
)

// findingsOf edits a genuine log and returns what Boot finds in it.
func findingsOf(t *testing.T, edit func(*logFile)) string {
	t.Helper()
	f := takeApart(t, realLog(t, "ubuntu-2404-amd-sevsnp")).clone()
	edit(&f)
	_, findings := mustParse(t, f.encode()).Boot([]tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA384})
	var all strings.Builder
	for _, x := range findings {
		all.WriteString(x.String() + "\n")
	}
	return all.String()
}

// separator returns the number of the separator of a PCR.
func separator(t *testing.T, f *logFile, pcr int) int {
	t.Helper()
	return f.find(t, func(e event) bool { return e.pcr == pcr && e.kind == 4 })
}

// TestVariableTwice measures each Secure Boot variable a second time.
func TestVariableTwice(t *testing.T) {
	for _, name := range []string{"SecureBoot", "PK", "KEK", "db", "dbx"} {
		got := findingsOf(t, func(f *logFile) {
			first := f.find(t, func(e event) bool {
				return e.pcr == 7 && e.kind == kindVariable && strings.Contains(string(e.data), encodeName(name))
			})
			f.events = slices.Insert(f.events, first+1, f.events[first])
		})
		if !strings.Contains(got, "measured twice") {
			t.Errorf("%s twice: findings %q", name, got)
		}
	}
}

// encodeName is a variable's name as it stands behind its two lengths.
func encodeName(name string) string {
	var b strings.Builder
	for _, c := range name {
		b.WriteRune(c)
		b.WriteByte(0)
	}
	return b.String()
}

// TestFirmwareActions: what firmware says of itself counts before the
// separator of PCR 7, and behind it somebody else says it.
func TestFirmwareActions(t *testing.T) {
	for _, action := range []string{"UEFI Debug Mode", "DMA Protection Disabled"} {
		f := takeApart(t, realLog(t, "ubuntu-2404-amd-sevsnp"))
		honest, _ := mustParse(t, f.encode()).Boot([]tpm.Alg{tpm.AlgSHA256})
		if honest.UEFIDebug == nil || *honest.UEFIDebug || honest.DMAProtectionDisabled == nil || *honest.DMAProtectionDisabled {
			t.Fatal("a whole PCR 7 without the actions does not say that they are false")
		}
		at := separator(t, &f, 7)
		before := f.clone()
		before.measure(at, 7, kindAction, []byte(action))
		boot, findings := mustParse(t, before.encode()).Boot([]tpm.Alg{tpm.AlgSHA256})
		said := map[string]*bool{"UEFI Debug Mode": boot.UEFIDebug, "DMA Protection Disabled": boot.DMAProtectionDisabled}[action]
		if len(findings) > 0 || said == nil || !*said {
			t.Errorf("%q before the separator: %v, findings %v", action, said, findings)
		}
		if got := findingsOf(t, func(f *logFile) { f.measure(at+1, 7, kindAction, []byte(action)) }); !strings.Contains(got, "after the separator") {
			t.Errorf("%q after the separator: findings %q", action, got)
		}
	}
}

// TestHiddenDriver logs an image's bytes where firmware logs what it knows of
// one: the digest is then that of the data, and the image would not be listed.
func TestHiddenDriver(t *testing.T) {
	got := findingsOf(t, func(f *logFile) {
		f.measure(separator(t, f, 2), 2, kindDriver, []byte("MZ\x90\x00 and the rest of the image"))
	})
	if !strings.Contains(got, "the data is an image") {
		t.Errorf("findings %q, want the image found", got)
	}
}

// TestDigestMissingInVerifiedBank takes one digest of one event away.
func TestDigestMissingInVerifiedBank(t *testing.T) {
	got := findingsOf(t, func(f *logFile) {
		at := f.find(t, func(e event) bool { return e.pcr == 9 })
		f.events[at].digests = slices.Clone(f.events[at].digests)
		f.events[at].digests[2] = nil
	})
	if !strings.Contains(got, "no digest in one of the verified banks") {
		t.Errorf("findings %q, want the missing digest", got)
	}
}
