package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/secret"
)

// tree makes a folder of files with mode 600 in folders with mode 700, whose names
// are paths.
func tree(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, content := range files {
		write(tb, dir, name, content)
	}
	return dir
}

func write(tb testing.TB, dir, name, content string) {
	tb.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func chmod(tb testing.TB, dir, name string, mode os.FileMode) {
	tb.Helper()
	if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
		tb.Fatal(err)
	}
}

func open(tb testing.TB, dir string) *secret.Set {
	tb.Helper()
	s, err := secret.Open(dir)
	if err != nil {
		tb.Fatalf("Open: %v (hint: %s)", err, hint.Of(err))
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// refused wants an error of Open with the given words, which shows no canary.
func refused(tb testing.TB, dir, want string) {
	tb.Helper()
	s, err := secret.Open(dir)
	if err == nil {
		_ = s.Close()
		tb.Fatalf("Open = nil, want an error with %q", want)
	}
	if s != nil {
		tb.Error("Open returns a Set beside an error")
	}
	sayNothing(tb, err)
	if !strings.Contains(err.Error(), want) {
		tb.Errorf("Open = %v, want an error with %q", err, want)
	}
}

// sayNothing wants no canary in an error and its hint.
func sayNothing(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		tb.Error("no error")
		return
	}
	if text := err.Error() + hint.Of(err); shows(text) || strings.Contains(strings.ToLower(text), "age-secret-key-1") || strings.Contains(text, "\n") {
		tb.Errorf("error shows what it must not, or has lines: %q", text)
	}
}

func get(tb testing.TB, s *secret.Set, name string) string {
	tb.Helper()
	v, x, err := s.Get(tb.Context(), name)
	if err != nil {
		tb.Fatalf("Get(%q): %v (hint: %s)", name, err, hint.Of(err))
	}
	defer v.Close()
	if x.Name != name {
		tb.Errorf("Get(%q) gives the configuration of %q", name, x.Name)
	}
	return string(v.Bytes())
}
