package main

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/localtpm"
)

// tpmFlags say which TPM of this machine it is, and which kind of its keys.
type tpmFlags struct{ device, algorithm string }

func (t *tpmFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&t.device, "tpm", "", "`DEVICE` of the TPM, or the socket of a software TPM, instead of the first there is")
	choice(c, &t.algorithm, "algo", "", "algorithm of the TPM's keys: ecc, rsa; by default the first that is certified, or ecc", localtpm.Algorithms())
}

func addSource(c *cobra.Command, value *string) {
	choice(c, value, "ak", "", "attestation key: gce, which is Google's, or own; by default gce if the TPM has it", localtpm.Sources())
}

func (t *tpmFlags) tpm(source string) localtpm.TPM {
	return localtpm.TPM{Device: t.device, Source: source, Algorithm: t.algorithm}
}

func newLocalTPM(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "tpm",
		Short: "Show keys of the TPM of this machine, for others to pin",
		Long: `Tpm prints the public keys that attestctl request uses of the TPM of this machine, so
that a server can trust them where no authority certifies them. Bring them to the server
on a way that you trust. The TPM keeps nothing, and gives the same keys again until it
is cleared.`,
		Example: `  attestctl tpm ak > ak.pub
  attestctl tpm ek > ek.pub`,
	})
	c.AddCommand(newLocalAK(sys), newLocalEK(sys))
	return c
}

const publicForms = `The form is that of tpm2-tools, TPM2B_PUBLIC, which has the key's attributes too. With
--pem it is the key alone`

func newLocalAK(sys *system) *cobra.Command {
	k, source := &localKey{sys: sys}, ""
	c := leaf(&cobra.Command{
		Use:   "ak [flags]",
		Short: "Print the attestation key",
		Long: `Ak prints the public attestation key, for ak/pins of a trust directory or for --ak-pub
of verify.

` + publicForms + ", for which a server wraps nothing.",
		Example: `  attestctl tpm ak > ak.pub
  attestctl verify quote.dat --nonce 5f0c... --ak-pub ak.pub`,
		Args: arguments(0, 0, ""),
	}, func([]string) error {
		return k.print(func(ctx context.Context) ([]byte, error) { return k.flags.tpm(source).AK(ctx) })
	})
	k.add(c)
	addSource(c, &source)
	return c
}

func newLocalEK(sys *system) *cobra.Command {
	k := &localKey{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "ek [flags]",
		Short: "Print the endorsement key",
		Long: `Ek prints the public endorsement key, for ek/pins of a trust directory: secrets are
wrapped for it (request --wrap tpm).

` + publicForms + ".",
		Example: `  attestctl tpm ek > ek.pub`,
		Args:    arguments(0, 0, ""),
	}, func([]string) error {
		return k.print(func(ctx context.Context) ([]byte, error) {
			ek, err := k.flags.tpm("").EK(ctx, nil)
			return ek.Public, err
		})
	})
	k.add(c)
	return c
}

// localKey prints one public key.
type localKey struct {
	sys   *system
	flags tpmFlags
	pem   bool
}

func (k *localKey) add(c *cobra.Command) {
	k.flags.add(c)
	c.Flags().BoolVar(&k.pem, "pem", false, "print the key alone, in PEM")
}

// print writes a TPMT_PUBLIC in the form that is asked for.
func (k *localKey) print(read func(context.Context) ([]byte, error)) error {
	if !k.pem && k.sys.columns(k.sys.stdout) > 0 {
		return hint.New(usagef("the key is binary, and standard output is a terminal"), "write it to a file with >, or add --pem")
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultRequestTimeout)
	defer cancel()
	public, err := read(ctx)
	if err != nil {
		return err
	}
	if !k.pem {
		_, err = k.sys.stdout.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(public))), public...)) //nolint:gosec // a TPM's answer has 4 KiB
		return err
	}
	p, err := tpm.ParsePublic(public)
	if err != nil {
		return fmt.Errorf("public key of the TPM: %w", err)
	}
	key, err := p.Key()
	if err != nil {
		return fmt.Errorf("public key of the TPM: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	return pem.Encode(k.sys.stdout, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
