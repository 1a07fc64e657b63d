package secret

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

// rule says whether a file or folder may be used.
type rule func(fs.FileInfo) error

func anyMode(fs.FileInfo) error { return nil }

// private refuses what others than its owner may do anything with.
func private(info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if runtime.GOOS == "windows" || mode&0o077 == 0 {
		return nil
	}
	want := "600"
	if info.IsDir() {
		want = "700"
	}
	return hint.New(fmt.Errorf("mode %04o lets others than the owner in", mode), "chmod "+want)
}

// unwritable refuses what others than its owner may change.
func unwritable(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		return hint.New(fmt.Errorf("mode %04o lets others than the owner write", mode), "chmod go-w")
	}
	return nil
}

// A file may be exchanged between the look at it and its opening: whoever renews
// a secret puts another file in its place.
const maxTries = 3

var errChanged = errors.New("changes while it is read")

// enter opens a folder that is not a link. os.Root follows links that stay inside,
// hence the look before and after.
func enter(at *os.Root, name string, allowed rule) (*os.Root, error) {
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
		err = allowed(after)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), next.Close())
	}
	return next, nil
}

// openFolder opens the folder at a path with slashes below root, one name after
// the other. The rule is for those below root.
func openFolder(root *os.Root, p string, allowed rule) (*os.Root, error) {
	at, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	if p = path.Clean(p); p == "." {
		return at, nil
	}
	for name := range strings.SplitSeq(p, "/") {
		next, err := enter(at, name, allowed)
		if err := errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// readFile reads the file of at most limit bytes at a path with slashes below
// root. Its folders and the file itself have to be allowed, and none is a link.
func readFile(root *os.Root, p string, limit int, folders, file rule) ([]byte, error) {
	dir, name := path.Split(p)
	if dir != "" {
		at, err := openFolder(root, dir, folders)
		if err != nil {
			return nil, err
		}
		defer at.Close() //nolint:errcheck // nothing was written
		root = at
	}
	for range maxTries - 1 {
		if data, err := readEntry(root, name, limit, file); !errors.Is(err, errChanged) {
			return data, err
		}
	}
	return readEntry(root, name, limit, file)
}

// readEntry reads a file of the folder.
func readEntry(folder *os.Root, name string, limit int, allowed rule) ([]byte, error) {
	before, err := folder.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: is a link", name)
	case !before.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name) // opening a pipe would wait
	}
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := readOpen(f, before, limit, allowed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// readOpen reads a file that was seen before it was opened.
func readOpen(f *os.File, before fs.FileInfo, limit int, allowed rule) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before, info) {
		return nil, errChanged
	}
	if err := allowed(info); err != nil {
		return nil, err
	}
	if info.Size() > int64(limit) {
		return nil, fmt.Errorf("larger than %d KiB", limit>>10)
	}
	data, err := readAll(f, int(info.Size()))
	if errors.Is(err, errTooLarge) {
		err = errChanged
	}
	return data, err
}

var errTooLarge = errors.New("too large")

// readAll reads at most limit bytes to the end, into one buffer: one that grows
// would leave copies behind.
func readAll(r io.Reader, limit int) ([]byte, error) {
	buf := make([]byte, 0, limit+1)
	for len(buf) <= limit {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF && len(buf) <= limit { // one that is wrapped is not the end
			return buf, nil
		}
		if err != nil && err != io.EOF {
			wipe(buf)
			return nil, err
		}
	}
	wipe(buf)
	return nil, errTooLarge
}

// location is the place of a file or folder that is named in the configuration.
type location struct{ dir, name string }

// locate finds a file: a relative path starts in dir.
func locate(dir, file string) location {
	if filepath.IsAbs(file) {
		return location{filepath.Dir(file), filepath.Base(file)}
	}
	return location{dir, file}
}

// open opens a folder. Nothing below l.dir may be a link.
func (l location) open(allowed rule) (*os.Root, error) {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	parent, err := openFolder(root, path.Dir(l.name), anyMode)
	if err != nil {
		return nil, err
	}
	defer parent.Close() //nolint:errcheck // nothing was written
	return enter(parent, path.Base(l.name), allowed)
}

// read reads a file of at most limit bytes.
func (l location) read(limit int, allowed rule) ([]byte, error) {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	return readFile(root, l.name, limit, anyMode, allowed)
}
