package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// absentUse is an expression whose truth works against the evidence: where the
// claim that it reads is absent, it is undefined, and the evidence is the better
// for it.
type absentUse struct {
	at          *ast.Location
	text, claim string
	deny        bool // in a rule of deny, or asked by one
	message     bool // only to make its message
}

// polarity follows allow and deny and notes which claims allow demands and which
// expressions gain by an absence. `not` turns one into the other.
func (l *linter) polarity() {
	l.demanded = map[string]bool{}
	var bodies []map[string]bool
	for _, r := range l.policy.rules("allow") {
		w := &polarityWalk{linter: l, seen: map[string]bool{}, demanded: map[string]bool{}}
		w.rule(r, map[ast.Var]ast.Ref{}, stance{})
		maps.Copy(l.demanded, w.demanded)
		if !r.Default {
			bodies = append(bodies, w.demanded)
		}
	}
	for claim := range l.demanded {
		if !slices.ContainsFunc(bodies, func(b map[string]bool) bool { return !b[claim] }) {
			l.certain = append(l.certain, claim)
		}
	}
	w := &polarityWalk{linter: l, seen: map[string]bool{}}
	for _, r := range l.policy.rules("deny") {
		w.rule(r, map[ast.Var]ast.Ref{}, stance{against: true, deny: true, message: true})
	}
}

type polarityWalk struct {
	linter   *linter
	seen     map[string]bool
	demanded map[string]bool // by the rule of allow that is followed
}

// stance is what the truth of an expression means for the evidence.
type stance struct {
	against bool // it works against it
	deny    bool // a rule of deny asks
	message bool // its value goes into a message and decides nothing
}

// rule follows a rule.
func (w *polarityWalk) rule(r *ast.Rule, origins map[ast.Var]ast.Ref, s stance) {
	for ; r != nil; r = r.Else {
		key := polarityKey(r, origins, s)
		if w.seen[key] || len(w.seen) > maxFollowed {
			continue
		}
		w.seen[key] = true
		w.body(valued(r), newDataflow(r.Body, r.Head.Args), origins, s)
	}
}

func polarityKey(r *ast.Rule, origins map[ast.Var]ast.Ref, s stance) string {
	parts := []string{r.Location.String(), string(r.Head.Name), fmt.Sprint(s)}
	for _, arg := range r.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok {
			parts = append(parts, origins[v].String())
		}
	}
	return strings.Join(parts, "|")
}

// body follows the expressions of a body. A claim in an argument of a negated
// call is read by an expression of its own, before the negation: where it is
// absent, the body is undefined whatever the call would say.
func (w *polarityWalk) body(body []*ast.Expr, f *dataflow, origins map[ast.Var]ast.Ref, s stance) {
	for _, e := range body {
		if e.IsEquality() {
			w.alias(e, origins)
		}
		if every, ok := e.Terms.(*ast.Every); ok {
			w.every(every, f, e, origins, s)
			continue
		}
		w.expr(f, e, origins, stance{s.against != e.Negated, s.deny, s.message && f.unjudged(e)})
	}
}

// alias notes that a variable stands for a claim.
func (w *polarityWalk) alias(e *ast.Expr, origins map[ast.Var]ast.Ref) {
	for i := range 2 {
		v, ok := e.Operand(i).Value.(ast.Var)
		if at := w.origin(e.Operand(1-i), origins); ok && at != nil && origins[v] == nil {
			origins[v] = at
		}
	}
}

func (w *polarityWalk) origin(t *ast.Term, origins map[ast.Var]ast.Ref) ast.Ref {
	switch v := t.Value.(type) {
	case ast.Var:
		return origins[v]
	case ast.Ref:
		head, ok := v[0].Value.(ast.Var)
		switch {
		case v.HasPrefix(ast.InputRootRef):
			return v
		case ok && origins[head] != nil:
			return origins[head].Concat(v[1:])
		}
	}
	return nil
}

func (w *polarityWalk) expr(f *dataflow, e *ast.Expr, origins map[ast.Var]ast.Ref, s stance) {
	terms, _ := judgedTerms(e)
	for _, t := range terms {
		w.read(f, e, t, origins, s)
	}
	asked := rulesAsked(w.linter.policy.compiler, e)
	if s.message && alwaysDefined(asked) {
		return // whatever it reads, the message is made
	}
	for _, a := range asked {
		if string(ruleName(a.rule)) == "deny" && !s.deny {
			continue // it is followed on its own, and count(deny) == 0 demands nothing
		}
		w.rule(a.rule, w.passed(a, origins), s)
	}
}

// read notes a claim that a term reads: a variable has its value already, and the
// expression that gave it one was noted.
func (w *polarityWalk) read(f *dataflow, e *ast.Expr, t *ast.Term, origins map[ast.Var]ast.Ref, s stance) {
	if _, ok := t.Value.(ast.Ref); !ok {
		return
	}
	if at := w.origin(t, origins); at != nil {
		w.use(f.written(e), at, s)
	}
}

func (w *polarityWalk) every(every *ast.Every, f *dataflow, e *ast.Expr, origins map[ast.Var]ast.Ref, s stance) {
	s = stance{s.against != e.Negated, s.deny, false}
	inner := maps.Clone(origins)
	w.read(f, e, every.Domain, origins, s)
	if at := w.origin(every.Domain, origins); at != nil {
		if v, ok := every.Value.Value.(ast.Var); ok {
			inner[v] = at.Append(ast.VarTerm("any"))
		}
	}
	w.body(every.Body, newDataflow(every.Body, nil), inner, s)
}

// passed gives the arguments of a rule the claims that they are.
func (w *polarityWalk) passed(asked askedRule, origins map[ast.Var]ast.Ref) map[ast.Var]ast.Ref {
	inner := map[ast.Var]ast.Ref{}
	for i, arg := range asked.rule.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok && i < len(asked.args) {
			if at := w.origin(asked.args[i], origins); at != nil {
				inner[v] = at
			}
		}
	}
	return inner
}

// always are the claims that every document has.
var always = []string{"schema", "format", "verified_at", "checks"}

func (w *polarityWalk) use(e *ast.Expr, at ast.Ref, s stance) {
	claim := claimPath(at)
	switch {
	case !s.against && !s.deny:
		w.demanded[claim] = true
	case s.against && !slices.Contains(always, claim) && claim != "input":
		text := exprText(e)
		if e.Negated && !strings.HasPrefix(text, "not ") {
			text = "not " + text
		}
		w.linter.absent = append(w.linter.absent, absentUse{e.Location, text, claim, s.deny, s.message})
	}
}
