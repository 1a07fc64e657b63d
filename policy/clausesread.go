package policy

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Reading is a claim that an expression read.
type Reading struct {
	// Claim is its path, such as "submods.gce.zone" or "boot.efi_apps[0].digest".
	Claim string `json:"claim"`
	// Seen is its value as JSON, empty where the evidence has no such claim.
	Seen json.RawMessage `json:"seen,omitempty"`
	// Wanted says in words what the expression wants instead.
	Wanted string `json:"wanted"`
	// values are values that would do, if they can be told.
	values []ast.Value
	path   ast.Ref
}

// sight is what is known of the variables of an expression: the value of each,
// and the place in the input where it came from.
type sight struct {
	ctx     context.Context
	asked   *asker
	given   []*ast.Expr
	values  topdown.QueryResult
	origins map[ast.Var]ast.Ref
}

// look evaluates what stands before an expression, as far as it goes.
func (a *asker) look(ctx context.Context, f *frame, before []*ast.Expr) *sight {
	s := &sight{ctx: ctx, asked: a, given: f.given, values: topdown.QueryResult{}, origins: maps.Clone(f.origins)}
	var known []*ast.Expr
	keep := func(qr topdown.QueryResult) bool { s.values = maps.Clone(qr); return false }
	if !a.solve(ctx, before, keep) {
		for _, e := range before { // what is absent must not hide the rest
			if a.solve(ctx, append(slices.Clip(known), e), keep) {
				known = append(known, e)
			}
		}
	}
	for _, e := range before {
		if e.Negated || !e.IsEquality() && !e.IsAssignment() {
			continue
		}
		s.learn(e.Operand(0), e.Operand(1))
		s.learn(e.Operand(1), e.Operand(0))
	}
	return s
}

// learn notes that a variable is what a term refers to.
func (s *sight) learn(variable, term *ast.Term) {
	v, ok := variable.Value.(ast.Var)
	if !ok || s.origins[v] != nil {
		return
	}
	if at := s.origin(term); at != nil {
		s.origins[v] = at
	}
}

// plug returns the value of a term, or nil if it has none.
func (s *sight) plug(t *ast.Term) *ast.Term {
	switch v := t.Value.(type) {
	case ast.Var:
		return s.values[v]
	case ast.Ref:
		if at := s.origin(t); at != nil {
			return s.asked.find(at)
		}
		var value *ast.Term
		name := ast.VarTerm(ast.LocalVarPrefix + "plugged")
		s.asked.solve(s.ctx, slices.Concat(s.given, s.known(), []*ast.Expr{ast.Equality.Expr(name, t)}),
			func(qr topdown.QueryResult) bool {
				value = qr[ast.Var(ast.LocalVarPrefix+"plugged")]
				return false
			})
		return value
	}
	if t.IsGround() {
		return t
	}
	plugged, err := ast.TransformVars(t.Copy(), func(v ast.Var) (ast.Value, error) {
		if value := s.values[v]; value != nil {
			return value.Value, nil
		}
		return v, nil
	})
	if filled, ok := plugged.(*ast.Term); ok && err == nil && filled.IsGround() {
		return filled
	}
	return nil
}

// known gives the variables their values again.
func (s *sight) known() []*ast.Expr {
	var list []*ast.Expr
	for _, v := range slices.Sorted(maps.Keys(s.values)) {
		list = append(list, ast.Equality.Expr(ast.NewTerm(v), s.values[v]))
	}
	return list
}

// origin returns the path in the input that a term refers to, or nil. Parts of
// it that are not known are left as they are.
func (s *sight) origin(t *ast.Term) ast.Ref {
	switch v := t.Value.(type) {
	case ast.Var:
		if v.Equal(ast.InputRootDocument.Value) {
			return ast.InputRootRef
		}
		return s.origins[v]
	case ast.Ref:
		head, ok := v[0].Value.(ast.Var)
		switch {
		case !ok:
			return nil
		case v.HasPrefix(ast.InputRootRef):
			return s.fill(v)
		case s.origins[head] != nil:
			return s.fill(s.origins[head].Concat(v[1:]))
		case v.HasPrefix(ast.DefaultRootRef):
			return s.asked.aliased(v)
		}
	}
	return nil
}

func (s *sight) fill(r ast.Ref) ast.Ref {
	out := slices.Clone(r)
	for i, t := range out[1:] {
		if v, ok := t.Value.(ast.Var); ok && s.values[v] != nil {
			out[i+1] = s.values[v]
		}
	}
	return out
}

// aliased returns the path in the input that a rule of the policy stands for,
// where it does nothing else: `mok := input.boot.secure_boot.mok`.
func (a *asker) aliased(r ast.Ref) ast.Ref {
	for _, rule := range a.policy.compiler.GetRulesExact(r) {
		if rule.Default || rule.Head.Value == nil || len(rule.Head.Args) > 0 {
			continue
		}
		for _, e := range rule.Body {
			if !e.IsEquality() || !e.Operand(0).Equal(rule.Head.Value) {
				continue
			}
			if ref, ok := e.Operand(1).Value.(ast.Ref); ok && ref.HasPrefix(ast.InputRootRef) && ref.IsGround() {
				return ref
			}
		}
	}
	return nil
}

// find returns what the input has at a path, or nil.
func (a *asker) find(at ast.Ref) *ast.Term {
	if !at.IsGround() {
		return nil
	}
	v, err := a.input.Value.Find(at[1:])
	if err != nil {
		return nil
	}
	return ast.NewTerm(v)
}

// readings lists the claims that an expression reads itself, with what it wants
// of them: of one that holds, what would make it fail.
func (a *asker) readings(e *ast.Expr, s *sight, holds bool) []Reading {
	invert := holds != e.Negated // what is wanted is the opposite of what is written
	terms, operator := judgedTerms(e)
	if every, ok := e.Terms.(*ast.Every); ok {
		return a.domainReadings(every, s)
	}
	if operator == "eq" && strings.HasPrefix(exprText(e), "some ") {
		return a.memberReadings(terms, s, invert)
	}
	if operator == "object.get" && len(terms) > 1 {
		return a.pathReadings(e, terms, s)
	}
	var list []Reading
	for i, t := range terms {
		at := s.origin(t)
		if at == nil {
			continue
		}
		r := a.reading(at, "")
		r.Wanted, r.values = wantedOf(operator, i, terms, s, invert)
		if r.Wanted == "" {
			r.Wanted = exprText(e)
			if invert {
				r.Wanted = "not " + r.Wanted
			}
		}
		list = append(list, r)
	}
	return list
}

// domainReadings reads the list of an every where there is none.
func (a *asker) domainReadings(every *ast.Every, s *sight) []Reading {
	if at := s.origin(every.Domain); at != nil && s.plug(every.Domain) == nil {
		return []Reading{a.reading(at, "a list")}
	}
	return nil
}

// pathReadings reads what object.get takes.
func (a *asker) pathReadings(e *ast.Expr, terms []*ast.Term, s *sight) []Reading {
	at := s.origin(terms[0])
	if at == nil {
		return nil
	}
	return []Reading{a.reading(extended(at, s.plug(terms[1])), exprText(e))}
}

// memberReadings reads the list of `some x in list`.
func (a *asker) memberReadings(terms []*ast.Term, s *sight, invert bool) []Reading {
	ref, ok := terms[1].Value.(ast.Ref)
	if !ok {
		return nil
	}
	at := s.origin(ast.NewTerm(ref[:len(ref)-1]))
	if at == nil {
		return nil
	}
	if invert {
		return []Reading{a.reading(at, "an empty list")}
	}
	return []Reading{a.reading(at, "a list that is not empty")}
}

// extended appends the path that object.get takes.
func extended(at ast.Ref, path *ast.Term) ast.Ref {
	if path == nil {
		return at
	}
	if list, ok := path.Value.(*ast.Array); ok {
		list.Foreach(func(t *ast.Term) { at = at.Append(t) })
		return at
	}
	return at.Append(path)
}

func (a *asker) reading(at ast.Ref, wanted string) Reading {
	r := Reading{Claim: claimPath(at), Wanted: wanted, path: at}
	if t := a.find(at); t != nil {
		r.Seen = jsonOf(t.Value)
	}
	return r
}

// judgedTerms returns the terms of an expression that its operator judges, without
// those that take its result.
func judgedTerms(e *ast.Expr) (terms []*ast.Term, operator string) {
	switch t := e.Terms.(type) {
	case *ast.Term:
		return []*ast.Term{t}, ""
	case []*ast.Term:
		return t[1:], strings.TrimPrefix(t[0].Value.String(), guardPrefix)
	}
	return nil, ""
}

func jsonOf(v ast.Value) json.RawMessage {
	plain, err := ast.JSON(v)
	if err != nil {
		return nil
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil
	}
	return raw
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// claimPath writes a path of the input as people write it, without "input".
func claimPath(at ast.Ref) string {
	b := strings.Builder{}
	for _, t := range at[1:] {
		s, ok := t.Value.(ast.String)
		switch {
		case !ok && !t.IsGround():
			b.WriteString("[*]")
		case !ok:
			b.WriteString("[" + t.String() + "]")
		case plainName.MatchString(string(s)) && b.Len() > 0:
			b.WriteString("." + string(s))
		case plainName.MatchString(string(s)):
			b.WriteString(string(s))
		default:
			b.WriteString("[" + t.String() + "]")
		}
	}
	if b.Len() == 0 {
		return "input"
	}
	return b.String()
}

// askedRule is a rule that an expression asks, with the arguments it passes.
type askedRule struct {
	rule *ast.Rule
	args []*ast.Term
}

// rulesAsked lists the rules of the policy that an expression asks: the function
// it calls, or the rules that it names.
func rulesAsked(c *ast.Compiler, e *ast.Expr) []askedRule {
	var list []askedRule
	terms, operator := judgedTerms(e)
	if e.IsCall() && strings.HasPrefix(operator, "data.") {
		for _, r := range c.GetRulesExact(e.Operator()) {
			list = append(list, askedRule{r, terms})
		}
		return list
	}
	for _, t := range terms {
		ref, ok := t.Value.(ast.Ref)
		if !ok || !ref.HasPrefix(ast.DefaultRootRef) {
			continue
		}
		for _, r := range c.GetRulesExact(ref.ConstantPrefix()) {
			list = append(list, askedRule{r, nil})
		}
	}
	return list
}
