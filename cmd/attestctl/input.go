package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// stdinName stands for standard input among the arguments.
const stdinName = "-"

// maxFiles bounds one run over directories.
const maxFiles = 10_000

// open opens a file of evidence. One that is larger than any evidence is a
// *[evidence.FormatError] before a byte of it is read. Pipes and devices have no
// size; whoever reads them reads no more than the cap.
func (sys *system) open(name string) (io.ReadCloser, error) {
	if name == stdinName {
		return io.NopCloser(sys.stdin), nil
	}
	f, err := os.Open(name) //nolint:gosec // the file the user names
	if err != nil {
		return nil, err
	}
	if err := checkFile(f); err != nil {
		f.Close() //nolint:errcheck,gosec // nothing was written
		return nil, err
	}
	return f, nil
}

// openAny opens a file of any size.
func (sys *system) openAny(name string) (io.ReadCloser, error) {
	if name == stdinName {
		return io.NopCloser(sys.stdin), nil
	}
	return os.Open(name) //nolint:gosec // the file the user names
}

func checkFile(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return hint.New(usagef("%s is a directory", report.Quote(f.Name())), "name a file; verify takes directories too")
	case info.Mode().IsRegular() && info.Size() > evidence.MaxSize:
		return &evidence.FormatError{Err: evidence.ErrTooLarge()}
	}
	return nil
}

// readFile reads a whole input of at most the size of evidence.
func (sys *system) readFile(name string) ([]byte, error) {
	f, err := sys.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, evidence.MaxSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > evidence.MaxSize:
		return nil, &evidence.FormatError{Err: evidence.ErrTooLarge()}
	}
	return data, nil
}

// expand replaces directories by the regular files in them, sorted, without
// hidden ones. It reports whether the caller named more than a single file.
func expand(args []string) (files []string, many bool, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		if arg == stdinName || err != nil || !info.IsDir() { // what cannot be read is reported when it is opened
			files = append(files, arg)
			continue
		}
		many = true
		before := len(files)
		if files, err = walk(files, arg); err != nil {
			return nil, false, err
		}
		if len(files) == before {
			return nil, false, hint.New(usagef("%s holds no files", report.Quote(arg)), "hidden files and links are not followed: name them")
		}
	}
	return files, many || len(files) != 1, nil
}

func walk(files []string, dir string) ([]string, error) {
	dir = strings.TrimRight(dir, string(filepath.Separator)) + string(filepath.Separator) // follows a link to a directory
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err == nil && name != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case err == nil && !d.Type().IsRegular():
			return nil
		case len(files) == maxFiles:
			return hint.New(fmt.Errorf("more than %d files", maxFiles), "verify the folders of the directory one by one")
		}
		files = append(files, name) // a folder that cannot be read fails again when it is opened
		return nil
	})
	return files, err
}

// countStdin counts how often standard input is named.
func countStdin(names []string) int {
	n := 0
	for _, name := range names {
		if name == stdinName {
			n++
		}
	}
	return n
}
