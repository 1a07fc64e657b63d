package replay_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

const (
	evNoAction    = 0x00000003
	evSeparator   = 0x00000004
	evEventTag    = 0x00000006
	evIPL         = 0x0000000D
	evConfig      = 0x80000001
	evApplication = 0x80000003
	evAction      = 0x80000007
	evHCRTM       = 0x80000010
	evAuthority   = 0x800000E0
)

func locality(at ...byte) []byte { return append([]byte("StartupLocality\x00"), at...) }

func TestStartValue(t *testing.T) {
	type step struct {
		pcr  int
		kind uint32
		data []byte
	}
	measured := step{0, 8, []byte("version")}
	tests := []struct {
		name  string
		steps []step
		start byte
		err   string
	}{
		{"none", []step{measured}, 0, ""},
		{"locality 0", []step{{0, evNoAction, locality(0)}, measured}, 0, ""},
		{"locality 3", []step{{0, evNoAction, locality(3)}, measured}, 3, ""},
		{"locality 4", []step{{0, evNoAction, locality(4)}, measured}, 4, ""},
		{"locality 3 after an event of PCR 1", []step{{1, 8, nil}, {0, evNoAction, locality(3)}, measured}, 3, ""},
		{"H-CRTM", []step{{0, evHCRTM, []byte("HCRTM")}, measured}, 4, ""},
		{"locality 4 and H-CRTM", []step{{0, evNoAction, locality(4)}, {0, evHCRTM, []byte("HCRTM")}}, 4, ""},
		{"locality 2", []step{{0, evNoAction, locality(2)}}, 0, "startup locality is 2"},
		{"locality 255", []step{{0, evNoAction, locality(255)}}, 0, "startup locality is 255"},
		{"locality of PCR 7", []step{{7, evNoAction, locality(3)}}, 0, "want PCR 0"},
		{"locality of two bytes", []step{{0, evNoAction, locality(3, 0)}}, 0, "want PCR 0 and 1 byte"},
		{"locality of no byte", []step{{0, evNoAction, locality()}}, 0, "want PCR 0 and 1 byte"},
		{"locality second", []step{measured, {0, evNoAction, locality(3)}}, 0, "not before the first event"},
		{"locality twice", []step{{0, evNoAction, locality(3)}, {0, evNoAction, locality(4)}}, 0, "not before the first event"},
		{"locality 3 and H-CRTM", []step{{0, evNoAction, locality(3)}, {0, evHCRTM, []byte("HCRTM")}}, 0, "not the first event of PCR 0"},
		{"H-CRTM second", []step{measured, {0, evHCRTM, []byte("HCRTM")}}, 0, "not the first event of PCR 0"},
		{"H-CRTM of PCR 7", []step{{7, evHCRTM, []byte("HCRTM")}}, 0, "not the first event of PCR 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := mint()
			want := make([]byte, 32)
			want[31] = test.start
			start := slices.Clone(want)
			for _, s := range test.steps {
				f.measure(len(f.events), s.pcr, s.kind, s.data)
				if s.pcr == 0 && s.kind != evNoAction {
					event := sha256.Sum256(s.data)
					next := sha256.Sum256(slices.Concat(want, event[:]))
					want = next[:]
				}
			}
			b, err := mustParse(t, f.encode()).Replay(tpm.AlgSHA256)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("Replay = %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("Replay = %v, want nil", err)
			}
			if got := b.Start(0); !bytes.Equal(got, start) {
				t.Errorf("Start(0) = %x, want %x", got, start)
			}
			if got := b.Value(0); !bytes.Equal(got, want) {
				t.Errorf("Value(0) = %x, want %x", got, want)
			}
		})
	}
}

func TestReset(t *testing.T) {
	zero, ones := make([]byte, 32), bytes.Repeat([]byte{0xFF}, 32)
	mixed := slices.Concat(zero[:31], []byte{0xFF})
	tests := []struct {
		pcr   int
		alg   tpm.Alg
		value []byte
		want  bool
	}{
		{0, tpm.AlgSHA256, zero, true},
		{23, tpm.AlgSHA256, zero, true},
		{17, tpm.AlgSHA256, zero, true},
		{17, tpm.AlgSHA256, ones, true},
		{22, tpm.AlgSHA256, ones, true},
		{16, tpm.AlgSHA256, ones, false},
		{23, tpm.AlgSHA256, ones, false},
		{0, tpm.AlgSHA256, ones, false},
		{0, tpm.AlgSHA256, mixed, false},
		{18, tpm.AlgSHA256, mixed, false},
		{0, tpm.AlgSHA256, nil, false},
		{0, tpm.AlgSHA256, zero[:20], false},
		{0, tpm.AlgSHA384, zero, false},
		{0, tpm.AlgNull, nil, false},
		{24, tpm.AlgSHA256, zero, false},
		{-1, tpm.AlgSHA256, zero, false},
	}
	for _, test := range tests {
		if got := replay.Reset(test.pcr, test.alg, test.value); got != test.want {
			t.Errorf("Reset(%d, %v, %x) = %v, want %v", test.pcr, test.alg, test.value, got, test.want)
		}
	}
}

func TestCompare(t *testing.T) {
	raw := realLog(t, "cos-85-amd-sev")
	full := mustReplay(t, mustParse(t, raw), tpm.AlgSHA256)
	// The same log before its last two events, both of PCR 5.
	short := takeApart(t, raw)
	short.events = short.events[:43]
	before := mustReplay(t, mustParse(t, short.encode()), tpm.AlgSHA256)

	foreign := bytes.Repeat([]byte{0xAB}, 32)
	quoted := map[int][]byte{
		0: full.Value(0), 1: make([]byte, 32), 2: foreign, 3: full.Value(3)[:31], 4: full.Value(4),
		5: before.Value(5), 10: make([]byte, 32), 11: foreign, 17: bytes.Repeat([]byte{0xFF}, 32), 24: foreign,
	}
	type outcome struct {
		pcr     int
		outcome replay.Outcome
		reached int
		last    int
		explain string
	}
	want := []outcome{
		{0, replay.Matched, -1, -1, "matched by events (3 events)"},
		{1, replay.Mismatch, 0, -1, "the value before the first of 4 events"},
		{2, replay.Mismatch, -1, -1, "none on the way to the quoted value"},
		{3, replay.Mismatch, -1, -1, "quoted value has 31 bytes, want 32"},
		{4, replay.Matched, -1, -1, "matched"},
		{5, replay.Mismatch, 2, 20, "the value after event 20 (2 of 4): the log is ahead of the quote"},
		{6, replay.NotQuoted, -1, -1, "not quoted"},
		{7, replay.NotQuoted, -1, -1, "not quoted"},
		{8, replay.NotQuoted, -1, -1, "not quoted"},
		{9, replay.NotQuoted, -1, -1, "not quoted"},
		{10, replay.AtReset, -1, -1, "at reset value"},
		{11, replay.Mismatch, -1, -1, "the log has no event for it"},
		{17, replay.AtReset, -1, -1, "at reset value"},
		{24, replay.Mismatch, -1, -1, "PCR 24: quoted value has 32 bytes, want 0"},
	}
	got := full.Compare(quoted)
	if len(got) != len(want) {
		t.Fatalf("Compare = %d entries, want %d", len(got), len(want))
	}
	for i, w := range want {
		c := got[i]
		if c.PCR != w.pcr || c.Outcome != w.outcome || c.ReachedAfter != w.reached || c.LastEvent != w.last ||
			!strings.Contains(c.Explain(), w.explain) {
			t.Errorf("Compare[%d] = PCR %d %v, reached after %d (event %d), %q, want %+v",
				i, c.PCR, c.Outcome, c.ReachedAfter, c.LastEvent, c.Explain(), w)
		}
	}
	if got := replay.Outcome(0); got != replay.Mismatch {
		t.Errorf("the zero Outcome is %v, want a mismatch", got)
	}
}

// TestStripped removes what a quote covers: every event of a PCR, or the last
// one (EL-01, EL-02, EL-23).
func TestStripped(t *testing.T) {
	for _, name := range []string{"cos-85-amd-sev", "ubuntu-2404-amd-sevsnp", "cos-125-intel-tdx-secure-boot"} {
		raw := realLog(t, name)
		quoted := quoteOf(t, raw, []tpm.Alg{tpm.AlgSHA256})
		if _, err := appraise(raw, quoted); err != nil {
			t.Fatalf("%s: appraise = %v, want nil", name, err)
		}
		f := takeApart(t, raw)
		for _, pcr := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14} {
			stripped := f.clone()
			stripped.events = slices.DeleteFunc(stripped.events, func(e event) bool { return e.pcr == pcr })
			if len(stripped.events) == len(f.events) {
				continue
			}
			if _, err := appraise(stripped.encode(), quoted); err == nil {
				t.Errorf("%s without PCR %d: appraise = nil, want an error", name, pcr)
			}
		}
		for i := range f.events {
			if f.events[i].kind == evNoAction {
				continue // not measured
			}
			without := f.clone()
			without.events = slices.Delete(without.events, i, i+1)
			if _, err := appraise(without.encode(), quoted); err == nil {
				t.Errorf("%s without event %d: appraise = nil, want an error", name, i)
			}
		}
		if _, err := appraise(f.header, quoted); err == nil {
			t.Errorf("%s without events: appraise = nil, want an error", name)
		}
	}
}

// TestZeroValues: what nobody filled in proves nothing and breaks nothing.
func TestZeroValues(t *testing.T) {
	var l replay.Log
	if _, err := l.Replay(tpm.AlgSHA256); err == nil {
		t.Error("Replay of a zero Log = nil, want an error")
	}
	if boot, findings := l.Boot([]tpm.Alg{tpm.AlgSHA256}); boot == nil || len(findings) == 0 {
		t.Errorf("Boot of a zero Log = %v, %v, want a finding", boot, findings)
	}
	var e replay.Event
	if got := e.Digest(tpm.AlgSHA256); got != nil {
		t.Errorf("Digest of a zero Event = %x, want nil", got)
	}
	var b replay.Bank
	for _, c := range b.Compare(map[int][]byte{0: nil, 1: {}, 2: make([]byte, 32), -1: nil}) {
		if c.Outcome != replay.Mismatch {
			t.Errorf("Compare of a zero Bank, PCR %d = %v, want a mismatch", c.PCR, c.Outcome)
		}
	}
	if got := b.Start(24); got != nil {
		t.Errorf("Start(24) = %x, want nil", got)
	}
	var c replay.CEL
	if container, findings := c.Container(); container.Complete || len(findings) != 0 {
		t.Errorf("Container of a zero CEL = %+v, %v, want one that is not complete", container, findings)
	}
	if _, _, err := c.Replay(replay.ContainerPCR, tpm.AlgNull); err == nil {
		t.Error("Replay(null) = nil, want an error")
	}
}
