package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyDiff is the command and its flags.
type policyDiff struct {
	sys      *system
	fixtures string
	audit    auditReplay
	config   string
	engine   string
	exitZero bool
	output   string
}

func newPolicyDiff(sys *system) *cobra.Command {
	d := &policyDiff{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "diff (OLD NEW | --audit FILE NEW) [flags]",
		Short: "List the recorded cases, or decisions of a server, that another policy decides differently",
		Long: `Diff decides every accepted case of the fixtures with two policies and lists what
changes: what was denied and is now allowed first, then what was allowed and is
now denied, then other reasons. Nothing but evidence that verifies is decided.

Both policies see the config of --config; without it, each sees the one that a
case names for it, or for the other, or else its own.

With --audit it decides what a server has decided, over the claims in its audit log,
and compares with what the log says. The log must hold together (exit 3), as audit
verify wants it with --key; nothing is printed of one that does not. What no policy
had decided is counted and left out, as is what does not meet the conditions. Shadow
policies do not count. FILE may be - for standard input.

Exit codes: 5 if a case that was denied is now allowed, or a logged input cannot be
decided again, 1 if there is none to decide, 0 otherwise or, for the former, with
--exit-zero.`,
		Example: `  attestctl policy diff main/rego/ rego/
  attestctl policy diff builtin:codelab builtin:gce-cvm --config config.json --exit-zero
  attestctl policy diff old.tar.gz new.tar.gz -o json
  attestctl policy diff --audit audit.log --key audit.pub rego/ --secret db --since 2026-11-01`,
		Args: d.arguments,
	}, d.run)
	f := c.Flags()
	f.StringVar(&d.fixtures, "fixtures", fixturesDir, "`FOLDER` of the cases")
	f.StringVar(&d.config, "config", "", "JSON or YAML `FILE` that both policies, or NEW, see as data.config")
	f.BoolVar(&d.exitZero, "exit-zero", false, "exit 0 whatever changes")
	engineFlag(c, &d.engine)
	d.audit.flags(c)
	outputFlag(c, &d.output)
	c.ValidArgsFunction = completeBuiltins
	return c
}

// arguments wants two policies, or a log and one, and the flags of that.
func (d *policyDiff) arguments(c *cobra.Command, args []string) error {
	for _, name := range []string{"audit", "key"} { // an empty variable of a script is no wish for less
		if f := c.Flag(name); f.Changed && f.Value.String() == "" {
			return usagef("--%s names no file", name)
		}
	}
	if d.audit.file != "" {
		if c.Flags().Changed("fixtures") {
			return usagef("--audit and --fixtures contradict each other")
		}
		return arguments(1, 1, "policy NEW")(c, args)
	}
	for _, name := range auditReplayFlags {
		if c.Flags().Changed(name) {
			return hint.New(usagef("--%s is for --audit, and no log is named", name), "add --audit FILE")
		}
	}
	return arguments(2, 2, "policies OLD and NEW")(c, args)
}

func (d *policyDiff) run(args []string) error {
	set := newPolicySet([]string{d.engine})
	defer set.close()
	if d.audit.file != "" {
		return d.runAudit(set, args[0])
	}
	return d.runCases(set, args)
}

func (d *policyDiff) runCases(set *policySet, args []string) error {
	cases, err := acceptedCases(context.Background(), d.fixtures)
	if err != nil {
		return err
	}
	if set.config, err = readConfig(d.sys, d.config); err != nil {
		return err
	}
	out := &report.PolicyDiff{Schema: report.SchemaPolicyDiff, Old: args[0], New: args[1], Cases: len(cases), Changes: []report.DecisionChange{}}
	for _, c := range cases {
		change, err := set.change(context.Background(), c, args[0], args[1])
		if err != nil {
			return err
		}
		out.Add(change)
	}
	out.Sort()
	if err := report.Write(d.sys.stdout, d.output, out, d.sys.style()); err != nil {
		return err
	}
	return d.opened(out.Opened, counted(out.Cases, "case"))
}

// opened is the error for what was denied and is now allowed.
func (d *policyDiff) opened(n int, of string) error {
	if n == 0 || d.exitZero {
		return nil
	}
	err := fmt.Errorf("%d of %s were denied and are now allowed", n, of)
	return hint.New(&exitError{exitFailed, err}, "read each of them; --exit-zero accepts the change")
}

// change decides a case with two policies.
func (s *policySet) change(ctx context.Context, c acceptedCase, before, after string) (report.DecisionChange, error) {
	change := report.DecisionChange{Case: c.Name, Title: c.Spec.Title}
	var err error
	if change.Before, err = s.decideCase(ctx, c, before, c.configOf(before, after)); err != nil {
		return change, err
	}
	change.After, err = s.decideCase(ctx, c, after, c.configOf(after, before))
	return change, err
}

func (s *policySet) decideCase(ctx context.Context, c acceptedCase, ref string, config map[string]any) (policy.Decision, error) {
	if s.config != nil {
		config = s.config
	}
	p, err := s.get(ref, config) //nolint:contextcheck // what is compiled outlives the call that needed it first
	if err != nil {
		return policy.Decision{}, fmt.Errorf("policy %s: %w", report.Quote(ref), err)
	}
	return appraise.Decide(ctx, p.engines[0], c.claims, c.Spec.Request)
}

// readConfig reads a config as the map that a case holds; nil without a file.
func readConfig(sys *system, file string) (map[string]any, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no config
	}
	text, err := sys.readFile(file)
	if err != nil {
		return nil, &exitError{exitTool, fmt.Errorf("--config %s: %w", report.Quote(file), err)}
	}
	config, err := policy.ParseConfig(configName(file), string(text))
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", report.Quote(file), err)
	}
	return config, nil
}
