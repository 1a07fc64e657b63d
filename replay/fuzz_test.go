package replay_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// seedLogs are parts of real logs, small enough that the fuzzer spends its time
// on mutations: each event of one log alone, and the short events of others
// together.
func seedLogs(f *testing.F) {
	f.Helper()
	header := specID([2]uint16{0x0B, 32})
	for _, name := range []string{"cos-85-amd-sev", "cos-125-intel-tdx-secure-boot", "rhel8-uefi", "gdc-host"} {
		log := takeApart(f, realLog(f, name))
		small := logFile{header: header, algs: []tpm.Alg{tpm.AlgSHA256}}
		sha256 := slices.Index(log.algs, tpm.AlgSHA256)
		for _, e := range log.events {
			e.digests = e.digests[sha256 : sha256+1]
			if len(e.data) < 100 && len(small.events) < 20 {
				small.events = append(small.events, e)
			}
			if len(e.data) < 1200 && name == "cos-85-amd-sev" {
				f.Add(logFile{header: header, algs: small.algs, events: []event{e}}.encode())
			}
		}
		f.Add(small.encode())
	}
	f.Add(realLog(f, "short_no_action_eventlog"))
}

func FuzzParseLog(f *testing.F) {
	seedLogs(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, o := range []replay.LogOptions{{}, {AllowPadding: true}} {
			l, err := replay.ParseLog(raw, o)
			if err != nil {
				if l != nil {
					t.Error("ParseLog returns a log and an error")
				}
				continue
			}
			if got := l.Encode(raw[len(raw)-1]); !bytes.Equal(got, raw) {
				t.Errorf("two logs with the same meaning:\n%x\n%x", raw, got)
			}
			if l.Padding > 0 && !o.AllowPadding {
				t.Error("padding without AllowPadding")
			}
		}
	})
}

func FuzzBoot(f *testing.F) {
	seedLogs(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := replay.ParseLog(raw, replay.LogOptions{})
		if err != nil {
			return
		}
		for _, alg := range l.Algs() {
			b, err := l.Replay(alg)
			if err != nil {
				continue
			}
			quoted := map[int][]byte{}
			for pcr := range 24 {
				quoted[pcr] = b.Value(pcr)
			}
			for _, c := range b.Compare(quoted) {
				if c.PCR == 0 && c.Events == 0 {
					continue // it may start at a locality, which is no reset value
				}
				if c.Outcome != replay.Matched && c.Outcome != replay.AtReset {
					t.Errorf("a log does not match itself: %s", c.Explain())
				}
			}
		}
		one, findings := l.Boot(l.Algs())
		two, again := l.Boot(l.Algs())
		if one == nil || !reflect.DeepEqual(one, two) || !reflect.DeepEqual(findings, again) {
			t.Error("two readings of one log differ")
		}
		if boot, _ := l.Boot([]tpm.Alg{tpm.AlgSHA1}); boot == nil {
			t.Error("Boot = nil")
		}
	})
}

func FuzzParseCEL(f *testing.F) {
	records := launch()
	f.Add(encodeCEL(records...))
	for i := range records {
		r := records[i]
		r.number = 0
		f.Add(r.encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := replay.ParseCEL(raw)
		if err != nil {
			if l != nil {
				t.Error("ParseCEL returns a log and an error")
			}
			return
		}
		if got := l.Encode(); !bytes.Equal(got, raw) {
			t.Errorf("two logs with the same meaning:\n%x\n%x", raw, got)
		}
		for _, reg := range []replay.Register{replay.ContainerPCR, replay.ContainerRTMR} {
			if v, _, err := l.Replay(reg, tpm.AlgSHA256); err == nil && len(v) != 32 {
				t.Errorf("Replay = %x, want 32 bytes", v)
			}
		}
		if c, _ := l.Container(); c == nil {
			t.Error("Container = nil")
		}
	})
}
