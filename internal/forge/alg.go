package forge

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // TPMs have SHA-1 banks
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// Alg is a TPM_ALG_ID (TCG Algorithm Registry 1.34, table 3).
type Alg = tpm2.TPMAlgID

// The PCR banks of a GCE virtual TPM.
const (
	SHA1   = tpm2.TPMAlgSHA1
	SHA256 = tpm2.TPMAlgSHA256
	SHA384 = tpm2.TPMAlgSHA384
)

// GCEBanks returns the PCR banks that a GCE virtual TPM has and gotpm quotes.
func GCEBanks() []Alg { return []Alg{SHA1, SHA256, SHA384} }

// hashOf returns the hash function of a digest algorithm.
func hashOf(a Alg) (crypto.Hash, error) {
	h, err := a.Hash()
	if err != nil || !h.Available() {
		return 0, fmt.Errorf("algorithm %#04x is no digest that the forge can compute", uint16(a))
	}
	return h, nil
}

// digest hashes the concatenation of parts.
func digest(a Alg, parts ...[]byte) ([]byte, error) {
	hash, err := hashOf(a)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil), nil
}
