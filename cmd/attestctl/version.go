package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/report"
)

func newVersion(sys *system) *cobra.Command {
	var output string
	c := leaf(&cobra.Command{
		Use:   "version [flags]",
		Short: "Print the version and every module that is linked in",
		Long:  "Version prints what this program was built from: its own version and revision,\nGo, and each module with its version. JSON adds their checksums as in go.sum.",
		Example: `  attestctl version
  attestctl version -o json`,
		Args: arguments(0, 0, "argument"),
	}, func([]string) error {
		info, _ := debug.ReadBuildInfo()
		return report.Write(sys.stdout, output, report.NewVersion(info), sys.style())
	})
	outputFlag(c, &output)
	return c
}
