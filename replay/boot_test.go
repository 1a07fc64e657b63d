package replay_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

var (
	guidGlobal        = []byte("\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c")
	guidImageSecurity = []byte("\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f")
	guidShim          = []byte("\x50\xab\x5d\x60\x46\xe0\x00\x43\xab\xb6\x3d\xd8\x10\xdd\x8b\x23")
	guidX509          = []byte("\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72")
	guidSHA256        = []byte("\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28")
)

// variableData encodes a UEFI_VARIABLE_DATA.
func variableData(guid []byte, name string, data []byte) []byte {
	units := utf16.Encode([]rune(name))
	out := slices.Clone(guid)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(units)))
	out = binary.LittleEndian.AppendUint64(out, uint64(len(data)))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return append(out, data...)
}

// signatureList encodes an EFI_SIGNATURE_LIST of entries of one size.
func signatureList(kind, header []byte, entries ...[]byte) []byte {
	size := 16 + len(entries[0])
	out := slices.Clone(kind)
	out = binary.LittleEndian.AppendUint32(out, uint32(28+len(header)+size*len(entries)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	out = binary.LittleEndian.AppendUint32(out, uint32(size))
	out = append(out, header...)
	for _, e := range entries {
		out = append(append(out, bytes.Repeat([]byte{0x11}, 16)...), e...)
	}
	return out
}

// genuine are the logs that have to pass without a finding: all of GCE's.
var genuine = []string{
	"cos-85-amd-sev", "cos-93-amd-sev", "cos-101-amd-sev", "cos-121-amd-sev", "cos-125-intel-tdx-secure-boot",
	"confidential-gke-debug-251000_eventlog", "cs251200tpm", "eventlogwithsp800155", "rhel8-uefi", "ubuntu-1804-amd-sev",
	"ubuntu-2104-no-dbx", "ubuntu-2104-no-secure-boot", "ubuntu-2404-amd-sevsnp", "ubuntu-2404-intel-tdx",
	"coreos_36_shielded_vm_no_secure_boot_eventlog",
}

func TestBootGenuine(t *testing.T) {
	for _, name := range genuine {
		t.Run(name, func(t *testing.T) {
			l := mustParse(t, realLog(t, name))
			boot, findings := l.Boot([]tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA1, tpm.AlgSHA384})
			for _, f := range findings {
				t.Errorf("finding: %v", f)
			}
			if boot.Technology == "" || boot.Firmware.GCEVersion == nil || boot.SecureBoot.Enabled == nil ||
				boot.Kernel == nil || boot.GRUB == nil || len(boot.EFIApps)+len(boot.DeviceImages) < 2 ||
				boot.SecureBoot.DBX == nil || boot.Attempts == 0 || !boot.ExitBootServices.Succeeded {
				t.Errorf("Boot lacks a part: %+v", boot)
			}
			for _, part := range []string{"boot.efi_apps", "boot.grub", "boot.kernel"} {
				if !slices.Contains(boot.Forgeable, part) {
					t.Errorf("Forgeable = %q, want %q in it", boot.Forgeable, part)
				}
			}
		})
	}
	// SHA-1 only, and without GRUB.
	boot, findings := mustParse(t, realLog(t, "debian-10")).Boot([]tpm.Alg{tpm.AlgSHA1})
	if len(findings) != 0 || boot.Technology != "NONE" || boot.Kernel != nil || boot.GRUB != nil {
		t.Errorf("Boot of debian-10 = %+v, %v, want technology NONE and no GRUB", boot, findings)
	}
}

func TestBootValues(t *testing.T) {
	boot, findings := mustParse(t, realLog(t, "ubuntu-2404-amd-sevsnp")).Boot([]tpm.Alg{tpm.AlgSHA256})
	if len(findings) > 0 {
		t.Fatalf("Boot = %v, want no findings", findings)
	}
	type row struct {
		name      string
		got, want any
	}
	rows := []row{
		{"Technology", boot.Technology, "AMD_SEV_SNP"},
		{"SCRTMVersion", boot.Firmware.SCRTMVersion, "GCE Virtual Firmware v2"},
		{"GCEVersion", *boot.Firmware.GCEVersion, uint32(2)},
		{"Enabled", *boot.SecureBoot.Enabled, false},
		{"len(DBX)", len(boot.SecureBoot.DBX.Signatures), 371},
		{"SBATLevel", boot.SecureBoot.SBATLevel, "sbat,1,2021030218"},
		{"Attempts", boot.Attempts, 1},
		{"len(EFIApps)", len(boot.EFIApps), 2},
		{"ExitBootServices", boot.ExitBootServices, replay.ExitBootServices{Invoked: true, Succeeded: true, Failed: true}},
		{"len(Commands)", len(boot.GRUB.Commands), 71},
		{"Tagged", boot.Tagged[0].ID, "0x8f3b22ed"},
		{"Kernel", strings.HasPrefix(boot.Kernel.CommandLine, "/vmlinuz-6.8.0-1010-gcp root=PARTUUID="), true},
		{"MOK", boot.SecureBoot.MOK.Lists[1].UntrustedName, "MokListX"},
		{"PK subject", boot.SecureBoot.PK.Signatures[0].Subject, "CN=newpk"},
		{"PK", boot.SecureBoot.PK.Signatures[0].SHA256, "d1d217acf60ba4e4a890210322d006d673c0b82de9d65ad7f2d55897635429e2"},
		{"ValidationDisabled", boot.SecureBoot.MOK.ValidationDisabled == nil, true},
	}
	for _, r := range rows {
		if !reflect.DeepEqual(r.got, r.want) {
			t.Errorf("%s = %v, want %v", r.name, r.got, r.want)
		}
	}
	boot, _ = mustParse(t, realLog(t, "cos-125-intel-tdx-secure-boot")).Boot([]tpm.Alg{tpm.AlgSHA384})
	if boot.Attempts != 17 || len(boot.EFIApps) != 2 || len(boot.DeviceImages) != 1 {
		t.Errorf("Boot of cos-125 = %d attempts, %d apps, %d device images, want 17, 2, 1",
			boot.Attempts, len(boot.EFIApps), len(boot.DeviceImages))
	}
	if s := boot.SecureBoot; *s.MOK.ListTrusted != true || len(s.Authority) != 2 || s.Authority[0].SHA256 != s.DB.Signatures[0].SHA256 {
		t.Errorf("SecureBoot of cos-125 = %+v, want a trusted list and two uses of the db key", s)
	}
}

func TestBootNeedsBanks(t *testing.T) {
	l := mustParse(t, realLog(t, "cos-85-amd-sev"))
	for _, algs := range [][]tpm.Alg{nil, {tpm.AlgSHA512}, {tpm.AlgSHA256, tpm.AlgSHA512}, {tpm.AlgNull}} {
		boot, findings := l.Boot(algs)
		if len(findings) == 0 || boot == nil || boot.Technology != "" {
			t.Errorf("Boot(%v) = %+v, %v, want an empty Boot and a finding", algs, boot, findings)
		}
	}
}

// change is an edit of a log with quotes made after it, as by an owner of the
// machine who extends PCRs, or by other firmware.
type change struct {
	name string
	log  string // default: cos-85-amd-sev
	edit func(t *testing.T, f *logFile)
	want string // a finding; "" if none
	boot func(*replay.Boot) bool
}

func (c change) run(t *testing.T) {
	t.Helper()
	name := c.log
	if name == "" {
		name = "cos-85-amd-sev"
	}
	f := takeApart(t, realLog(t, name)).clone()
	c.edit(t, &f)
	boot, findings := mustParse(t, f.encode()).Boot([]tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA1})
	var texts []string
	for _, x := range findings {
		texts = append(texts, x.String())
	}
	all := strings.Join(texts, "\n")
	if c.want == "" && all != "" || !strings.Contains(all, c.want) {
		t.Errorf("Boot findings = %q, want %q", all, c.want)
	}
	if c.boot != nil && !c.boot(boot) {
		t.Errorf("Boot = %+v, not as expected", boot)
	}
}

// at returns the number of the first separator of a PCR.
func separatorOf(t *testing.T, f *logFile, pcr int) int {
	t.Helper()
	return f.find(t, func(e event) bool { return e.pcr == pcr && e.kind == evSeparator })
}

// replace measures data in place of the first event of PCR 7 that measures the
// variable.
func replaceVariable(name string, data []byte) func(*testing.T, *logFile) {
	return func(t *testing.T, f *logFile) {
		t.Helper()
		i := f.find(t, func(e event) bool {
			return e.pcr == 7 && bytes.HasPrefix(e.data[32:], variableData(nil, name, nil)[16:])
		})
		f.events = slices.Delete(f.events, i, i+1)
		if data != nil {
			f.measure(i, 7, evConfig, data)
		}
	}
}

func TestBootSemantics(t *testing.T) {
	insert := func(pcr int, after bool, kind uint32, data []byte) func(*testing.T, *logFile) {
		return func(t *testing.T, f *logFile) {
			t.Helper()
			at := separatorOf(t, f, pcr)
			if after {
				at++
			}
			f.measure(at, pcr, kind, data)
		}
	}
	appendTo := func(pcr int, kind uint32, data, content []byte) func(*testing.T, *logFile) {
		return func(_ *testing.T, f *logFile) { f.extend(len(f.events), pcr, kind, data, content) }
	}
	setSeparator := func(pcr int, data []byte) func(*testing.T, *logFile) {
		return func(t *testing.T, f *logFile) {
			t.Helper()
			i := separatorOf(t, f, pcr)
			f.events = slices.Delete(f.events, i, i+1)
			if data != nil {
				f.measure(i, pcr, evSeparator, data)
			}
		}
	}
	info := func(technology byte) []byte {
		b := make([]byte, 32)
		b[copy(b, "GCE NonHostInfo\x00")] = technology
		return b
	}
	image := make([]byte, 32)
	changes := []change{
		{name: "unchanged", edit: func(*testing.T, *logFile) {}},
		{name: "no separator in PCR 3", edit: setSeparator(3, nil), want: "PCR 3: no separator"},
		{name: "two separators in PCR 6", edit: insert(6, true, evSeparator, make([]byte, 4)), want: "PCR 6: second separator"},
		{name: "error separator", edit: setSeparator(2, []byte{1, 0, 0, 0}), want: "reports an error", boot: func(b *replay.Boot) bool { return b.ErrorSeparator }},
		{name: "error separator of TPM 1.2", edit: setSeparator(7, []byte{255, 255, 255, 255}), want: "reports an error", boot: func(b *replay.Boot) bool { return b.ErrorSeparator }},
		{name: "separator of other content", edit: insert(1, false, evSeparator, []byte("WBCL")), want: "its content is no separator"},

		{name: "technology absent", edit: func(t *testing.T, f *logFile) { t.Helper(); f.events = slices.Delete(f.events, 1, 2) }, boot: func(b *replay.Boot) bool { return b.Technology == "" }},
		{name: "technology twice", edit: insert(0, false, 0x11, info(4)), want: "second non-host info"},
		{name: "technology after the separator", edit: insert(0, true, 0x11, info(4)), want: "non-host info after the separator"},
		{name: "technology unknown", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events = slices.Delete(f.events, 1, 2)
			f.measure(1, 0, 0x11, info(5))
		}, want: "unknown confidential computing technology 5", boot: func(b *replay.Boot) bool { return b.Technology == "" }},
		{name: "technology of 17 bytes", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events = slices.Delete(f.events, 1, 2)
			f.measure(1, 0, 0x11, info(1)[:17])
		}, want: "non-host info has 17 bytes"},
		{name: "technology text changed", edit: func(t *testing.T, f *logFile) { t.Helper(); f.events[1].data = info(4) }, want: "not what was measured"},
		{name: "technology text hidden", edit: func(t *testing.T, f *logFile) { t.Helper(); f.events[1].data = []byte("x") }, want: "well-known content", boot: func(b *replay.Boot) bool { return b.Technology == "" }},
		{name: "firmware version twice", edit: insert(0, false, 8, utf16le("GCE Virtual Firmware v2\x00")), want: "second firmware version"},
		{name: "firmware version after the separator", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			version := f.events[0]
			f.events = slices.Delete(f.events, 0, 1)
			f.events = append(f.events, version)
		}, want: "firmware version after the separator"},
		{name: "firmware version changed", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events[0].data = utf16le("GCE Virtual Firmware v2\x00")
		}, want: "firmware version is not what was measured"},
		{name: "firmware version with leading zero", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events = slices.Delete(f.events, 0, 1)
			f.measure(0, 0, 8, utf16le("GCE Virtual Firmware v02\x00"))
		}, boot: func(b *replay.Boot) bool { return b.Firmware.GCEVersion == nil }},
		{name: "opaque event in PCR 0 of Google's firmware", edit: appendTo(0, 1, []byte("x"), []byte("y")), want: "as it is in all of Google's firmware"},

		{name: "image appended", edit: appendTo(4, evApplication, image, []byte("PE")), boot: func(b *replay.Boot) bool {
			return len(b.EFIApps) == 4 && slices.Contains(b.Forgeable, "boot.efi_apps")
		}},
		{name: "unknown string in PCR 4", edit: appendTo(4, evAction, []byte("Booting nothing"), []byte("Booting nothing")), want: "neither an image nor a known action"},
		{name: "second calling", edit: insert(4, true, evAction, []byte("Calling EFI Application from Boot Option")), want: "before the one before it returned"},
		{name: "returning only", edit: appendTo(4, evAction, []byte("Returning from EFI Application from Boot Option"), []byte("Returning from EFI Application from Boot Option")), want: "the last boot option returned", boot: func(b *replay.Boot) bool { return b.EFIApps == nil }},
		{name: "two attempts", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			at := separatorOf(t, f, 4) + 1
			f.extend(at, 4, evApplication, image, []byte("failed loader"))
			f.measure(at+1, 4, evAction, []byte("Returning from EFI Application from Boot Option"))
			f.measure(at+2, 4, evAction, []byte("Calling EFI Application from Boot Option"))
		}, boot: func(b *replay.Boot) bool { return b.Attempts == 2 && len(b.EFIApps) == 3 }},
		{name: "action hidden", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events[f.find(t, func(e event) bool { return e.pcr == 4 && e.kind == evAction })].data = image
		}, want: "well-known content"},
		{name: "image load event of 31 bytes", edit: appendTo(4, evApplication, image[:31], []byte("PE")), want: "device path length needs 8 bytes"},
		{name: "image load event with 10 bytes more", edit: appendTo(4, evApplication, make([]byte, 42), []byte("PE")), want: "10 bytes follow the device path"},
		{name: "no ExitBootServices", edit: func(_ *testing.T, f *logFile) {
			f.events = slices.DeleteFunc(f.events, func(e event) bool { return bytes.HasPrefix(e.data, []byte("Exit Boot Services")) })
		}, boot: func(b *replay.Boot) bool {
			return b.EFIApps == nil && b.ExitBootServices == replay.ExitBootServices{} && !slices.Contains(b.Forgeable, "boot.efi_apps")
		}},
		{name: "driver in PCR 2", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.extend(separatorOf(t, f, 2), 2, 0x80000004, image, []byte("option ROM"))
		}, boot: func(b *replay.Boot) bool { return len(b.Drivers) == 1 }},

		{name: "second kernel", edit: appendTo(8, evIPL, []byte("kernel_cmdline: evil\x00"), []byte("evil")), want: "second kernel command line", boot: func(b *replay.Boot) bool { return b.Kernel == nil }},
		{name: "second kernel, older words", edit: appendTo(8, evIPL, []byte("grub_kernel_cmdline evil\x00"), []byte("evil")), want: "second kernel command line"},
		{name: "command not measured", edit: appendTo(8, evIPL, []byte("grub_cmd: a\x00"), []byte("b")), want: "the digest is not that of the string"},
		{name: "command with its NUL measured", edit: appendTo(8, evIPL, []byte("grub_cmd a\x00"), []byte("a\x00"))},
		{name: "command without NUL", edit: appendTo(8, evIPL, []byte("grub_cmd: a"), []byte("a"))},
		{name: "command with two NULs", edit: appendTo(8, evIPL, []byte("grub_cmd: a\x00\x00"), []byte("a\x00")), want: "not printable UTF-8"},
		{name: "unknown words", edit: appendTo(8, evIPL, []byte("initrd=\x00"), []byte("initrd=")), want: "does not start as GRUB's do"},
		{name: "command with escape", edit: appendTo(8, evIPL, []byte("grub_cmd: \x1b[31m\x00"), []byte("\x1b[31m")), want: "not printable UTF-8"},
		{name: "command not UTF-8", edit: appendTo(8, evIPL, []byte("grub_cmd: \xff\x00"), []byte("\xff")), want: "not printable UTF-8"},
		{name: "tagged event in PCR 8", edit: appendTo(8, evEventTag, []byte("\x01\x00\x00\x00\x01\x00\x00\x00x"), []byte("x")), want: "type is EV_EVENT_TAG"},
		{name: "tagged event in PCR 9", edit: appendTo(9, evEventTag, []byte("\xec\x22\x3b\x8f\x01\x00\x00\x00x"), []byte("x")), boot: func(b *replay.Boot) bool {
			return len(b.Tagged) == 1 && b.Tagged[0].ID == "0x8f3b22ec" && slices.Contains(b.Forgeable, "boot.tagged")
		}},
		{name: "tagged event that is too long", edit: appendTo(9, evEventTag, []byte("\xec\x22\x3b\x8f\x01\x00\x00\x00xy"), []byte("x")), want: "type is EV_EVENT_TAG"},
		{name: "file with control characters", edit: appendTo(9, evIPL, []byte("\x1b[0m\x00"), []byte("x")), want: "not printable UTF-8"},
		{name: "unknown type in PCR 14", edit: appendTo(14, 0x800000F0, []byte("MokList\x00"), []byte("x")), want: "type 0x800000f0 is not defined"},
		{name: "unknown type in PCR 1", edit: appendTo(1, 0x800000F0, []byte("x"), []byte("x")), boot: func(b *replay.Boot) bool {
			return len(b.UnknownEvents) == 1 && b.UnknownEvents[0].Type == "0x800000f0" && b.UnknownEvents[0].PCR == 1
		}},
		{name: "banks disagree", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.events[1].digests = slices.Clone(f.events[1].digests)
			f.events[1].digests[0] = make([]byte, 20)
		}, want: "another bank measured something else"},
	}
	for _, c := range changes {
		t.Run(c.name, c.run)
	}
}

func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
