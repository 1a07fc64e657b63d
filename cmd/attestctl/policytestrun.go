package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// The kinds of tests in a report.
const (
	kindRego     = "rego"
	kindFixture  = "fixture"
	kindPolicy   = "policy"
	kindCoverage = "coverage"
)

// testRun is one run of a plan.
type testRun struct {
	*policyTest

	plan   testPlan
	set    *policySet
	tested map[string]bool  // identities of the policies that compile
	broken map[string]error // of policies that are not tested, by identity
	out    *report.PolicyTest
}

// test runs everything.
func (t *policyTest) test(ctx context.Context, args []string) (*report.PolicyTest, error) {
	plan, err := t.plan(args)
	if err != nil {
		return nil, err
	}
	start := t.sys.now()
	r := &testRun{policyTest: t, plan: plan, set: newPolicySet(t.engines), tested: map[string]bool{}}
	defer r.set.close() //nolint:contextcheck // frees memory, whatever became of the run
	r.out = &report.PolicyTest{Engines: t.engines, Policies: nonNil(plan.policies), Verbose: t.verbose, Tests: []report.Test{}}
	if t.coverage {
		r.set.coverage = map[string]*policy.Coverage{}
	}
	compiled := map[string]*policy.Policy{}
	for _, ref := range plan.policies {
		if compiled[ref], err = r.testPolicy(ctx, ref); err != nil {
			return nil, err
		}
	}
	r.openNamed()
	if err := r.testCases(ctx); err != nil {
		return nil, err
	}
	for _, ref := range plan.policies {
		if p := compiled[ref]; p != nil && t.coverage {
			r.reportCoverage(ref, p)
		}
	}
	r.out.Seconds = t.sys.now().Sub(start).Seconds()
	r.out.Finish()
	return r.out, nil
}

func nonNil(list []string) []string { return append([]string{}, list...) }

// testPolicy compiles a policy and runs its tests. A policy that does not
// compile is a test that failed, and gives nil.
func (r *testRun) testPolicy(ctx context.Context, ref string) (*policy.Policy, error) {
	id := identity(ref)
	if r.set.coverage != nil {
		r.set.coverage[id] = policy.NewCoverage()
	}
	p, err := r.set.get(ref, nil) //nolint:contextcheck // what is compiled outlives the call that needed it first
	var results []policy.TestResult
	if err == nil {
		r.tested[id] = true
		results, err = p.policy.RunTests(ctx, policy.TestOptions{Run: r.run, Coverage: r.set.coverage[id]})
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.out.Tests = append(r.out.Tests, brokenPolicy(ref, err))
	}
	for _, res := range results {
		r.out.Tests = append(r.out.Tests, regoTest(ref, res))
	}
	if !r.tested[id] {
		return nil, nil //nolint:nilnil // the report says why
	}
	return p.policy, nil
}

// brokenPolicy reports everything that is wrong with a policy or its tests.
func brokenPolicy(ref string, err error) report.Test {
	t := report.Test{Suite: filepath.ToSlash(ref), Kind: kindPolicy, Name: "compile", Status: report.TestError, File: policyFile(ref, "")}
	broken, ok := errors.AsType[*policy.CompileError](err)
	if !ok {
		t.Findings = []report.Finding{{Rule: "policy.load", Message: err.Error(), Hint: hint.Of(err)}}
		return t
	}
	for i, p := range broken.Problems {
		f := report.Finding{Rule: "policy.compile", Message: p.Msg, Hint: p.Hint}
		if p.File != "" {
			f.File, f.Line = policyFile(ref, p.File), p.Line
		}
		if i == 0 && f.File != "" {
			t.File, t.Line = f.File, f.Line
		}
		t.Findings = append(t.Findings, f)
	}
	return t
}

// policyFile makes a file of a policy one from here.
func policyFile(ref, file string) string {
	if strings.HasPrefix(ref, "builtin:") {
		return path.Join(ref, file)
	}
	if !holdsPolicy(ref) && filepath.Ext(ref) != "" { // a bundle is one file
		file = ""
	}
	return filepath.ToSlash(filepath.Join(ref, filepath.FromSlash(file)))
}

func regoTest(ref string, res policy.TestResult) report.Test {
	t := report.Test{
		Suite: filepath.ToSlash(ref), Kind: kindRego, Name: res.Name, Status: statusWord(res.Status),
		File: policyFile(ref, res.File), Line: res.Line, Output: res.Output, Seconds: res.Duration.Seconds(),
	}
	switch {
	case res.Msg != "":
		t.Findings = []report.Finding{{Rule: "rego.test", Message: res.Msg}}
	case res.Status == policy.TestSkip:
		t.Findings = []report.Finding{{Rule: "rego.test", Message: "its name begins with todo_"}}
	}
	return t
}

func statusWord(s policy.TestStatus) string {
	switch s {
	case policy.TestPass:
		return report.TestPassed
	case policy.TestSkip:
		return report.TestSkipped
	case policy.TestError:
		return report.TestError
	case policy.TestFail:
		return report.TestFailed
	}
	return report.TestFailed
}

// testCases runs the cases of all suites on as many workers as there are
// processors; the results keep the order of the cases.
func (r *testRun) testCases(ctx context.Context) error {
	var cases []fixture.Case
	var suites []string
	for _, s := range r.plan.suites {
		for _, c := range s.cases {
			if r.run == nil || r.run.MatchString(c.Name) {
				cases, suites = append(cases, c), append(suites, filepath.ToSlash(s.dir))
			}
		}
	}
	results := make([]report.Test, len(cases))
	bar := r.sys.progress(len(cases))
	var drawn sync.Mutex
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), max(len(cases), 1)) {
		workers.Go(func() {
			for i := range next {
				results[i] = r.testCase(ctx, suites[i], cases[i])
				drawn.Lock()
				bar.step()
				drawn.Unlock()
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	workers.Wait()
	bar.hide()
	r.out.Tests = append(r.out.Tests, results...)
	return ctx.Err()
}

// testCase judges one case. It is the boundary that no panic of a verifier
// crosses: a case that crashes is one case that failed.
func (r *testRun) testCase(ctx context.Context, suite string, c fixture.Case) (t report.Test) {
	start := r.sys.now()
	t = report.Test{
		Suite: suite, Kind: kindFixture, Name: c.Name, Status: report.TestError,
		File: filepath.ToSlash(filepath.Join(c.Dir, "want.json")), Line: 1,
	}
	defer func() {
		if p := recover(); p != nil {
			t.Findings = []report.Finding{{Rule: kindFixture, Message: fmt.Sprintf("internal error: %v", p)}}
		}
		t.Seconds = r.sys.now().Sub(start).Seconds()
	}()
	if t.Findings = r.unopened(c); len(t.Findings) > 0 {
		return t
	}
	got, decisions, err := r.outcome(ctx, c)
	t.Decisions = decisions
	if err != nil {
		t.Findings = []report.Finding{caseError(err)}
		return t
	}
	r.compare(&t, c, got)
	return t
}

// openNamed opens the policies that cases name and that are not tested.
func (r *testRun) openNamed() {
	r.broken = map[string]error{}
	for _, ref := range policiesOf(r.plan.suites) {
		if id := identity(ref); !r.tested[id] {
			_, r.broken[id] = policy.Open(ref)
		}
	}
}

// unopened finds the policies of a case that are no policies. They fail the case
// also where they are not tested: nobody has ever decided what it records.
func (r *testRun) unopened(c fixture.Case) []report.Finding {
	var list []report.Finding
	for _, p := range c.Spec.Policies {
		err := r.broken[identity(c.PolicyRef(p.Policy))]
		if err == nil {
			continue
		}
		list = append(list, report.Finding{
			Rule: "policy.load", Message: fmt.Sprintf("case.yaml names the policy %s: %v", report.Quote(p.Policy), err), Hint: hint.Of(err),
			File: filepath.ToSlash(filepath.Join(c.Dir, "case.yaml")), Line: 1,
		})
	}
	return list
}

// outcome runs a case and counts the policies that decided. Decisions of those
// that are not tested, or that do not compile, are those that were recorded.
func (r *testRun) outcome(ctx context.Context, c fixture.Case) (fixture.Outcome, int, error) {
	all := c.Spec.Policies
	isTested := func(p fixture.Policy) bool { return r.tested[identity(c.PolicyRef(p.Policy))] }
	c.Spec.Policies = slices.DeleteFunc(slices.Clone(all), func(p fixture.Policy) bool { return !isTested(p) })
	got, err := c.Run(ctx, r.set.decide)
	decisions := len(got.Decisions)
	if err != nil || got.Claims == nil || c.Want == nil {
		return got, decisions, err
	}
	for _, p := range all {
		if d, recorded := c.Want.Decisions[p.Policy]; recorded && !isTested(p) {
			if got.Decisions == nil {
				got.Decisions = map[string]fixture.Decision{}
			}
			got.Decisions[p.Policy] = d
		}
	}
	return got, decisions, nil
}

func caseError(err error) report.Finding {
	f := report.Finding{Rule: kindFixture, Message: err.Error(), Hint: hint.Of(err)}
	if _, differ := errors.AsType[*differError](err); differ {
		f.Rule = policy.CodeDisagree
	}
	return f
}

// compare decides what became of a case.
func (r *testRun) compare(t *report.Test, c fixture.Case, got fixture.Outcome) {
	t.Status = report.TestPassed
	if c.Want == nil {
		t.Status = report.TestFailed
		t.Findings = []report.Finding{{Rule: "unrecorded", Message: "there is no want.json", Hint: "--update writes what came out: read it"}}
	} else if diff := fixture.Diff(*c.Want, got); diff != "" {
		t.Status = report.TestFailed
		t.Findings = diffFindings(diff)
		placeFindings(t, c)
	}
	if t.Status == report.TestPassed || !r.update {
		return
	}
	if err := c.Update(got); err != nil {
		t.Status = report.TestError
		t.Findings = append(t.Findings, report.Finding{Rule: kindFixture, Message: err.Error()})
		return
	}
	t.Status = report.TestUpdated
	for i := range t.Findings {
		t.Findings[i].Hint = ""
	}
}
