package snp_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestReportEncodesBack(t *testing.T) {
	for _, it := range items {
		raw := it.raw(t)
		r, err := snp.ParseReport(raw)
		if err != nil {
			t.Fatalf("ParseReport(%s): %v", it.report, err)
		}
		if got := encode(t, r); !bytes.Equal(got, raw) {
			t.Errorf("%s: encoding gives\n%x, want\n%x", it.report, got, raw)
		}
	}
}

// TestReportOffsets checks each field where AMD 56860 puts it.
func TestReportOffsets(t *testing.T) {
	raw := encode(t, newReport(mintMilan))
	for _, tt := range []struct {
		name   string
		off    int
		get    func(*snp.Report) []byte
		length int
	}{
		{"family id", 0x010, func(r *snp.Report) []byte { return r.FamilyID[:] }, 16},
		{"image id", 0x020, func(r *snp.Report) []byte { return r.ImageID[:] }, 16},
		{"report data", 0x050, func(r *snp.Report) []byte { return r.ReportData[:] }, 64},
		{"measurement", 0x090, func(r *snp.Report) []byte { return r.Measurement[:] }, 48},
		{"host data", 0x0C0, func(r *snp.Report) []byte { return r.HostData[:] }, 32},
		{"id key digest", 0x0E0, func(r *snp.Report) []byte { return r.IDKeyDigest[:] }, 48},
		{"author key digest", 0x110, func(r *snp.Report) []byte { return r.AuthorKeyDigest[:] }, 48},
		{"report id", 0x140, func(r *snp.Report) []byte { return r.ReportID[:] }, 32},
		{"report id ma", 0x160, func(r *snp.Report) []byte { return r.ReportIDMA[:] }, 32},
		{"chip id", 0x1A0, func(r *snp.Report) []byte { return r.ChipID[:] }, 64},
		{"signature r", 0x2A0, func(r *snp.Report) []byte { return r.SignatureR[:] }, 72},
		{"signature s", 0x2E8, func(r *snp.Report) []byte { return r.SignatureS[:] }, 72},
		{"current tcb", 0x038, number(func(r *snp.Report) uint64 { return uint64(r.CurrentTCB) }), 8},
		{"reported tcb", 0x180, number(func(r *snp.Report) uint64 { return uint64(r.ReportedTCB) }), 8},
		{"committed tcb", 0x1E0, number(func(r *snp.Report) uint64 { return uint64(r.CommittedTCB) }), 8},
		{"launch tcb", 0x1F0, number(func(r *snp.Report) uint64 { return uint64(r.LaunchTCB) }), 8},
		{"launch mitigations", 0x1F8, number(func(r *snp.Report) uint64 { return r.LaunchMitigations }), 8},
		{"current mitigations", 0x200, number(func(r *snp.Report) uint64 { return r.CurrentMitigations }), 8},
		{"guest svn", 0x004, number(func(r *snp.Report) uint64 { return uint64(r.GuestSVN) }), 4},
		{"vmpl", 0x030, number(func(r *snp.Report) uint64 { return uint64(r.VMPL) }), 4},
		{"algorithm", 0x034, number(func(r *snp.Report) uint64 { return uint64(r.SignatureAlgorithm) }), 4},
		{"cpuid", 0x188, func(r *snp.Report) []byte { return []byte{r.CPUID.Family, r.CPUID.Model, r.CPUID.Stepping} }, 3},
		{"current", 0x1E8, func(r *snp.Report) []byte { return []byte{r.Current.Build, r.Current.Minor, r.Current.Major} }, 3},
		{"committed", 0x1EC, func(r *snp.Report) []byte { return []byte{r.Committed.Build, r.Committed.Minor, r.Committed.Major} }, 3},
	} {
		in := bytes.Clone(raw)
		for i := range tt.length {
			in[tt.off+i] = byte(0xA0 + i)
		}
		r, err := snp.ParseReport(in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got, want := tt.get(r), in[tt.off:tt.off+tt.length]; !bytes.Equal(got[:tt.length], want) {
			t.Errorf("%s = %x, want %x", tt.name, got, want)
		}
		in[tt.off] ^= 1
		if bytes.Equal(encode(t, r), in) {
			t.Errorf("%s: the report shares memory with its input", tt.name)
		}
	}
}

func number(get func(*snp.Report) uint64) func(*snp.Report) []byte {
	return func(r *snp.Report) []byte { return binary.LittleEndian.AppendUint64(nil, get(r)) }
}

// TestReservedBytes sets each bit of each byte, for every version. A bit is
// refused if it is reserved in that version and only then.
func TestReservedBytes(t *testing.T) {
	for version := uint32(snp.MinVersion); version <= snp.MaxVersion; version++ {
		base := newReport(mintMilan)
		base.Version = version
		if version < 3 {
			base.CPUID = snp.CPUID{}
		}
		raw := encode(t, base)
		for bit := range len(raw) * 8 {
			if bit < 32 {
				continue // the version itself
			}
			in := bytes.Clone(raw)
			in[bit/8] ^= 1 << (bit % 8)
			_, err := snp.ParseReport(in)
			if want := reservedBit(version, bit); (err != nil) != want {
				t.Fatalf("version %d, byte 0x%03x bit %d: error %v, reserved %v", version, bit/8, bit%8, err, want)
			}
		}
	}
}

func reservedBit(version uint32, bit int) bool {
	within := func(from, to int) bool { return bit >= from*8 && bit < to*8 }
	switch {
	case within(0x008, 0x010): // policy
		return bit-0x008*8 == 17 || bit-0x008*8 >= 26
	case within(0x048, 0x04C): // key information
		return bit-0x048*8 >= 3 // the lone bits 3 and 4 are the signing keys 2 and 4
	case within(0x188, 0x18B):
		return version < 3
	case within(0x1F8, 0x208):
		return version < 5
	default:
		return within(0x04C, 0x050) || within(0x18B, 0x1A0) || within(0x1EB, 0x1EC) || within(0x1EF, 0x1F0) ||
			within(0x208, 0x2A0) || within(0x330, 0x4A0)
	}
}

func TestParseReportRefuses(t *testing.T) {
	raw := encode(t, newReport(mintMilan))
	version := func(v uint32) []byte {
		in := bytes.Clone(raw)
		binary.LittleEndian.PutUint32(in, v)
		return in
	}
	for _, tt := range []struct {
		name, want string
		in         []byte
	}{
		{"nothing", "has 0 bytes, want 1184", nil},
		{"short", "has 1183 bytes, want 1184", raw[:len(raw)-1]},
		{"long", "has 1185 bytes, want 1184", append(bytes.Clone(raw), 0)},
		{"version 0", "version 0, want 2 to 5", version(0)},
		{"version 1", "version 1, want 2 to 5", version(1)},
		{"version 6", "version 6, want 2 to 5", version(6)},
		{"version 2 with cpuid", "byte 0x188 is 0x19, but 0x188 to 0x19f are reserved", version(2)},
	} {
		r, err := snp.ParseReport(tt.in)
		if r != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: ParseReport = %v, %v, want an error with %q", tt.name, r, err, tt.want)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	raw := encode(t, newReport(mintMilan))
	for k := range byte(8) {
		raw[0x48] = k << 2
		_, err := snp.ParseReport(raw)
		if reserved := k > 1 && k < 7; (err != nil) != reserved || reserved && !strings.Contains(err.Error(), "signing key is reserved") {
			t.Errorf("signing key %d: %v", k, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for name, r := range map[string]*snp.Report{
		"zero":                       {},
		"version 6":                  {Version: 6},
		"version 2 with cpuid":       {Version: 2, CPUID: snp.CPUID{Family: 0x19}},
		"version 4 with mitigations": {Version: 4, CurrentMitigations: 1},
		"a reserved signing key":     {Version: 4, KeyInfo: snp.KeyInfo{SigningKey: 2}},
		"a signing key of 8":         {Version: 4, KeyInfo: snp.KeyInfo{SigningKey: 8}},
	} {
		if b, err := r.Append(nil); b != nil || err == nil {
			t.Errorf("%s: Append = %d bytes, %v, want an error", name, len(b), err)
		}
	}
}

func TestHasFields(t *testing.T) {
	for version, want := range map[uint32][2]bool{2: {false, false}, 3: {true, false}, 4: {true, false}, 5: {true, true}} {
		r := &snp.Report{Version: version, CPUID: snp.CPUID{Family: 0x19}}
		if got := [2]bool{r.HasCPUID(), r.HasMitigations()}; got != want {
			t.Errorf("version %d: cpuid and mitigations %v, want %v", version, got, want)
		}
	}
	if got := (snp.FirmwareVersion{Major: 1, Minor: 55, Build: 29}).String(); got != "1.55.29" {
		t.Errorf("String() = %q", got)
	}
}

func TestBitFields(t *testing.T) {
	if got, want := (snp.Policy{ABIMajor: 1, ABIMinor: 0x1f, Debug: true}).Bits(), uint64(0x000A_011f); got != want {
		t.Errorf("Policy.Bits() = 0x%x, want 0x%x", got, want)
	}
	r := newReport(mintTurin)
	r.PlatformInfo = snp.PlatformInfo{SMT: true, TIO: true, UnknownBits: 1<<6 | 1<<63}
	r.KeyInfo = snp.KeyInfo{AuthorKeyEnabled: true, SigningKey: snp.NoKey}
	raw := encode(t, r)
	if got, want := binary.LittleEndian.Uint64(raw[0x40:]), uint64(1<<63|0xc1); got != want {
		t.Errorf("platform info encodes to 0x%x, want 0x%x", got, want)
	}
	if got, want := raw[0x48], byte(0x1d); got != want {
		t.Errorf("key information encodes to 0x%x, want 0x%x", got, want)
	}
	back, err := snp.ParseReport(raw)
	if err != nil || back.PlatformInfo != r.PlatformInfo || back.KeyInfo != r.KeyInfo {
		t.Errorf("ParseReport = %+v, %+v, %v", back.PlatformInfo, back.KeyInfo, err)
	}
	turin, _ := items[6].parse(t)
	if turin.PlatformInfo.UnknownBits != 1<<6 || !turin.PlatformInfo.AliasCheck {
		t.Errorf("genuine Turin has %+v, want bit 6 unknown and the alias check", turin.PlatformInfo)
	}
	for k, want := range map[snp.SigningKey]string{snp.VCEK: "VCEK", snp.VLEK: "VLEK", snp.NoKey: "none", 3: "reserved (3)"} {
		if got := k.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}
