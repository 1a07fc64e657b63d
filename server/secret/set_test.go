package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/attestctl/attestctl/server/secret"
)

func TestSet(t *testing.T) {
	dir := tree(t, map[string]string{
		"secrets.yaml": "default: hello\nstores: {files: {dir: files}}\nsecrets: {zz: {}, hello: {plaintext: true, binding: []}, db: {path: sub/db}}\n",
		"files/zz":     "z", "files/hello": "h", "files/sub/db": "d",
	})
	s := open(t, dir)
	if got := s.Names(); !slices.Equal(got, []string{"db", "hello", "zz"}) {
		t.Errorf("Names() = %q", got)
	}
	if s.Default() != "hello" {
		t.Errorf("Default() = %q", s.Default())
	}
	x, ok := s.Secret("db")
	if !ok || x.Name != "db" || x.Store != "files" || x.Path != "sub/db" || !x.Requires(secret.Key) {
		t.Errorf("Secret(db) = %+v, %t", x, ok)
	}
	x.Binding[0] = ""
	s.Names()[0] = ""
	if x, _ := s.Secret("db"); !x.Requires(secret.Key) || s.Names()[0] != "db" {
		t.Error("a caller changes the Set")
	}
	for name, want := range map[string]string{"zz": "z", "hello": "h", "db": "d"} {
		if got := get(t, s, name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestZeroSetHasNothing(t *testing.T) {
	var s secret.Set
	if v, _, err := s.Get(t.Context(), ""); v != nil || !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("Get = %v, %v, want ErrNotFound", v, err)
	}
	if _, ok := s.Secret(""); ok || s.Default() != "" || len(s.Names()) != 0 || s.Close() != nil {
		t.Error("the zero Set has something")
	}
}

// TestBadReload: one bad secret refuses the whole, and what is open goes on.
func TestBadReload(t *testing.T) {
	dir := tree(t, map[string]string{"secrets.yaml": "stores: {files: {dir: files}}\nsecrets: {a: {}, b: {}}\n", "files/a": "a", "files/b": canary})
	s := open(t, dir)
	chmod(t, dir, "files/b", 0o644)
	refused(t, dir, "secrets.b: b: mode 0644")
	write(t, dir, "secrets.yaml", "stores: {}")
	refused(t, dir, "stores: there is none")
	if got := get(t, s, "a"); got != "a" {
		t.Errorf("Get = %q, want a", got)
	}
}

// TestReplacedWhileRead: a secret that is replaced by a rename is read whole, old
// or new.
func TestReplacedWhileRead(t *testing.T) {
	a, b := strings.Repeat("a", 20_000), strings.Repeat("b", 30_000)
	dir := tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": a})
	s := open(t, dir)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				v, _, err := s.Get(t.Context(), "db")
				if err != nil && !strings.Contains(err.Error(), "changes while it is read") {
					t.Error(err)
				}
				if got := string(v.Bytes()); err == nil && got != a && got != b {
					t.Errorf("Get of %d bytes is neither the old nor the new secret", len(got))
				}
				v.Close()
			}
		})
	}
	for i := range 200 {
		write(t, dir, "files/new", []string{b, a}[i%2])
		if err := os.Rename(filepath.Join(dir, "files/new"), filepath.Join(dir, "files/db")); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}
