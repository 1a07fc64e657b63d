package policy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// claimsOf reads the claims of a fixture.
func claimsOf(tb testing.TB, path string) map[string]any {
	tb.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var want struct{ Claims json.RawMessage }
	if err := json.Unmarshal(raw, &want); err != nil {
		tb.Fatal(err)
	}
	if len(want.Claims) == 0 || string(want.Claims) == "null" {
		return nil
	}
	doc, err := strictJSON(want.Claims, claimNumber)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	claims, ok := doc.(map[string]any)
	if !ok {
		tb.Fatalf("%s: claims are no object", path)
	}
	return claims
}

// shippedPolicies compiles the policies below ../rego, with the config of their
// test data.
func shippedPolicies(tb testing.TB) map[string]*Policy {
	tb.Helper()
	policies := map[string]*Policy{}
	lib := filesIn(tb, "../rego/lib/*.rego")
	dirs, err := filepath.Glob("../rego/*/testdata")
	if err != nil {
		tb.Fatal(err)
	}
	for _, dir := range dirs {
		name := filepath.Base(filepath.Dir(dir))
		files := filesIn(tb, filepath.Dir(dir)+"/*.rego")
		if len(files) == 0 {
			continue
		}
		maps.Copy(files, filesIn(tb, dir+"/config.*"))
		s, err := assemble(name, files)
		if err != nil {
			tb.Errorf("%s: %v", name, err)
			continue
		}
		for base, text := range lib {
			f := File{libraryDir + "/" + base, text}
			if !slices.Contains(s.library, f) {
				s.library = append(s.library, f)
			}
		}
		p, err := Compile(s)
		if err != nil {
			tb.Errorf("%s: %v", name, err)
			continue
		}
		policies[name] = p
	}
	return policies
}

// filesIn reads files, by their last names.
func filesIn(tb testing.TB, pattern string) map[string]string {
	tb.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		tb.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		files[filepath.Base(path)] = string(raw)
	}
	return files
}

// BenchmarkEngines compares the engines on the policies that ship, from the same
// input bytes to the decision.
func BenchmarkEngines(b *testing.B) {
	of := map[string]string{"confidential-space": "confidential-space", "sev-snp": "gce-snp", "tdx": "gce-tdx"}
	for name, p := range shippedPolicies(b) {
		claims := claimsOf(b, "../fixtures/"+cmp.Or(of[name], "gce-sev")+"/want.json")
		reference, wasm := enginesOf(b, p, Limits{Deadline: time.Second})
		raw := inputOf(b, claims).json
		run := func(name string, e Engine, parse bool) {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				in := inputOf(b, claims)
				for b.Loop() {
					if parse {
						in = fromCanonical(raw)
					}
					if _, err := e.Decide(context.Background(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run(name+"/topdown-parsed", reference, false)
		run(name+"/topdown", reference, true)
		run(name+"/wasm", wasm, true)
	}
}

// fromCanonical makes an input of its bytes, not yet parsed.
func fromCanonical(raw []byte) Input {
	return Input{raw, sync.OnceValues(func() (ast.Value, error) { return ast.ValueFromReader(bytes.NewReader(raw)) })}
}
