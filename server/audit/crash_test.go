package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTorn cuts a log at many places: Verify accepts what is whole, and Open cuts
// the rest and goes on.
func TestTorn(t *testing.T) {
	log := written(t, 3)
	path := filepath.Join(t.TempDir(), "audit.log")
	for n := range len(log) {
		if n > 200 && n < len(log)-200 && n%17 != 0 {
			continue // it costs a few syncs each
		}
		tornAt(t, path, log[:n])
	}
	lines := split(log)
	whole := join(lines[:3]...)
	for name, tail := range map[string][]byte{
		"zeros":                    make([]byte, 5000),
		"zeros behind half a line": append(bytes.Clone(lines[3][:200]), make([]byte, 5000)...),
		"a line but for its end":   lines[3],
	} {
		t.Run(name, func(t *testing.T) { tornAt(t, path, append(bytes.Clone(whole), tail...)) })
	}
}

func tornAt(t *testing.T, path string, log []byte) {
	t.Helper()
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := bytes.LastIndexByte(log, '\n') + 1
	sum, err := Verify(bytes.NewReader(log), testPub)
	if (err != nil) != (whole == 0) || sum.Bytes != int64(whole) || sum.Torn != len(log)-whole {
		t.Fatalf("Verify of %d bytes = %+v, %v", len(log), sum, err)
	}
	l, err := Open(path, testKey, options(4))
	if err != nil {
		t.Fatalf("Open with %d bytes: %v", len(log), err)
	}
	appendAll(t, l, sample("after"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := contents(t, path)
	if !bytes.HasPrefix(again, log[:whole]) {
		t.Fatalf("Open with %d bytes changed whole lines", len(log))
	}
	after, err := Verify(bytes.NewReader(again), testPub)
	if err != nil || after.Records != sum.Records+1 || after.Torn != 0 || (after.Cuts == 1) != (whole < len(log)) {
		t.Fatalf("Verify after %d bytes = %+v, %v", len(log), after, err)
	}
	if whole < len(log) {
		note := fmt.Sprintf(`"torn":{"bytes":%d,"sha256":"%x"}`, len(log)-whole, sha256.Sum256(log[whole:]))
		if n := bytes.Count(again[whole:], []byte(note)); n != 1 {
			t.Fatalf("%d notes %s in %s", n, note, again[whole:])
		}
	}
}

// The environment of a child of TestKilled: the log that it writes, and after how
// many small writes it hangs within a line.
const (
	childLog   = "ATTESTCTL_TEST_AUDIT_LOG"
	childHangs = "ATTESTCTL_TEST_AUDIT_HANGS"
)

// hung is what a child prints that hangs.
const hung = "hung"

// dribble writes little at a time, and hangs in the last of its writes.
type dribble struct {
	file

	left int
	out  io.Writer
}

func (d *dribble) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		part := p[:min(len(p), 300)]
		if d.left--; d.left == 0 {
			if n, err := d.file.Write(bytes.TrimSuffix(part, []byte{'\n'})); err != nil {
				return n, err
			}
			fmt.Fprintln(d.out, hung)
			select {}
		}
		var m int
		m, err = d.file.Write(part)
		n, p = n+m, p[m:]
	}
	return n, err
}

// TestWriterChild is the child: it writes until it is killed and prints the id of
// every record that Append returned for.
func TestWriterChild(t *testing.T) {
	path := os.Getenv(childLog)
	if path == "" {
		t.Skip("a child of TestKilled")
	}
	l, err := Open(path, testKey, options(5))
	if err != nil {
		t.Fatal(err)
	}
	out := os.NewFile(3, "ids")
	hangs, _ := strconv.Atoi(os.Getenv(childHangs))
	l.file = &dribble{l.file, hangs, out}
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				r := sample(fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i))
				r.Input = json.RawMessage(`{"x":"` + strings.Repeat("x", 1<<rand.IntN(17)) + `"}`)
				if err := l.Append(t.Context(), r); err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintln(out, r.DecisionID)
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
}

// TestKilled kills writers in the midst of writing. Every record that Append
// returned for is there, Verify accepts all whole lines, and the next writer
// goes on.
func TestKilled(t *testing.T) {
	rounds, logs := 8, 5
	if testing.Short() {
		rounds, logs = 4, 2
	}
	tears, kills := 0, 0
	for range logs {
		path := filepath.Join(t.TempDir(), "audit.log")
		acknowledged := map[string]bool{}
		for round := range rounds {
			killWriter(t, path, 1+rand.IntN(40), round%2 == 0, acknowledged)
			kills++
			log := contents(t, path)
			sum, err := Verify(bytes.NewReader(log), testPub)
			if err != nil {
				t.Fatalf("Verify after a kill: %+v, %v", sum, err)
			}
			if sum.Torn > 0 {
				tears++
			}
			found := map[string]bool{}
			for r, err := range Read(bytes.NewReader(log)) {
				if err != nil || found[r.DecisionID] {
					t.Fatalf("record %q: %v, twice: %t", r.DecisionID, err, found[r.DecisionID])
				}
				found[r.DecisionID] = true
			}
			for id := range acknowledged {
				if !found[id] {
					t.Fatalf("Append returned for %s, which is not in the log", id)
				}
			}
		}
		l := open(t, path, options(5))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if sum, err := Verify(bytes.NewReader(contents(t, path)), testPub); err != nil || !sum.Closed {
			t.Fatalf("Verify at the end: %+v, %v", sum, err)
		}
	}
	if tears < kills/2 {
		t.Errorf("%d kills, and no more than %d torn lines", kills, tears)
	}
	t.Logf("%d kills, %d torn lines", kills, tears)
}

// killWriter starts a writer, kills it after n records, or where it hangs after n
// of its small writes, and collects the ids of those that it had written.
func killWriter(t *testing.T, path string, n int, hang bool, acknowledged map[string]bool) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // it was read
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterChild$")
	cmd.Env = append(os.Environ(), childLog+"="+path)
	if hang {
		cmd.Env = append(cmd.Env, childHangs+"="+strconv.Itoa(n))
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &said, &said, []*os.File{w}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil { // the writer has its own
		t.Fatal(err)
	}
	ids := bufio.NewScanner(r)
	seen := 0
	for ids.Scan() {
		if ids.Text() != hung {
			acknowledged[ids.Text()] = true
		}
		if seen++; seen == n && !hang || ids.Text() == hung {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the writer ended by itself after %d records: %v\n%s", seen, err, said.Bytes())
	}
}
