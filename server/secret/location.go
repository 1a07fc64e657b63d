package secret

import (
	"os"
	"path"
	"path/filepath"

	"github.com/attestctl/attestctl/internal/ownfile"
)

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
func (l location) open(allowed ownfile.Rule) (*os.Root, error) {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	parent, err := ownfile.OpenFolder(root, path.Dir(l.name), ownfile.AnyMode)
	if err != nil {
		return nil, err
	}
	defer parent.Close() //nolint:errcheck // nothing was written
	return ownfile.Enter(parent, path.Base(l.name), allowed)
}

// read reads a file of at most limit bytes.
func (l location) read(limit int, allowed ownfile.Rule) ([]byte, error) {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	return ownfile.Read(root, l.name, limit, ownfile.AnyMode, allowed)
}
