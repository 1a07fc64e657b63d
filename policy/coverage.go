package policy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Coverage records which lines of a policy its tests and its decisions evaluate.
// It is safe for concurrent use, and one Coverage may serve a policy under
// several configs.
type Coverage struct {
	cover *cover.Cover
}

// NewCoverage returns a Coverage that has recorded nothing.
func NewCoverage() *Coverage { return &Coverage{cover.New()} }

// FileCoverage is the coverage of one file. A line counts if something on it can
// be evaluated, and it is covered if all of that was: of an expression, that it
// was tried; of the head of a rule, that the rule was true.
type FileCoverage struct {
	File    string         `json:"file"`
	Covered int            `json:"covered"`
	Lines   int            `json:"lines"`
	Missing []int          `json:"missing"` // lines that are not covered
	Rules   []RuleCoverage `json:"rules"`
}

// RuleCoverage is the coverage of one rule. A rule is covered if it had a value at
// least once, a default if it was needed.
type RuleCoverage struct {
	Rule    string `json:"rule"`
	Line    int    `json:"line"`
	Covered bool   `json:"covered"`
	Missing []int  `json:"missing"`
}

// Recorder returns an engine whose decisions are recorded. It decides as the
// interpreter does, but more slowly.
func (p *Policy) Recorder(c *Coverage, limits Limits) (Engine, error) {
	e, err := p.Topdown(limits)
	if err != nil {
		return nil, err
	}
	inner, ok := e.(*interpreter)
	if !ok {
		return nil, errors.New("the reference engine is not the interpreter")
	}
	return &recorder{inner, c}, nil
}

type recorder struct {
	*interpreter

	coverage *Coverage
}

// Decide implements Engine. What is recorded comes from an evaluation of its own,
// which a tracer must not slow down beyond the deadline of the decision.
func (r *recorder) Decide(ctx context.Context, in Input) (Decision, error) {
	if input, err := in.value(); err == nil {
		b := &budget{left: r.limits.Memory}
		timer := time.AfterFunc(recordTime, b.Cancel)
		defer timer.Stop()
		_, err := r.query.Eval(ctx,
			rego.EvalParsedInput(input),
			rego.EvalExternalCancel(b),
			rego.EvalTime(time.Unix(0, 0).UTC()),
			rego.EvalSeed(zeros{}),
			rego.EvalQueryTracer(r.coverage.cover),
		)
		_ = err // the decision below says what failed
	}
	return r.interpreter.Decide(ctx, in)
}

// recordTime bounds an evaluation that is only recorded.
const recordTime = 2 * time.Second

// Report gives the coverage of the policy's own modules, sorted by path: neither
// of its tests nor of the library.
func (c *Coverage) Report(p *Policy) []FileCoverage {
	report := c.cover.Report(p.modules)
	files := make([]FileCoverage, 0, len(p.source.modules))
	for _, f := range p.source.modules {
		files = append(files, fileCoverage(f.Path, report.Files[f.Path], p.modules[f.Path]))
	}
	return files
}

func fileCoverage(path string, report *cover.FileReport, m *ast.Module) FileCoverage {
	f := FileCoverage{File: path, Missing: []int{}, Rules: []RuleCoverage{}}
	if report == nil {
		report = &cover.FileReport{}
	}
	seen := map[int]bool{}
	for _, r := range report.NotCovered {
		if !seen[r.Start.Row] {
			f.Missing = append(f.Missing, r.Start.Row)
		}
		seen[r.Start.Row] = true
	}
	f.Lines = len(f.Missing)
	for _, r := range report.Covered {
		if !seen[r.Start.Row] {
			f.Covered++
			f.Lines++
		}
		seen[r.Start.Row] = true
	}
	slices.Sort(f.Missing)
	for _, r := range m.Rules {
		f.Rules = append(f.Rules, ruleCoverage(r, report, f.Missing))
	}
	slices.SortFunc(f.Rules, func(a, b RuleCoverage) int { return cmp.Compare(a.Line, b.Line) })
	return f
}

func ruleCoverage(r *ast.Rule, report *cover.FileReport, missing []int) RuleCoverage {
	rc := RuleCoverage{Rule: r.Head.Ref().String(), Line: r.Head.Location.Row, Covered: true, Missing: []int{}}
	for _, n := range report.NotCovered {
		if n.Start.Row == r.Head.Location.Row && n.Start.Col == r.Head.Location.Col {
			rc.Covered = false
		}
	}
	if r.Default {
		rc.Rule = "default " + rc.Rule
	}
	last := rc.Line
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if e.Location.HasFile() {
			last = max(last, e.Location.Row)
		}
		return false
	})
	for _, line := range missing {
		if line >= rc.Line && line <= last {
			rc.Missing = append(rc.Missing, line)
		}
	}
	return rc
}
