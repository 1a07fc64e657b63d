package rego_test

import (
	"io/fs"
	"path"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/rego"
)

// host is a policy for the library's tests to stand beside: tests belong to a
// policy, and the library is part of every one.
const host = "package attest\n\ndefault allow := false\n\nallow if input.hwmodel == \"GCP_AMD_SEV\"\n"

// TestLibrary runs the unit tests of the library, which "policy test" does not:
// it runs those of policies.
func TestLibrary(t *testing.T) {
	tests, err := fs.Glob(rego.FS, "lib/*_test.rego")
	if err != nil || len(tests) < 2 {
		t.Fatalf("the library has the tests %q, %v", tests, err)
	}
	files := fstest.MapFS{"attest.rego": {Data: []byte(host), Mode: 0o644}}
	for _, name := range tests {
		files[path.Base(name)] = &fstest.MapFile{Data: []byte(read(t, name)), Mode: 0o644}
	}
	passed := runTests(t, files)
	for _, name := range tests {
		if passed[path.Base(name)] < 4 {
			t.Errorf("%s: %d tests passed, want 4 or more", name, passed[path.Base(name)])
		}
	}
}

// TestLibraryFailureShows plants a wrong expectation beside the library's tests.
func TestLibraryFailureShows(t *testing.T) {
	wrong := "package attestctl.wrong_test\n\nimport data.attestctl.gce\n\ntest_wrong if gce.technology_rank.GCP_AMD_SEV == 9\n"
	results := testsOf(t, fstest.MapFS{
		"attest.rego":     {Data: []byte(host), Mode: 0o644},
		"wrong_test.rego": {Data: []byte(wrong), Mode: 0o644},
	})
	if len(results) != 1 || results[0].Status != policy.TestFail {
		t.Errorf("a wrong expectation of the library gives %+v", results)
	}
}

// TestPolicies runs the unit tests of every policy that ships.
func TestPolicies(t *testing.T) {
	for _, name := range rego.Names() {
		sub, err := fs.Sub(rego.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		for _, file := range globs(t, sub, "*.rego") {
			text, err := fs.ReadFile(sub, file)
			if err != nil {
				t.Fatal(err)
			}
			files[file] = &fstest.MapFile{Data: text, Mode: 0o644}
		}
		if passed := runTests(t, files)[name+"_test.rego"]; passed < 10 {
			t.Errorf("%s: %d tests passed, want 10 or more", name, passed)
		}
	}
}

// runTests reports every test that does not pass and returns how many passed,
// by file.
func runTests(t *testing.T, files fstest.MapFS) map[string]int {
	t.Helper()
	passed := map[string]int{}
	for _, r := range testsOf(t, files) {
		if r.Status != policy.TestPass {
			t.Errorf("%s:%d: %s: %v: %s", r.File, r.Line, r.Name, r.Status, r.Msg)
			continue
		}
		passed[r.File]++
	}
	return passed
}

func testsOf(t *testing.T, files fstest.MapFS) []policy.TestResult {
	t.Helper()
	s, err := policy.ReadFS(files)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	results, err := p.RunTests(t.Context(), policy.TestOptions{Timeout: time.Minute}) // for the race detector
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func globs(t *testing.T, fsys fs.FS, pattern string) []string {
	t.Helper()
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(names))
}
