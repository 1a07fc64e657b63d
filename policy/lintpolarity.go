package policy

import (
	"maps"
	"slices"
	"strconv"
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
}

// polarity follows allow and deny and notes which claims allow demands and which
// expressions gain by an absence. `not` turns one into the other.
func (l *linter) polarity() {
	l.demanded = map[string]bool{}
	w := &polarityWalk{linter: l, seen: map[string]bool{}}
	for _, r := range l.policy.rules("allow") {
		w.rule(r, map[ast.Var]ast.Ref{}, false, false)
	}
	for _, r := range l.policy.rules("deny") {
		w.rule(r, map[ast.Var]ast.Ref{}, true, true)
	}
}

type polarityWalk struct {
	linter *linter
	seen   map[string]bool
}

// rule follows a rule. against is whether its truth works against the evidence.
func (w *polarityWalk) rule(r *ast.Rule, origins map[ast.Var]ast.Ref, against, deny bool) {
	for ; r != nil; r = r.Else {
		key := polarityKey(r, origins, against, deny)
		if w.seen[key] || len(w.seen) > maxFollowed {
			continue
		}
		w.seen[key] = true
		w.body(valued(r), origins, against, deny, r.Head.Key != nil)
	}
}

func polarityKey(r *ast.Rule, origins map[ast.Var]ast.Ref, against, deny bool) string {
	parts := []string{r.Location.String(), string(r.Head.Name), strconv.FormatBool(against), strconv.FormatBool(deny)}
	for _, arg := range r.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok {
			parts = append(parts, origins[v].String())
		}
	}
	return strings.Join(parts, "|")
}

func (w *polarityWalk) body(body []*ast.Expr, origins map[ast.Var]ast.Ref, against, deny, head bool) {
	first := -1
	for _, e := range body {
		if !e.Generated && (first < 0 || offset(e) < first) {
			first = offset(e)
		}
	}
	for _, e := range body {
		if head && e.Generated && offset(e) < first {
			continue
		}
		if e.IsEquality() {
			w.alias(e, origins)
		}
		w.expr(e, origins, against != e.Negated, deny)
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

func (w *polarityWalk) expr(e *ast.Expr, origins map[ast.Var]ast.Ref, against, deny bool) {
	if every, ok := e.Terms.(*ast.Every); ok {
		w.every(every, e, origins, against, deny)
		return
	}
	terms, operator := judgedTerms(e)
	if operator == "object.get" {
		return // has a value where the claim is absent
	}
	if !e.Generated || !e.IsEquality() {
		for _, t := range terms {
			if at := w.origin(t, origins); at != nil && !strings.HasPrefix(operator, "data.") {
				w.use(e, at, against, deny)
			}
		}
	}
	for _, asked := range rulesAsked(w.linter.policy.compiler, e) {
		if string(ruleName(asked.rule)) == "deny" && !deny {
			continue // it is followed on its own, and count(deny) == 0 demands nothing
		}
		w.rule(asked.rule, w.passed(asked, origins), against, deny)
	}
}

func (w *polarityWalk) every(every *ast.Every, e *ast.Expr, origins map[ast.Var]ast.Ref, against, deny bool) {
	inner := maps.Clone(origins)
	if at := w.origin(every.Domain, origins); at != nil {
		w.use(e, at, against, deny)
		if v, ok := every.Value.Value.(ast.Var); ok {
			inner[v] = at.Append(ast.VarTerm("any"))
		}
	}
	w.body(every.Body, inner, against, deny, false)
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

func (w *polarityWalk) use(e *ast.Expr, at ast.Ref, against, deny bool) {
	claim := claimPath(at)
	switch {
	case !against && !deny:
		w.linter.demanded[claim] = true
	case against && !slices.Contains(always, claim) && claim != "input":
		text := exprText(e)
		if e.Negated && !strings.HasPrefix(text, "not ") {
			text = "not " + text
		}
		w.linter.absent = append(w.linter.absent, absentUse{e.Location, text, claim, deny})
	}
}
