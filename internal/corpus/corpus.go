// Package corpus finds real evidence for tests: in the shared corpus beside the
// project, and in the test data of the Go modules that the project depends on.
// Real evidence is read from there and never copied into the project.
package corpus

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Entry is one row of the corpus' manifest.
type Entry struct {
	ID, Kind, File string
	Nonce          string // hex, where the evidence has one
	Verdict, Notes string
}

// Dir returns the corpus' directory. Where there is none it skips the test with
// the reason.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(root(tb), "..", "shared", "corpus")
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err != nil {
		tb.Skipf("no corpus of real evidence beside the project: %v", err)
	}
	return dir
}

// Entries returns the rows of the manifest of the given kinds.
func Entries(tb testing.TB, kinds ...string) []Entry {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(Dir(tb), "MANIFEST.tsv"))
	if err != nil {
		tb.Fatal(err)
	}
	var list []Entry
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		f := strings.Split(s.Text(), "\t")
		if len(f) < 9 || f[0] == "id" {
			continue
		}
		for _, k := range kinds {
			if f[1] == k {
				list = append(list, Entry{ID: f[0], Kind: f[1], File: f[2], Nonce: f[6], Verdict: f[7], Notes: f[8]})
			}
		}
	}
	if err := s.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(list) == 0 {
		tb.Fatalf("the manifest has no entry of kind %v", kinds)
	}
	return list
}

// Read returns a file of the corpus by its path in the manifest.
func Read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(Dir(tb), filepath.FromSlash(file)))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// Module returns the directory of a Go module that the project depends on.
func Module(tb testing.TB, path string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = root(tb)
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go list -m %s: %v", path, err)
	}
	return strings.TrimSpace(string(out))
}

// GoogleEvidence returns the genuine evidence of a Compute Engine SEV VM out of
// the go-tpm-tools module. Its nonce is 9009.
func GoogleEvidence(tb testing.TB) []byte {
	tb.Helper()
	return moduleFile(tb, "gce-cos-85-nonce9009.pb")
}

// GoogleEvidenceNoNonce is evidence of the same VM made for the empty nonce.
func GoogleEvidenceNoNonce(tb testing.TB) []byte {
	tb.Helper()
	return moduleFile(tb, "gce-cos-85-no-nonce.pb")
}

func moduleFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(Module(tb, "github.com/google/go-tpm-tools"), "internal", "test", "attestations", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// root returns the directory of the project: the one above that has go.mod.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
