//go:build unix && !solaris && !aix

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// openLocked opens or creates the file, no link, and locks it until it is closed,
// the end of the process included.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err == nil {
		err = syncDir(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncDir brings the name of a new file to disk.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path)) //nolint:gosec // the path is the operator's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
