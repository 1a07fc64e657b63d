package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/report"
)

func newPolicyConditions(sys *system) *cobra.Command {
	var flags policyFlags
	var output string
	c := leaf(&cobra.Command{
		Use:   "conditions POLICY [flags]",
		Short: "Print what a policy demands of evidence",
		Long: `Conditions evaluates a policy with its config and without claims, and prints what
is left: for each body of allow what must hold, for each rule of deny what makes
it fire. Helpers and the config have been folded in, as far as OPA can; where it
cannot, the rule is printed as it is written, and the reason is told.`,
		Example: `  attestctl policy conditions builtin:gce-cvm --config config.json
  attestctl policy conditions rego/ -o json`,
		Args: arguments(1, 1, "POLICY"),
	}, func(args []string) error {
		flags.ref = args[0]
		p, err := flags.compile(sys)
		if err != nil {
			return err
		}
		list, err := p.Conditions(context.Background())
		if err != nil {
			return err
		}
		return report.Write(sys.stdout, output, report.NewConditions(flags.ref, p.Digest(), list), sys.style())
	})
	c.ValidArgsFunction = completeBuiltins
	flags.addConfig(c)
	outputFlag(c, &output)
	return c
}
