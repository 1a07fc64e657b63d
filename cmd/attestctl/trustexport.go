package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

func newTrustExport(sys *system) *cobra.Command {
	return leaf(&cobra.Command{
		Use:   "export DIR",
		Short: "Write the embedded trust anchors to a directory",
		Long: `Export writes the embedded anchors as PEM files in the layout that --trust reads.
Remove what you do not trust, add what you do. Files that exist are never
overwritten.`,
		Example: `  attestctl trust export anchors/
  attestctl verify quote.dat --nonce 30c1f2... --trust anchors/`,
		Args: arguments(1, 1, "DIR"),
	}, func(args []string) error {
		t, err := evidence.EmbeddedTrust()
		if err != nil {
			return err
		}
		if err := exportTrust(args[0], t.Anchors()); err != nil {
			return fmt.Errorf("exporting to %s: %w", report.Quote(args[0]), err)
		}
		_, err = fmt.Fprintf(sys.stdout, "wrote %d anchors to %s\n", len(t.Anchors()), report.Quote(args[0]))
		return err
	})
}

// exportTrust writes anchors below dir, and nothing if one of them exists. It
// follows no link that leads out of dir.
func exportTrust(dir string, anchors []evidence.TrustFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // certificates are public
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // every file was closed by then
	for _, a := range anchors {
		if _, err := root.Lstat(a.Path); err == nil {
			return hint.New(fmt.Errorf("%s exists", a.Path), "name an empty directory")
		}
	}
	for _, a := range anchors {
		if err := exportAnchor(root, a); err != nil {
			return err
		}
	}
	return nil
}

func exportAnchor(root *os.Root, a evidence.TrustFile) error {
	if err := root.MkdirAll(path.Dir(a.Path), fs.FileMode(0o755)); err != nil {
		return err
	}
	f, err := root.OpenFile(a.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := writeAnchor(f, a); err != nil {
		f.Close() //nolint:errcheck,gosec // the earlier error counts
		return err
	}
	return f.Close()
}

// writeAnchor writes certificates and keys as PEM, and all else as it is.
func writeAnchor(w io.Writer, a evidence.TrustFile) error {
	switch a.Kind { //nolint:exhaustive // all others are written as they are
	case evidence.KindCertificate:
		return pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: a.DER})
	case evidence.KindKey:
		return pem.Encode(w, &pem.Block{Type: "PUBLIC KEY", Bytes: a.DER})
	default:
		_, err := w.Write(a.Data)
		return err
	}
}
