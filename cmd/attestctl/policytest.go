package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// policyTest is the command and its flags.
type policyTest struct {
	sys       *system
	fixtures  string
	engines   []string
	run       *regexp.Regexp
	coverage  bool
	threshold float64
	update    bool
	watch     bool
	verbose   bool
	output    string
	tick      func(time.Duration) <-chan time.Time
}

func newPolicyTest(sys *system) *cobra.Command {
	t := &policyTest{sys: sys, engines: []string{engineRego, engineWASM}, tick: time.Tick}
	c := leaf(&cobra.Command{
		Use:   "test [POLICY...] [flags]",
		Short: "Run the tests of policies and all recorded cases",
		Long: `Test runs the rules named test_* in *_test.rego files of each POLICY, and every
case of the fixtures: its evidence is verified, and the policies that its
case.yaml names decide over the claims with each engine. What came out is
compared with want.json; what changed is listed claim by claim.

Without POLICY it tests the current folder if that holds a policy, and otherwise
the policies that the cases name. Cases are those in the folders fixtures here
and in each POLICY, or in --fixtures. A case that names a policy which is not
tested keeps the decision that its want.json records.

Exit codes: 0 all passed, 5 a test failed, or there was none.`,
		Example: `  attestctl policy test
  attestctl policy test rego/ --coverage --threshold 95
  attestctl policy test builtin:gce-cvm --run zone -v
  attestctl policy test -o junit > results.xml`,
		Args: arguments(0, -1, "POLICY"),
	}, t.main)
	f := c.Flags()
	f.StringVar(&t.fixtures, "fixtures", "", "`FOLDER` of the cases")
	f.Var(&parsed[[]string]{&t.engines, parseEngines, "LIST", ""}, "engine", "engines that decide: rego, wasm, or both with a comma (default rego,wasm)")
	f.Var(&parsed[*regexp.Regexp]{&t.run, regexp.Compile, "REGEX", ""}, "run", "run only the tests and cases whose name matches")
	f.BoolVar(&t.coverage, "coverage", false, "report the lines and rules that neither tests nor cases evaluate")
	f.Var(&parsed[float64]{&t.threshold, parsePercent, "PERCENT", ""}, "threshold", "fail if fewer lines of a policy are covered; implies --coverage")
	f.BoolVar(&t.update, "update", false, "rewrite want.json of the cases that came out differently")
	f.BoolVar(&t.watch, "watch", false, "run again whenever a file changes")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "list what passed too")
	t.output = report.PolicyTestFormats()[0]
	choice(c, &t.output, "output", "o", "output format: "+strings.Join(report.PolicyTestFormats(), ", "), report.PolicyTestFormats())
	c.ValidArgsFunction = completeBuiltins
	return c
}

// parseEngines reads a list of engines, each named once.
func parseEngines(text string) ([]string, error) {
	if text == engineBoth {
		return []string{engineRego, engineWASM}, nil
	}
	words := strings.Split(text, ",")
	for i, w := range words {
		if w != engineRego && w != engineWASM || slices.Contains(words[:i], w) {
			return nil, errors.New("want rego, wasm or rego,wasm")
		}
	}
	return words, nil
}

func parsePercent(text string) (float64, error) {
	p, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(p >= 0 && p <= 100) {
		return 0, errors.New("want a number from 0 to 100")
	}
	return p, nil
}

func (t *policyTest) main(args []string) error {
	t.coverage = t.coverage || t.threshold > 0
	if t.watch {
		return t.watchFiles(args)
	}
	return t.once(args)
}

// once runs everything and writes the report.
func (t *policyTest) once(args []string) error {
	r, err := t.test(context.Background(), args)
	if err != nil {
		return err
	}
	if err := report.WritePolicyTest(t.sys.stdout, t.output, r, t.sys.style()); err != nil {
		return err
	}
	return t.judge(r)
}

// judge returns the error for a run that did not pass.
func (t *policyTest) judge(r *report.PolicyTest) error {
	s := r.Summary
	switch {
	case r.Passed:
		return nil
	case s.Tests == 0 && t.run != nil:
		err := &exitError{exitFailed, fmt.Errorf("no test and no case is named like --run %q", t.run)}
		return hint.New(err, "a run that tests nothing fails; -v without --run lists the names")
	case s.Failed+s.Errors == 0:
		err := &exitError{exitFailed, errors.New("there was no test and no case to run")}
		return hint.New(err, "a run that tests nothing fails: write *_test.rego beside the policy, or record a case with attestctl fixture add")
	}
	err := &exitError{exitFailed, fmt.Errorf("%d of %d tests failed", s.Failed+s.Errors, s.Tests)}
	return hint.New(err, t.advice(r))
}

// advice is what to do first.
func (t *policyTest) advice(r *report.PolicyTest) string {
	changed := false
	for i := range r.Tests {
		test := &r.Tests[i]
		for _, f := range test.Findings {
			if test.Failed() && f.Hint != "" {
				return f.Hint
			}
		}
		changed = changed || test.Failed() && test.Kind == kindFixture
	}
	if changed {
		return "if the new outcomes are right, --update writes them to want.json: read its diff"
	}
	return ""
}
