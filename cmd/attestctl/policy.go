package main

import "github.com/spf13/cobra"

func newPolicy(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "policy",
		Short: "Test, evaluate and compare Rego policies",
		Long: `Policy works on the Rego policies that decide over verified claims. POLICY is a
folder, a bundle file, or builtin:NAME for one that ships with attestctl.`,
		Example: `  attestctl policy test
  attestctl policy eval --claims claims.json --policy builtin:gce-cvm --config config.json
  attestctl policy diff old/ new/`,
	})
	c.AddCommand(
		newPolicyTest(sys),
		newPolicyEval(sys),
		newPolicyDiff(sys),
		newPolicyBench(sys),
		newPolicyCheck(sys),
		newPolicyExplain(sys),
		newPolicyMutate(sys),
		newPolicyConditions(sys),
		newPolicyBuild(sys),
		newPolicyInit(sys),
	)
	return c
}
