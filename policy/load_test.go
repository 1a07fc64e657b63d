package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

func TestReadFSRefuses(t *testing.T) {
	big := "# " + strings.Repeat("x", 1<<20)
	many := files("p.rego", sev)
	for i := range 256 {
		many[fmt.Sprintf("m%d.rego", i)] = many["p.rego"]
	}
	sum := files("p.rego", sev)
	for i := range 5 {
		sum[fmt.Sprintf("m%d.rego", i)] = files("x", big[:1<<20])["x"]
	}
	for _, tc := range []struct {
		name  string
		pairs []string
		words []string
	}{
		{"nothing", nil, []string{"no .rego file"}},
		{"only tests", []string{"p_test.rego", sev}, []string{"no .rego file"}},
		{"byte order mark", []string{"p.rego", "\ufeff" + sev}, []string{"byte order mark", "p.rego:1:1"}},
		{"UTF-16", []string{"p.rego", "\xff\xfep\x00"}, []string{"not UTF-8"}},
		{"CRLF", []string{"p.rego", strings.ReplaceAll(sev, "\n", "\r\n")}, []string{"p.rego:1:15: a carriage return", "eol=lf"}},
		{"NUL", []string{"p.rego", sev + "\x00"}, []string{"U+0000"}},
		{"bidirectional override", []string{"p.rego", sev + "# \u202e"}, []string{"U+202E"}},
		{"zero width space", []string{"p.rego", sev + "# \u200b"}, []string{"U+200B"}},
		{"tag character", []string{"p.rego", sev + "# \U000e0041"}, []string{"U+E0041"}},
		{"one large file", []string{"p.rego", big}, []string{"larger than 1048576"}},
		{"deep brackets", []string{"p.rego", sev + strings.Repeat("[", 65)}, []string{"nest too deeply"}},
		{"wasm", []string{"p.rego", sev, "policy.wasm", "\x00asm"}, []string{"policy.wasm", "compiles the .rego files itself"}},
		{"data.json", []string{"p.rego", sev, "data.json", "{}"}, []string{"data.json", "data.config"}},
		{"unknown file", []string{"p.rego", sev, "run.sh", ""}, []string{"run.sh"}},
		{"config below the top", []string{"p.rego", sev, "a/config.json", "{}"}, []string{"at the top"}},
		{"two configs", []string{"p.rego", sev, "config.json", "{}", "config.yaml", ""}, []string{"one config"}},
		{"hidden module", []string{"p.rego", sev, ".p.rego", sev}, []string{".p.rego"}},
		{"hidden test", []string{"p.rego", sev, ".p_test.rego", sev}, []string{".p_test.rego"}},
		{"space in a name", []string{"p q.rego", sev}, []string{"letters, digits"}},
		{"letters of another script", []string{"pоlicy.rego", sev}, []string{"letters, digits"}},
		{"deep folders", []string{"p.rego", sev, "1/2/3/4/5/6/7/8/9.rego", sev}, []string{"deeper than 8"}},
		{"the folder of the library", []string{"p.rego", sev, "attestctl/x.rego", sev}, []string{"attestctl's own"}},
	} {
		_, err := policy.ReadFS(files(tc.pairs...))
		wantError(t, tc.name, err, tc.words...)
	}
	_, err := policy.ReadFS(many)
	wantError(t, "many files", err, "more than 256 files")
	_, err = policy.ReadFS(sum)
	wantError(t, "many large files", err, "a policy 4194304")
}

func TestReadFSIgnores(t *testing.T) {
	bare := source(t, "p.rego", sev)
	s := source(t, "p.rego", sev, "p_test.rego", "package attest_test\n", "README.md", "\xff", ".gitignore", "*",
		".git/config", "x", "fixtures/a/evidence.dat", "\x00", "testdata/evil.rego", "package attest\nallow := true\n")
	if got, want := s.Digest(), bare.Digest(); got != want {
		t.Errorf("digest with files that do not decide = %s, want %s", got, want)
	}
	if len(s.Tests()) != 1 || len(s.Modules()) != 1 {
		t.Errorf("tests %v, modules %v: want one each", s.Tests(), s.Modules())
	}
}

func TestReadDirRefusesWhatIsNoFile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "evil.rego")
	write(t, outside, sev)
	for _, tc := range []struct {
		name  string
		make  func(dir string) error
		words []string
	}{
		{"link to outside", func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "a.rego")) }, []string{"a.rego: a symbolic link", "bundle"}},
		{"link to inside", func(dir string) error { return os.Symlink("p.rego", filepath.Join(dir, "a.rego")) }, []string{"a symbolic link"}},
		{"link to a folder", func(dir string) error { return os.Symlink(filepath.Dir(outside), filepath.Join(dir, "sub")) }, []string{"a symbolic link"}},
		{"dangling link", func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "config.json")) }, []string{"a symbolic link"}},
		{"pipe", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "a.rego"), 0o600) }, []string{"not a regular file"}},
		{"unreadable by name", func(dir string) error { return os.Mkdir(filepath.Join(dir, "a.rego"), 0o700) }, nil},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "p.rego"), sev)
		if err := tc.make(dir); err != nil {
			t.Fatal(err)
		}
		_, err := policy.ReadDir(dir)
		if tc.words == nil {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		wantError(t, tc.name, err, tc.words...)
	}
	_, err := policy.ReadDir("/dev/null")
	wantError(t, "a device", err, "not a directory")
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.rego"), sev)
	want := source(t, "p.rego", sev)
	if s, err := policy.Open(dir); err != nil || s.Digest() != want.Digest() {
		t.Errorf("Open(folder) = %v, %v; want digest %s", s, err, want.Digest())
	}
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	write(t, bundle, string(bundleOf(t, want)))
	if s, err := policy.Open(bundle); err != nil || s.Digest() != want.Digest() {
		t.Errorf("Open(bundle) = %v, %v; want digest %s", s, err, want.Digest())
	}
	_, err := policy.Open(filepath.Join(dir, "p.rego"))
	wantError(t, "a module", err, "name its folder")
	_, err = policy.Open(filepath.Join(dir, "none"))
	wantError(t, "nothing", err, "no such file", "a policy is a folder")
	_, err = policy.Open("builtin:../lib")
	wantError(t, "no builtin", err, "no such policy")
	_, err = policy.Open("builtin:lib")
	wantError(t, "the library", err, "no such policy")
	_, err = policy.Open("/dev/null")
	wantError(t, "a device", err, "not a folder or regular file")
}

// Every policy that ships opens, compiles and denies claims of which it knows
// nothing.
func TestBuiltins(t *testing.T) {
	for _, name := range policy.Builtins() {
		s, err := policy.Open(name)
		if err != nil {
			t.Errorf("Open(%q) = %v", name, err)
			continue
		}
		p, err := policy.Compile(s)
		if err != nil {
			t.Errorf("Compile(%q) = %v", name, err)
			continue
		}
		bare := `{"schema":"attestctl.claims/v1","format":"x","verified_at":1,"checks":{}}`
		d, err := engine(t, p, policy.Limits{}).Decide(t.Context(), input(t, bare))
		if err != nil || d.Allow {
			t.Errorf("%s allows claims that say nothing: %+v, %v", name, d, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"config.json", ` {"b": [1, 2.50, true, null, "x"], "a": {}} `, `{"a":{},"b":[1,2.50,true,null,"x"]}`},
		{"config.yaml", "b: [1, 2.50, true, null, x]\na: {}\n", `{"a":{},"b":[1,2.50,true,null,"x"]}`},
		{"config.yml", "", `{}`},
		{"config.yaml", "# nothing\n", `{}`},
		{"config.yaml", "id: 18446744073709551616\n", `{"id":18446744073709551616}`},
		{"config.yaml", "id: \"007\"\nzone: 'no'\ntext: |\n  two\n  lines\n", `{"id":"007","text":"two\nlines\n","zone":"no"}`},
		{"config.yaml", "day: 2024-01-01\n", `{"day":"2024-01-01"}`},
		{"config.yaml", "a:\n  b:\n    - c: 1\n      d: 2\n    - x\n", `{"a":{"b":[{"c":1,"d":2},"x"]}}`},
	} {
		s := source(t, "p.rego", sev, tc.name, tc.text)
		if got := string(s.Config()); got != tc.want {
			t.Errorf("%s: %q = %s, want %s", tc.name, tc.text, got, tc.want)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"config.json", ``, "not JSON"},
		{"config.json", `[]`, "not an object"},
		{"config.json", `null`, "not an object"},
		{"config.json", `{"a":1,"a":1}`, "stands twice"},
		{"config.json", `{"a":1,"\u0061":1}`, "stands twice"},
		{"config.json", `{"a":1}{}`, "after top-level value"},
		{"config.json", `{"a":1,}`, "not JSON"},
		{"config.json", "\ufeff{}", "byte order mark"},
		{"config.json", "{\"a\":\"\xff\"}", "not UTF-8"},
		{"config.json", `{"a":"\ud800"}`, "lone surrogate"},
		{"config.json", `{"a":1e3}`, "without exponent"},
		{"config.json", `{"a":` + strings.Repeat("9", 41) + `}`, "at most 40 digits"},
		{"config.json", `{"a":-0}`, "numbers are decimal"},
		{"config.json", strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), "deeper than 64"},
		{"config.yaml", strings.Repeat("- ", 100_000), "a line nests more than 64 deep"},
		{"config.yaml", strings.Repeat("? ", 100_000), "a line nests more than 64 deep"},
		{"config.yaml", "a: &x [1]\nb: *x\n", "anchor"},
		{"config.yaml", "b: *x\n", "alias"},
		{"config.yaml", "<<: {a: 1}\n", "not a string"},
		{"config.yaml", "a: !!str 1\n", "tag"},
		{"config.yaml", "a: 1\na: 2\n", "already defined"},
		{"config.yaml", "a: 1\n\"a\": 2\n", "already defined"},
		{"config.yaml", "a: yes\n", "quote it"},
		{"config.yaml", "a: True\n", "bool"},
		{"config.yaml", "a: ~\n", "null"},
		{"config.yaml", "a:\n", "null"},
		{"config.yaml", "a: 0x10\n", "not a decimal number"},
		{"config.yaml", "a: 0o17\n", "not a decimal number"},
		{"config.yaml", "a: 017\n", "not a decimal number"},
		{"config.yaml", "a: 1_000\n", "not a decimal number"},
		{"config.yaml", "a: 1e3\n", "not a decimal number"},
		{"config.yaml", "a: .inf\n", "inf"},
		{"config.yaml", "a: .5\n", "not a decimal number"},
		{"config.yaml", "a: +1\n", "not a decimal number"},
		{"config.yaml", "1: a\n", "not a string"},
		{"config.yaml", "true: a\n", "not a string"},
		{"config.yaml", "? [a]\n: b\n", "invalid key"},
		{"config.yaml", "a: 1\n---\nb: 2\n", "more than one document"},
		{"config.yaml", "- a\n", "not an object"},
		{"config.yaml", "a: \"x\n", "not YAML"},
		{"config.yaml", "a: 1\r\n", "carriage return"},
		{"config.yaml", "a: " + strings.Repeat("[", 100), "nest too deeply"},
	} {
		_, err := policy.ReadFS(files("p.rego", sev, tc.name, tc.text))
		wantError(t, tc.text, err, tc.want)
	}
}

func TestWithConfig(t *testing.T) {
	s := source(t, "p.rego", sev, "config.json", `{"a":1}`)
	other, err := s.WithConfig("mine.yaml", "a: 2\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(other.Config()); got != `{"a":2}` || other.Digest() == s.Digest() || string(s.Config()) != `{"a":1}` {
		t.Errorf("config %s of %s, was %s of %s", got, other.Digest(), s.Config(), s.Digest())
	}
	_, err = s.WithConfig("mine.toml", "")
	wantError(t, "toml", err, "a config is .json or .yaml")
}

// The digest is the SHA-256 of Sums, and changes with everything that can change
// a decision.
func TestDigest(t *testing.T) {
	base := source(t, "p.rego", sev, "config.json", `{"a":1,"b":2}`)
	if got := source(t, "p.rego", sev, "config.yaml", "b: 2\na: 1\n").Digest(); got != base.Digest() {
		t.Errorf("the same config in YAML: %s, want %s", got, base.Digest())
	}
	for name, s := range map[string]*policy.Source{
		"another text":       source(t, "p.rego", sev+"\n", "config.json", `{"a":1,"b":2}`),
		"another name":       source(t, "q.rego", sev, "config.json", `{"a":1,"b":2}`),
		"another config":     source(t, "p.rego", sev, "config.json", `{"a":1,"b":"2"}`),
		"no config":          source(t, "p.rego", sev),
		"another module":     source(t, "p.rego", sev, "q.rego", "package q\n", "config.json", `{"a":1,"b":2}`),
		"a module in a text": source(t, "p.rego", sev+"package q\n", "config.json", `{"a":1,"b":2}`),
	} {
		if s.Digest() == base.Digest() {
			t.Errorf("%s: the same digest", name)
		}
	}
	if !strings.HasPrefix(base.Sums(), "attestctl.policy/v1\n") || !strings.Contains(base.Sums(), "  attestctl/entry.rego\n") {
		t.Errorf("Sums() = %s", base.Sums())
	}
}
