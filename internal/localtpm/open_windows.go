package localtpm

import (
	"errors"
	"io"

	"github.com/google/go-tpm/legacy/tpm2"

	"github.com/attestctl/attestctl/internal/hint"
)

func open(device string) (io.ReadWriteCloser, error) {
	if device != "" {
		return nil, hint.New(errors.New("a TPM has no path on Windows"), "leave --tpm out")
	}
	return tpm2.OpenTPM()
}
