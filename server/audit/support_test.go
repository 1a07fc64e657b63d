package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

var (
	testKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	testPub  = ed25519.PublicKey(testKey[32:])
	otherKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	otherPub = ed25519.PublicKey(otherKey[32:])
	epoch    = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
)

func clock() time.Time { return epoch }

func options(every int) Options { return Options{Now: clock, Every: every} }

// sample is a record with every field set.
func sample(id string) Record {
	return Record{
		DecisionID: id, Time: epoch, RequestID: "r-" + id, Remote: "192.0.2.7:4242", Route: "POST /v1/secrets/{name}", Secret: "db",
		EvidenceSHA256: Hash{1}.String(), Format: "vtpm", Verdict: "accepted", Failed: []string{"tpm.quote.nonce[sha256]"},
		Policy: "builtin:gce-cvm", PolicyDigest: "sha256:" + Hash{2}.String(),
		Result:   Result{Allow: false, Reasons: []Reason{{"zone", "unexpected zone"}}},
		Shadow:   &Shadow{Policy: "next/", PolicyDigest: "sha256:" + Hash{3}.String(), Allow: true},
		Binding:  "nonce",
		Input:    json.RawMessage(`{"schema": "attestctl.claims/v1", "n": [1, 2.50], "s": "a<b"}`),
		Released: false, Challenge: Hash{4}.String(), Error: "policy-denied",
	}
}

// open opens a log that the test closes.
func open(tb testing.TB, path string, o Options) *Log {
	tb.Helper()
	l, err := Open(path, testKey, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func appendAll(tb testing.TB, l *Log, records ...Record) {
	tb.Helper()
	for _, r := range records {
		if err := l.Append(tb.Context(), r); err != nil {
			tb.Fatal(err)
		}
	}
}

// written returns a log of n records with a checkpoint after every fourth:
// the start is line 1, the records lines 2 to 5, then the checkpoint, and so on.
func written(tb testing.TB, n int) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "audit.log")
	l := open(tb, path, options(4))
	for i := range n {
		appendAll(tb, l, sample(fmt.Sprint(i)))
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return contents(tb, path)
}

func contents(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func write(tb testing.TB, log []byte) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "audit.log")
	if err := os.WriteFile(path, log, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// split cuts a log into its lines.
func split(log []byte) [][]byte {
	return bytes.Split(bytes.TrimSuffix(log, []byte{'\n'}), []byte{'\n'})
}

func join(lines ...[]byte) []byte { return append(bytes.Join(lines, []byte{'\n'}), '\n') }

var anyHead = regexp.MustCompile(`^\{"seq":[0-9]+,"prev":"[0-9a-f]{64}",`)

// rechain gives the lines the numbers and hashes of their places, as one does who
// has no key.
func rechain(lines ...[]byte) []byte {
	var c chain
	var out []byte
	for _, line := range lines {
		if h := anyHead.Find(line); h != nil {
			line = append(c.head(), line[len(h):]...)
		}
		c.advance(line)
		out = append(append(out, line...), '\n')
	}
	return out
}
