package localtpm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm-tools/client"
	"github.com/google/go-tpm/legacy/tpm2"

	"github.com/attestctl/attestctl/internal/hint"
)

// Activate gives out the key in a credential that was made for the endorsement key
// and the attestation key (TPM2_ActivateCredential; TPM 2.0 Part 3, 12.5). The
// credential is the content of a TPM2B_ID_OBJECT, the seed that of a
// TPM2B_ENCRYPTED_SECRET, both without their size. A TPM that has not both keys gives
// out nothing.
func (t TPM) Activate(ctx context.Context, ek EK, credential, seed []byte) ([]byte, error) {
	if ek.algorithm == nil {
		return nil, errors.New("no endorsement key")
	}
	return call(ctx, t, func(rw io.ReadWriter) ([]byte, error) {
		ak, err := t.loadAK(rw)
		if err != nil {
			return nil, err
		}
		defer ak.Close()
		key, err := ek.algorithm.ek.load(rw)
		if err != nil {
			return nil, fmt.Errorf("endorsement key: %w", err)
		}
		defer key.Close()
		return activate(rw, ak, key, credential, seed)
	})
}

// activate authorizes the attestation key by its empty password and the endorsement
// key by its policy, which wants that of the hierarchy (EK Credential Profile 2.5,
// B.6).
func activate(rw io.ReadWriter, ak, ek *client.Key, credential, seed []byte) ([]byte, error) {
	session, err := client.NewEKSession(rw)
	if err != nil {
		return nil, fmt.Errorf("session for the endorsement key: %w", err)
	}
	defer session.Close() //nolint:errcheck // what it was for is done
	policy, err := session.Auth()
	if err != nil {
		return nil, fmt.Errorf("policy of the endorsement key: %w", err)
	}
	password := tpm2.AuthCommand{Session: tpm2.HandlePasswordSession, Attributes: tpm2.AttrContinueSession}
	key, err := tpm2.ActivateCredentialUsingAuth(rw, []tpm2.AuthCommand{password, policy}, ak.Handle(), ek.Handle(), credential, seed)
	if err != nil {
		return nil, hint.New(fmt.Errorf("activating the credential: %w", err),
			"it was made for another TPM or another attestation key; --ak and --algo name the key that signed the evidence")
	}
	return key, nil
}
