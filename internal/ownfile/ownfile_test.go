package ownfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
)

// file makes a file with a mode, whatever the umask.
func file(tb testing.TB, name, content string, mode fs.FileMode) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		tb.Fatal(err)
	}
}

func TestReadPrivate(t *testing.T) {
	const limit = 4 << 10
	for _, tc := range []struct {
		name string
		make func(tb testing.TB, name string)
		want string // "" for none
		hint string // before the file's name
	}{
		{name: "mode 600", make: func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o600) }},
		{name: "mode 400", make: func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o400) }},
		{name: "as large as can be", make: func(tb testing.TB, name string) { tb.Helper(); file(tb, name, strings.Repeat("x", limit), 0o600) }},
		{"too large", func(tb testing.TB, name string) { tb.Helper(); file(tb, name, strings.Repeat("x", limit+1), 0o600) }, "larger than 4 KiB", ""},
		{"readable by the group", func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o640) }, "mode 0640 lets others than its owner in", "chmod 600 "},
		{"readable by all", func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o604) }, "mode 0604 lets others than its owner in", "chmod 600 "},
		{"writable by the group", func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o620) }, "mode 0620 lets others than its owner in", "chmod 600 "},
		{"executable by all", func(tb testing.TB, name string) { tb.Helper(); file(tb, name, "secret", 0o701) }, "mode 0701 lets others than its owner in", "chmod 600 "},
		{"none", func(testing.TB, string) {}, "no such file", ""},
		{"link to a private file beside it", func(tb testing.TB, name string) {
			tb.Helper()
			file(tb, name+".real", "secret", 0o600)
			must(tb, os.Symlink(filepath.Base(name)+".real", name))
		}, "is a link", ""},
		{"link out of the folder", func(tb testing.TB, name string) {
			tb.Helper()
			other := filepath.Join(tb.TempDir(), "real")
			file(tb, other, "secret", 0o600)
			must(tb, os.Symlink(other, name))
		}, "is a link", ""},
		{"link to itself", func(tb testing.TB, name string) { tb.Helper(); must(tb, os.Symlink(filepath.Base(name), name)) }, "is a link", ""},
		{"folder", func(tb testing.TB, name string) { tb.Helper(); must(tb, os.Mkdir(name, 0o700)) }, "not a regular file", ""},
		{"pipe", func(tb testing.TB, name string) { tb.Helper(); must(tb, syscall.Mkfifo(name, 0o600)) }, "not a regular file", ""},
	} {
		name := filepath.Join(t.TempDir(), "key")
		tc.make(t, name)
		got, err := ownfile.ReadPrivate(name, limit)
		if tc.want == "" {
			want, readErr := os.ReadFile(name)
			if err != nil || readErr != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: ReadPrivate = %d bytes, %v, want %d", tc.name, len(got), err, len(want))
			}
			continue
		}
		if err == nil || got != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: ReadPrivate = %q, %v, want an error with %q", tc.name, got, err, tc.want)
		}
		if tc.hint != "" && hint.Of(err) != tc.hint+name {
			t.Errorf("%s: hint %q, want %q", tc.name, hint.Of(err), tc.hint+name)
		}
	}
	if _, err := ownfile.ReadPrivate(filepath.Join(t.TempDir(), "none"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want one that says so", err)
	}
	if _, err := ownfile.ReadPrivate(filepath.Join(t.TempDir(), "none", "key"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v, want one that says so", err)
	}
	if got, err := ownfile.ReadPrivate("/dev/zero", limit); err == nil || got != nil {
		t.Errorf("a device: %d bytes, %v", len(got), err)
	}
}

// TestRead: each folder of the path has to be allowed, and what to do is said of the
// whole path.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	file(t, filepath.Join(dir, "a", "b", "f"), "secret", 0o644)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close() //nolint:errcheck // a test's folder
	read := func(folders, file ownfile.Rule) (string, error) {
		data, err := ownfile.Read(root, "a/b/f", 100, folders, file)
		return string(data), err
	}
	refused := func(err error, want, advice string) {
		t.Helper()
		if err == nil || err.Error() != want || hint.Of(err) != advice {
			t.Errorf("Read = %v (%s), want %q and %q", err, hint.Of(err), want, advice)
		}
	}
	if got, err := read(ownfile.Private, ownfile.Unwritable); err != nil || got != "secret" {
		t.Errorf("Read = %q, %v", got, err)
	}
	_, err = read(ownfile.Private, ownfile.Private)
	refused(err, "f: mode 0644 lets others than its owner in", "chmod 600 "+filepath.Join(dir, "a", "b", "f"))
	must(t, os.Chmod(filepath.Join(dir, "a", "b", "f"), 0o664))
	_, err = read(ownfile.Private, ownfile.Unwritable)
	refused(err, "f: mode 0664 lets others than its owner write", "chmod go-w "+filepath.Join(dir, "a", "b", "f"))
	must(t, os.Chmod(filepath.Join(dir, "a", "b"), 0o750))
	_, err = read(ownfile.Private, ownfile.AnyMode)
	refused(err, "b: mode 0750 lets others than its owner in", "chmod 700 "+filepath.Join(dir, "a", "b"))
	if got, err := read(ownfile.AnyMode, ownfile.AnyMode); err != nil || got != "secret" {
		t.Errorf("Read = %q, %v", got, err)
	}
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o720))
	_, err = read(ownfile.Unwritable, ownfile.AnyMode)
	refused(err, "a: mode 0720 lets others than its owner write", "chmod go-w "+filepath.Join(dir, "a"))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// keeper reads like R and keeps the buffer it was given.
type keeper struct {
	io.Reader

	err error // in place of io.EOF
	got []byte
}

func (k *keeper) Read(p []byte) (int, error) {
	if k.got == nil {
		k.got = p
	}
	n, err := k.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = k.err
	}
	return n, err
}

// TestReadAll: the whole or nothing, and of nothing no byte is left.
func TestReadAll(t *testing.T) {
	for _, tc := range []struct {
		name  string
		limit int
		err   error
		fails bool
	}{
		{"whole", 6, io.EOF, false},
		{"whole, with room", 60, io.EOF, false},
		{"one byte too many", 5, io.EOF, true},
		{"torn", 60, io.ErrUnexpectedEOF, true},
		{"an end that is wrapped", 60, fmt.Errorf("x: %w", io.EOF), true},
	} {
		k := &keeper{Reader: bytes.NewReader([]byte("secret")), err: tc.err}
		got, err := ownfile.ReadAll(k, tc.limit)
		if (err != nil) != tc.fails || !tc.fails && string(got) != "secret" || tc.fails && got != nil {
			t.Errorf("%s: ReadAll = %q, %v", tc.name, got, err)
		}
		if left := !bytes.Equal(k.got, make([]byte, len(k.got))); left != !tc.fails {
			t.Errorf("%s: the buffer holds bytes: %t", tc.name, left)
		}
	}
}
