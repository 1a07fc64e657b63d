// Package wrap makes a secret readable inside one TPM alone. The secret, sealed to
// the client's key already, is encrypted once more with a key that the TPM gives out
// by TPM2_ActivateCredential (TPM 2.0 Part 1, 24; Part 3, 12.5 and 12.6): only a TPM
// that holds both the endorsement key and the attestation key of the Name can do
// so, and thereby proves that the two live together.
//
// What leaves is one line of JSON:
//
//	{"credential": BASE64URL, "seed": BASE64URL, "jwe": COMPACT}
//
// credential is the TPMS_ID_OBJECT and seed the encrypted seed: what stands in
// TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET behind their size fields (TPM 2.0 Part
// 2, 12.4.2, 12.4.3 and 11.4.3). The base64url has no padding. jwe has the algorithms
// dir and A256GCM, its key is the credential's 32 bytes, and its payload the secret as
// package seal made it.
package wrap

import (
	"errors"
	"fmt"
	"io"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/server/seal"
)

// ContentType is that of what Seal makes.
const ContentType = "application/vnd.attestctl.wrapped+json"

// MaxBody is the size in bytes of the largest body that Open takes.
const MaxBody = 1 << 20

// Seal encrypts inner for the TPM that holds the endorsement key ek and the key
// with the Name akName, nameAlg and digest (TPM 2.0 Part 1, 16). That both are the
// right ones is the caller's matter. An ek that is not what an endorsement key has
// to be, and a Name over SHA-1, are errors.
func Seal(random io.Reader, ek *tpm.Public, akName, inner []byte) ([]byte, error) {
	key := make([]byte, seal.KeySize)
	defer clear(key)
	if random == nil {
		return nil, errors.New("wrapping: no source of randomness")
	}
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("wrapping: %w", err)
	}
	var b body
	var err error
	if b.credential, b.seed, err = makeCredential(random, ek, akName, key); err != nil {
		return nil, fmt.Errorf("wrapping for the TPM: %w", err)
	}
	if b.jwe, err = seal.WithKey(key, inner); err != nil {
		return nil, fmt.Errorf("wrapping: %w", err)
	}
	return b.encode(), nil
}

// Open reads what Seal made: strictly, of at most MaxBody bytes, and nothing else.
// activate has the TPM give out the key, by TPM2_ActivateCredential, for credential
// and seed without size fields. Its error is returned wrapped.
func Open(raw []byte, activate func(credential, seed []byte) (key []byte, err error)) (inner []byte, err error) {
	b, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading what is wrapped: %w", err)
	}
	key, err := activate(b.credential, b.seed)
	defer clear(key)
	if err != nil {
		return nil, fmt.Errorf("unwrapping by the TPM: %w", err)
	}
	if inner, err = seal.OpenWithKey(key, b.jwe); err != nil {
		return nil, fmt.Errorf("unwrapping: %w", err)
	}
	return inner, nil
}
