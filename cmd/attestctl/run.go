package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// system is what commands know of the world beside the file system.
type system struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	columns        func(io.Writer) int // width of a terminal, or 0
}

// run executes one command line and returns the exit code. It is the boundary
// that no panic crosses.
func run(args []string, sys *system) (code int) {
	defer func() {
		if p := recover(); p != nil {
			err := &exitError{exitTool, fmt.Errorf("internal error: %v", p)}
			code = sys.fail(hint.New(err, "this is a bug: please report it with the command line"))
		}
	}()
	root := newRoot(sys)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return sys.fail(err)
	}
	return exitAccepted
}

func newRoot(sys *system) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "attestctl",
		Short: "Verify confidential-computing evidence offline",
		Long: `Attestctl verifies the evidence that a confidential VM gives about itself: TPM
quotes, boot event logs, hardware reports and the keys that signed them. It accepts nothing
that it cannot prove, and opens no socket but for token fetch-keys, serve and request,
and that of a software TPM that --tpm names.

Exit codes: 0 accepted, 1 error of the tool or its environment, 2 wrong usage,
3 evidence malformed or not genuine, 4 genuine but denied by the policy, 5 tests of
a policy failed or a TCB is below a floor.`,
		Example: `  attestctl verify quote.dat --nonce 5f0c...
  attestctl inspect quote.dat
  attestctl replay binary_bios_measurements --quote quote.dat`,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.AddCommand(newVerify(sys), newInspect(sys), newTCB(sys), newReplay(sys), newTrust(sys), newChecks(sys), newVersion(sys), newFixture(sys), newPolicy(sys), newToken(sys), newServe(sys), newRequest(sys), newLocalTPM(sys), newAudit(sys))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if hint.Of(err) != "" {
			return err
		}
		return hint.New(err, cmd.CommandPath()+" --help lists the flags")
	})
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			group(c)
		}
	}
	root.SetIn(sys.stdin)
	root.SetOut(sys.stdout)
	root.SetErr(sys.stderr)
	return root
}

// group makes a command that only holds others.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		cmd.SuggestionsMinimumDistance = 2
		err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return hint.New(err, "did you mean "+strings.Join(near, " or ")+"?")
		}
		return hint.New(err, cmd.CommandPath()+" --help lists the commands")
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return hint.New(usagef("%s needs a command", cmd.CommandPath()), cmd.CommandPath()+" --help lists the commands")
	}
	return c
}

// leaf finishes a command that does something: what it returns is its own
// error, where cobra's are all of wrong usage.
func leaf(c *cobra.Command, do func(args []string) error) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(_ *cobra.Command, args []string) error {
		err := do(args)
		if _, coded := errors.AsType[*exitError](err); coded || err == nil {
			return err
		}
		return &exitError{codeOf(err), err}
	}
	return c
}

// arguments requires between least and most arguments called name; most is -1
// for any number.
func arguments(least, most int, name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return hint.New(fmt.Errorf("%s needs %s", cmd.CommandPath(), name), cmd.CommandPath()+" --help shows examples")
		case most == 0 && len(args) > 0:
			return hint.New(fmt.Errorf("%s takes no arguments", cmd.CommandPath()), cmd.CommandPath()+" --help shows examples")
		case most > 0 && len(args) > most:
			return hint.New(fmt.Errorf("%s takes one %s, not %d", cmd.CommandPath(), name, len(args)), cmd.CommandPath()+" --help shows examples")
		}
		return nil
	}
}

// style says how to lay out text on standard output.
func (sys *system) style() report.Style {
	width := sys.columns(sys.stdout)
	color := sys.getenv("NO_COLOR") == "" && !slices.Contains([]string{"", "dumb"}, sys.getenv("TERM"))
	return report.Style{Width: width, Color: width > 0 && color}
}
