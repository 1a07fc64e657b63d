package main

import "github.com/spf13/cobra"

// policyGroups are the headings of the help text with the commands below each.
func policyGroups(sys *system) []struct {
	id, title string
	commands  []*cobra.Command
} {
	return []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"write", "Write a policy:", []*cobra.Command{newPolicyInit(sys), newPolicyCheck(sys), newPolicyConditions(sys)}},
		{"test", "Test it:", []*cobra.Command{newPolicyTest(sys), newPolicyMutate(sys), newPolicyDiff(sys), newPolicyBench(sys)}},
		{"decide", "Decide with it:", []*cobra.Command{newPolicyEval(sys), newPolicyExplain(sys), newPolicyBuild(sys)}},
	}
}

func newPolicy(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "policy",
		Short: "Write, test and run the Rego policies that decide over evidence",
		Long: `Policy works on the Rego policies that decide over verified claims. POLICY is a
folder, a bundle file, or builtin:NAME for one that ships with attestctl.

A new policy: init writes one with a test and a case, check finds what is wrong
with it, test decides every recorded case with both engines, mutate names the
claims that it does not notice. eval and explain decide over one piece of
evidence; diff shows what a change of the policy opens.`,
		Example: `  attestctl policy init my-policy
  attestctl policy check my-policy --strict
  attestctl policy conditions builtin:gce-cvm --config config.json
  attestctl policy test my-policy --coverage
  attestctl policy mutate my-policy --fixtures my-policy/fixtures --threshold 95
  attestctl policy diff old/ new/
  attestctl policy bench my-policy
  attestctl policy eval --claims claims.json --policy builtin:gce-cvm --config config.json
  attestctl policy explain --claims claims.json --policy my-policy
  attestctl policy build my-policy -o policy.tar.gz`,
	})
	for _, g := range policyGroups(sys) {
		c.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, sub := range g.commands {
			sub.GroupID = g.id
			c.AddCommand(sub)
		}
	}
	return c
}
