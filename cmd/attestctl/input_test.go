package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
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

// TestOpenEvidence: what is larger than any evidence is refused when it is opened,
// unless it is a log, which may be.
func TestOpenEvidence(t *testing.T) {
	dir := t.TempDir()
	sparse := func(name, head string, size int64) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(name, []byte(head), 0o600), os.Truncate(name, size)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const log = "[{\"insertId\":"
	tooLarge := func(err error) bool {
		_, ok := errors.AsType[*evidence.FormatError](err)
		return ok
	}
	failed := errors.New("the disk is gone")
	for _, c := range []struct {
		what, name, format string
		log                bool
		refused            func(error) bool // nil: it opens
	}{
		{what: "as large as can be", name: sparse("most", "", evidence.MaxSize)},
		{what: "a byte more", name: sparse("more", "", evidence.MaxSize+1), refused: tooLarge},
		{what: "a large log", name: sparse("log", log, evidence.MaxSize+1), log: true},
		{what: "a large log that is called one", name: sparse("log", log, evidence.MaxSize+1), format: evidence.FormatCloudLog, log: true},
		{what: "a large log that is called a token", name: sparse("log", log, evidence.MaxSize+1), format: "jwt", refused: tooLarge},
		{what: "a small log that is called a token", name: sparse("small", log, 100), format: "jwt"},
		{what: "anything that is called a log", name: sparse("more", "", evidence.MaxSize+1), format: evidence.FormatCloudLog, log: true},
		{what: "nothing", name: sparse("nothing", "", 0)},
		{what: "a directory", name: dir, refused: func(err error) bool { return hint.Of(err) != "" }},
		{what: "no file", name: filepath.Join(dir, "none"), refused: func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{what: "a broken stream", name: stdinName, refused: func(err error) bool { return errors.Is(err, failed) }},
	} {
		s := newSession()
		s.stdin = iotest.ErrReader(failed)
		f, err := s.openEvidence(c.name, c.format)
		switch {
		case c.refused != nil:
			if err == nil || f != nil || !c.refused(err) {
				t.Errorf("%s: openEvidence = %v", c.what, err)
			}
			continue
		case err != nil:
			t.Errorf("%s: openEvidence = %v", c.what, err)
			continue
		case f.log != c.log:
			t.Errorf("%s: taken for a log: %t", c.what, f.log)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
