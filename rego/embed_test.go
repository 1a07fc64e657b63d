package rego_test

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/rego"
)

// TestNames wants a name for every folder of the file system but the library.
func TestNames(t *testing.T) {
	entries, err := fs.ReadDir(rego.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.Name() != "lib" {
			folders = append(folders, e.Name())
		}
	}
	if got := rego.Names(); !slices.Equal(got, folders) {
		t.Errorf("Names() = %q, want the folders %q", got, folders)
	}
	rego.Names()[0] = "changed"
	if rego.Names()[0] == "changed" {
		t.Error("Names() gives out its own list")
	}
}

// TestFolders wants the same files of every policy, and no config that would
// let it decide for somebody who has not said whose machines are meant.
func TestFolders(t *testing.T) {
	for _, name := range rego.Names() {
		for _, file := range []string{name + ".rego", name + "_test.rego", "README.md", "testdata/config.json"} {
			if _, err := fs.Stat(rego.FS, path.Join(name, file)); err != nil {
				t.Error(err)
			}
		}
		for _, file := range []string{"config.json", "config.yaml", "config.yml"} {
			if _, err := fs.Stat(rego.FS, path.Join(name, file)); err == nil {
				t.Errorf("%s/%s: a policy that ships is not configured", name, file)
			}
		}
	}
}

// TestReadme wants every example configuration named, and every setting of one
// and every code of a denial explained beside the policy.
func TestReadme(t *testing.T) {
	for _, name := range rego.Names() {
		readme := read(t, path.Join(name, "README.md"))
		for _, example := range globs(t, rego.FS, name+"/testdata/*.json") {
			if file := strings.TrimPrefix(example, name+"/"); !strings.Contains(readme, "`"+file+"`") {
				t.Errorf("%s/README.md does not name %s", name, file)
			}
			for setting := range config(t, example) {
				if !strings.Contains(readme, "`"+setting+"`") {
					t.Errorf("%s/README.md does not explain the setting %s", name, setting)
				}
			}
		}
		for _, code := range codes(t, name) {
			if !strings.Contains(readme, "`"+code+"`") {
				t.Errorf("%s/README.md does not explain the code %s", name, code)
			}
		}
	}
}

// codes returns the codes that the metadata of a policy's rules give.
func codes(t *testing.T, name string) []string {
	t.Helper()
	modules, err := fs.Glob(rego.FS, name+"/*.rego")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, module := range modules {
		for line := range strings.Lines(read(t, module)) {
			if code, ok := strings.CutPrefix(line, "#   code: "); ok {
				found = append(found, strings.TrimSpace(code))
			}
		}
	}
	if len(found) < 4 {
		t.Errorf("%s has %d codes, every policy has more", name, len(found))
	}
	return found
}

func config(t *testing.T, file string) map[string]any {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(read(t, file)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(rego.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
