package policy

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Read is a claim that a policy reads for its decision. Its path may hold
// variables where every member of a list or an object is read.
type Read struct {
	path ast.Ref
	// Shape says that only presence, type or size are looked at.
	Shape bool
	// At is a place where it is read.
	At *ast.Location
	// Constant says that the path stands in a call of object.get, where the type
	// checker does not see it.
	Constant bool
}

// Claim returns the path as people write it.
func (r Read) Claim() string { return claimPath(r.path) }

// reads lists the claims that the decision of a policy depends on, in every rule
// that allow and deny ask, by following values through variables and functions.
// With an input, paths that the input chooses are those that it does choose.
// Heads of deny are left out: their messages decide nothing.
func (p *Policy) reads(input ast.Value) []Read {
	f := &follower{policy: p, input: input, found: map[string]Read{}, seen: map[string]meaning{}}
	if config, err := ast.ValueFromReader(bytes.NewReader(p.source.raw)); err == nil {
		f.config = config
	}
	for _, name := range []string{"allow", "deny"} {
		for _, r := range p.rules(name) {
			f.rule(r, nil, true)
		}
	}
	var list []Read
	for _, key := range slices.Sorted(maps.Keys(f.found)) {
		list = append(list, f.found[key])
	}
	return list
}

// meaning is what a term can stand for: places in the input, and constants.
type meaning struct {
	paths  []ast.Ref
	values []*ast.Term
}

func (m meaning) and(o meaning) meaning {
	for _, path := range o.paths {
		if len(m.paths) < maxMeanings*maxMeanings && !slices.ContainsFunc(m.paths, func(have ast.Ref) bool { return have.Equal(path) }) {
			m.paths = append(slices.Clip(m.paths), path)
		}
	}
	for _, v := range o.values {
		if len(m.values) < maxMeanings && !slices.ContainsFunc(m.values, v.Equal) {
			m.values = append(slices.Clip(m.values), v)
		}
	}
	return m
}

const maxMeanings = 64

// maxFollowed bounds how many rules are followed, each with arguments of its
// own: functions that call each other with parts of an argument have no other.
const maxFollowed = 20_000

// follower follows the values of claims through a policy.
type follower struct {
	policy *Policy
	input  ast.Value // may be nil
	config ast.Value
	found  map[string]Read
	seen   map[string]meaning // of a rule with arguments; also stops recursion
}

type scope map[ast.Var]meaning

// rule follows one rule for the meanings of its arguments, and returns that of
// its value.
func (f *follower) rule(r *ast.Rule, args []meaning, top bool) meaning {
	key := keyOf(r, args)
	if m, ok := f.seen[key]; ok || len(f.seen) > maxFollowed {
		return m
	}
	f.seen[key] = meaning{}
	env := scope{}
	for i, arg := range r.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok && i < len(args) {
			env[v] = args[i]
		}
	}
	f.body(r.Body, env, top)
	var m meaning
	if v := r.Head.Value; v != nil {
		m = f.term(v, env)
	}
	if r.Else != nil {
		m = m.and(f.rule(r.Else, args, top))
	}
	f.seen[key] = m
	return m
}

func keyOf(r *ast.Rule, args []meaning) string {
	b := strings.Builder{}
	b.WriteString(r.Location.String() + r.Head.Ref().String())
	for _, m := range args {
		for _, path := range m.paths {
			b.WriteString("|" + path.String())
		}
		for _, v := range m.values {
			b.WriteString("|=" + v.String())
		}
		b.WriteString(";")
	}
	return b.String()
}

// body follows the expressions of a body. Of a rule of the decision those that
// only make its head are left out.
func (f *follower) body(b ast.Body, env scope, top bool) {
	first := -1
	for _, e := range b {
		if !e.Generated && (first < 0 || offset(e) < first) {
			first = offset(e)
		}
	}
	for _, e := range b {
		if top && e.Generated && offset(e) < first {
			continue
		}
		f.expr(e, env)
	}
}

func (f *follower) expr(e *ast.Expr, env scope) {
	f.closures(e, env)
	if every, ok := e.Terms.(*ast.Every); ok {
		f.every(every, e, env)
		return
	}
	terms, operator := judgedTerms(e)
	switch {
	case operator == "":
		for _, t := range terms {
			f.read(f.term(t, env), false, e)
		}
	case strings.HasPrefix(operator, "data."):
		f.call(e, terms, env)
	case operator == "eq" || operator == "assign":
		f.equate(e, terms, env)
	case operator == "object.get":
		f.objectGet(e, terms, env)
	default:
		arity := len(ast.BuiltinMap[operator].Decl.FuncArgs().Args)
		for _, t := range terms[:min(arity, len(terms))] {
			f.read(f.term(t, env), slices.Contains(shapeOnly, operator), e)
		}
	}
}

// shapeOnly are the functions that do not look at the values of members.
var shapeOnly = []string{
	"count", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "object.keys", "type_name",
}

// equate follows an equality: a variable without meaning takes that of the other
// side, everything else is compared.
func (f *follower) equate(e *ast.Expr, terms []*ast.Term, env scope) {
	for i := range 2 {
		v, ok := terms[i].Value.(ast.Var)
		if _, bound := env[v]; ok && !bound && !v.Equal(ast.InputRootDocument.Value) {
			env[v] = f.term(terms[1-i], env)
			if !e.Generated && !strings.Contains(exprText(e), "=") { // some x in list
				f.read(parents(env[v]), true, e)
			}
			return
		}
	}
	f.read(f.term(terms[0], env), false, e)
	f.read(f.term(terms[1], env), false, e)
}

// parents are the collections that a meaning is a member of.
func parents(m meaning) meaning {
	out := meaning{}
	for _, path := range m.paths {
		if len(path) > 1 {
			out = out.and(meaning{paths: []ast.Ref{path[:len(path)-1]}})
		}
	}
	return out
}

func (f *follower) call(e *ast.Expr, terms []*ast.Term, env scope) {
	var result meaning
	arity := 0
	for _, r := range f.policy.compiler.GetRulesExact(e.Operator()) {
		arity = len(r.Head.Args)
		var args []meaning
		for _, t := range terms[:min(arity, len(terms))] {
			args = append(args, f.term(t, env))
		}
		result = result.and(f.rule(r, args, false))
	}
	f.result(terms, arity, result, env)
}

// result gives a call's output variable its meaning.
func (f *follower) result(terms []*ast.Term, arity int, m meaning, env scope) {
	if arity < len(terms) {
		if v, ok := terms[arity].Value.(ast.Var); ok {
			env[v] = env[v].and(m)
		}
	}
}

func (f *follower) objectGet(e *ast.Expr, terms []*ast.Term, env scope) {
	object, key := f.term(terms[0], env), f.term(terms[1], env)
	m := f.term(terms[2], env)
	m.paths = nil
	for _, path := range object.paths {
		for _, k := range key.values {
			at := extended(path, k)
			m = m.and(meaning{paths: []ast.Ref{at}})
			f.note(Read{path: at, Shape: true, At: e.Location, Constant: true})
		}
		if len(key.values) == 0 {
			f.note(Read{path: path, At: e.Location})
		}
	}
	f.result(terms, 3, m, env)
	if len(terms) == 3 {
		f.read(m, false, e)
	}
}

func (f *follower) every(every *ast.Every, e *ast.Expr, env scope) {
	domain := f.term(every.Domain, env)
	f.read(domain, true, e)
	inner := maps.Clone(env)
	keys, members := meaning{}, meaning{}
	for _, path := range domain.paths {
		members = members.and(meaning{paths: []ast.Ref{path.Append(ast.VarTerm("any"))}})
	}
	for _, v := range domain.values {
		eachMember(v.Value, func(key, value *ast.Term) bool {
			keys = keys.and(meaning{values: []*ast.Term{key}})
			members = members.and(meaning{values: []*ast.Term{value}})
			return true
		})
	}
	if every.Key != nil {
		if v, ok := every.Key.Value.(ast.Var); ok {
			inner[v] = keys
		}
	}
	if v, ok := every.Value.Value.(ast.Var); ok {
		inner[v] = members
	}
	f.body(every.Body, inner, false)
}

// closures follows comprehensions inside of an expression.
func (f *follower) closures(e *ast.Expr, env scope) {
	ast.WalkClosures(e, func(x any) bool {
		inner := maps.Clone(env)
		switch x := x.(type) {
		case *ast.ArrayComprehension:
			f.body(x.Body, inner, false)
			f.read(f.term(x.Term, inner), false, e)
		case *ast.SetComprehension:
			f.body(x.Body, inner, false)
			f.read(f.term(x.Term, inner), false, e)
		case *ast.ObjectComprehension:
			f.body(x.Body, inner, false)
			f.read(f.term(x.Key, inner).and(f.term(x.Value, inner)), false, e)
		}
		return true
	})
}

func (f *follower) read(m meaning, shape bool, e *ast.Expr) {
	for _, path := range m.paths {
		f.note(Read{path: path, Shape: shape, At: e.Location})
	}
}

// note adds a read. One of the value includes one of the shape.
func (f *follower) note(r Read) {
	key := r.path.String()
	if old, ok := f.found[key]; ok {
		r.Shape = r.Shape && old.Shape
		r.Constant = r.Constant || old.Constant
		if old.At != nil {
			r.At = old.At
		}
	}
	f.found[key] = r
}

// Reads lists the claims that the decision of the policy depends on, sorted. The
// input, which may be none, resolves the paths that depend on claims.
func (p *Policy) Reads(in Input) []Read {
	value, err := in.value()
	if err != nil {
		return p.reads(nil)
	}
	return p.reads(value)
}
