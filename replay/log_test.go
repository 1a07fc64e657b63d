package replay_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

func TestParseLogRefuses(t *testing.T) {
	base := realLog(t, "cos-85-amd-sev")
	header := takeApart(t, base).header
	le := binary.LittleEndian
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { le.PutUint32(b[at:], v); return b }
	}
	put8 := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	first := len(header)
	const spec = 32 // offset of the Spec ID structure
	tests := []struct {
		name string
		edit func([]byte) []byte
		want string
	}{
		{"empty", func([]byte) []byte { return nil }, "byte 0: header: PCR index needs 4 bytes, 0 are left"},
		{"too large", func(b []byte) []byte { return append(b, make([]byte, replay.MaxLogSize)...) }, "the limit is 4194304"},
		{"header only", func(b []byte) []byte { return b[:first] }, "the log has no events"},
		{"cut in the header", func(b []byte) []byte { return b[:40] }, "header: event data needs"},
		{"cut in the last event", func(b []byte) []byte { return b[:len(b)-1] }, "event 44 at byte 23960: event data needs 40 bytes, 39 are left"},
		{"three bytes follow", func(b []byte) []byte { return append(b, 1, 2, 3) }, "event 45 at byte 24122: PCR index needs 4 bytes, 3 are left"},
		{"padding follows", func(b []byte) []byte { return append(b, 0xFF, 0xFF, 0xFF) }, "3 bytes of 0xff follow the last event"},
		{"zeros follow", func(b []byte) []byte { return append(b, make([]byte, 64)...) }, "64 bytes of 0x00 follow the last event"},
		{"header digest", put8(8, 1), "digest of the Spec ID event is not zero"},
		{"platform class", put32(spec+16, 2), "platform class is 2"},
		{"minor version", put8(spec+20, 1), "version is 2.1, not 2.0"},
		{"major version", put8(spec+21, 1), "version is 1.0, not 2.0"},
		{"errata", put8(spec+22, 3), "errata is 3"},
		{"uintn size", put8(spec+23, 3), "uintn size is 3"},
		{"no algorithms", put32(spec+24, 0), "0 algorithms"},
		{"nine algorithms", put32(spec+24, 9), "9 algorithms, not 1 to 8"},
		{"2^32-1 algorithms", put32(spec+24, 1<<32-1), "4294967295 algorithms"},
		{"algorithm twice", put8(spec+32, 4), "algorithm sha1 is listed twice"},
		{"SHA-1 of 32 bytes", put8(spec+30, 32), "digest size of sha1 is 32"},
		{"vendor info", put8(first-1, 1), "vendor info needs 1 bytes, 0 are left"},
		{"unknown algorithm of 65 bytes", func([]byte) []byte { return specID([2]uint16{0x12, 65}) }, "digest size of 0x0012 is 65"},
		{"bytes after the vendor info", func([]byte) []byte {
			b := specID([2]uint16{0x0B, 32})
			return specIDEvent(append(b[spec:], 7))
		}, "1 bytes follow the end of the header"},
		{"PCR 24", put32(first, 24), "event 0 at byte 73: PCR index is 24 (EV_S_CRTM_VERSION), the last PCR is 23"},
		{"PCR 0xFFFFFFFF measured", put32(first, 1<<32-1), "PCR index is 4294967295"},
		{"PCR 0xFFFFFFFE of EV_NO_ACTION", func(b []byte) []byte {
			le.PutUint32(b[first+4:], 3)
			return put32(first, 1<<32-2)(b)
		}, "PCR index is 4294967294"},
		{"no digests", put32(first+8, 0), "0 digests, the header lists 3"},
		{"four digests", put32(first+8, 4), "4 digests, the header lists 3"},
		{"algorithm truncated to 8 bits", put8(first+12+22+1, 1), "digest 1 is 0x010b, which the header does not list"},
		{"digest twice", put8(first+12+22, 4), "digest 1 is sha1, which the header does not list or not there"},
		{"event size", put32(first+12+22+34+50, 1<<32-1), "event 0 at byte 73: event data needs 4294967295 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := replay.ParseLog(test.edit(slices.Clone(base)), replay.LogOptions{})
			var parse *replay.ParseError
			if !errors.As(err, &parse) || !strings.Contains(err.Error(), test.want) || l != nil {
				t.Errorf("ParseLog = %v, %v, want a ParseError with %q", l, err, test.want)
			}
		})
	}
}

func TestParseLogPadding(t *testing.T) {
	base := realLog(t, "cos-85-amd-sev")
	tests := []struct {
		name    string
		tail    []byte
		padding int // -1: refused
	}{
		{"none", nil, 0},
		{"ones", bytes.Repeat([]byte{0xFF}, 1000), 1000},
		{"zeros", make([]byte, 1000), 1000},
		{"one byte", []byte{0xFF}, 1},
		{"other fill", bytes.Repeat([]byte{0xAA}, 1000), -1},
		{"something in it", append(bytes.Repeat([]byte{0xFF}, 1000), 1), -1},
		{"something hidden before it", append([]byte{1}, bytes.Repeat([]byte{0xFF}, 1000)...), -1},
		{"two fills", append(make([]byte, 8), bytes.Repeat([]byte{0xFF}, 1000)...), -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw := append(slices.Clone(base), test.tail...)
			l, err := replay.ParseLog(raw, replay.LogOptions{AllowPadding: true})
			if test.padding < 0 {
				if err == nil {
					t.Fatalf("ParseLog = nil, want an error")
				}
				return
			}
			if err != nil || l.Padding != test.padding || len(l.Events) != 45 {
				t.Fatalf("ParseLog = %d events and %d bytes of padding, %v, want 45, %d, nil", len(l.Events), l.Padding, err, test.padding)
			}
			if _, err := replay.ParseLog(raw, replay.LogOptions{}); (err == nil) != (test.padding == 0) {
				t.Errorf("strict ParseLog = %v, want an error if and only if there is padding", err)
			}
		})
	}
}

func TestEventFields(t *testing.T) {
	l := mustParse(t, realLog(t, "cos-85-amd-sev"))
	e := &l.Events[1]
	if e.Index != 1 || e.PCR != 0 || !bytes.HasPrefix(e.Data, []byte("GCE NonHostInfo\x00")) {
		t.Errorf("Events[1] = index %d, PCR %d, data %q, want the non-host info of PCR 0", e.Index, e.PCR, e.Data)
	}
	if got := e.UntrustedType().String(); got != "EV_NONHOST_INFO" {
		t.Errorf("UntrustedType = %v, want EV_NONHOST_INFO", got)
	}
	for _, alg := range []tpm.Alg{tpm.AlgSHA1, tpm.AlgSHA256, tpm.AlgSHA384} {
		h := alg.Hash().New()
		h.Write(e.Data)
		if got := e.Digest(alg); !bytes.Equal(got, h.Sum(nil)) {
			t.Errorf("Digest(%v) = %x, want %x", alg, got, h.Sum(nil))
		}
	}
	if got := e.Digest(tpm.AlgSHA512); got != nil {
		t.Errorf("Digest(sha512) = %x, want nil", got)
	}
	if got := l.Algs(); !slices.Equal(got, []tpm.Alg{tpm.AlgSHA1, tpm.AlgSHA256, tpm.AlgSHA384}) {
		t.Errorf("Algs = %v, want sha1 sha256 sha384", got)
	}
}

func TestUnknownAlgorithmIsOpaque(t *testing.T) {
	f := logFile{header: specID([2]uint16{0x12, 32}, [2]uint16{0x0B, 32}), algs: []tpm.Alg{0x12, tpm.AlgSHA256}}
	sm3 := bytes.Repeat([]byte{7}, 32)
	f.events = []event{{pcr: 1, kind: 1, data: []byte("x"), digests: [][]byte{sm3, bytes.Repeat([]byte{8}, 32)}}}
	l := mustParse(t, f.encode())
	if got := l.Events[0].Digest(0x12); !bytes.Equal(got, sm3) {
		t.Errorf("Digest(SM3) = %x, want %x", got, sm3)
	}
	if _, err := l.Replay(0x12); err == nil {
		t.Error("Replay(SM3) = nil, want an error")
	}
	mustReplay(t, l, tpm.AlgSHA256)
}

// TestMissingDigest is a log whose header lists more banks than an event has:
// real firmware and Windows do that. The bank cannot be replayed.
func TestMissingDigest(t *testing.T) {
	f := takeApart(t, realLog(t, "cos-85-amd-sev"))
	f.events[20].digests = [][]byte{f.events[20].digests[0], nil, f.events[20].digests[2]}
	l := mustParse(t, f.encode())
	mustReplay(t, l, tpm.AlgSHA1)
	mustReplay(t, l, tpm.AlgSHA384)
	if _, err := l.Replay(tpm.AlgSHA256); err == nil || !strings.Contains(err.Error(), "event 20: no sha256 digest") {
		t.Errorf("Replay(sha256) = %v, want an error about event 20", err)
	}
	if _, findings := l.Boot([]tpm.Alg{tpm.AlgSHA1, tpm.AlgSHA256}); len(findings) == 0 {
		t.Error("Boot has no findings, want one about event 20")
	}
}

func TestEventType(t *testing.T) {
	tests := []struct {
		kind  replay.EventType
		want  string
		known bool
	}{
		{0x00, "EV_PREBOOT_CERT", true},
		{0x08, "EV_S_CRTM_VERSION", true},
		{0x13, "EV_POST_CODE2", true},
		{0x14, "0x00000014", false},
		{0x80000007, "EV_EFI_ACTION", true},
		{0x800000E0, "EV_EFI_VARIABLE_AUTHORITY", true},
		{0x800000FF, "0x800000ff", false},
		{0x10000000, "EV_GOOGLE_DRTM_EVENT", true},
		{0xFFFFFFFF, "0xffffffff", false},
	}
	for _, test := range tests {
		if got, known := test.kind.String(), test.kind.Known(); got != test.want || known != test.known {
			t.Errorf("EventType(%#x) = %q, %v, want %q, %v", uint32(test.kind), got, known, test.want, test.known)
		}
	}
}
