package localtpm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/go-tpm-tools/client"

	"github.com/attestctl/attestctl/internal/hint"
)

// guests are the devices that give reports. The library takes one that may not be
// opened for one that is not there.
var guests = []string{"/dev/sev-guest", "/dev/tdx_guest"}

// hardware opens what gives the machine's hardware reports, or returns nil where
// there is no such thing.
func hardware() (client.TEEDevice, error) {
	if device, err := client.CreateSevSnpQuoteProvider(); err == nil {
		return device, nil
	}
	if device, err := client.CreateTdxQuoteProvider(); err == nil {
		return device, nil
	}
	for _, name := range guests {
		f, err := os.OpenFile(name, os.O_RDWR, 0) //nolint:gosec // out of the list above
		if err == nil {
			err = f.Close()
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, hint.New(fmt.Errorf("report of the hardware: %w", err), "run as root: evidence without the report would be refused")
		}
	}
	return nil, nil //nolint:nilnil // most machines have none
}
