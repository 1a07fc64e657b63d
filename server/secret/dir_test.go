package secret_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/server/secret"
)

const dirYAML = "stores: {files: {dir: files}}\nsecrets: {db: {}}\n"

// TestDirIsByteExact: nothing is trimmed or changed.
func TestDirIsByteExact(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, want := range []string{"\n", " secret \r\n\n", "\ufeffx", string(all), "\x00", strings.Repeat("x", secret.MaxSize)} {
		s := open(t, tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": want}))
		if got := get(t, s, "db"); got != want {
			t.Errorf("Get of %d bytes beginning with %.20q = %d bytes beginning with %.20q", len(want), want, len(got), got)
		}
	}
}

// TestDirRefuses: what is refused at load, and the same when it comes to be later.
func TestDirRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes of POSIX")
	}
	link := func(t *testing.T, dir, target, name string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := errors.Join(os.RemoveAll(at), os.Symlink(target, at)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, want string
		spoil      func(t *testing.T, dir string)
	}{
		{"missing", "no such secret", func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "files/a/db") }},
		{"folder of it missing", "no such secret", func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "files/a") }},
		{"empty", "is empty", func(t *testing.T, dir string) { t.Helper(); write(t, dir, "files/a/db", "") }},
		{"too large", "larger than 64 KiB", func(t *testing.T, dir string) {
			t.Helper()
			write(t, dir, "files/a/db", canary+strings.Repeat("x", secret.MaxSize))
		}},
		{"huge and sparse", "larger than 64 KiB", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Truncate(filepath.Join(dir, "files/a/db"), 1<<40); err != nil {
				t.Fatal(err)
			}
		}},
		{"group may read", "mode 0640", func(t *testing.T, dir string) { t.Helper(); chmod(t, dir, "files/a/db", 0o640) }},
		{"others may read", "mode 0604", func(t *testing.T, dir string) { t.Helper(); chmod(t, dir, "files/a/db", 0o604) }},
		{"group may write", "mode 0620", func(t *testing.T, dir string) { t.Helper(); chmod(t, dir, "files/a/db", 0o620) }},
		{"folder is open", "mode 0750", func(t *testing.T, dir string) { t.Helper(); chmod(t, dir, "files/a", 0o750) }},
		{"link", "is a link", func(t *testing.T, dir string) { t.Helper(); link(t, dir, "../../outside", "files/a/db") }},
		{"link inside", "is a link", func(t *testing.T, dir string) { t.Helper(); link(t, dir, "other", "files/a/db") }},
		{"link to itself", "is a link", func(t *testing.T, dir string) { t.Helper(); link(t, dir, "db", "files/a/db") }},
		{"folder is a link", "is a link", func(t *testing.T, dir string) { t.Helper(); link(t, dir, "b", "files/a") }},
		{"folder is a file", "not a folder", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir, "files/a")
			write(t, dir, "files/a", "x")
		}},
		{"folder", "not a regular file", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir, "files/a/db")
			write(t, dir, "files/a/db/x", "x")
		}},
		{"pipe", "not a regular file", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir, "files/a/db")
			if out, err := exec.CommandContext(t.Context(), "mkfifo", "-m", "600", filepath.Join(dir, "files/a/db")).CombinedOutput(); err != nil {
				t.Skipf("mkfifo: %v %s", err, out)
			}
		}},
		{"socket", "not a regular file", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir, "files/a/db")
			t.Chdir(filepath.Join(dir, "files/a")) // the path of a socket is short
			l, err := new(net.ListenConfig).Listen(t.Context(), "unix", "db")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tree(t, map[string]string{
				"secrets.yaml": "stores: {files: {dir: files}}\nsecrets: {db: {path: a/db}}\n",
				"files/a/db":   "good", "files/a/other": canary, "files/b/db": canary, "outside": canary,
			})
			s := open(t, dir)
			if got := get(t, s, "db"); got != "good" {
				t.Fatalf("Get = %q, want good", got)
			}
			tc.spoil(t, dir)
			refused(t, dir, tc.want)
			v, x, err := s.Get(t.Context(), "db")
			if v != nil || x.Name != "" {
				t.Error("Get returns something beside an error")
			}
			sayNothing(t, err)
			if err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Get = %v, want an error with %q", err, tc.want)
			}
			if gone := tc.want == secret.ErrNotFound.Error(); errors.Is(err, secret.ErrNotFound) != gone {
				t.Errorf("Get = %v, want ErrNotFound: %t", err, gone)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefusesPlaces: the folders and files around the secrets.
func TestOpenRefusesPlaces(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes of POSIX")
	}
	for _, tc := range []struct {
		name, want string
		spoil      func(dir string) error
	}{
		{"no folder", "no such file", os.RemoveAll},
		{"no secrets.yaml", "no such file", func(d string) error { return os.Remove(d + "/secrets.yaml") }},
		{"secrets.yaml is a link", "is a link", func(d string) error {
			return errors.Join(os.Rename(d+"/secrets.yaml", d+"/x"), os.Symlink("x", d+"/secrets.yaml"))
		}},
		{"secrets.yaml is huge", "larger than 64 KiB", func(d string) error { return os.Truncate(d+"/secrets.yaml", 1<<30) }},
		{"others may write secrets.yaml", "mode 0602", func(d string) error { return os.Chmod(d+"/secrets.yaml", 0o602) }},
		{"others may write the folder", "mode 0777", func(d string) error { return os.Chmod(d, 0o777) }},
		{"store is open", "stores.files: files: mode 0755", func(d string) error { return os.Chmod(d+"/files", 0o755) }},
		{"store is missing", "stores.files: ", func(d string) error { return os.RemoveAll(d + "/files") }},
		{"store is a link", "files: is a link", func(d string) error {
			return errors.Join(os.Rename(d+"/files", d+"/x"), os.Symlink("x", d+"/files"))
		}},
		{"store is a file", "files: not a folder", func(d string) error {
			return errors.Join(os.RemoveAll(d+"/files"), os.WriteFile(d+"/files", nil, 0o600))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": canary})
			open(t, dir)
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, tc.want)
		})
	}
}

// TestTraversal: names that no configuration has lead nowhere (RS-06).
func TestTraversal(t *testing.T) {
	dir := tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": "good", "files/other": canary, "outside": canary})
	s := open(t, dir)
	for _, name := range []string{
		"", ".", "..", "../outside", "%2e%2e/outside", "..%2foutside", "/etc/passwd", dir + "/outside", `..\outside`, "db\x00", "db/", "./db", "DB",
		"other", "secrets.yaml", "\u2024\u2024/outside", "\uff0e\uff0e/outside", "db ", "db\n", "files/db", "d\u00adb", strings.Repeat("a", 1<<20),
	} {
		v, _, err := s.Get(t.Context(), name)
		if v != nil || !errors.Is(err, secret.ErrNotFound) || err.Error() != secret.ErrNotFound.Error() {
			t.Errorf("Get(%.40q) = %v, %v, want ErrNotFound and nothing else", name, v, err)
		}
		if _, ok := s.Secret(name); ok {
			t.Errorf("Secret(%.40q) exists", name)
		}
	}
}

// TestDirReadsAnew: a secret that is replaced counts at once; one read earlier
// keeps its bytes.
func TestDirReadsAnew(t *testing.T) {
	dir := tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": "old"})
	s := open(t, dir)
	v, _, err := s.Get(t.Context(), "db")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "files/new", "new")
	if err := os.Rename(filepath.Join(dir, "files/new"), filepath.Join(dir, "files/db")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "db"); got != "new" {
		t.Errorf("Get = %q, want new", got)
	}
	if string(v.Bytes()) != "old" {
		t.Errorf("the earlier value is %q now", v.Bytes())
	}
	v.Close()
}

func TestDirHeedsContext(t *testing.T) {
	s := open(t, tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": canary}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, _, err := s.Get(ctx, "db"); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, %v, want context.Canceled", v, err)
	}
}

func TestGetAfterClose(t *testing.T) {
	dir := tree(t, map[string]string{"secrets.yaml": dirYAML, "files/db": canary})
	s, err := secret.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	v, _, err := s.Get(t.Context(), "db")
	if v != nil {
		t.Error("Get after Close gives a secret")
	}
	sayNothing(t, err)
}
