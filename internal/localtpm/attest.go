package localtpm

import (
	"context"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/google/go-tpm-tools/client"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/internal/hint"
)

// MaxEvidence bounds an event log and the evidence with it, in bytes: a server takes
// no more.
const MaxEvidence = 1 << 20

// EventLog is where Linux has the log of the boot.
const EventLog = "/sys/kernel/security/tpm0/binary_bios_measurements"

// ReadEventLog reads a boot event log of at least one byte and at most MaxEvidence;
// "" is that of the machine.
func ReadEventLog(name string) ([]byte, error) {
	if name == "" {
		name = EventLog
	}
	f, err := os.Open(name) //nolint:gosec // the file the user names
	if err != nil {
		return nil, logAdvice(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	log, err := io.ReadAll(io.LimitReader(f, MaxEvidence+1))
	switch {
	case err != nil:
		return nil, logAdvice(err)
	case len(log) == 0:
		return nil, hint.New(fmt.Errorf("event log: %q is empty", name), "a server wants the log of the boot: name it with --event-log")
	case len(log) > MaxEvidence:
		return nil, fmt.Errorf("event log: %q is larger than %d MiB", name, MaxEvidence>>20)
	}
	return log, nil
}

func logAdvice(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return hint.New(fmt.Errorf("event log: %w", err), "run as root, or name a copy with --event-log")
	case errors.Is(err, fs.ErrNotExist):
		return hint.New(fmt.Errorf("event log: %w", err), "mount securityfs (in a container, from its host), or name the log with --event-log")
	}
	return fmt.Errorf("event log: %w", err)
}

// Attest returns evidence for a nonce: an attest.Attestation of go-tpm-tools in the
// binary form of protobuf, at most MaxEvidence bytes. It has a quote of all PCRs in
// each bank, the event log, the attestation key with its certificate if there is one,
// and the report of the hardware where the machine has one, made for the nonce and
// the key.
func (t TPM) Attest(ctx context.Context, nonce, log []byte) ([]byte, error) {
	return call(ctx, t, func(rw io.ReadWriter) ([]byte, error) {
		key, err := t.loadAK(rw)
		if err != nil {
			return nil, err
		}
		defer key.Close()
		return attest(key, nonce, log)
	})
}

func attest(key *client.Key, nonce, log []byte) ([]byte, error) {
	device, err := hardware()
	if err != nil {
		return nil, err
	}
	opts := client.AttestOpts{Nonce: nonce, TCGEventLog: log, SkipTeeAttestation: device == nil}
	if device != nil {
		defer device.Close() //nolint:errcheck // the report was read
		der, err := x509.MarshalPKIXPublicKey(key.PublicKey())
		if err != nil {
			return nil, fmt.Errorf("attestation key: %w", err)
		}
		opts.TEEDevice, opts.TEENonce = device, reportData(nonce, der)
	}
	made, err := key.Attest(opts)
	if err != nil {
		return nil, fmt.Errorf("attesting: %w", err)
	}
	raw, err := proto.Marshal(made)
	switch {
	case err != nil:
		return nil, fmt.Errorf("attesting: %w", err)
	case len(raw) > MaxEvidence:
		return nil, fmt.Errorf("attesting: the evidence has %d bytes, more than %d MiB", len(raw), MaxEvidence>>20)
	}
	return raw, nil
}

// reportData binds the report of the hardware to the nonce and to the attestation
// key in PKIX DER: the formula nonce-ak of package evidence. A report for the nonce
// alone could be that of another machine.
func reportData(nonce, ak []byte) []byte {
	sum := sha512.Sum512(slices.Concat(nonce, ak))
	return sum[:]
}
