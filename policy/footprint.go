package policy

import "github.com/open-policy-agent/opa/v1/ast"

// footprint is what a policy can read of the input, found in its text. Nothing else
// can make a difference to a decision, so that engines are given nothing else: most
// policies ask for a few of the hundreds of claims, and to read the others takes
// several times as long as to decide.
//
// The zero value reads nothing.
type footprint struct {
	all     bool                  // the value as a whole
	members map[string]*footprint // by name, as canonical JSON has it with its quotes
}

// messagePackage is the library's words for denials. Its functions look a claim up by
// the path that is their first argument, in the order in which people say it.
var messagePackage = ast.MustParseRef("data.attestctl.message")

// footprintOf goes over the references to the input in all rules that the decision
// depends on. What is not surely less is the input as a whole.
func footprintOf(c *ast.Compiler) *footprint {
	f := &footprint{}
	seen := map[*ast.Rule]bool{}
	var visit func(*ast.Rule)
	visit = func(r *ast.Rule) {
		if seen[r] {
			return
		}
		seen[r] = true
		if !r.Module.Package.Path.Equal(messagePackage) { // that reads what its callers name
			f.rule(r)
		}
		for next := range c.Graph.Dependencies(r) {
			if next, ok := next.(*ast.Rule); ok {
				visit(next)
			}
		}
	}
	for _, r := range c.GetRules(ast.MustParseRef(entryQuery)) {
		visit(r)
	}
	return f
}

// rule adds what a rule refers to.
func (f *footprint) rule(r *ast.Rule) { f.collect(r, shapes(r)) }

// shapes finds the variables of a rule that ask only whether there is a value, or
// whether it is an object, as the compiler writes _ = input.x and is_object(input.x).
func shapes(r *ast.Rule) map[ast.Var]bool {
	uses, found := map[ast.Var]int{}, map[ast.Var]bool{}
	ast.WalkVars(r, func(v ast.Var) bool {
		uses[v]++
		found[v] = uses[v] == 1
		return false
	})
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if terms, ok := e.Terms.([]*ast.Term); ok && len(terms) == 2 && terms[0].Value.Compare(ast.IsObject.Ref()) == 0 {
			if v, ok := terms[1].Value.(ast.Var); ok && uses[v] == 2 {
				found[v] = true
			}
		}
		return false
	})
	return found
}

// collect adds what a node refers to; but holds the variables of shapes.
func (f *footprint) collect(node any, but map[ast.Var]bool) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			return len(x.With) == 0 && (f.shape(x, but) || f.message(x, but))
		case ast.Ref:
			return f.ref(x, but)
		case ast.Var:
			// Outside of a reference it is the whole input.
			f.all = f.all || x.Equal(ast.InputRootDocument.Value)
		}
		return false
	}).Walk(node)
}

// shape adds the place of a claim of which no more is asked than its shape, which
// stays whatever is cut from it. It reports whether the expression is such a one.
func (f *footprint) shape(e *ast.Expr, but map[ast.Var]bool) bool {
	if !e.IsEquality() {
		return false
	}
	v, ok := e.Operand(0).Value.(ast.Var)
	if !ok || !but[v] {
		return false
	}
	r, ok := e.Operand(1).Value.(ast.Ref)
	if !ok || !r.HasPrefix(ast.InputRootRef) {
		return false
	}
	at, rest := f.at(r[1:])
	at.all = at.all || len(rest) > 0
	for _, t := range rest {
		f.collect(t, but)
	}
	return true
}

// message adds the claim that a call of the library's words for denials looks up, and
// reports whether it was one.
func (f *footprint) message(e *ast.Expr, but map[ast.Var]bool) bool {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || len(terms) < 2 {
		return false
	}
	operator, isRef := terms[0].Value.(ast.Ref)
	path, isList := terms[1].Value.(*ast.Array)
	if !isRef || !isList || !operator.HasPrefix(messagePackage) {
		return false
	}
	names := make(ast.Ref, 0, path.Len())
	path.Foreach(func(t *ast.Term) { names = append(names, t) })
	f.add(names)
	for _, t := range terms[1:] {
		f.collect(t, but)
	}
	return true
}

// ref adds a reference, and reports whether it went over all of it.
func (f *footprint) ref(r ast.Ref, but map[ast.Var]bool) bool {
	if r.HasPrefix(messagePackage) {
		f.all = true // the function itself is handed on, and nobody knows with which path
	}
	if !r.HasPrefix(ast.InputRootRef) {
		return false
	}
	f.add(r[1:])
	for _, t := range r[1:] {
		f.collect(t, but)
	}
	return true
}

// add adds the value at a path.
func (f *footprint) add(path ast.Ref) {
	at, _ := f.at(path)
	at.all = true
}

// at is the place at a path. What is not the plain name of a member ends it, and is
// returned with what is behind it: from there on everything may be read.
func (f *footprint) at(path ast.Ref) (at *footprint, rest ast.Ref) {
	for i, t := range path {
		name, ok := t.Value.(ast.String)
		if !ok {
			return f, path[i:]
		}
		if f.members == nil {
			f.members = map[string]*footprint{}
		}
		text := string(appendQuoted(nil, string(name)))
		if f.members[text] == nil {
			f.members[text] = &footprint{}
		}
		f = f.members[text]
	}
	return f, nil
}
