package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

func newChecks(sys *system) *cobra.Command {
	var output string
	ids := make([]string, len(evidence.Checks))
	for i, c := range evidence.Checks {
		ids[i] = c.ID
	}
	c := leaf(&cobra.Command{
		Use:   "checks [ID] [flags]",
		Short: "Explain the checks that verify makes",
		Long: `Checks lists every check that a result can contain and what it proves. With an
ID it also says when the check fails, what to do then, and which specification
it follows.`,
		Example: `  attestctl checks
  attestctl checks tpm.quote.nonce`,
		Args:      arguments(0, 1, "ID"),
		ValidArgs: ids,
	}, func(args []string) error {
		list := evidence.Checks
		if len(args) == 1 {
			info, ok := checkInfo(args[0])
			if !ok {
				return hint.New(usagef("there is no check %q", args[0]), "attestctl checks lists them")
			}
			list = []evidence.CheckInfo{info}
		}
		return report.Write(sys.stdout, output, report.NewCheckList(list...), sys.style())
	})
	outputFlag(c, &output)
	return c
}

// checkInfo finds the documentation of a check, whose ID may name a bank.
func checkInfo(id string) (evidence.CheckInfo, bool) {
	base, _, _ := strings.Cut(id, "[")
	i := slices.IndexFunc(evidence.Checks, func(c evidence.CheckInfo) bool { return c.ID == base })
	if i < 0 {
		return evidence.CheckInfo{}, false
	}
	return evidence.Checks[i], true
}
