package replay_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// knownTypes are all types that have a name.
func knownTypes() []replay.EventType {
	var kinds []replay.EventType
	for _, r := range [][2]uint32{{0, 0x20}, {0x10000000, 0x10000001}, {0x80000000, 0x80000100}} {
		for kind := r[0]; kind < r[1]; kind++ {
			if k := replay.EventType(kind); k.Known() {
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// TestEventRetyped gives every event every other type. The type is not
// measured, so the quote stays right: the result has to be an error or the very
// same claims (EL-03, EL-10, EL-17, EL-27).
func TestEventRetyped(t *testing.T) {
	kinds := knownTypes()
	if len(kinds) < 40 {
		t.Fatalf("%d known types, want at least 40", len(kinds))
	}
	kinds = append(kinds, 0x800000F0) // and one that nobody knows
	for _, name := range []string{"cos-85-amd-sev", "rhel8-uefi", "ubuntu-2404-amd-sevsnp", "cos-125-intel-tdx-secure-boot"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := realLog(t, name)
			quoted := quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})
			want, err := appraise(raw, quoted)
			if err != nil {
				t.Fatalf("appraise = %v, want nil", err)
			}
			f := takeApart(t, raw)
			refused, same := 0, 0
			for i, e := range f.events {
				for _, kind := range kinds {
					if uint32(kind) == e.kind {
						continue
					}
					f.events[i].kind = uint32(kind)
					got, err := appraise(f.encode(), quoted)
					if err != nil {
						refused++
						continue
					}
					same++
					got.UnknownEvents = nil // lists the event, in a PCR that decides nothing
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("event %d (PCR %d) as %v instead of %v: other claims without an error", i, e.pcr, kind, replay.EventType(e.kind))
					}
				}
				f.events[i].kind = e.kind
			}
			// PCR 1 to 3, 5 and 6 hold little that decides a claim; everything else does.
			if refused < 2*same {
				t.Errorf("%d retyped logs refused, %d with the same claims: too few are refused", refused, same)
			}
		})
	}
}

// TestEventDataChanged changes the data of every event, byte by byte at three
// places. Where the data is measured that is a finding; where it is not, nothing
// but the fields called Untrusted may change.
func TestEventDataChanged(t *testing.T) {
	trusted := func(b *replay.Boot) *replay.Boot {
		// An event of PCR 2 whose data was changed cannot be told from code.
		b.Drivers, b.DeviceImages, b.Forgeable = nil, nil, nil
		for i := range b.GRUB.Files {
			b.GRUB.Files[i].UntrustedName = ""
		}
		for i := range b.SecureBoot.MOK.Lists {
			b.SecureBoot.MOK.Lists[i].UntrustedName = ""
		}
		for i := range b.Tagged {
			b.Tagged[i].ID = ""
		}
		return b
	}
	for _, name := range []string{"cos-85-amd-sev", "ubuntu-2404-amd-sevsnp", "cos-125-intel-tdx-secure-boot"} {
		raw := realLog(t, name)
		quoted := quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})
		want, err := appraise(raw, quoted)
		if err != nil {
			t.Fatalf("appraise = %v, want nil", err)
		}
		want = trusted(want)
		f := takeApart(t, raw)
		for i, e := range f.events {
			for _, at := range []int{0, len(e.data) / 2, len(e.data) - 1} {
				data := slices.Clone(e.data)
				data[at] ^= 1
				f.events[i].data = data
				got, err := appraise(f.encode(), quoted)
				if err != nil {
					continue
				}
				if e.pcr == 0 && e.kind != evNoAction || e.pcr == 7 && at < len(e.data)-1 {
					t.Errorf("%s: event %d of PCR %d with byte %d changed: appraise = nil, want an error", name, i, e.pcr, at)
				}
				if got = trusted(got); !reflect.DeepEqual(got, want) && !onlyPrefix(got, want) {
					t.Errorf("%s: event %d of PCR %d with byte %d changed: other claims without an error", name, i, e.pcr, at)
				}
			}
			f.events[i].data = e.data
		}
	}
}

// onlyPrefix reports whether the claims differ at most in what GRUB's unmeasured
// words decide; TestCommandLineForged shows that this is marked.
func onlyPrefix(got, want *replay.Boot) bool {
	a, b := *got, *want
	a.Kernel, b.Kernel = nil, nil
	return reflect.DeepEqual(a, b)
}

// TestCommandLineForged is EL-47: the words in front of GRUB's strings are
// swapped in the file. No PCR changes, so the claim can only be marked.
func TestCommandLineForged(t *testing.T) {
	for _, name := range []string{"ubuntu-2404-amd-sevsnp", "cos-101-amd-sev", "rhel8-uefi"} {
		raw := realLog(t, name)
		quoted := quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})
		f := takeApart(t, raw)
		words := [2]string{"grub_cmd: ", "kernel_cmdline: "}
		if name == "rhel8-uefi" {
			words = [2]string{"grub_cmd ", "grub_kernel_cmdline "}
		}
		kernel := f.find(t, func(e event) bool { return strings.HasPrefix(string(e.data), words[1]) })
		command := f.find(t, func(e event) bool { return strings.HasPrefix(string(e.data), words[0]) })
		if words[0] == "grub_cmd " {
			// Fedora's older GRUB measures the final NUL of commands only: another way to tell.
			command = kernel - 3
		}
		f.events[kernel].data = []byte(strings.Replace(string(f.events[kernel].data), words[1], words[0], 1))
		f.events[command].data = []byte(strings.Replace(string(f.events[command].data), words[0], words[1], 1))
		boot, err := appraise(f.encode(), quoted)
		if err != nil {
			continue
		}
		if !slices.Contains(boot.Forgeable, "boot.kernel") || !slices.Contains(boot.Forgeable, "boot.grub") {
			t.Errorf("%s: forged command line %q is not marked: %q", name, boot.Kernel.CommandLine, boot.Forgeable)
		}
		honest, err := appraise(raw, quoted)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(boot.GRUB.Commands, honest.GRUB.Commands) {
			t.Errorf("%s: the measured strings changed with the unmeasured words", name)
		}
	}
}

// TestCommandLineHidden is F3: the real command line becomes a tagged event,
// and the owner of the machine extends PCR 8 with a nicer one.
func TestCommandLineHidden(t *testing.T) {
	f := takeApart(t, realLog(t, "ubuntu-2404-amd-sevsnp")).clone()
	kernel := f.find(t, func(e event) bool { return bytes.HasPrefix(e.data, []byte("kernel_cmdline: ")) })
	f.events[kernel].kind = evEventTag
	f.events[kernel].data = []byte("\xed\x22\x3b\x8f\x01\x00\x00\x00x")
	f.extend(len(f.events), 8, evIPL, []byte("kernel_cmdline: nice\x00"), []byte("nice"))
	raw := f.encode()
	if boot, err := appraise(raw, quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})); err == nil {
		t.Errorf("appraise = %+v, nil, want an error", boot.Kernel)
	}
}

// TestEventsMoved swaps events of different PCRs in the file, which no PCR can
// show: the claims must not change.
func TestEventsMoved(t *testing.T) {
	raw := realLog(t, "ubuntu-2404-amd-sevsnp")
	quoted := quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})
	want, err := appraise(raw, quoted)
	if err != nil {
		t.Fatal(err)
	}
	f := takeApart(t, raw)
	slices.SortStableFunc(f.events, func(a, b event) int { return b.pcr - a.pcr })
	got, err := appraise(f.encode(), quoted)
	if err != nil {
		t.Fatalf("appraise = %v, want nil", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the order of events across PCRs decides a claim")
	}
}

// TestAppsForged is EL-04: an application is added to PCR 4 after the boot. It
// is listed, and the list is marked.
func TestAppsForged(t *testing.T) {
	f := takeApart(t, realLog(t, "ubuntu-2404-amd-sevsnp")).clone()
	f.extend(30, 4, evApplication, make([]byte, 32), []byte("nice.efi"))
	raw := f.encode()
	boot, err := appraise(raw, quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256}))
	if err != nil {
		t.Fatalf("appraise = %v, want nil", err)
	}
	if len(boot.EFIApps) != 3 || !slices.Contains(boot.Forgeable, "boot.efi_apps") {
		t.Errorf("appraise = %d apps, forgeable %q, want 3 and boot.efi_apps", len(boot.EFIApps), boot.Forgeable)
	}
}
