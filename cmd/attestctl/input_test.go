package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
)

// tree makes empty files.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExpand(t *testing.T) {
	dir := tree(t, "b", "a/z", "a/.hidden", ".git/config")
	one := filepath.Join(dir, "b")
	for _, test := range []struct {
		args, want []string
		many       bool
	}{
		{[]string{one}, []string{one}, false},
		{[]string{"-"}, []string{"-"}, false},
		{[]string{"missing"}, []string{"missing"}, false},
		{[]string{one, "-"}, []string{one, "-"}, true},
		{[]string{dir}, []string{filepath.Join(dir, "a", "z"), one}, true},
		{[]string{filepath.Join(dir, ".git")}, []string{filepath.Join(dir, ".git", "config")}, true},
	} {
		got, many, err := expand(test.args)
		if err != nil || !slices.Equal(got, test.want) || many != test.many {
			t.Errorf("expand(%q) = %q, %t, %v; want %q, %t", test.args, got, many, err, test.want, test.many)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "a"), link); err == nil {
		if got, _, err := expand([]string{link}); err != nil || !slices.Equal(got, []string{filepath.Join(link, "z")}) {
			t.Errorf("expand of a link to a directory = %q, %v; want its file", got, err)
		}
	}
	if got, _, err := expand([]string{filepath.Join(tree(t, ".only/hidden"), ".")}); err == nil {
		t.Errorf("expand of an empty directory = %q, want an error", got)
	}
}

func TestExpandIsBounded(t *testing.T) {
	names := make([]string, maxFiles+1)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	if _, _, err := expand([]string{tree(t, names...)}); err == nil || !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("expand of %d files = %v, want an error", len(names), err)
	}
}

func TestOpenRefusesBySize(t *testing.T) {
	path := filepath.Join(tree(t, "huge"), "huge")
	for size, refused := range map[int64]bool{evidence.MaxSize: false, evidence.MaxSize + 1: true, 1 << 40: true} {
		if err := os.Truncate(path, size); err != nil {
			t.Skipf("no sparse files here: %v", err)
		}
		f, err := newSession().open(path)
		if _, ok := errors.AsType[*evidence.FormatError](err); ok != refused {
			t.Errorf("open of %d bytes = %v, want refused %t", size, err, refused)
		}
		if f != nil {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
