package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

func newAuditKeygen(sys *system) *cobra.Command {
	return leaf(&cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key that signs an audit log",
		Long: `Keygen makes an Ed25519 key, writes it to FILE, which must not exist and which only
its owner can read (PKCS #8, PEM), and prints the public key (PEM), which audit
verify wants. Keep the public key where the server cannot write: whoever could
exchange both could write the log anew.`,
		Example: `  attestctl audit keygen audit.key > audit.pub`,
		Args:    arguments(1, 1, "FILE"),
	}, func(args []string) error { return auditKeygen(sys, args[0]) })
}

func auditKeygen(sys *system, name string) error {
	private, public, err := newAuditKey()
	if err != nil {
		return err
	}
	defer clear(private)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the file the user names
	if errors.Is(err, fs.ErrExist) {
		return hint.New(fmt.Errorf("%s exists", report.Quote(name)), "a key in use is not overwritten; name another file")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(private)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		_, err = sys.stdout.Write(public)
	}
	if err != nil {
		return errors.Join(err, os.Remove(name)) // nobody would have its other half
	}
	return nil
}
