package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// dataflow says where the variables of one body get their values and where the
// values go.
type dataflow struct {
	body   []*ast.Expr
	binds  map[ast.Var]int // how many expressions can give it a value
	usedBy map[ast.Var][]*ast.Expr
}

func newDataflow(body []*ast.Expr, args []*ast.Term) *dataflow {
	f := &dataflow{body, map[ast.Var]int{}, map[ast.Var][]*ast.Expr{}}
	for _, arg := range args {
		for v := range arg.Vars() {
			f.binds[v]++
		}
	}
	for _, e := range body {
		for _, v := range assignable(e) {
			f.binds[v]++
		}
		for v := range e.Vars(ast.VarVisitorParams{}) {
			f.usedBy[v] = append(f.usedBy[v], e)
		}
	}
	return f
}

// assignable lists the variables that an expression gives a value if they have
// none: the sides of an equality, and what takes the result of a call.
func assignable(e *ast.Expr) []ast.Var {
	terms, operator := judgedTerms(e)
	switch {
	case e.Negated || operator == "":
		return nil
	case !e.IsEquality():
		if len(terms) == 0 || !e.Generated {
			return nil
		}
		terms = terms[len(terms)-1:]
	}
	var list []ast.Var
	for _, t := range terms {
		if v, ok := t.Value.(ast.Var); ok {
			list = append(list, v)
		}
	}
	return list
}

// output returns the variable that only this expression gives a value.
func (f *dataflow) output(e *ast.Expr) (ast.Var, bool) {
	for _, v := range assignable(e) {
		if f.binds[v] == 1 {
			return v, true
		}
	}
	if !e.IsEquality() && e.Generated { // sprintf(…, x), m = x
		if list := assignable(e); len(list) == 1 {
			return list[0], true
		}
	}
	return "", false
}

// unjudged reports whether an expression only makes a value that no condition of
// the body looks at: what is left for it is the head.
func (f *dataflow) unjudged(e *ast.Expr) bool { return f.onlyMakes(e, nil) }

func (f *dataflow) onlyMakes(e *ast.Expr, above []*ast.Expr) bool {
	v, ok := f.output(e)
	if !ok || slices.Contains(above, e) {
		return false
	}
	for _, user := range f.usedBy[v] {
		if user != e && !f.onlyMakes(user, append(slices.Clip(above), e)) {
			return false
		}
	}
	return true
}

// written returns the expression that the author wrote for one that the compiler
// took out of it: that which uses its value.
func (f *dataflow) written(e *ast.Expr) *ast.Expr {
	for range f.body {
		v, ok := f.output(e)
		if !ok || !e.Generated {
			return e
		}
		i := slices.IndexFunc(f.usedBy[v], func(user *ast.Expr) bool { return user != e })
		if i < 0 {
			return e
		}
		e = f.usedBy[v][i]
	}
	return e
}

// alwaysDefined reports whether the rules that are asked have a value whatever
// the claims are: a default, or an else without conditions.
func alwaysDefined(asked []askedRule) bool {
	for _, a := range asked {
		for r := a.rule; r != nil; r = r.Else {
			if r.Default || r.Else == nil && len(r.Body) == 1 && r.Body[0].Equal(trueExpr) {
				return true
			}
		}
	}
	return false
}

var trueExpr = ast.NewExpr(ast.BooleanTerm(true))
