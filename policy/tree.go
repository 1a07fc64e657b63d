package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// ReadDir reads the policy in a folder: *.rego, *_test.rego, one config.json or
// config.yaml at its top. Folders named fixtures or testdata, files named *.md
// and hidden files are not read; anything else, a symbolic link above all, is
// an error. Nothing outside the folder can be reached.
func ReadDir(dir string) (*Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the policy: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read from
	return readFS(dir, root.FS())
}

// ReadFS reads the policy in a file system, by the rules of ReadDir.
func ReadFS(fsys fs.FS) (*Source, error) { return readFS("policy", fsys) }

func readFS(name string, fsys fs.FS) (*Source, error) {
	t := tree{fsys: fsys, files: map[string]string{}}
	if err := t.walk(".", 0); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return assemble(name, t.files)
}

// tree collects the files of a policy, within limits.
type tree struct {
	fsys    fs.FS
	files   map[string]string
	entries int
	size    int
}

func (t *tree) walk(dir string, depth int) error {
	if depth >= maxDepth {
		return fmt.Errorf("%s: deeper than %d folders", dir, maxDepth)
	}
	entries, err := t.list(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			if ignoredDir(e.Name()) {
				continue
			}
			if err := t.walk(name, depth+1); err != nil {
				return err
			}
		} else if err := t.visit(name, e.Type()); err != nil {
			return err
		}
	}
	return nil
}

func ignoredDir(base string) bool {
	return base == "fixtures" || base == "testdata" || strings.HasPrefix(base, ".")
}

// list returns the entries of a folder, sorted, without reading more of them
// than the limit.
func (t *tree) list(dir string) ([]fs.DirEntry, error) {
	f, err := t.fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, fmt.Errorf("%s: not a folder", dir)
	}
	entries, err := d.ReadDir(maxEntries - t.entries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if t.entries += len(entries); t.entries > maxEntries {
		return nil, fmt.Errorf("%s: more than %d entries", dir, maxEntries)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// visit reads one file, or says why not.
func (t *tree) visit(name string, mode fs.FileMode) error {
	base := path.Base(name)
	switch {
	case strings.HasPrefix(base, ".") && kindOf(base) != kindModule && kindOf(base) != kindTest:
		return nil
	case mode&fs.ModeSymlink != 0:
		return hint.New(fmt.Errorf("%s: a symbolic link", name),
			"a policy is made of regular files; where links cannot be avoided (a Kubernetes volume), use a bundle")
	case !mode.IsRegular():
		return fmt.Errorf("%s: not a regular file", name)
	case kindOf(name) == kindIgnored:
		return nil
	case kindOf(name) == kindUnknown:
		return hint.New(fmt.Errorf("%s: not a file of a policy", name), adviceFor(name))
	}
	if err := checkPath(name); err != nil {
		return err
	}
	if len(t.files) >= maxFiles {
		return fmt.Errorf("%s: more than %d files", name, maxFiles)
	}
	text, err := t.read(name)
	t.files[name] = text
	return err
}

// read reads a file that was listed as regular. It looks again after opening:
// the folder may change under us.
func (t *tree) read(name string) (string, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read from
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", name)
	}
	text, err := readCapped(f, min(maxFileSize, maxSize-t.size))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	t.size += len(text)
	return text, nil
}

// readCapped reads all of r, or fails if that is more than limit bytes.
func readCapped(r io.Reader, limit int) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return "", err
	}
	if len(b) > limit {
		return "", fmt.Errorf("larger than %d bytes: a file holds at most %d, a policy %d", limit, maxFileSize, maxSize)
	}
	return string(b), nil
}
