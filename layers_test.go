// Package attestctl_test holds the tests that look at the project as a whole.
package attestctl_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/attestctl/attestctl"

// layers lists every package of the project with what it may import of the
// project: everything named here stands in a lower layer. See
// docs/architecture.md. A package that is not in the list fails the test.
var layers = map[string][]string{
	"evidence/claims":     {},
	"evidence/snp":        {},
	"evidence/strictjson": {},
	"evidence/wire":       {},
	"internal/hint":       {},
	"internal/ownfile":    {"internal/hint"},
	"internal/strictyaml": {"internal/hint"},

	"evidence/tpm":   {"evidence/wire"},
	"evidence/tdx":   {"evidence/wire", "evidence/strictjson"},
	"evidence/token": {"evidence/strictjson"},

	"replay": {"evidence/tpm"},

	"evidence": {"evidence/claims", "evidence/strictjson", "evidence/tpm", "evidence/snp", "evidence/tdx", "evidence/token", "replay", "internal/hint"},

	"rego":   {},
	"policy": {"evidence/claims", "rego", "internal/hint"},

	"internal/appraise": {"evidence", "evidence/claims", "policy", "internal/hint"},

	"internal/report": {"internal/appraise", "policy", "evidence", "evidence/claims", "evidence/tpm", "replay", "internal/hint"},
	"internal/forge":  {"evidence/tpm", "evidence/snp", "evidence/tdx"},
	"internal/corpus": {},         // for tests only
	"internal/swtpm":  {"replay"}, // for tests only
	"internal/testca": {},         // for tests only
	"internal/fixture": {
		"internal/appraise", "internal/forge", "evidence", "evidence/claims", "evidence/strictjson", "evidence/tpm", "internal/hint",
		"internal/strictyaml",
	},

	"internal/localtpm": {"internal/hint"},

	"server/audit":     {"internal/hint"},
	"server/challenge": {"internal/hint", "internal/ownfile"},
	"server/seal":      {"evidence/strictjson", "internal/hint"},
	"server/wrap":      {"server/seal", "evidence/strictjson", "evidence/tpm"},
	"server/secret":    {"evidence/strictjson", "internal/hint", "internal/ownfile", "internal/strictyaml"},
	"server": {
		"server/audit", "server/challenge", "server/seal", "server/secret", "server/wrap", "internal/appraise", "policy",
		"evidence", "evidence/strictjson", "evidence/tpm", "internal/hint", "internal/ownfile",
	},

	"cmd/attestctl": {
		"server", "server/audit", "server/challenge", "server/seal", "server/secret", "server/wrap", "evidence/strictjson",
		"internal/report", "internal/fixture", "internal/forge", "internal/appraise", "policy", "evidence", "evidence/claims",
		"evidence/tpm", "evidence/token", "replay", "internal/localtpm", "internal/hint", "internal/ownfile",
	},
}

// fences names the packages that only some of the project's packages may
// import, by the beginning of their path.
var fences = []struct {
	imports string
	only    []string
}{
	{"github.com/google/go-tpm", []string{"evidence", "evidence/tpm", "replay", "server/wrap", "internal/forge", "internal/localtpm"}},
	{"github.com/google/go-eventlog", []string{"evidence", "replay", "internal/forge"}},
	{"github.com/google/go-sev-guest", []string{"evidence", "internal/forge"}},
	{"github.com/google/go-tdx-guest", []string{"evidence", "internal/forge"}},
	{"github.com/lestrrat-go/jwx", []string{"evidence/token", "server/seal"}},
	{"github.com/open-policy-agent/opa", []string{"policy"}},
	{"github.com/tetratelabs/wazero", []string{"policy"}},
	{"github.com/spf13/cobra", []string{"cmd/attestctl"}},
	{"github.com/prometheus", []string{"server"}},
	{"filippo.io/age", []string{"server/secret"}},
	{"net/http", []string{"server", "server/secret", "cmd/attestctl"}},
	{"net", []string{"server", "server/secret", "cmd/attestctl", "internal/swtpm"}},
	{"os/exec", []string{"cmd/attestctl", "internal/corpus", "internal/swtpm"}},
	{"unsafe", nil},
	{"plugin", nil},
}

func TestLayers(t *testing.T) {
	found := map[string]bool{}
	for _, file := range goFiles(t) {
		pkg := path.Dir(filepath.ToSlash(file))
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		found[pkg] = true
		allowed, known := layers[pkg]
		if !known {
			t.Errorf("%s: package %s has no layer; give it one in layers_test.go and docs/architecture.md", file, pkg)
		}
		for _, imported := range imports(t, file) {
			if own, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which is not in a layer below it", file, own)
			}
			for _, f := range fences {
				if imported == "net/url" || imported == "net/netip" {
					continue // they parse and open nothing
				}
				inside := imported == f.imports || strings.HasPrefix(imported, f.imports+"/") ||
					strings.Contains(f.imports, ".") && strings.HasPrefix(imported, f.imports)
				if inside && !slices.Contains(f.only, pkg) {
					t.Errorf("%s imports %s, which only %v may", file, imported, f.only)
				}
			}
		}
	}
	for pkg := range layers {
		if !found[pkg] {
			t.Errorf("layer list names %s, which does not exist", pkg)
		}
	}
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") && filepath.Dir(p) != "." {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, 0, len(f.Imports))
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// fetcher is the one package below verification that can open a socket: jwx's
// signature verifier imports it for the keys that it can fetch, which nothing
// here asks it to. TestNoSocket of cmd/attestctl runs the commands to see.
const fetcher = "github.com/lestrrat-go/jwx/v2/jwk"

// TestVerificationLinksNoNetwork: nothing that packages evidence and replay depend
// on, at any depth, can open a socket, but by way of the fetcher.
func TestVerificationLinksNoNetwork(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports", "./evidence", "./replay")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	graph := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		graph[p.ImportPath] = p.Imports
	}
	if len(graph) < 50 || graph[fetcher] == nil {
		t.Fatalf("go list gave %d packages, the fetcher among them: %t", len(graph), graph[fetcher] != nil)
	}
	for reached, by := range reachable(graph, module+"/evidence", module+"/replay") {
		if reached == "net/http" || reached == "net/rpc" || reached == "crypto/tls" {
			t.Errorf("verification links %s, by %s", reached, by)
		}
	}
}

// reachable returns what the packages import at any depth, and one importer of
// each, without going through the fetcher.
func reachable(graph map[string][]string, from ...string) map[string]string {
	seen := map[string]string{}
	for len(from) > 0 {
		p := from[0]
		from = from[1:]
		if p == fetcher {
			continue
		}
		for _, imported := range graph[p] {
			if _, ok := seen[imported]; !ok {
				seen[imported] = p
				from = append(from, imported)
			}
		}
	}
	return seen
}
