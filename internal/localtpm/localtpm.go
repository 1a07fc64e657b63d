// Package localtpm is the TPM of this machine: it attests with a key of the TPM,
// names the endorsement key and activates credentials. It makes nothing persistent,
// and leaves nothing loaded behind unless it is stopped on the way. What a TPM says is
// believed here, since its user named it; a verifier believes none of it.
package localtpm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/google/go-tpm/legacy/tpm2"

	"github.com/attestctl/attestctl/internal/hint"
)

// TPM is one TPM and the keys that are used of it. The zero value is the first TPM of
// the machine, with the attestation key of Google Compute Engine if it has one.
type TPM struct {
	// Device is the path of a device, or of the socket of a software TPM. "" is the
	// first of /dev/tpmrm0 and /dev/tpm0, on Windows the TPM that it manages.
	Device string
	// Source is whose attestation key it is, one of Sources; "" is GCE's if there is
	// one.
	Source string
	// Algorithm is that of the keys, one of Algorithms; "" takes ECC before RSA.
	Algorithm string
	// AKCertificate is the certificate of the attestation key, DER, where the TPM
	// does not hold one.
	AKCertificate []byte
}

const nameTPM = "name the device of a TPM 2.0, or the socket of a software TPM, with --tpm"

// call opens the TPM, does one thing with it and closes it, so that others can use it
// in between. A TPM that does not answer in time is left alone.
func call[T any](ctx context.Context, t TPM, do func(io.ReadWriter) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil { // what is at the path may be anything
				r = result{err: hint.New(fmt.Errorf("what the TPM answers cannot be read: %v", p), nameTPM)}
			}
			done <- r
		}()
		r.value, r.err = opened(t.Device, do)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, hint.New(fmt.Errorf("waiting for the TPM: %w", context.Cause(ctx)), "is it a TPM, and is no other program using it?")
	}
}

func opened[T any](device string, do func(io.ReadWriter) (T, error)) (none T, err error) {
	rw, err := open(device)
	if err != nil {
		return none, openAdvice(err)
	}
	defer rw.Close() //nolint:errcheck // every command was answered
	if _, err := tpm2.GetManufacturer(rw); err != nil {
		return none, hint.New(fmt.Errorf("no TPM 2.0 answers: %w", err), nameTPM)
	}
	value, err := do(rw)
	if err != nil {
		return none, commandAdvice(err)
	}
	return value, nil
}

// openAdvice says what to do about a TPM that cannot be opened.
func openAdvice(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint.New(fmt.Errorf("no TPM: %w", err), "give the machine a vTPM, or name the device with --tpm; evidence from elsewhere comes with --attest-cmd or --token-cmd")
	case errors.Is(err, fs.ErrPermission):
		return hint.New(fmt.Errorf("opening the TPM: %w", err), "run as root, or join the group that may read and write the device: tss")
	case errors.Is(err, syscall.EBUSY):
		return hint.New(fmt.Errorf("opening the TPM: %w", err), "another program has it; /dev/tpmrm0 can be shared")
	}
	return hint.New(fmt.Errorf("opening the TPM: %w", err), nameTPM)
}

// commandAdvice says what to do about a command that the TPM refused, if nothing
// else did (TPM 2.0 Part 2, 6.6).
func commandAdvice(err error) error {
	session, refused := errors.AsType[tpm2.SessionError](err)
	warning, warned := errors.AsType[tpm2.Warning](err)
	switch {
	case hint.Of(err) != "":
		return err
	case refused && (session.Code == tpm2.RCAuthFail || session.Code == tpm2.RCBadAuth):
		return hint.New(err, "a hierarchy of the TPM has a password, which is not supported here: take the evidence with --attest-cmd")
	case warned && (warning.Code == tpm2.RCObjectMemory || warning.Code == tpm2.RCSessionMemory || warning.Code == tpm2.RCMemory):
		return hint.New(err, "the TPM is full of loaded keys or sessions: use /dev/tpmrm0, or clear them with tpm2_flushcontext")
	}
	return err
}
