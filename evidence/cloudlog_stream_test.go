package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
)

// generator is an export of many runs in an array, of which it has one entry at a
// time. Four instances take turns, entry by entry.
type generator struct {
	entries [][]string // of one run, cut where instance and time are
	count   int        // entries in all
	made    int
	queue   []byte
}

const instances = 4

func (g *generator) Read(p []byte) (int, error) {
	if len(g.queue) == 0 {
		if g.made > g.count {
			return 0, io.EOF
		}
		g.queue = g.next(g.queue)
		g.made++
	}
	n := copy(p, g.queue)
	g.queue = g.queue[n:]
	return n, nil
}

func (g *generator) next(b []byte) []byte {
	if g.made == g.count {
		return append(b, ']')
	}
	if b = append(b, ','); g.made == 0 {
		b[len(b)-1] = '['
	}
	at := logEpoch.Add(time.Duration(g.made) * time.Millisecond)
	for _, part := range g.entries[g.made/instances%len(g.entries)] {
		switch part {
		case markInstance:
			b = strconv.AppendInt(b, int64(g.made%instances), 10)
		case markTime:
			b = at.AppendFormat(b, time.RFC3339Nano)
		default:
			b = append(b, part...)
		}
	}
	return b
}

const markInstance, markTime = "@instance", "@time"

func newGenerator(tb testing.TB, m forge.Machine, count int) *generator {
	tb.Helper()
	g := &generator{count: count}
	for _, e := range run(tb, Forged(tb, m), markInstance, logEpoch) {
		e["timestamp"] = markTime
		text := strings.NewReplacer(markInstance, "\n"+markInstance+"\n", markTime, "\n"+markTime+"\n").Replace(string(marshal(tb, e)))
		g.entries = append(g.entries, strings.Split(text, "\n"))
	}
	return g
}

// TestReadLogGroupsMemory reads 50,000 entries and wants the heap to stay small.
func TestReadLogGroupsMemory(t *testing.T) {
	const entries, bound = 50_000, 64 << 20
	if testing.Short() {
		t.Skip("an export of 50,000 entries")
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	x := NewLogExport(newGenerator(t, plainVM, entries))
	runs := 0
	for g, err := range x.Groups() {
		if err != nil || g.problem() != nil {
			t.Fatalf("run %d: %v, %v", runs, err, g.problem())
		}
		if runs++; runs%100 == 0 {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if runs != entries/4 || x.Entries != entries || x.Others != 0 {
		t.Errorf("%d runs of %d entries, %d others, want %d of %d", runs, x.Entries, x.Others, entries/4, entries)
	}
	t.Logf("the heap grew by at most %d KiB", (max(peak, before)-before)>>10)
	if peak > before+bound {
		t.Errorf("the heap grew from %d to %d MiB, want at most %d more", before>>20, peak>>20, bound>>20)
	}
}

// TestLogBounds wants what would take memory without end to be refused.
func TestLogBounds(t *testing.T) {
	in := func(count int, payload string) io.Reader {
		i := 0
		var queue []byte
		return readerFunc(func(p []byte) (int, error) {
			if len(queue) == 0 {
				if i++; i > count {
					return 0, io.EOF
				}
				queue = fmt.Appendf(nil, `{"logName":"projects/p/logs/gotpm","timestamp":"2026-10-05T12:00:00Z","resource":{"type":"t","labels":{"i":"%d"}},"jsonPayload":{"token":"%s"}}`+"\n", i, payload)
			}
			n := copy(p, queue)
			queue = queue[n:]
			return n, nil
		})
	}
	if list, err := groups(in(maxLogLanes, "")); err != nil || len(list) != maxLogLanes {
		t.Errorf("%d unfinished runs: %d, %v", maxLogLanes, len(list), err)
	}
	if _, err := groups(in(maxLogLanes+1, "")); err == nil || !strings.Contains(err.Error(), "4096 unfinished runs") {
		t.Errorf("%d unfinished runs: %v", maxLogLanes+1, err)
	}
	large := strings.Repeat("x", maxLogEntry-1<<10)
	if _, err := groups(in(100, large)); err == nil || !strings.Contains(err.Error(), "32 MiB") {
		t.Errorf("unfinished runs of 100 times %d bytes: %v", len(large), err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func BenchmarkReadLogGroups(b *testing.B) {
	const entries = 400
	for name, m := range map[string]forge.Machine{"sev": plainVM, "tdx": tdxVM} {
		b.Run(name, func(b *testing.B) {
			data, err := io.ReadAll(newGenerator(b, m, entries))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if list, err := groups(bytes.NewReader(data)); err != nil || len(list) != entries/4 {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}

// FuzzReadLogGroups wants the same groups of entries in an array and in lines, and
// of the entries as they are cut and as encoding/json finds them.
func FuzzReadLogGroups(f *testing.F) {
	for _, in := range []string{"1C0 1A0 1T0 1L0", "1L9 2L9 1T8 1A8 1C7", "1C0 1C0 1A1 1T3 2L3"} {
		f.Add(lines(f, letters(f, in)))
		f.Add(array(f, letters(f, in)))
	}
	e := Forged(f, tdxVM)
	e.Attestation.EventLog, e.Attestation.Quotes = nil, e.Attestation.GetQuotes()[:1]
	f.Add(lines(f, run(f, e, "1", logEpoch)))
	f.Add([]byte(`{"logName":"x","jsonPayload":{"a":"\"]}\\"}}` + "\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := groups(bytes.NewReader(in))
		for _, g := range list {
			if g.problem() == nil && g.size < 4 {
				t.Error("a whole run of nothing")
			}
			g.untrusted()
		}
		if err != nil {
			if fe := (*FormatError)(nil); !errors.As(err, &fe) {
				t.Errorf("%v is no *FormatError", err)
			}
			return
		}
		s := newEntryScanner(bytes.NewReader(in))
		var entries [][]byte
		for err = s.next(); err == nil; err = s.next() {
			wantNoSecondReading(t, s.entry)
			entries = append(entries, slices.Clone(s.entry))
		}
		if !errors.Is(err, io.EOF) {
			t.Fatalf("cut again: %v", err)
		}
		asArray := slices.Concat([]byte("["), bytes.Join(entries, []byte(" ,\n")), []byte("]"))
		asLines := bytes.Join(entries, []byte("\r\n"))
		for form, data := range map[string][]byte{"array": asArray, "lines": asLines} {
			again, err := groups(bytes.NewReader(data))
			if len(entries) == 0 && form == "lines" {
				continue // nothing at all is no export
			}
			if got, want := digests(again), digests(list); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v, the input has %q", form, got, err, want)
			}
		}
	})
}

// digests says all that there is to say of groups.
func digests(list []*LogGroup) []string {
	var out []string
	for _, g := range list {
		out = append(out, fmt.Sprint(brief(g), g.LogName, g.ResourceType, g.Labels, g.First, g.Last, g.Doubt, g.bad, string(g.token), g.claims, g.untrusted()))
	}
	return out
}
