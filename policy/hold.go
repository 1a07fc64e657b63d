package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// holdName is the function that measures what a policy makes without calling a
// function: arrays, objects and sets that it writes out, comprehensions and
// members of partial rules. A value that holds another one twice, forty times
// over, takes no memory and no end of time: OPA compares, copies and prints
// values part by part and cannot be interrupted while it does.
//
// Calls of it are put into the bodies of compiled rules, where a person cannot
// write any. hold(values, counts) is true, or it ends the evaluation.
const holdName = guardPrefix + "hold"

var holdDecl = &ast.Builtin{
	Name: holdName,
	Decl: types.NewFunction(types.Args(types.A, types.A), types.B),
}

// hold measures a value made of values[i] counts[i] times over and charges the
// evaluation with it.
func hold(ctx topdown.BuiltinContext, args []*ast.Term) error {
	values, ok1 := args[0].Value.(*ast.Array)
	counts, ok2 := args[1].Value.(*ast.Array)
	if !ok1 || !ok2 || values.Len() != counts.Len() {
		return errHold
	}
	total := 0
	for i := range values.Len() {
		n, ok := intOf(counts.Elem(i))
		if !ok {
			return errHold
		}
		left := weigh(values.Elem(i).Value, maxText)
		if total += n * (maxText - left); left < 0 || total > maxText {
			return chargeOf(ctx).exhaust()
		}
	}
	if !chargeOf(ctx).spend(weightCost * total) {
		return errTooLarge
	}
	return nil
}

var errHold = errors.New("internal error: a value was measured wrongly")

// weightCost is about how much memory a unit of weight takes.
const weightCost = 4

// holder puts calls of hold into compiled rules.
type holder struct {
	tree *ast.TreeNode
	// members is how many variables a member of a comprehension must hold to be
	// charged. The interpreter charges each step; where it does not, 1.
	members int
	fresh   int // variables made so far
}

// addHolds is a stage of the compiler: after it, every value that a rule makes
// is measured before anything looks at it.
func addHolds(c *ast.Compiler) *ast.Error { return addHoldsFrom(c, 2) }

// addTestHolds is addHolds for OPA's test runner, which charges no steps.
func addTestHolds(c *ast.Compiler) *ast.Error { return addHoldsFrom(c, 1) }

func addHoldsFrom(c *ast.Compiler, members int) *ast.Error {
	h := &holder{tree: c.RuleTree, members: members}
	for _, path := range sortedKeys(c.Modules) {
		for _, r := range c.Modules[path].Rules {
			for ; r != nil; r = r.Else {
				h.rule(r)
			}
		}
	}
	return nil
}

// varSet is the set of variables that have values at some point of a body.
type varSet map[ast.Var]bool

func (s varSet) add(x any) {
	if t, ok := x.(*ast.Term); ok && t == nil {
		return
	}
	v := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipClosures: true, SkipRefCallHead: true})
	v.Walk(x)
	for name := range v.Vars() {
		s[name] = true
	}
}

func (h *holder) rule(r *ast.Rule) {
	bound := varSet{}
	for _, arg := range r.Head.Args {
		bound.add(arg)
	}
	r.Body = h.body(r.Body, bound)
	made := occurrences{}
	if r.Head.Value != nil {
		if _, isVar := r.Head.Value.Value.(ast.Var); !isVar {
			made.count(r.Head.Value, nil)
		}
	}
	least := 2
	if partial(r) {
		least = 1 // its members become one value
		if r.Head.Value != nil {
			made.count(r.Head.Value, nil)
		}
		if r.Head.Key != nil {
			made.count(r.Head.Key, nil)
		}
		for _, t := range r.Head.Reference[min(1, len(r.Head.Reference)):] {
			made.count(t, nil)
		}
	}
	if e := made.hold(least, r.Location); e != nil {
		r.Body.Append(e)
	}
}

// partial reports whether solutions of a rule are members of its value.
func partial(r *ast.Rule) bool {
	return r.Head.RuleKind() == ast.MultiValue || !r.Head.Reference.IsGround()
}

// body returns a body with its holds; the variables in bound have values when it
// begins, and those it gives values to are added.
func (h *holder) body(b ast.Body, bound varSet) ast.Body {
	out := make(ast.Body, 0, len(b))
	add := func(e *ast.Expr) {
		if e != nil {
			out.Append(e)
		}
	}
	for _, e := range b {
		h.closures(e, bound)
		before, after := occurrences{}, occurrences{}
		h.survey(e, bound, before, after)
		add(before.hold(1+boolInt(!hasWith(e)), e.Location))
		for _, bind := range h.compare(e, bound) {
			add(bind)
			bound.add(bind)
		}
		out.Append(e)
		if !e.Negated {
			add(after.hold(1, e.Location))
			bound.add(e)
		}
	}
	return out
}

// compare turns a unification of values that both exist into a comparison, and
// returns what gives the references in it a variable first. Unifying arrays and
// objects takes stack for each member, which OPA gives back only when the whole
// body has been evaluated.
func (h *holder) compare(e *ast.Expr, bound varSet) (bindings []*ast.Expr) {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || !e.IsEquality() || len(terms) != 3 || e.Negated || hasWith(e) {
		return nil
	}
	for _, t := range terms[1:] {
		if t.IsGround() && !isRef(t) || !bound.has(t) {
			return nil
		}
	}
	compared := []*ast.Term{ast.NewTerm(ast.Equal.Ref()), terms[1], terms[2]}
	for i, t := range compared[1:] {
		if !isRef(t) {
			continue
		}
		v := ast.VarTerm(fmt.Sprintf("%sheld%d__", ast.LocalVarPrefix, h.fresh)).SetLocation(t.Location)
		h.fresh++
		bind := ast.Equality.Expr(v, t)
		bind.Location, bind.Generated = e.Location, true
		bindings = append(bindings, bind)
		compared[i+1] = v
	}
	e.Terms = compared
	return bindings
}

func isRef(t *ast.Term) bool {
	_, ok := t.Value.(ast.Ref)
	return ok
}

// has reports whether every variable of a term has a value. A comprehension has
// none before it was evaluated.
func (s varSet) has(t *ast.Term) bool {
	if ast.IsComprehension(t.Value) {
		return false
	}
	for v := range varsOf(t) {
		if !s[v] {
			return false
		}
	}
	return true
}

func hasWith(e *ast.Expr) bool { return len(e.With) > 0 }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// closures puts the holds into the bodies that an expression holds: those of
// comprehensions, of every and of not.
func (h *holder) closures(e *ast.Expr, bound varSet) {
	inner := func(b ast.Body, made ...*ast.Term) ast.Body {
		b = h.body(b, maps.Clone(bound))
		member := occurrences{}
		for _, t := range made {
			member.count(t, nil)
		}
		if e := member.hold(max(1, h.members), e.Location); e != nil {
			b.Append(e)
		}
		return b
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension:
			x.Body = inner(x.Body, x.Term)
		case *ast.SetComprehension:
			x.Body = inner(x.Body, x.Term)
		case *ast.ObjectComprehension:
			x.Body = inner(x.Body, x.Key, x.Value)
		case *ast.Every:
			known := maps.Clone(bound)
			known.add(x.Key)
			known.add(x.Value)
			x.Body = h.body(x.Body, known)
		case *ast.Not:
			x.Body = inner(x.Body)
		default:
			return false
		}
		return true
	}).Walk(e)
}

// survey finds what an expression makes: of values that are there before it, and
// of those that it gives values to.
func (h *holder) survey(e *ast.Expr, bound varSet, before, after occurrences) {
	for _, w := range e.With {
		before.count(w.Value, bound)
	}
	terms, _ := e.Terms.([]*ast.Term)
	if t, ok := e.Terms.(*ast.Term); ok {
		terms = []*ast.Term{nil, t}
	}
	for _, t := range terms[min(1, len(terms)):] {
		if composite(t) {
			made := occurrences{}
			made.count(t, nil)
			if made.total() > 1 {
				before.count(t, bound)
				after.countOthers(t, bound)
			}
		}
	}
	if !e.IsEquality() || len(terms) != 3 {
		return
	}
	for i, t := range terms[1:] {
		if h.makes(t) {
			after.count(terms[2-i], nil)
		}
	}
}

func composite(t *ast.Term) bool {
	switch t.Value.(type) {
	case *ast.Array, ast.Object, ast.Set:
		return true
	}
	return false
}

// makes reports whether evaluating a term makes a value: a comprehension does,
// and a reference to a package, whose value has all its rules as members.
func (h *holder) makes(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		return true
	case ast.Ref:
		if len(v) == 0 || !v[0].Equal(ast.DefaultRootDocument) {
			return false
		}
		node := h.tree
		for _, part := range v.GroundPrefix() {
			if node = node.Child(part.Value); node == nil {
				return false
			}
		}
		return len(node.Children) > 0
	}
	return false
}

// occurrences counts how often variables stand in what is made.
type occurrences map[ast.Var]int

// count counts the variables of a term, only those in known unless that is nil.
func (o occurrences) count(t *ast.Term, known varSet) {
	o.visit(t, func(v ast.Var) bool { return known == nil || known[v] })
}

// countOthers counts the variables of a term that has one outside known.
func (o occurrences) countOthers(t *ast.Term, known varSet) {
	others := occurrences{}
	others.visit(t, func(v ast.Var) bool { return !known[v] })
	if len(others) > 0 {
		o.count(t, nil)
	}
}

func (o occurrences) visit(t *ast.Term, wanted func(ast.Var) bool) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Var:
			if !x.IsWildcard() && !ast.RootDocumentNames.Contains(ast.NewTerm(x)) && wanted(x) {
				o[x]++
			}
		case ast.Ref, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		}
		return false
	}).Walk(t)
}

func (o occurrences) total() int {
	n := 0
	for _, count := range o {
		n += count
	}
	return n
}

// hold makes the call that measures them, or nil if they are fewer than least.
func (o occurrences) hold(least int, at *ast.Location) *ast.Expr {
	if o.total() < least {
		return nil
	}
	var values, counts []*ast.Term
	for _, v := range slices.Sorted(maps.Keys(o)) {
		values = append(values, ast.NewTerm(v).SetLocation(at))
		counts = append(counts, ast.IntNumberTerm(o[v]))
	}
	e := ast.NewExpr([]*ast.Term{
		ast.NewTerm(functionRef(holdName)), ast.ArrayTerm(values...), ast.ArrayTerm(counts...),
	})
	e.Location, e.Generated = at, true
	return e
}
