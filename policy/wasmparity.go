package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// CheckEngines refuses what either engine would refuse to load: what CheckParity
// finds, and what cannot be compiled to WebAssembly or does not start there. The
// error is a *CompileError, as Compile's is.
func (p *Policy) CheckEngines() error {
	e, err := p.WASM(Limits{})
	if err != nil {
		if _, ok := errors.AsType[*CompileError](err); ok {
			return err
		}
		found := problems{}
		found.addWASM(err)
		return found.err()
	}
	return e.Close()
}

// wasmRefusals says what to do about what OPA's compiler to WebAssembly refuses,
// by words of its error.
var wasmRefusals = []struct{ words, advice string }{
	{"planned as a single function", "rules whose names begin alike may not read one another: give the one that is read a name of its own, without a dot"},
	{"not implemented: unify", "take the pattern apart: give the value a name and compare its members one by one"},
	{"too many built-in call arguments", "call a function of four arguments at most"},
}

const wasmAdvice = "write the rule in another way: the policy must mean the same to both engines; --engine rego decides without WebAssembly"

// placed is an error of OPA's with the place it speaks of.
var placed = regexp.MustCompile(`^(.*: )?([^ :]+\.rego):(\d+): (.*)$`)

// addWASM adds why a policy cannot be loaded as a module.
func (ps *problems) addWASM(err error) {
	msg, advice, at := err.Error(), wasmAdvice, (*ast.Location)(nil)
	if m := placed.FindStringSubmatch(msg); m != nil {
		line, _ := strconv.Atoi(m[3]) // digits; a number that is too large is no line
		at, msg = &ast.Location{File: m[2], Row: line, Col: 1}, m[1]+m[4]
	}
	for _, r := range wasmRefusals {
		if strings.Contains(msg, r.words) {
			advice = r.advice
		}
	}
	ps.add(at, advice, "%s", msg)
}

// CheckParity refuses what the engines would decide differently: lists in the
// order of a set or an object, indexes of data.config of the wrong type,
// numbers that one of them rounds, and functions that may fail in a place that
// only one of them evaluates. The error is a *CompileError, as Compile's is.
func (p *Policy) CheckParity() error {
	found := problems{}
	found.checkNumbers(p)
	c := parityCheck{problems: &found, policy: p, ordered: map[string]bool{}, defs: map[ast.Var][]definition{}}
	for _, name := range sortedKeys(p.modules) {
		c.findOrdered(p.modules[name])
		m := p.compiler.Modules[name]
		for _, r := range m.Rules {
			for ; r != nil; r = r.Else {
				c.rule(r)
			}
		}
	}
	return found.err()
}

// checkNumbers checks the numbers of the text and of the config.
func (ps *problems) checkNumbers(p *Policy) {
	for _, name := range sortedKeys(p.modules) {
		ast.WalkTerms(p.modules[name], func(t *ast.Term) bool {
			if n, ok := t.Value.(ast.Number); ok && exactNumber(string(n)) != nil {
				ps.add(t.Location, numberAdvice, "the number %.40s is not the same to both engines", n)
			}
			return false
		})
		walkCalls(p.modules[name], func(terms []*ast.Term) { ps.checkToNumber(terms) })
	}
	value, err := ast.ValueFromReader(strings.NewReader(string(p.source.raw)))
	if err != nil {
		ps.add(nil, "", "reading the config: %v", err)
		return
	}
	ast.WalkTerms(ast.NewTerm(value), func(t *ast.Term) bool {
		if n, ok := t.Value.(ast.Number); ok && exactNumber(string(n)) != nil {
			ps.add(nil, numberAdvice, "data.config: the number %.40s is not the same to both engines", n)
		}
		return false
	})
}

const numberAdvice = "write an integer of 64 bits, or a decimal of at most 15 characters, without exponent and without a fraction of zeros; write others as strings"

// checkToNumber checks the number in a text of the policy. Those in claims are
// seen when the policy runs: the reference engine decides over them.
func (ps *problems) checkToNumber(terms []*ast.Term) {
	if strings.TrimPrefix(terms[0].Value.String(), guardPrefix) != "to_number" || len(terms) < 2 {
		return
	}
	if text, ok := terms[1].Value.(ast.String); ok && exactNumber(string(text)) != nil {
		ps.add(terms[1].Location, numberAdvice, "to_number(%.60q) is not the same to both engines", string(text))
	}
}

// walkCalls calls f for the operator and the arguments of every call of a module.
func walkCalls(m *ast.Module, f func(terms []*ast.Term)) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				f(terms)
			}
		case ast.Call:
			f(x)
		}
		return false
	}).Walk(m)
}

// definition is a term that a local variable is equal to, or the result of a
// function that it holds.
type definition struct {
	term   *ast.Term
	result types.Type
}

// parityCheck walks over the compiled rules of a policy, in the order in which
// they are evaluated.
type parityCheck struct {
	*problems

	policy  *Policy
	ordered map[string]bool // places of comprehensions whose order nobody sees
	defs    map[ast.Var][]definition
}

// orderFree are the functions whose result does not depend on the order of the
// list they are given.
var orderFree = []string{"count", "max", "min", "sort", "sum"}

// findOrdered finds the comprehensions that are arguments of such a function.
func (c *parityCheck) findOrdered(m *ast.Module) {
	walkCalls(m, func(terms []*ast.Term) {
		if !slices.Contains(orderFree, terms[0].Value.String()) {
			return
		}
		for _, t := range terms[1:] {
			if _, ok := t.Value.(*ast.ArrayComprehension); ok {
				c.ordered[place(t)] = true
			}
		}
	})
}

func place(t *ast.Term) string {
	if t.Location == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", t.Location.File, t.Location.Row, t.Location.Col)
}

func (c *parityCheck) rule(r *ast.Rule) {
	bound := ast.NewVarSet()
	for _, arg := range r.Head.Args {
		bound.Update(arg.Vars())
	}
	c.body(r.Body, bound, nil)
	inner := bound.Copy()
	inner.Update(bodyVars(r.Body))
	c.closures(r.Head, inner)
}

// body checks the expressions of a body. bound are the variables that have a
// value before it. list is the comprehension whose list it makes, if the order
// of that list is seen.
func (c *parityCheck) body(b ast.Body, bound ast.VarSet, list *ast.Term) {
	before, inner := bound.Copy(), bound.Copy()
	inner.Update(bodyVars(b))
	for _, e := range b {
		c.define(e)
	}
	for _, e := range b {
		if list != nil && e.IsCall() && e.Operator().String() == "walk" {
			c.unordered(list, "walk")
		}
		c.bare(e)
		walkOpen(e, func(r ast.Ref) {
			c.configRef(r, before)
			if list != nil && !c.overArrays(r, before) {
				c.unordered(list, iterated(r))
			}
		})
		c.closures(e, inner)
		before.Update(openVars(e))
	}
}

// closures checks the bodies inside a node.
func (c *parityCheck) closures(x any, bound ast.VarSet) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Term:
			return c.comprehension(x, bound)
		case *ast.Every:
			inner := bound.Copy()
			inner.Update(x.KeyValueVars())
			c.body(x.Body, inner, nil)
			return true
		}
		return false
	}).Walk(x)
}

// comprehension checks a term if it is a comprehension, and says whether it is.
func (c *parityCheck) comprehension(t *ast.Term, bound ast.VarSet) bool {
	var body ast.Body
	var head []*ast.Term
	var list *ast.Term
	switch v := t.Value.(type) {
	case *ast.ArrayComprehension:
		body, head = v.Body, []*ast.Term{v.Term}
		if !c.ordered[place(t)] {
			list = t
		}
	case *ast.SetComprehension:
		body, head = v.Body, []*ast.Term{v.Term}
	case *ast.ObjectComprehension:
		body, head = v.Body, []*ast.Term{v.Key, v.Value}
	default:
		return false
	}
	if c.policy.compiler.ComprehensionIndex(t) != nil && callsFallible(body) {
		c.add(t.Location, "move the comprehension into a function of its own",
			"a comprehension that the interpreter evaluates at once for all values, with a function that may fail for some")
	}
	c.body(body, bound, list)
	inner := bound.Copy()
	inner.Update(bodyVars(body))
	for _, h := range head {
		c.closures(h, inner)
	}
	return true
}

// unordered says that a list is made in an order that is not the same to both.
func (c *parityCheck) unordered(list *ast.Term, of string) {
	c.add(list.Location, "put the comprehension into sort(…), or make a set of it with {…}",
		"a list in the order of %s, which may be a set or an object: the engines order them differently", of)
}

// bare refuses comprehensions that stand as a condition: they are always true,
// and only the interpreter evaluates them.
func (c *parityCheck) bare(e *ast.Expr) {
	t, ok := e.Terms.(*ast.Term)
	if !ok {
		return
	}
	ast.WalkClosures(t, func(any) bool {
		c.add(e.Location, "compare the comprehension with something, such as count(…) > 0", "a comprehension as a condition is always true")
		return true
	})
}

// callsFallible reports whether a body calls anything but what cannot fail.
func callsFallible(b ast.Body) bool {
	found := false
	ast.WalkExprs(b, func(e *ast.Expr) bool {
		found = found || e.IsCall() && !slices.Contains(native, e.Operator().String())
		return found
	})
	return found
}

// define notes what the variables of an expression are.
func (c *parityCheck) define(e *ast.Expr) {
	switch {
	case e.Negated:
	case e.IsEquality():
		c.equal(e.Operand(0), e.Operand(1))
		c.equal(e.Operand(1), e.Operand(0))
	case e.IsCall():
		f, ok := c.policy.compiler.TypeEnv.GetByValue(e.OperatorTerm().Value).(*types.Function)
		terms := e.Operands()
		if !ok || len(terms) != f.Arity()+1 {
			return
		}
		if v, ok := terms[len(terms)-1].Value.(ast.Var); ok {
			c.defs[v] = append(c.defs[v], definition{result: f.Result()})
		}
	}
}

func (c *parityCheck) equal(variable, term *ast.Term) {
	if v, ok := variable.Value.(ast.Var); ok {
		c.defs[v] = append(c.defs[v], definition{term: term})
	}
}
