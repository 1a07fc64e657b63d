package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// term returns what a term can stand for.
func (f *follower) term(t *ast.Term, env scope) meaning {
	switch v := t.Value.(type) {
	case ast.Var:
		if v.Equal(ast.InputRootDocument.Value) {
			return meaning{paths: []ast.Ref{ast.InputRootRef}}
		}
		return env[v]
	case ast.Ref:
		return f.ref(v, env)
	case *ast.Array, ast.Object, ast.Set:
		return f.composite(t, env)
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, ast.Call:
		return meaning{}
	}
	return meaning{values: []*ast.Term{t}}
}

// composite returns the meaning of a list or object that holds claims: they are
// compared with it.
func (f *follower) composite(t *ast.Term, env scope) meaning {
	if t.IsGround() {
		return meaning{values: []*ast.Term{t}}
	}
	m := meaning{}
	ast.WalkTerms(t, func(inner *ast.Term) bool {
		switch inner.Value.(type) {
		case ast.Var, ast.Ref:
			m.paths = append(m.paths, f.term(inner, env).paths...)
			return true
		}
		return false
	})
	return m
}

func (f *follower) ref(r ast.Ref, env scope) meaning {
	head, ok := r[0].Value.(ast.Var)
	switch {
	case !ok:
		return meaning{}
	case r.HasPrefix(ast.InputRootRef):
		return f.extend(meaning{paths: []ast.Ref{ast.InputRootRef}}, r[1:], env)
	case r.HasPrefix(configRef):
		return f.extend(meaning{values: []*ast.Term{ast.NewTerm(f.config)}}, r[2:], env)
	case r.HasPrefix(ast.DefaultRootRef):
		return f.virtual(r, env)
	}
	return f.extend(env[head], r[1:], env)
}

var configRef = ast.MustParseRef("data.config")

// virtual follows the rules that a reference names.
func (f *follower) virtual(r ast.Ref, env scope) meaning {
	m := meaning{}
	for n := len(r); n > 1; n-- {
		rules := f.policy.compiler.GetRulesExact(r[:n])
		for _, rule := range rules {
			m = m.and(f.rule(rule, nil, false))
		}
		if len(rules) > 0 {
			return f.extend(m, r[n:], env)
		}
	}
	return m
}

// extend follows the rest of a reference.
func (f *follower) extend(m meaning, rest ast.Ref, env scope) meaning {
	for _, part := range rest {
		f.enumerate(part, m, env)
		keys := f.keys(part, env)
		next := meaning{}
		for _, path := range m.paths {
			for _, k := range keys {
				next = next.and(meaning{paths: []ast.Ref{path.Append(k)}})
			}
		}
		for _, v := range m.values {
			next = next.and(member(v, keys))
		}
		m = next
	}
	return m
}

// enumerate gives a variable that runs over a constant the keys of it.
func (f *follower) enumerate(part *ast.Term, m meaning, env scope) {
	v, ok := part.Value.(ast.Var)
	if _, bound := env[v]; !ok || bound || len(m.paths) > 0 || len(m.values) == 0 {
		return
	}
	keys := meaning{}
	for _, value := range m.values {
		eachMember(value.Value, func(key, _ *ast.Term) bool {
			keys = keys.and(meaning{values: []*ast.Term{key}})
			return true
		})
	}
	env[v] = keys
}

// keys returns what a part of a reference can be, or a variable for anything.
func (f *follower) keys(part *ast.Term, env scope) []*ast.Term {
	if part.IsGround() {
		if _, ref := part.Value.(ast.Ref); !ref {
			return []*ast.Term{part}
		}
	}
	m := f.term(part, env)
	list := slices.Clone(m.values)
	for _, path := range m.paths {
		f.note(Read{path: path, At: part.Location})
		if f.input == nil || !path.IsGround() {
			continue
		}
		if v, err := f.input.Find(path[1:]); err == nil {
			list = append(list, ast.NewTerm(v))
		}
	}
	if len(list) == 0 {
		return []*ast.Term{ast.VarTerm("any")}
	}
	return list
}

// member returns the members of a constant with any of the keys.
func member(v *ast.Term, keys []*ast.Term) meaning {
	m := meaning{}
	eachMember(v.Value, func(key, value *ast.Term) bool {
		for _, k := range keys {
			if _, anything := k.Value.(ast.Var); anything || k.Equal(key) {
				m = m.and(meaning{values: []*ast.Term{value}})
			}
		}
		return true
	})
	return m
}
