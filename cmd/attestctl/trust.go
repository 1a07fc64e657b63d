package main

import (
	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/report"
)

func newTrust(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "trust",
		Short: "List or export the trust anchors",
		Long: `Trust shows whose signatures count. A trust directory holds one certificate or
key a file, in PEM or DER, and the folder says what it is trusted for:

  ak/roots          roots of the authorities that certify attestation keys
  ak/intermediates  certificates between those and the attestation keys
  ak/pins           attestation keys that are trusted by themselves`,
		Example: `  attestctl trust list
  attestctl trust export anchors/`,
	})
	c.AddCommand(newTrustList(sys), newTrustExport(sys))
	return c
}

func newTrustList(sys *system) *cobra.Command {
	var flags trustFlags
	var output string
	c := leaf(&cobra.Command{
		Use:   "list [flags]",
		Short: "List every trust anchor",
		Long: `List prints every anchor with its subject, the SHA-256 of its DER form, its
validity and where it comes from: the embedded ones, or those of a directory.`,
		Example: `  attestctl trust list
  attestctl trust list --trust anchors/ -o json`,
		Args: arguments(0, 0, "argument"),
	}, func([]string) error {
		t, err := flags.load(sys)
		if err != nil {
			return err
		}
		return report.Write(sys.stdout, output, report.NewTrustList(t), sys.style())
	})
	c.Flags().StringVar(&flags.dir, "trust", "", "list the anchors in `DIR` instead of the embedded ones")
	outputFlag(c, &output)
	return c
}
