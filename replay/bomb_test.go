package replay_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// allocated returns the bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombs are small inputs that made other parsers allocate gigabytes or work
// for minutes. The bound is on bytes, so that a slow machine cannot fail it.
func TestBombs(t *testing.T) {
	le := binary.LittleEndian
	variable := func(list []byte) []byte {
		f := mint()
		f.measure(0, 7, evConfig, variableData(guidImageSecurity, "db", list))
		return f.encode()
	}
	list := func(listSize, headerSize, size uint32) []byte {
		b := append([]byte(nil), guidX509...)
		b = le.AppendUint32(b, listSize)
		b = le.AppendUint32(b, headerSize)
		return le.AppendUint32(b, size)
	}
	quadratic := func() []byte {
		const n = 40_000
		data := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
		data = le.AppendUint32(data, n)
		for i := range n {
			data = le.AppendUint16(data, uint16(i))
			data = le.AppendUint16(data, 1)
		}
		return specIDEvent(append(data, 0))
	}
	flood := func(n int) []byte {
		header := specID([2]uint16{0x12, 1})
		one := []byte{0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0x12, 0, 1, 0, 0, 0, 0}
		return append(header, bytes.Repeat(one, n)...)
	}
	many := variable(append(list(28+17*9000, 0, 17), make([]byte, 17*9000)...))
	tests := []struct {
		name  string
		raw   []byte
		limit uint64 // bytes
		want  string
	}{
		{"signature size 0", variable(list(28, 0, 0)), 64 << 10, "cannot hold"},
		{"signature size 16", variable(list(28, 0, 16)), 64 << 10, "cannot hold"},
		{"list size 2^32-1", variable(list(1<<32-1, 0, 17)), 64 << 10, "cannot hold"},
		{"list size 2^32-4", variable(list(1<<32-4, 0, 1<<32-32)), 64 << 10, "signatures needs 4294967264 bytes"},
		{"header size 2^32-1", variable(list(1<<32-1, 1<<32-1, 17)), 64 << 10, "cannot hold"},
		{"list size 0", variable(list(0, 0, 17)), 64 << 10, "cannot hold"},
		{"9000 signatures", many, 512 << 10, "more than 8192 signatures"},
		{"quadratic Spec ID", quadratic(), 64 << 10, "40000 algorithms, not 1 to 8"},
		{"20001 events", flood(20_001), 16 << 20, "more than 20000 events"},
		{"220000 events", flood(220_000), 16 << 20, "more than 20000 events"},
		{"variable name 2^63", func() []byte {
			f := mint()
			data := variableData(guidGlobal, "SecureBoot", []byte{1})
			le.PutUint64(data[16:], 1<<63)
			f.measure(0, 7, evConfig, data)
			return f.encode()
		}(), 64 << 10, "the limit is 256"},
		{"variable data 2^64-1", func() []byte {
			f := mint()
			data := variableData(guidGlobal, "SecureBoot", []byte{1})
			le.PutUint64(data[24:], 1<<64-1)
			f.measure(0, 7, evConfig, data)
			return f.encode()
		}(), 64 << 10, "variable data needs 18446744073709551615 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got string
			bytes := allocated(func() {
				l, err := replay.ParseLog(test.raw, replay.LogOptions{})
				if err != nil {
					got = err.Error()
					return
				}
				_, findings := l.Boot([]tpm.Alg{tpm.AlgSHA256})
				for _, f := range findings {
					got += f.String() + "\n"
				}
			})
			if !strings.Contains(got, test.want) {
				t.Errorf("the log is refused with %q, want %q", got, test.want)
			}
			if bytes > test.limit {
				t.Errorf("%d bytes of log cost %d bytes of memory, want at most %d", len(test.raw), bytes, test.limit)
			}
		})
	}
}

// TestFindingsAreBounded is a log that is wrong in every event.
func TestFindingsAreBounded(t *testing.T) {
	f := mint()
	for range 5000 {
		f.extend(len(f.events), 7, evConfig, []byte("x"), []byte("y"))
	}
	_, findings := mustParse(t, f.encode()).Boot([]tpm.Alg{tpm.AlgSHA256})
	if len(findings) != 100 {
		t.Errorf("Boot has %d findings, want 100", len(findings))
	}
}

func TestParseLogAllocations(t *testing.T) {
	raw := realLog(t, "cos-85-amd-sev")
	got := testing.AllocsPerRun(20, func() {
		if _, err := replay.ParseLog(raw, replay.LogOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	if got > 8 {
		t.Errorf("ParseLog of 45 events = %v allocations, want at most 8", got)
	}
	l := mustParse(t, raw)
	got = testing.AllocsPerRun(20, func() {
		if _, err := l.Replay(tpm.AlgSHA256); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 {
		t.Errorf("Replay of 45 events = %v allocations, want 1", got)
	}
}
