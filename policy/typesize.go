package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// maxTypeSize bounds the work of comparing the types of two values. OPA compares
// them part by part, and those of what an array or object holds twice: arrays
// that hold each other, forty times over, would keep it busy for years.
const maxTypeSize = 1 << 17

// inputTypeSize stands for the size of what a policy takes from its input.
const inputTypeSize = 16

// sizer bounds the sizes of the types of what a policy makes or, to unfold, how
// long its rules are with everything they call written into them.
type sizer struct {
	rules  map[string]int  // of rules, by reference
	vars   map[ast.Var]int // of the variables of one rule
	unfold bool
}

// join joins the sizes of the parts of a body.
func (s *sizer) join(sizes ...int) int {
	joined := 0
	for _, n := range sizes {
		if s.unfold {
			joined = sumSizes(joined, n)
		} else {
			joined = max(joined, n)
		}
	}
	return joined
}

// unfolded returns the length of a body with everything it calls, in terms.
func (p *Policy) unfolded(b ast.Body) int {
	s := sizer{rules: map[string]int{}, unfold: true}
	sorted, _ := p.measured.Graph.Sort() // it has been compiled: there is no recursion
	for _, node := range sorted {
		if other, ok := node.(*ast.Rule); ok {
			s.rule(other)
		}
	}
	s.vars = map[ast.Var]int{}
	return s.body(b)
}

// checkSizes is a stage of the compiler, before it infers types.
func checkSizes(c *ast.Compiler) *ast.Error {
	sorted, ok := c.Graph.Sort()
	if !ok {
		return nil // recursion, which OPA tells
	}
	s := sizer{rules: map[string]int{}}
	for _, node := range sorted {
		r, ok := node.(*ast.Rule)
		if !ok {
			continue
		}
		if size := s.rule(r); size > maxTypeSize {
			return ast.NewError(ast.CompileErr, r.Location, "%s", typeTooLarge)
		}
	}
	return nil
}

const typeTooLarge = "a value that holds others several times over, again and again, has a type without end"

// rule returns the size of a rule's type and remembers it.
func (s *sizer) rule(r *ast.Rule) int {
	largest := 0
	for ; r != nil; r = r.Else {
		s.vars = map[ast.Var]int{}
		body := s.body(r.Body)
		size := 0
		for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
			if t != nil {
				size = sumSizes(size, s.term(t))
			}
		}
		largest = s.join(largest, body, size)
		if s.unfold {
			size = sumSizes(size, body)
		}
		name := r.Ref().GroundPrefix().String()
		s.rules[name] = sumSizes(s.rules[name], size)
	}
	return largest
}

// body gives the variables of a body their sizes and returns the largest.
func (s *sizer) body(b ast.Body) int {
	largest := 0
	for _, e := range b {
		s.closures(e, &largest)
		terms, ok := e.Terms.([]*ast.Term)
		switch {
		case !ok:
		case e.IsEquality() && len(terms) == 3:
			left, right := s.term(terms[1]), s.term(terms[2])
			s.give(terms[1], right)
			s.give(terms[2], left)
			largest = s.join(largest, left, right)
		case len(terms) > 1:
			largest = s.join(largest, s.call(terms))
		}
	}
	return largest
}

// call gives the last argument, which may be the result, its size.
func (s *sizer) call(terms []*ast.Term) int {
	made, size := s.rules[terms[0].String()], 0
	for _, t := range terms[1:] {
		size = s.join(size, s.term(t))
	}
	if s.unfold {
		size = sumSizes(size, made)
		made = size
	}
	s.give(terms[len(terms)-1], made)
	return size
}

func (s *sizer) closures(e *ast.Expr, largest *int) {
	inner := func(b ast.Body) bool {
		*largest = s.join(*largest, s.body(b))
		return true
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension:
			return inner(x.Body)
		case *ast.SetComprehension:
			return inner(x.Body)
		case *ast.ObjectComprehension:
			return inner(x.Body)
		case *ast.Every:
			return inner(x.Body)
		case *ast.Not:
			return inner(x.Body)
		}
		return false
	}).Walk(e)
}

// give says that the variables of a term are, or are parts of, a value of a size.
func (s *sizer) give(t *ast.Term, size int) {
	for v := range varsOf(t) {
		s.vars[v] = max(s.vars[v], size)
	}
}

func varsOf(x any) ast.VarSet {
	v := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipClosures: true, SkipRefCallHead: true, SkipRefHead: true})
	v.Walk(x)
	return v.Vars()
}

// term returns the size of the type of a term.
func (s *sizer) term(t *ast.Term) int {
	size := 1
	add := func(parts ...*ast.Term) {
		for _, p := range parts {
			size = sumSizes(size, s.term(p))
		}
	}
	switch v := t.Value.(type) {
	case ast.Var:
		return max(1, s.vars[v])
	case ast.Ref:
		return s.ref(v)
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { add(t) })
		return s.held(t, size)
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { add(key, value) })
		return s.held(t, size)
	case ast.Set:
		v.Foreach(func(t *ast.Term) { add(t) })
	case *ast.ArrayComprehension:
		add(v.Term)
	case *ast.SetComprehension:
		add(v.Term)
	case *ast.ObjectComprehension:
		add(v.Key, v.Value)
	}
	return size
}

// held returns the size of an array or object whose parts are of a size: twice
// that, since its parts are compared twice. What is written out in full, as
// tables are, is only as large as it is deep.
func (s *sizer) held(t *ast.Term, size int) int {
	if t.IsGround() && depthOf(t) < maxTableDepth {
		return size
	}
	return sumSizes(size, size)
}

// maxTableDepth is how deep a table may nest.
const maxTableDepth = 8

func depthOf(t *ast.Term) int {
	deepest := 0
	part := func(t *ast.Term) { deepest = max(deepest, depthOf(t)) }
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(part)
	case ast.Object:
		v.Foreach(func(_, value *ast.Term) { part(value) })
	default:
		return 0
	}
	return deepest + 1
}

// ref returns the size of what a reference can lead to.
func (s *sizer) ref(r ast.Ref) int {
	head, ok := r[0].Value.(ast.Var)
	switch {
	case !ok:
		return 1
	case r[0].Equal(ast.InputRootDocument):
		return inputTypeSize
	case !r[0].Equal(ast.DefaultRootDocument):
		return max(1, s.vars[head])
	}
	prefix := r.GroundPrefix()
	for n := len(prefix); n > 1; n-- {
		if size, ok := s.rules[prefix[:n].String()]; ok {
			return size
		}
	}
	return s.below(prefix.String())
}

// below returns the size of a package: that of all its rules.
func (s *sizer) below(prefix string) int {
	size := 1
	for name, n := range s.rules {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			size = sumSizes(size, n)
		}
	}
	return size
}

// sumSizes adds without overflow.
func sumSizes(a, b int) int { return min(a+b, maxTypeSize+1) }
