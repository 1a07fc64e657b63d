package policy

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Explanation says why a policy decides as it does, from the evaluation itself.
type Explanation struct {
	Decision Decision
	// Denials are all rules of deny that fired, in the order of the policy.
	Denials []Denial
	// Attempts are the bodies of allow with all their expressions. There are
	// none where the policy allows.
	Attempts []Attempt
	// Repair is the least that would have to differ; nil where the policy
	// allows, or where no such change was found.
	Repair *Repair
}

// Denial is a reason of a decision with the rule that gave it.
type Denial struct {
	Code string `json:"code"`
	Msg  string `json:"msg"`
	// Title is the title of the rule, from its METADATA.
	Title string `json:"title,omitempty"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	// Source is that line of the policy.
	Source string `json:"source"`
	// Readings are the claims for which the rule fired.
	Readings []Reading `json:"readings,omitempty"`
}

// Explain decides over one input and says why. Allowed are documents that the
// same policy allows, by name; the nearest of them is where the repair is looked
// for first.
func (p *Policy) Explain(ctx context.Context, in Input, allowed map[string]Input) (*Explanation, error) {
	engine, err := p.Topdown(Limits{}) //nolint:contextcheck // preparing takes none
	if err != nil {
		return nil, err
	}
	x := &Explanation{}
	if x.Decision, err = engine.Decide(ctx, in); err != nil || x.Decision.Allow {
		return x, err
	}
	b := &budget{left: explainMemory}
	defer time.AfterFunc(explainDeadline, b.Cancel).Stop()
	a, stop, err := p.ask(ctx, b, in)
	if err != nil {
		return x, nil // there is no input; the decision says so
	}
	defer stop()
	for _, r := range p.rules("deny") {
		x.Denials = append(x.Denials, a.denials(ctx, r)...)
	}
	for _, r := range p.rules("allow") {
		for ; r != nil; r = r.Else {
			if !r.Default {
				x.Attempts = append(x.Attempts, a.attempt(ctx, r, newFrame(nil, 0)))
			}
		}
	}
	x.Repair = p.repair(ctx, b, engine, in, allowed, x)
	return x, nil
}

// An explanation evaluates a policy many times, all of them within these.
const (
	explainDeadline = 5 * time.Second
	explainMemory   = 4 * defaultMemory
)

// rules lists the rules of the decision with a name, in the order of the text.
func (p *Policy) rules(name string) []*ast.Rule {
	var list []*ast.Rule
	for _, path := range sortedKeys(p.compiler.Modules) {
		m := p.compiler.Modules[path]
		if m.Package.Path.String() != decisionPackage {
			continue
		}
		for _, r := range m.Rules {
			if string(ruleName(r)) == name {
				list = append(list, r)
			}
		}
	}
	return list
}

// denials evaluates one rule of deny: it gives as many reasons as it has
// solutions.
func (a *asker) denials(ctx context.Context, r *ast.Rule) []Denial {
	if r.Head.Key == nil {
		return nil
	}
	const member = ast.LocalVarPrefix + "member"
	body := append(slices.Clone([]*ast.Expr(r.Body)), ast.Equality.Expr(ast.VarTerm(member), r.Head.Key))
	var list []Denial
	var solutions []topdown.QueryResult
	a.solve(ctx, body, func(qr topdown.QueryResult) bool {
		reason, err := readReason(qr[ast.Var(member)].Value)
		if err == nil {
			list = append(list, Denial{
				Code: reason.Code, Msg: reason.Msg, File: r.Location.File, Line: r.Location.Row,
				Title: a.policy.titleOf(r), Source: a.policy.lineOf(r.Location.File, r.Location.Row),
			})
			solutions = append(solutions, maps.Clone(qr))
		}
		return len(list) < maxReasons
	})
	for i := range list {
		list[i].Readings = a.cause(ctx, r, solutions[i])
	}
	slices.SortFunc(list, func(x, y Denial) int { return cmp.Or(cmp.Compare(x.Code, y.Code), cmp.Compare(x.Msg, y.Msg)) })
	return slices.CompactFunc(list, func(x, y Denial) bool { return x.Code == y.Code && x.Msg == y.Msg })
}

// cause finds the claims for which a rule of deny fired: those by which what it
// negates is false, and those that it compares. values are its variables then.
func (a *asker) cause(ctx context.Context, r *ast.Rule, values topdown.QueryResult) []Reading {
	f := newFrame(r.Body, 0)
	var readings, weak []Reading
	for i, e := range f.body {
		if e.Generated {
			continue
		}
		seen := a.look(ctx, f, f.needs(i))
		seen.values = values
		if !e.Negated {
			direct := a.readings(e, seen, true)
			readings = append(readings, direct...)
			if len(direct) == 0 {
				weak = append(weak, a.reasonsIn(ctx, e, seen)...)
			}
			continue
		}
		asked := e.Complement()
		if direct := a.readings(asked, seen, false); len(direct) > 0 {
			readings = append(readings, direct...)
			continue
		}
		for _, t := range a.because(ctx, asked, seen, 1) {
			readings = append(readings, t.failing()...)
		}
	}
	if len(readings) == 0 {
		readings = weak
	}
	return merged(readings)
}

// reasonsIn lists the claims for which the rules that an expression asks hold.
func (a *asker) reasonsIn(ctx context.Context, e *ast.Expr, seen *sight) []Reading {
	var list []Reading
	for _, t := range a.because(ctx, e, seen, 1) {
		if slices.ContainsFunc(t.Clauses, func(c Clause) bool { return !c.Holds }) {
			continue
		}
		for _, c := range t.Clauses {
			list = append(list, c.Readings...)
		}
	}
	return list
}

// failing lists the claims that the clauses which do not hold read, from the
// rules that they ask where there are some.
func (t Attempt) failing() []Reading {
	var list []Reading
	for _, c := range t.Clauses {
		if c.Holds || c.Unreached {
			continue
		}
		inner := len(list)
		for _, b := range c.Because {
			list = append(list, b.failing()...)
		}
		if len(list) == inner {
			list = append(list, c.Readings...)
		}
	}
	return list
}

// merged joins the readings of the same claim: alternatives are told as such.
func merged(list []Reading) []Reading {
	var out []Reading
	for _, r := range list {
		i := slices.IndexFunc(out, func(o Reading) bool { return o.Claim == r.Claim })
		switch {
		case i < 0:
			out = append(out, r)
		case !slices.Contains(strings.Split(out[i].Wanted, " or "), r.Wanted) && len(out[i].Wanted) < maxWanted:
			out[i].Wanted += " or " + r.Wanted
			out[i].values = append(slices.Clone(out[i].values), r.values...)
		}
	}
	return out
}

// titleOf returns the title of a rule, or "".
func (p *Policy) titleOf(r *ast.Rule) string {
	for _, m := range p.modules {
		if m.Package.Location == nil || m.Package.Location.File != r.Location.File {
			continue
		}
		for _, note := range m.Annotations {
			if note.Scope == "rule" && note.GetTargetPath() != nil && note.EndLoc().Row+1 == r.Location.Row {
				return note.Title
			}
		}
	}
	return ""
}

// lineOf returns a line of a module, without the space around it.
func (p *Policy) lineOf(file string, line int) string {
	for _, f := range append(p.source.Library(), p.source.modules...) {
		if f.Path != file {
			continue
		}
		if lines := strings.Split(f.Text, "\n"); line > 0 && line <= len(lines) {
			return strings.TrimSpace(lines[line-1])
		}
	}
	return ""
}
