//go:build !windows

package localtpm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-tpm/tpmutil"
)

// devices are where Linux has its TPM, with a resource manager before it and
// without.
var devices = []string{"/dev/tpmrm0", "/dev/tpm0"}

// open opens a device or a socket. That a TPM is behind it is not known then.
func open(device string) (io.ReadWriteCloser, error) {
	if device != "" {
		return openPath(device)
	}
	for _, d := range devices {
		if rw, err := openPath(d); !errors.Is(err, fs.ErrNotExist) {
			return rw, err
		}
	}
	return nil, fmt.Errorf("%s: %w", strings.Join(devices, " and "), fs.ErrNotExist)
}

func openPath(name string) (io.ReadWriteCloser, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&(fs.ModeDevice|fs.ModeSocket) == 0 {
		return nil, fmt.Errorf("%q is neither a device nor a socket", name)
	}
	return tpmutil.OpenTPM(name)
}
