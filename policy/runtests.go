package policy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestStatus is how a test ended.
type TestStatus int

// What becomes of a test. One that nobody decided has failed.
const (
	TestFail  TestStatus = iota
	TestError            // the evaluation failed, as by a builtin function
	TestPass
	TestSkip // its name begins with todo_
)

func (s TestStatus) String() string {
	switch s {
	case TestError:
		return "error"
	case TestPass:
		return "pass"
	case TestSkip:
		return "skip"
	case TestFail:
		return "fail"
	}
	return "fail"
}

// TestResult is the outcome of one test: a rule, or one case of a rule that has
// a name in brackets, such as attest_test.test_denied["zone absent"].
type TestResult struct {
	Name   string
	Status TestStatus
	// File and Line name the rule; the file is relative to the policy.
	File string
	Line int
	// Msg says why a test did not pass, with the expression that failed and
	// its values where they are known.
	Msg string
	// Output is what the test printed.
	Output   string
	Duration time.Duration // of the whole rule
}

// TestOptions says which tests run. Its zero value runs all of them.
type TestOptions struct {
	Run      *regexp.Regexp // on the name of a rule, attest_test.test_denied; nil is all
	Timeout  time.Duration  // of a rule; 0 means 20 s
	Parallel int            // rules at a time; 0 means one per processor
	Coverage *Coverage      // records what the tests evaluate; nil does not
}

const defaultTestTimeout = 20 * time.Second

// RunTests runs the rules named test_* of the policy's *_test.rego files, with
// the functions that a policy may call, in the interpreter. Tests may use `with`.
// The results are sorted by file, line and name; the error says that the tests do
// not compile, or that the context ended.
func (p *Policy) RunTests(ctx context.Context, o TestOptions) ([]TestResult, error) {
	modules, err := p.testModules()
	if err != nil || len(p.source.tests) == 0 {
		return nil, err
	}
	found, err := p.runModules(ctx, modules, o, nameFilter(modules, o.Run), false)
	if err != nil {
		return nil, err
	}
	if err := p.traceFailures(ctx, modules, o, found); err != nil {
		return nil, err
	}
	var results []TestResult
	tables := tablesOf(modules)
	for _, r := range found {
		results = append(results, flatten(r, tables[ruleAt(r)])...)
	}
	slices.SortStableFunc(results, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return results, nil
}

// testModules adds the tests to the modules that decide.
func (p *Policy) testModules() (map[string]*ast.Module, error) {
	modules, found := maps.Clone(p.modules), problems{}
	for _, f := range library(p.source.tests) {
		if modules[f.Path] != nil {
			continue
		}
		m, err := parseModule(f)
		if err != nil {
			return nil, err
		}
		guardCalls(m)
		modules[f.Path] = m
	}
	for _, f := range p.source.tests {
		m, err := parseModule(f)
		if err != nil {
			found.addErrors(err)
			continue
		}
		found.checkTest(m)
		guardCalls(m)
		modules[f.Path] = m
	}
	return modules, found.err()
}

// checkTest refuses a test that would change what the policy decides for the
// other tests, and so what they mean.
func (ps *problems) checkTest(m *ast.Module) {
	for _, r := range m.Rules {
		name := string(ruleName(r))
		if m.Package.Path.String() == decisionPackage && (name == "allow" || name == "deny") {
			ps.add(r.Location, "give the tests a package of their own: package attest_test", "a test adds to %s of the policy", name)
		}
	}
}

// runModules runs the tests whose full name matches the filter.
func (p *Policy) runModules(ctx context.Context, modules map[string]*ast.Module, o TestOptions, filter string, trace bool) ([]*tester.Result, error) {
	store, err := p.store()
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("running the tests: %w", err)
	}
	defer store.Abort(ctx, txn)
	runner := tester.NewRunner().
		SetCompiler(ast.NewCompiler().
			WithCapabilities(Capabilities()).
			WithStrict(true).
			WithEnablePrintStatements(true).
			WithDefaultRegoVersion(ast.RegoV1).
			WithStageAfterID(ast.StageRewriteDynamicTerms, stageOf(checkSizes)).
			WithStageAfterID(ast.StageRewriteDynamicTerms, stageOf(addTestHolds))).
		SetModules(modules).
		SetStore(store).
		SetTimeout(cmp.Or(o.Timeout, defaultTestTimeout)).
		SetParallel(o.Parallel).
		SetCoverageRuns(nil).
		RaiseBuiltinErrors(true).
		AddCustomBuiltins(testBuiltins()).
		Filter(filter)
	switch {
	case trace:
		runner.EnableTracing(true)
	case o.Coverage != nil:
		runner.SetCoverageQueryTracer(o.Coverage.cover)
	}
	return collect(ctx, runner, txn)
}

func collect(ctx context.Context, runner *tester.Runner, txn storage.Transaction) ([]*tester.Result, error) {
	ch, err := runner.RunTests(ctx, txn)
	if err != nil {
		found := problems{}
		found.addErrors(err)
		return nil, found.err()
	}
	var results []*tester.Result
	for r := range ch {
		results = append(results, r)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("running the tests: %w", err)
	}
	return results, nil
}

// testBuiltins makes the guarded functions known to the runner.
func testBuiltins() []*tester.Builtin {
	b := &budgets{of: map[topdown.Cancel]*budget{}}
	var list []*tester.Builtin
	for _, f := range ownFunctions() {
		f.call = b.charging(f.call)
		list = append(list, &tester.Builtin{Decl: f.decl, Func: rego.FunctionDyn(f.forRego())})
	}
	return list
}

// nameFilter turns the user's expression, on the names that people see, into
// the one the runner wants, on paths below data.
func nameFilter(modules map[string]*ast.Module, run *regexp.Regexp) string {
	if run == nil {
		return ""
	}
	var names []string
	for _, m := range modules {
		for _, r := range m.Rules {
			path := m.Package.Path.Extend(r.Head.Ref().GroundPrefix()).String()
			if run.MatchString(strings.TrimPrefix(path, "data.")) {
				names = append(names, regexp.QuoteMeta(path))
			}
		}
	}
	slices.Sort(names)
	return exactly(slices.Compact(names))
}

// exactly matches the names, and those the runner gives a number to because a
// rule has several bodies. No name matches nothing.
func exactly(names []string) string {
	if len(names) == 0 {
		return `[^\s\S]`
	}
	return `^(` + strings.Join(names, "|") + `)(#\d+)?$`
}
