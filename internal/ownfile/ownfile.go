// Package ownfile reads files that nobody but their owner may read or change: keys,
// tokens, secrets. No link is followed, and what is no regular file is not opened.
//
// Modes are checked where a system has them, that is not on Windows.
package ownfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// Rule says whether the file or folder at a path may be used.
type Rule func(path string, info fs.FileInfo) error

// AnyMode allows all.
func AnyMode(string, fs.FileInfo) error { return nil }

var errForeign = errors.New("it is another user's")

// Private refuses what is neither this user's nor root's, and what others than its
// owner may do anything with.
func Private(path string, info fs.FileInfo) error {
	if foreign(info) {
		return hint.New(errForeign, "chown it to the user who runs this: "+path)
	}
	mode := info.Mode().Perm()
	if runtime.GOOS == "windows" || mode&0o077 == 0 {
		return nil
	}
	want := "600"
	if info.IsDir() {
		want = "700"
	}
	return hint.New(fmt.Errorf("mode %04o lets others than its owner in", mode), "chmod "+want+" "+path)
}

// Unwritable refuses what is neither this user's nor root's, and what others than its
// owner may change.
func Unwritable(path string, info fs.FileInfo) error {
	if foreign(info) {
		return hint.New(errForeign, "chown it to the user who runs this: "+path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		return hint.New(fmt.Errorf("mode %04o lets others than its owner write", mode), "chmod go-w "+path)
	}
	return nil
}

// A file may be exchanged between the look at it and its opening: whoever renews
// a secret puts another file in its place.
const maxTries = 3

var errChanged = errors.New("changes while it is read")

// Enter opens a folder that is not a link. os.Root follows links that stay inside,
// hence the look before and after.
func Enter(at *os.Root, name string, allowed Rule) (*os.Root, error) {
	before, err := at.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: is a link", name)
	case !before.IsDir():
		return nil, fmt.Errorf("%s: not a folder", name)
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := next.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = errChanged
	}
	if err == nil {
		err = allowed(filepath.Join(at.Name(), name), after)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), next.Close())
	}
	return next, nil
}

// OpenFolder opens the folder at a path with slashes below root, one name after
// the other. The rule is for those below root.
func OpenFolder(root *os.Root, p string, allowed Rule) (*os.Root, error) {
	at, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	if p = path.Clean(p); p == "." {
		return at, nil
	}
	for name := range strings.SplitSeq(p, "/") {
		next, err := Enter(at, name, allowed)
		if err := errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// Read reads the file of at most limit bytes at a path with slashes below
// root. Its folders and the file itself have to be allowed, and none is a link.
func Read(root *os.Root, p string, limit int, folders, file Rule) ([]byte, error) {
	dir, name := path.Split(p)
	if dir != "" {
		at, err := OpenFolder(root, dir, folders)
		if err != nil {
			return nil, err
		}
		defer at.Close() //nolint:errcheck // nothing was written
		root = at
	}
	data, err := readEntry(root, name, limit, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// ReadPrivate reads a file of at most limit bytes that is its owner's alone. The folder
// it lies in may be behind a link, the file may not. Errors do not name the file.
func ReadPrivate(name string, limit int) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	return readEntry(root, filepath.Base(name), limit, Private)
}

// readEntry reads a file of the folder.
func readEntry(folder *os.Root, name string, limit int, allowed Rule) (data []byte, err error) {
	for range maxTries {
		if data, err = tryEntry(folder, name, limit, allowed); !errors.Is(err, errChanged) {
			break
		}
	}
	return data, err
}

func tryEntry(folder *os.Root, name string, limit int, allowed Rule) ([]byte, error) {
	before, err := folder.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, errors.New("is a link")
	case !before.Mode().IsRegular():
		return nil, errors.New("not a regular file") // opening a pipe would wait
	}
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before, info) {
		return nil, errChanged
	}
	if err := allowed(filepath.Join(folder.Name(), name), info); err != nil {
		return nil, err
	}
	return readOpen(f, info.Size(), limit)
}

// readOpen reads a file that had this size when it was opened.
func readOpen(r io.Reader, size int64, limit int) ([]byte, error) {
	if size > int64(limit) {
		return nil, fmt.Errorf("larger than %d KiB", limit>>10)
	}
	data, err := ReadAll(r, int(size))
	if errors.Is(err, ErrTooLarge) {
		err = errChanged
	}
	return data, err
}

// ErrTooLarge means that there was more to read than the limit.
var ErrTooLarge = errors.New("too large")

// ReadAll reads at most limit bytes to the end, into one buffer: one that grows
// would leave copies behind.
func ReadAll(r io.Reader, limit int) ([]byte, error) {
	buf := make([]byte, 0, limit+1)
	for len(buf) <= limit {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF && len(buf) <= limit { // one that is wrapped is not the end
			return buf, nil
		}
		if err != nil && err != io.EOF {
			clear(buf[:cap(buf)])
			return nil, err
		}
	}
	clear(buf[:cap(buf)])
	return nil, ErrTooLarge
}
