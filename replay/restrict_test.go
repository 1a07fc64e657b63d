package replay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
)

func TestCheckDigests(t *testing.T) {
	for _, name := range genuine {
		if err := mustParse(t, realLog(t, name)).CheckDigests(); err != nil {
			t.Errorf("%s: CheckDigests() = %v, a genuine log of Compute Engine has them all", name, err)
		}
	}
	base := takeApart(t, realLog(t, "eventlogwithsp800155"))
	noAction := base.find(t, func(e event) bool { return e.kind == 3 })
	for _, tc := range []struct {
		name string
		edit func(*logFile)
		want string
	}{
		{"digest left out", func(f *logFile) {
			f.events[5].digests = slices.Clone(f.events[5].digests)
			f.events[5].digests[1] = nil
		}, "no sha256 digest"},
		{"digest of what was not measured", func(f *logFile) {
			f.events[noAction].digests = slices.Clone(f.events[noAction].digests)
			f.events[noAction].digests[0] = slices.Repeat([]byte{1}, 20)
		}, "not zero"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := base.clone()
			tc.edit(&f)
			err := mustParse(t, f.encode()).CheckDigests()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("CheckDigests() = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestRestrict takes PCRs out of a genuine log: what they would have claimed is
// absent, and that they are out is no finding. An event that vanished from a
// PCR that is kept still is one.
func TestRestrict(t *testing.T) {
	l := mustParse(t, realLog(t, "ubuntu-2404-amd-sevsnp"))
	algs := []tpm.Alg{tpm.AlgSHA256}
	whole, _ := l.Boot(algs)
	if whole.Technology == "" || whole.SecureBoot.Enabled == nil || whole.Kernel == nil {
		t.Fatal("the whole log lacks what this test takes away")
	}
	boot, findings := l.Restrict(func(pcr int) bool { return pcr != 0 && pcr != 7 && pcr != 8 }).Boot(algs)
	if len(findings) > 0 {
		t.Errorf("findings in the rest: %v", findings)
	}
	if boot.Technology != "" || boot.SecureBoot.Enabled != nil || boot.Kernel != nil {
		t.Errorf("the rest claims technology %q, Secure Boot %v, kernel %v", boot.Technology, boot.SecureBoot.Enabled, boot.Kernel)
	}
	if !slices.Equal(boot.EFIApps, whole.EFIApps) {
		t.Errorf("EFI applications of the rest are %v, want those of the whole", boot.EFIApps)
	}
	none := l.Restrict(func(int) bool { return false })
	if boot, findings := none.Boot(algs); len(findings) > 0 || boot.GRUB != nil || boot.Forgeable != nil {
		t.Errorf("a log of no PCR claims %+v with findings %v", boot, findings)
	}
	if len(l.Events) != whole.Events {
		t.Error("Restrict changed the log it was called on")
	}
}
