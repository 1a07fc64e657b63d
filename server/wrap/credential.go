package wrap

import (
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// makeCredential is TPM2_MakeCredential (TPM 2.0 Part 3, 12.6). By itself the library
// takes any RSA exponent and any curve it has a name for, and any Name, also none,
// which would leave it open which key must be there.
func makeCredential(random io.Reader, ek *tpm.Public, akName, key []byte) (credential, seed []byte, err error) {
	if ek == nil {
		return nil, nil, errors.New("no endorsement key")
	}
	if err := ek.CheckEK(); err != nil {
		return nil, nil, err
	}
	if !isName(akName) {
		return nil, nil, fmt.Errorf("not the Name of an attestation key: %d bytes", len(akName))
	}
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](ek.Append(nil))
	if err != nil {
		return nil, nil, err
	}
	to, err := tpm2.ImportEncapsulationKey(public)
	if err != nil {
		return nil, nil, err
	}
	return tpm2.CreateCredential(random, to, akName, key)
}

// isName reports whether b is a digest algorithm and as many bytes as it makes. The
// Name of a key is no secret, and SHA-1 lets others have the same.
func isName(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	h := tpm.Alg(binary.BigEndian.Uint16(b)).Hash()
	return h != 0 && h != crypto.SHA1 && len(b) == 2+h.Size()
}
