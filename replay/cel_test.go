package replay_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-eventlog/cel"
	"github.com/google/go-eventlog/register"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

func tlv(kind byte, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(value))), value...)
}

// record is a CEL record to encode.
type record struct {
	number  uint64
	index   []byte // the register TLV
	digests []byte // inside the digests TLV; nil: SHA-256 of the content
	content []byte // the content TLV
}

func cos(n int, kind byte, text string) record {
	return record{number: uint64(n), index: tlv(1, []byte{13}), content: tlv(80, tlv(kind, []byte(text)))}
}

func (r record) encode() []byte {
	digests := r.digests
	if digests == nil {
		h := crypto.SHA256.New()
		h.Write(r.content)
		digests = tlv(0x0B, h.Sum(nil))
	}
	return slices.Concat(tlv(0, binary.BigEndian.AppendUint64(nil, r.number)), r.index, tlv(3, digests), r.content)
}

func encodeCEL(records ...record) []byte {
	var out []byte
	for _, r := range records {
		out = append(out, r.encode()...)
	}
	return out
}

// launch is the log of a complete launch.
func launch() []record {
	return []record{
		cos(0, 0, "docker.io/library/workload:latest"), cos(1, 1, "sha256:aa"), cos(2, 2, "Never"), cos(3, 3, "sha256:bb"),
		cos(4, 4, "/workload"), cos(5, 4, "--flag"), cos(6, 5, "PATH=/bin"), cos(7, 5, "A=b=c"), cos(8, 6, "--other"),
		cos(9, 7, "A=d"), cos(10, 9, "\x01"), cos(11, 10, "ON"), cos(12, 8, ""),
	}
}

func TestParseCELRefuses(t *testing.T) {
	good := launch()[0]
	with := func(edit func(*record)) []byte {
		r := good
		edit(&r)
		return r.encode()
	}
	hash := make([]byte, 32)
	tests := []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "no records"},
		{"too large", make([]byte, replay.MaxLogSize+1), "the limit is 4194304"},
		{"cut", good.encode()[:18], "register needs 1 bytes, 0 are left"},
		{"one byte follows", append(good.encode(), 0), "event 1 at byte 104: record number length needs 4 bytes, 0 are left"},
		{"starts at 1", with(func(r *record) { r.number = 1 }), "record number is 1, want 0"},
		{"repeats a number", encodeCEL(good, good), "record number is 0, want 1"},
		{"skips a number", encodeCEL(good, cos(2, 1, "x")), "record number is 2, want 1"},
		{"length 2^32-1", []byte{0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}, "record number needs 4294967295 bytes, 4 are left"},
		{"number of 4 bytes", tlv(0, make([]byte, 4)), "type 0 of 4 bytes"},
		{"PCR 24", with(func(r *record) { r.index = tlv(1, []byte{24}) }), "register type 1, index 24"},
		{"MRTD", with(func(r *record) { r.index = tlv(108, []byte{0}) }), "register type 108, index 0"},
		{"RTMR 4", with(func(r *record) { r.index = tlv(108, []byte{5}) }), "register type 108, index 5"},
		{"NV index", with(func(r *record) { r.index = tlv(2, []byte{1}) }), "register type 2"},
		{"index of 2 bytes", with(func(r *record) { r.index = tlv(1, []byte{0, 13}) }), "register index has 2 bytes"},
		{"no digests", with(func(r *record) { r.digests = []byte{} }), "no digests"},
		{"SHA-256 of 31 bytes", with(func(r *record) { r.digests = tlv(0x0B, hash[:31]) }), "sha256 digest has 31 bytes"},
		{"two of SHA-256", with(func(r *record) { r.digests = append(tlv(0x0B, hash), tlv(0x0B, hash)...) }), "two sha256 digests"},
		{"nine digests", with(func(r *record) {
			for alg := byte(0x40); alg < 0x49; alg++ {
				r.digests = append(r.digests, tlv(alg, hash)...)
			}
		}), "more than 8 digests"},
		{"empty digest of an unknown algorithm", with(func(r *record) { r.digests = tlv(0x40, nil) }), "0x0040 digest has 0 bytes"},
		{"no content", with(func(r *record) { r.content = nil }), "content needs 1 bytes"},
		{"20001 records", func() []byte {
			var out []byte
			for i := range 20_001 {
				out = append(out, record{number: uint64(i), index: tlv(1, []byte{13}), digests: tlv(0x40, []byte{1}), content: tlv(80, nil)}.encode()...)
			}
			return out
		}(), "more than 20000 records"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := replay.ParseCEL(test.raw)
			if err == nil || l != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseCEL = %v, %v, want an error with %q", l, err, test.want)
			}
		})
	}
}

func TestContainer(t *testing.T) {
	l, err := replay.ParseCEL(encodeCEL(launch()...))
	if err != nil {
		t.Fatalf("ParseCEL = %v, want nil", err)
	}
	on := true
	want := &replay.Container{
		Complete: true, Register: replay.ContainerPCR,
		ImageReference: "docker.io/library/workload:latest", ImageDigest: "sha256:aa", ImageID: "sha256:bb", RestartPolicy: "Never",
		Args: []string{"/workload", "--flag"}, Env: map[string]string{"PATH": "/bin", "A": "b=c"},
		OverrideArgs: []string{"--other"}, OverrideEnv: map[string]string{"A": "d"}, MemoryMonitor: &on, GPUCCMode: "ON",
	}
	got, findings := l.Container()
	if len(findings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("Container = %+v, %v, want %+v", got, findings, want)
	}
}

func TestContainerFindings(t *testing.T) {
	tests := []struct {
		name string
		edit func([]record) []record
		want string // "" if none
		ok   func(*replay.Container) bool
	}{
		{"unfinished", func(r []record) []record { return r[:12] }, "", func(c *replay.Container) bool { return !c.Complete }},
		{"after the end", func(r []record) []record { return append(r, cos(13, 4, "late")) }, "after the end marker", nil},
		{"second end", func(r []record) []record { return append(r, cos(13, 8, "")) }, "after the end marker", nil},
		{"end with content", func(r []record) []record { r[12] = cos(12, 8, "x"); return r }, "the end marker has 1 bytes", func(c *replay.Container) bool { return !c.Complete }},
		{"second reference", func(r []record) []record { r[1] = cos(1, 0, "x"); return r }, "second event of type 0", nil},
		{"second empty reference", func(r []record) []record { r[0] = cos(0, 0, ""); r[1] = cos(1, 0, "x"); return r }, "second event of type 0", nil},
		{"second digest", func(r []record) []record { r[2] = cos(2, 1, "x"); return r }, "second event of type 1", nil},
		{"second ID", func(r []record) []record { r[2] = cos(2, 3, "x"); return r }, "second event of type 3", nil},
		{"second restart policy", func(r []record) []record { r[3] = cos(3, 2, "Always"); return r }, "second event of type 2", nil},
		{"unknown type", func(r []record) []record { r[3] = cos(3, 12, "x"); return r }, "unknown event type 12", nil},
		{"restart policy", func(r []record) []record { r[2] = cos(2, 2, "never"); return r }, `"never" is not one of Always, OnFailure, Never`, nil},
		{"GPU mode", func(r []record) []record { r[11] = cos(11, 10, "on"); return r }, `"on" is not one of`, nil},
		{"memory monitor 2", func(r []record) []record { r[10] = cos(10, 9, "\x02"); return r }, "want 00 or 01", nil},
		{"variable without =", func(r []record) []record { r[6] = cos(6, 5, "PATH"); return r }, "is not NAME=value", nil},
		{"variable with a bad name", func(r []record) []record { r[6] = cos(6, 5, "1A=b"); return r }, "is not NAME=value", nil},
		{"variable twice", func(r []record) []record { r[6] = cos(6, 5, "A=x"); return r }, `"A" is measured twice`, nil},
		{"reference with a line break", func(r []record) []record { r[0] = cos(0, 0, "a\nb"); return r }, "not printable UTF-8", nil},
		{"argument with a line break", func(r []record) []record { r[4] = cos(4, 4, "a\nb"); return r }, "", nil},
		{"argument with an escape", func(r []record) []record { r[4] = cos(4, 4, "\x1b"); return r }, "not printable UTF-8", nil},
		{"argument that is not UTF-8", func(r []record) []record { r[4] = cos(4, 4, "\xff"); return r }, "not printable UTF-8", nil},
		{"other PCR", func(r []record) []record { r[4].index = tlv(1, []byte{14}); return r }, "PCR 14 is not a register of Confidential Space", nil},
		{"other register", func(r []record) []record { r[4].index = tlv(108, []byte{4}); return r }, "RTMR 3, the records before it are of PCR 13", nil},
		{"other content type", func(r []record) []record { r[4].content = tlv(81, tlv(4, []byte("x"))); return r }, "content type is 81", nil},
		{"digest of the inner event", func(r []record) []record {
			h := crypto.SHA256.New()
			h.Write(tlv(4, []byte("/workload")))
			r[4].digests = tlv(0x0B, h.Sum(nil))
			return r
		}, "the sha256 digest is not that of the content", nil},
		{"wrong second bank", func(r []record) []record {
			h := crypto.SHA256.New()
			h.Write(r[4].content)
			r[4].digests = append(tlv(0x0B, h.Sum(nil)), tlv(4, make([]byte, 20))...)
			return r
		}, "the sha1 digest is not that of the content", nil},
		{"bytes after the inner event", func(r []record) []record { r[4].content = tlv(80, append(tlv(4, []byte("x")), 0)); return r }, "1 bytes follow the end of the event", nil},
		{"cut inner event", func(r []record) []record { r[4].content = tlv(80, []byte{4, 0, 0}); return r }, "event length needs 4 bytes", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := replay.ParseCEL(encodeCEL(test.edit(launch())...))
			if err != nil {
				t.Fatalf("ParseCEL = %v, want nil", err)
			}
			c, findings := l.Container()
			var all strings.Builder
			for _, f := range findings {
				all.WriteString(f.String() + "\n")
			}
			if test.want == "" && all.String() != "" || !strings.Contains(all.String(), test.want) {
				t.Errorf("Container findings = %q, want %q", all.String(), test.want)
			}
			if test.ok != nil && !test.ok(c) {
				t.Errorf("Container = %+v, not as expected", c)
			}
		})
	}
}

// TestCELReplayAsGoEventlog wants our values to be those that go-eventlog's CEL
// reader accepts.
func TestCELReplayAsGoEventlog(t *testing.T) {
	raw := encodeCEL(launch()...)
	l, err := replay.ParseCEL(raw)
	if err != nil {
		t.Fatal(err)
	}
	value, n, err := l.Replay(replay.ContainerPCR, tpm.AlgSHA256)
	if err != nil || n != 13 {
		t.Fatalf("Replay = %d records, %v, want 13, nil", n, err)
	}
	oracle, err := cel.DecodeToCEL(bytes.NewBuffer(raw))
	if err != nil {
		t.Fatal(err)
	}
	bank := register.PCRBank{TCGHashAlgo: 11, PCRs: []register.PCR{{Index: 13, Digest: value, DigestAlg: crypto.SHA256}}}
	if err := oracle.Replay(bank); err != nil {
		t.Errorf("go-eventlog refuses our value: %v", err)
	}
	if _, _, err := l.Replay(replay.ContainerPCR, tpm.AlgSHA384); err == nil {
		t.Error("Replay(sha384) = nil, want an error: no record has that bank")
	}
	value, n, err = l.Replay(replay.ContainerRTMR, tpm.AlgSHA384)
	if err != nil || n != 0 || !bytes.Equal(value, make([]byte, 48)) {
		t.Errorf("Replay(RTMR 3) = %x, %d, %v, want the reset value, 0, nil", value, n, err)
	}
}

func TestCorpusCEL(t *testing.T) {
	needCorpus(t)
	files, err := filepath.Glob(filepath.Join(corpus, "e-ccel-cel/layr/*.cel.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %d files, %v", len(files), err)
	}
	files = append(files, filepath.Join(corpus, "e-ccel-cel/gtt-cel.bin"))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw := readFile(t, file)
			l, err := replay.ParseCEL(raw)
			if err != nil {
				t.Fatalf("ParseCEL = %v, want nil", err)
			}
			if got := l.Encode(); !bytes.Equal(got, raw) {
				t.Error("Encode is not the input")
			}
			c, findings := l.Container()
			if len(findings) > 0 || !c.Complete || !strings.HasPrefix(c.ImageDigest, "sha256:") || c.RestartPolicy != "Never" || c.MemoryMonitor == nil || *c.MemoryMonitor {
				t.Errorf("Container = %+v, %v, want a complete launch", c, findings)
			}
			if strings.Contains(file, "layr") && c.ImageReference != "docker.io/cavaneigen/teeverify-capture:latest" {
				t.Errorf("ImageReference = %q", c.ImageReference)
			}
			want := replay.ContainerPCR
			if strings.HasPrefix(filepath.Base(file), "tdx") || strings.HasPrefix(filepath.Base(file), "gtt") {
				want = replay.ContainerRTMR
			}
			if c.Register != want {
				t.Errorf("Register = %v, want %v", c.Register, want)
			}
		})
	}
	l, err := replay.ParseCEL(readFile(t, filepath.Join(corpus, "e-ccel-cel/cs-cel-launch.bin")))
	if err != nil || len(l.Records) != 2 {
		t.Fatalf("ParseCEL(cs-cel-launch) = %v, want 2 records", err)
	}
	if _, findings := l.Container(); len(findings) != 2 {
		t.Errorf("Container(cs-cel-launch) = %d findings, want 2: it is not a log of Confidential Space", len(findings))
	}
}
