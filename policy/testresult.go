package policy

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ruleLine is where a rule stands.
type ruleLine struct {
	file string
	line int
}

func ruleAt(r *tester.Result) ruleLine {
	if r.Location == nil {
		return ruleLine{}
	}
	return ruleLine{r.Location.File, r.Location.Row}
}

// tablesOf finds the test rules with a case in brackets, whose value is an
// object: without a case they prove nothing, and yet OPA says that they passed.
func tablesOf(modules map[string]*ast.Module) map[ruleLine]bool {
	tables := map[ruleLine]bool{}
	for _, m := range modules {
		for _, r := range m.Rules {
			if r.Head.DocKind() == ast.PartialObjectDoc {
				tables[ruleLine{r.Loc().File, r.Loc().Row}] = true
			}
		}
	}
	return tables
}

// maxTraced is how many failing rules are run again to see where they fail: a
// trace holds every step.
const maxTraced = 20

// maxTracedTime is how long a rule may have taken for that: a trace keeps every
// step.
const maxTracedTime = 250 * time.Millisecond

// traceFailures runs the tests that failed once more, with a trace.
func (p *Policy) traceFailures(ctx context.Context, modules map[string]*ast.Module, o TestOptions, found []*tester.Result) error {
	failed := map[ruleLine]*tester.Result{}
	var names []string
	for _, r := range found {
		if r.Fail && r.Error == nil && len(failed) < maxTraced && r.Duration < maxTracedTime {
			failed[ruleAt(r)] = r
			names = append(names, regexp.QuoteMeta(numbered.ReplaceAllString(r.Package+"."+r.Name, "")))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	traced, err := p.runModules(ctx, modules, o, exactly(names), true)
	if err != nil {
		return err
	}
	for _, r := range traced {
		if first := failed[ruleAt(r)]; first != nil && r.Fail && r.Error == nil {
			first.Trace, first.SubResults = r.Trace, r.SubResults
		}
	}
	return nil
}

// numbered matches what the runner adds to the name of a rule with several
// bodies.
var numbered = regexp.MustCompile(`#\d+$`)

// flatten gives a result for each case of a rule, and one for the rule itself
// where it has none or failed besides.
func flatten(r *tester.Result, table bool) []TestResult {
	at := ruleAt(r)
	rule := TestResult{
		Name: testName(r), Status: statusOf(r), Duration: r.Duration, File: at.file, Line: at.line,
		Output: string(bytes.TrimSpace(r.Output)), Msg: message(r),
	}
	if r.Skip || r.Error != nil {
		return []TestResult{rule}
	}
	list := casesOf(r, rule)
	failed := false
	for _, c := range list {
		failed = failed || c.Status == TestFail
	}
	switch {
	case len(list) == 0 && table:
		rule.Status, rule.Msg = TestFail, "the test has no cases"
		return []TestResult{rule}
	case len(list) == 0 || rule.Status == TestFail && !failed:
		return append(list, rule)
	}
	list[0].Output = rule.Output
	return list
}

func casesOf(r *tester.Result, rule TestResult) []TestResult {
	var list []TestResult
	for path, sub := range r.SubResults.Iter {
		if len(sub.SubResults) > 0 {
			continue // its parts are cases themselves
		}
		c := rule
		c.Name += caseName(path)
		c.Status, c.Msg, c.Output = TestPass, "", ""
		if sub.Fail {
			c.Status, c.Msg = TestFail, failedAt(sub.Trace, rule)
		}
		list = append(list, c)
	}
	return list
}

func testName(r *tester.Result) string {
	return strings.TrimPrefix(r.Package, "data.") + "." + r.Name
}

func caseName(path []string) string {
	b := strings.Builder{}
	for _, p := range path {
		fmt.Fprintf(&b, "[%q]", p)
	}
	return b.String()
}

func statusOf(r *tester.Result) TestStatus {
	switch {
	case r.Skip:
		return TestSkip
	case r.Error != nil:
		return TestError
	case r.Pass():
		return TestPass
	}
	return TestFail
}

func message(r *tester.Result) string {
	switch {
	case r.Error != nil:
		return clip(strings.ReplaceAll(r.Error.Error(), guardPrefix, ""))
	case r.Fail:
		at := ruleAt(r)
		return failedAt(r.Trace, TestResult{File: at.file, Line: at.line})
	}
	return ""
}

// failedAt finds the last expression of a test's own body that failed, and says
// what it compared.
func failedAt(trace []*topdown.Event, rule TestResult) string {
	var body uint64
	var failed *topdown.Event
	for _, e := range trace {
		switch e.Op { //nolint:exhaustive // the others say nothing of failures
		case topdown.TestCaseOp:
			body, failed = e.QueryID, nil
		case topdown.EnterOp:
			if r, ok := e.Node.(*ast.Rule); ok && r.Loc().File == rule.File && r.Loc().Row == rule.Line {
				body = e.QueryID
			}
		case topdown.FailOp:
			if _, ok := e.Node.(*ast.Expr); ok && e.QueryID == body {
				failed = e
			}
		}
	}
	if failed == nil {
		return "the test is not true"
	}
	return describeFailure(failed)
}

// describeFailure quotes the expression as it stands in the file.
func describeFailure(e *topdown.Event) string {
	expr, ok := e.Node.(*ast.Expr)
	if !ok || expr.Location == nil {
		return "the test is not true"
	}
	text, _, more := strings.Cut(string(expr.Location.Text), "\n")
	if more {
		text += " …"
	}
	msg := fmt.Sprintf("line %d: `%s` is not true", expr.Location.Row, shorten(text))
	if left, right, ok := operands(e, expr); ok {
		msg += fmt.Sprintf(": %s, and %s", left, right)
	}
	return msg
}

// operands gives the values of both sides of a comparison, if they are known.
func operands(e *topdown.Event, expr *ast.Expr) (left, right string, ok bool) {
	if !expr.IsCall() && !expr.IsEquality() || len(expr.Operands()) != 2 || e.Locals == nil {
		return "", "", false
	}
	var words [2]string
	for i, t := range expr.Operands() {
		v := t.Value
		if name, isVar := v.(ast.Var); isVar {
			v = e.Locals.Get(name)
		}
		if v == nil || !v.IsGround() {
			return "", "", false
		}
		if _, isRef := v.(ast.Ref); isRef {
			return "", "", false
		}
		words[i] = shorten(v.String())
	}
	return words[0], words[1], true
}

// maxShown is how much of a value or a line a message shows.
const maxShown = 300

func shorten(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}
