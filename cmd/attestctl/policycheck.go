package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyCheck is the command and its flags.
type policyCheck struct {
	sys            *system
	config, output string
	strict         bool
}

func newPolicyCheck(sys *system) *cobra.Command {
	k := &policyCheck{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "check [POLICY...] [flags]",
		Short: "Find what is wrong with a policy without asking it anything",
		Long: `Check compiles policies strictly and lists every problem with its place and a way
round: syntax, functions that a policy may not call, claims that no evidence can
have, a decision that is not one, and what the two engines would decide
differently. It starts both engines: what either would refuse to load is a
problem. Warnings name what compiles and is most likely not meant.

POLICY is a folder, a bundle file or builtin:NAME; without one it is the current
folder. Exit codes: 0 no problem, 5 a policy that nobody should rely on; with
--strict warnings count too.

In a workflow, -o github annotates the lines of a pull request and -o sarif is
for code scanning: problems are errors there, warnings warnings.

Warnings:
` + lintList() + `

Functions that a policy may call, operators by their names:
  ` + wrap(strings.Join(functions(), " "), 80, "  "),
		Example: `  attestctl policy check rego/
  attestctl policy check --strict
  attestctl policy check policy.tar.gz -o json
  attestctl policy check rego/ --strict -o github`,
		Args: arguments(0, -1, "POLICY"),
	}, k.run)
	c.ValidArgsFunction = completeBuiltins
	c.Flags().StringVar(&k.config, "config", "", "JSON or YAML `FILE` that the policies see as data.config, instead of their own")
	c.Flags().BoolVar(&k.strict, "strict", false, "let warnings fail the check")
	k.output = report.PolicyCheckFormats()[0]
	choice(c, &k.output, "output", "o", "output format: "+strings.Join(report.PolicyCheckFormats(), ", "), report.PolicyCheckFormats())
	return c
}

// lintList describes the warnings for the help text.
func lintList() string {
	var lines []string
	for _, l := range policy.Lints() {
		lines = append(lines, fmt.Sprintf("  %-20s%s", l.ID, wrap(l.Hint, 80, strings.Repeat(" ", 22))))
	}
	return strings.Join(lines, "\n")
}

// functions lists the functions of Rego that a policy may call.
func functions() []string {
	return slices.DeleteFunc(policy.AllowedBuiltins(), func(name string) bool { return strings.HasPrefix(name, "internal.") })
}

// wrap breaks a text between words into lines of at most width characters; the
// second and later ones are indented.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		switch n := utf8.RuneCountInString(word); {
		case i == 0:
			used = n
		case used+1+n > width:
			b.WriteString("\n" + indent)
			used = n
		default:
			b.WriteByte(' ')
			used += 1 + n
		}
		b.WriteString(word)
	}
	return b.String()
}

func (k *policyCheck) run(args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	var list []report.CheckedPolicy
	for _, ref := range args {
		one, err := k.check(ref)
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	doc := report.NewPolicyCheck(list)
	if err := report.WritePolicyCheck(k.sys.stdout, k.output, doc, k.sys.style()); err != nil {
		return err
	}
	switch {
	case doc.Errors > 0:
		return &exitError{exitFailed, fmt.Errorf("%s in %s", counted(doc.Errors, "error"), counted(len(list), "policy"))}
	case k.strict && doc.Warnings > 0:
		return hint.New(&exitError{exitFailed, fmt.Errorf("%s in %s", counted(doc.Warnings, "warning"), counted(len(list), "policy"))}, "without --strict warnings do not fail the check")
	}
	return nil
}

// counted writes a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if stem, ok := strings.CutSuffix(thing, "y"); ok {
		thing = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// check checks one policy. The error is for what is no policy's fault.
func (k *policyCheck) check(ref string) (report.CheckedPolicy, error) {
	out := report.CheckedPolicy{Policy: ref, Locate: func(file string) string { return policyFile(ref, file) }}
	s, err := policy.Open(ref)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return out, err
	}
	if err != nil {
		out.Problems = problemsOf(err)
		return out, nil
	}
	if k.config != "" {
		if s, err = withConfigFile(k.sys, s, k.config); err != nil {
			return out, err
		}
	}
	out.Digest = s.Digest()
	p, err := policy.Compile(s)
	if err != nil {
		out.Problems = problemsOf(err)
		return out, nil
	}
	if err := p.CheckEngines(); err != nil {
		out.Problems = problemsOf(err)
	}
	out.Warnings = p.Lint()
	return out, nil
}

// problemsOf lists what an error of a policy holds.
func problemsOf(err error) []policy.Problem {
	if all, ok := errors.AsType[*policy.CompileError](err); ok {
		return all.Problems
	}
	return []policy.Problem{{Msg: err.Error(), Hint: hint.Of(err)}}
}
