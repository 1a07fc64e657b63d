package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Clause is one expression of the body of a rule, evaluated on its own.
type Clause struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Text is the expression as it stands in the policy, on one line.
	Text string `json:"text"`
	// Holds is whether it is true.
	Holds bool `json:"holds"`
	// Unreached says that it could not be asked: what it needs of an earlier
	// expression has no value.
	Unreached bool `json:"unreached,omitempty"`
	// Readings are the claims it reads itself.
	Readings []Reading `json:"readings,omitempty"`
	// Because holds, of a clause that does not hold, each body of the rule that
	// it asks.
	Because []Attempt `json:"because,omitempty"`
}

// Attempt is one body of a rule with what came of each of its expressions.
type Attempt struct {
	Rule    string   `json:"rule"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Clauses []Clause `json:"clauses"`
}

const (
	maxAttemptDepth = 12
	maxClauses      = 2000
	maxElements     = 3 // of a list of which every member must pass, shown where they fail
)

// asker evaluates parts of a compiled policy over one input.
type asker struct {
	policy   *Policy
	store    storage.Store
	txn      storage.Transaction
	builtins map[string]*topdown.Builtin
	input    *ast.Term
	cancel   *budget
	left     int // clauses that may still be made
}

// ask makes an asker that is charged to b. Its stop must be called.
func (p *Policy) ask(ctx context.Context, b *budget, in Input) (a *asker, stop func(), err error) {
	input, err := in.value()
	if err != nil {
		return nil, nil, err
	}
	store, err := p.store()
	if err != nil {
		return nil, nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the config: %w", err)
	}
	a = &asker{
		policy: p, store: store, txn: txn, builtins: guardedBuiltins(), input: ast.NewTerm(input),
		cancel: b, left: maxClauses,
	}
	return a, func() { store.Abort(ctx, txn) }, nil
}

func guardedBuiltins() map[string]*topdown.Builtin {
	functions := map[string]*topdown.Builtin{}
	for _, f := range ownFunctions() {
		functions[f.decl.Name] = &topdown.Builtin{
			Decl: f.decl,
			Func: func(ctx topdown.BuiltinContext, args []*ast.Term, yield func(*ast.Term) error) error {
				result, err := f.call(ctx, args)
				if err != nil || result == nil {
					return err
				}
				return yield(result)
			},
		}
	}
	return functions
}

var errEnough = errors.New("enough solutions")

// solve evaluates compiled expressions and yields the variables of each
// solution until yield returns false. It reports whether there was one. An
// evaluation that fails has none, as in a decision.
func (a *asker) solve(ctx context.Context, exprs []*ast.Expr, yield func(topdown.QueryResult) bool) bool {
	if len(exprs) == 0 {
		if yield != nil {
			yield(topdown.QueryResult{})
		}
		return true
	}
	body := make(ast.Body, len(exprs))
	for i, e := range exprs {
		body[i] = e.Copy()
	}
	body = (&holder{tree: a.policy.measured.RuleTree, members: 2}).body(body, varSet{})
	found := false
	q := topdown.NewQuery(body).WithCompiler(a.policy.measured).WithStore(a.store).WithTransaction(a.txn).
		WithInput(a.input).WithBuiltins(a.builtins).WithCancel(a.cancel).WithTime(time.Unix(0, 0).UTC()).WithSeed(zeros{})
	err := q.Iter(ctx, func(qr topdown.QueryResult) error {
		found = true
		if yield == nil || !yield(qr) {
			return errEnough
		}
		return nil
	})
	return found && (err == nil || errors.Is(err, errEnough))
}

// frame is a body that is being asked: what its variables are, and where in the
// input their values come from.
type frame struct {
	given   []*ast.Expr
	origins map[ast.Var]ast.Ref
	body    []*ast.Expr
	depth   int
}

func newFrame(body []*ast.Expr, depth int) *frame {
	return &frame{origins: map[ast.Var]ast.Ref{}, body: body, depth: depth}
}

// bind gives a variable, or a pattern, its value and says where that came from.
func (f *frame) bind(pattern, value *ast.Term, origin ast.Ref) {
	f.given = append(f.given, ast.Equality.Expr(pattern, value))
	if v, ok := pattern.Value.(ast.Var); ok && origin != nil {
		f.origins[v] = origin
	}
}

// needs returns what expression i needs of the expressions before it: those
// that share a variable, and what those need.
func (f *frame) needs(i int) []*ast.Expr {
	wanted := exprVars(f.body[i])
	var chosen []*ast.Expr
	for j := i - 1; j >= 0; j-- {
		vars := exprVars(f.body[j])
		if slices.ContainsFunc(vars, func(v ast.Var) bool { return slices.Contains(wanted, v) }) {
			chosen = append(chosen, f.body[j])
			wanted = append(wanted, vars...)
		}
	}
	slices.Reverse(chosen)
	return chosen
}

// exprVars lists the local variables of an expression, closures included. Those
// that are given do not count: they tie nothing together.
func exprVars(e *ast.Expr) []ast.Var {
	var vars []ast.Var
	ast.WalkVars(e, func(v ast.Var) bool {
		if !v.IsWildcard() && !ast.RootDocumentNames.Contains(ast.NewTerm(v)) && strings.HasPrefix(string(v), ast.LocalVarPrefix) {
			vars = append(vars, v)
		}
		return false
	})
	return vars
}

// attempt asks every expression of one body of a rule.
func (a *asker) attempt(ctx context.Context, r *ast.Rule, f *frame) Attempt {
	out := Attempt{Rule: r.Head.Ref().String(), File: r.Location.File, Line: r.Location.Row, Clauses: []Clause{}}
	out.Rule = strings.TrimPrefix(r.Ref().GroundPrefix().String(), "data.")
	f.body = valued(r)
	out.Clauses = a.clauses(ctx, f)
	return out
}

// valued returns the body of a rule, with the value of its head as one more
// expression where that is not plainly true.
func valued(r *ast.Rule) []*ast.Expr {
	body := slices.Clone([]*ast.Expr(r.Body))
	if v := r.Head.Value; v != nil && r.Head.RuleKind() == ast.SingleValue && !v.Equal(ast.InternedTerm(true)) {
		e := ast.NewExpr(v)
		e.Location = r.Head.Location
		body = append(body, e)
	}
	return body
}

func (a *asker) clauses(ctx context.Context, f *frame) []Clause {
	list := []Clause{}
	order := []int{}
	for i, e := range f.body {
		if !e.Generated {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return offset(f.body[i]) - offset(f.body[j]) })
	for _, i := range order {
		if a.left--; a.left < 0 {
			break
		}
		list = append(list, a.clause(ctx, f, i))
	}
	return list
}

func offset(e *ast.Expr) int {
	if e.Location == nil {
		return 0
	}
	return e.Location.Offset
}

// clause asks one expression, and where it does not hold, why.
func (a *asker) clause(ctx context.Context, f *frame, i int) Clause {
	e, needs := f.body[i], f.needs(i)
	before := slices.Concat(f.given, needs)
	c := Clause{Text: exprText(e)}
	if e.Location != nil {
		c.File, c.Line = e.Location.File, e.Location.Row
	}
	c.Holds = a.solve(ctx, append(before, e), nil)
	if !c.Holds {
		c.Unreached = slices.ContainsFunc(needs, func(n *ast.Expr) bool { return !n.Generated }) && !a.solve(ctx, before, nil)
	}
	seen := a.look(ctx, f, before)
	c.Readings = a.readings(e, seen, c.Holds)
	if !c.Holds && !c.Unreached && !e.Negated && f.depth < maxAttemptDepth {
		c.Because = a.because(ctx, e, seen, f.depth+1)
	}
	if _, operator := judgedTerms(e); len(c.Because) > 0 && strings.HasPrefix(operator, "data.") {
		c.Readings = nil // those of the rule it asks say more
	}
	return c
}

// because asks the bodies of the rules that an expression asks, and the members
// of a list that not all pass.
func (a *asker) because(ctx context.Context, e *ast.Expr, seen *sight, depth int) []Attempt {
	if every, ok := e.Terms.(*ast.Every); ok {
		return a.members(ctx, every, e, seen, depth)
	}
	var list []Attempt
	for _, asked := range rulesAsked(a.policy.compiler, e) {
		f := newFrame(nil, depth)
		if !a.pass(ctx, asked, seen, f) {
			continue
		}
		if asked.rule.Default {
			continue
		}
		for r := asked.rule; r != nil; r = r.Else {
			list = append(list, a.attempt(ctx, r, f))
		}
	}
	return list
}

// pass gives the arguments of a call to a rule. It reports whether the rule is
// one for arguments of that kind.
func (a *asker) pass(ctx context.Context, asked askedRule, seen *sight, f *frame) bool {
	for i, arg := range asked.rule.Head.Args {
		if i >= len(asked.args) {
			break
		}
		value := seen.plug(asked.args[i])
		if value == nil || !value.IsGround() {
			value = ast.NullTerm() // what has no value is asked as null is
		}
		f.bind(arg, value, seen.origin(asked.args[i]))
	}
	return a.solve(ctx, f.given, nil)
}

// members asks the body of an every for the first members that fail it.
func (a *asker) members(ctx context.Context, every *ast.Every, e *ast.Expr, seen *sight, depth int) []Attempt {
	domain := seen.plug(every.Domain)
	if domain == nil {
		return nil
	}
	origin := seen.origin(every.Domain)
	var list []Attempt
	eachMember(domain.Value, func(key, value *ast.Term) bool {
		f := newFrame(every.Body, depth)
		f.given = slices.Clone(seen.given)
		var at ast.Ref
		if origin != nil {
			at = origin.Append(key)
		}
		if every.Key != nil {
			f.bind(every.Key, key, nil)
		}
		f.bind(every.Value, value, at)
		for v, o := range seen.origins {
			if f.origins[v] == nil {
				f.origins[v] = o
			}
		}
		if a.solve(ctx, slices.Concat(f.given, f.body), nil) {
			return true
		}
		t := Attempt{Rule: "every", Clauses: a.clauses(ctx, f)}
		if at != nil {
			t.Rule = "every: " + claimPath(at)
		}
		if e.Location != nil {
			t.File, t.Line = e.Location.File, e.Location.Row
		}
		list = append(list, t)
		return len(list) < maxElements
	})
	return list
}

// eachMember calls yield for the members of a collection until it is false.
func eachMember(v ast.Value, yield func(key, value *ast.Term) bool) {
	switch v := v.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if !yield(ast.IntNumberTerm(i), v.Elem(i)) {
				return
			}
		}
	case ast.Object:
		for _, key := range v.Keys() {
			if !yield(key, v.Get(key)) {
				return
			}
		}
	case ast.Set:
		for _, t := range v.Slice() {
			if !yield(t, t) {
				return
			}
		}
	}
}

// exprText returns an expression as it stands in the policy, on one line.
func exprText(e *ast.Expr) string {
	text := ""
	if e.Location != nil {
		text = string(e.Location.Text)
	}
	if text == "" {
		text = strings.ReplaceAll(e.String(), guardPrefix, "")
	}
	return oneLine(text)
}

func oneLine(text string) string {
	var lines [][]byte
	for line := range bytes.SplitSeq([]byte(text), []byte("\n")) {
		lines = append(lines, bytes.TrimSpace(line))
	}
	return string(bytes.Join(lines, []byte(" ")))
}
