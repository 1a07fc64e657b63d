package replay_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// corpus is the shared collection of real evidence. It is not part of the
// repository; the modules' test data, which always exists, is.
const corpus = "../../shared/corpus"

func needCorpus(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(corpus); err != nil {
		t.Skipf("the corpus is not here: %v", err)
	}
}

var moduleDir = sync.OnceValues(func() (map[string]string, error) {
	dirs := map[string]string{}
	for _, module := range []string{"github.com/google/go-eventlog", "github.com/google/go-tpm-tools"} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return nil, fmt.Errorf("go list -m %s: %w", module, err)
		}
		dirs[filepath.Base(module)] = strings.TrimSpace(string(out))
	}
	return dirs, nil
})

// realLogs returns the TPM event logs of go-eventlog and go-tpm-tools by name.
func realLogs(tb testing.TB) map[string][]byte {
	tb.Helper()
	dirs, err := moduleDir()
	if err != nil {
		tb.Fatal(err)
	}
	logs := map[string][]byte{}
	for _, glob := range []string{
		dirs["go-tpm-tools"] + "/internal/test/eventlogs/*",
		dirs["go-eventlog"] + "/testdata/eventlogs/tpm/*",
		dirs["go-eventlog"] + "/testdata/legacydata/*_eventlog",
	} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			tb.Fatalf("Glob(%q) = %d files, %v", glob, len(files), err)
		}
		for _, f := range files {
			logs[strings.TrimSuffix(filepath.Base(f), ".bin")] = readFile(tb, f)
		}
	}
	return logs
}

func realLog(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, ok := realLogs(tb)[name]
	if !ok {
		tb.Fatalf("no real log %q", name)
	}
	return raw
}

// ccelLogs returns go-eventlog's CCEL areas by name.
func ccelLogs(tb testing.TB) map[string][]byte {
	tb.Helper()
	dirs, err := moduleDir()
	if err != nil {
		tb.Fatal(err)
	}
	files, err := filepath.Glob(dirs["go-eventlog"] + "/testdata/eventlogs/ccel/*")
	if err != nil || len(files) == 0 {
		tb.Fatalf("Glob = %d files, %v", len(files), err)
	}
	logs := map[string][]byte{}
	for _, f := range files {
		logs[filepath.Base(f)] = readFile(tb, f)
	}
	return logs
}

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func readJSON(tb testing.TB, name string, v any) {
	tb.Helper()
	if err := json.Unmarshal(readFile(tb, name), v); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
}

func mustParse(tb testing.TB, raw []byte) *replay.Log {
	tb.Helper()
	l, err := replay.ParseLog(raw, replay.LogOptions{})
	if err != nil {
		tb.Fatalf("ParseLog = %v, want nil", err)
	}
	return l
}

func mustReplay(tb testing.TB, l *replay.Log, alg tpm.Alg) *replay.Bank {
	tb.Helper()
	b, err := l.Replay(alg)
	if err != nil {
		tb.Fatalf("Replay(%v) = %v, want nil", alg, err)
	}
	return b
}

// event and logFile are a log taken apart for editing.
type event struct {
	pcr     int
	kind    uint32
	data    []byte
	digests [][]byte
}

type logFile struct {
	header []byte
	algs   []tpm.Alg
	events []event
}

func takeApart(tb testing.TB, raw []byte) logFile {
	tb.Helper()
	l := mustParse(tb, raw)
	f := logFile{header: raw[:l.Events[0].Offset], algs: l.Algs()}
	for i := range l.Events {
		e := &l.Events[i]
		out := event{pcr: e.PCR, kind: uint32(e.UntrustedType()), data: e.Data}
		for _, alg := range f.algs {
			out.digests = append(out.digests, e.Digest(alg))
		}
		f.events = append(f.events, out)
	}
	return f
}

func (f logFile) encode() []byte {
	le := binary.LittleEndian
	out := slices.Clone(f.header)
	for _, e := range f.events {
		out = le.AppendUint32(out, uint32(e.pcr))
		out = le.AppendUint32(out, e.kind)
		if len(f.header) > 0 {
			n := len(slices.DeleteFunc(slices.Clone(e.digests), func(d []byte) bool { return d == nil }))
			out = le.AppendUint32(out, uint32(n))
		}
		for i, d := range e.digests {
			if len(f.header) > 0 && d != nil {
				out = le.AppendUint16(out, uint16(f.algs[i]))
			}
			out = append(out, d...)
		}
		out = le.AppendUint32(out, uint32(len(e.data)))
		out = append(out, e.data...)
	}
	return out
}

// extend adds an event that measures content and logs data.
func (f *logFile) extend(at, pcr int, kind uint32, data, content []byte) {
	e := event{pcr: pcr, kind: kind, data: data}
	for _, alg := range f.algs {
		h := alg.Hash().New()
		h.Write(content)
		e.digests = append(e.digests, h.Sum(nil))
	}
	f.events = slices.Insert(f.events, at, e)
}

// measure adds an event that measures its data.
func (f *logFile) measure(at, pcr int, kind uint32, data []byte) { f.extend(at, pcr, kind, data, data) }

// clone copies the file so that events of the copy can be replaced.
func (f logFile) clone() logFile {
	f.events = slices.Clone(f.events)
	return f
}

// find returns the number of the first event that fits.
func (f logFile) find(tb testing.TB, fits func(event) bool) int {
	tb.Helper()
	i := slices.IndexFunc(f.events, fits)
	if i < 0 {
		tb.Fatal("the log has no such event")
	}
	return i
}

// specID encodes a header for the algorithms (id, digest size).
func specID(algs ...[2]uint16) []byte {
	le := binary.LittleEndian
	data := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
	data = le.AppendUint32(data, uint32(len(algs)))
	for _, a := range algs {
		data = le.AppendUint16(le.AppendUint16(data, a[0]), a[1])
	}
	data = append(data, 0)
	return specIDEvent(data)
}

func specIDEvent(data []byte) []byte {
	out := make([]byte, 32, 32+len(data))
	out[4] = 3
	binary.LittleEndian.PutUint32(out[28:], uint32(len(data)))
	return append(out, data...)
}

// mint starts an empty crypto-agile SHA-256 log.
func mint() logFile {
	return logFile{header: specID([2]uint16{0x0B, 32}), algs: []tpm.Alg{tpm.AlgSHA256}}
}

// quoteOf replays raw and returns the value of every PCR, as a quote made when
// the log was true would.
func quoteOf(tb testing.TB, raw []byte, algs []tpm.Alg) map[tpm.Alg]map[int][]byte {
	tb.Helper()
	l := mustParse(tb, raw)
	quoted := map[tpm.Alg]map[int][]byte{}
	for _, alg := range algs {
		b := mustReplay(tb, l, alg)
		quoted[alg] = map[int][]byte{}
		for pcr := range 24 {
			quoted[alg][pcr] = slices.Clone(b.Value(pcr))
		}
	}
	return quoted
}

// appraise does what a verifier does with a log and a verified quote.
func appraise(raw []byte, quoted map[tpm.Alg]map[int][]byte) (*replay.Boot, error) {
	l, err := replay.ParseLog(raw, replay.LogOptions{})
	if err != nil {
		return nil, err
	}
	algs := slices.Sorted(maps.Keys(quoted))
	for _, alg := range algs {
		b, err := l.Replay(alg)
		if err != nil {
			return nil, err
		}
		for _, c := range b.Compare(quoted[alg]) {
			if c.Outcome != replay.Matched && c.Outcome != replay.AtReset {
				return nil, fmt.Errorf("%v: %s", alg, c.Explain())
			}
		}
	}
	boot, findings := l.Boot(algs)
	if len(findings) > 0 {
		return nil, fmt.Errorf("%v", findings[0])
	}
	return boot, nil
}

func hexBytes(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
