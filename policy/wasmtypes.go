package policy

import (
	"encoding/json"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// walkOpen calls f for the references of an expression that are not inside a
// comprehension or every.
func walkOpen(e *ast.Expr, f func(ast.Ref)) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			f(x)
		case *ast.Every:
			walkOpen(ast.NewExpr(x.Domain), f)
			return true
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		}
		return false
	}).Walk(e)
}

// openVars returns the variables of an expression that are not inside a
// comprehension or every.
func openVars(e *ast.Expr) ast.VarSet {
	return e.Vars(ast.VarVisitorParams{SkipClosures: true, SkipRefCallHead: true})
}

func bodyVars(b ast.Body) ast.VarSet {
	vars := ast.NewVarSet()
	for _, e := range b {
		vars.Update(openVars(e))
	}
	return vars
}

// free reports whether a term of a reference is a variable without a value: the
// reference then ranges over what comes before it.
func free(t *ast.Term, bound ast.VarSet) bool {
	v, ok := t.Value.(ast.Var)
	return ok && !bound.Contains(v)
}

// overArrays reports whether everything that a reference ranges over is a list.
func (c *parityCheck) overArrays(r ast.Ref, bound ast.VarSet) bool {
	for n, t := range r[1:] {
		if free(t, bound) && !isArray(c.typeOf(ast.NewTerm(r[:n+1]), 0)) {
			return false
		}
	}
	return true
}

// iterated spells what a reference ranges over, for people.
func iterated(r ast.Ref) string {
	if v, ok := r[0].Value.(ast.Var); ok && v.IsGenerated() {
		return "what it ranges over"
	}
	return r.GroundPrefix().String()
}

func isArray(t types.Type) bool {
	switch t := t.(type) {
	case *types.Array:
		return true
	case types.Any:
		for _, each := range t {
			if !isArray(each) {
				return false
			}
		}
		return len(t) > 0
	}
	return false
}

// maxDefinitions bounds the chain of variables that are equal to each other.
const maxDefinitions = 16

// typeOf returns the type of a term of a compiled rule, or nil where it is not
// known: the compiler keeps the types of rules and of input only.
func (c *parityCheck) typeOf(t *ast.Term, depth int) types.Type {
	if depth > maxDefinitions {
		return nil
	}
	switch v := t.Value.(type) {
	case ast.Var:
		return c.typeOfVar(v, depth)
	case ast.Ref:
		if len(v) == 1 {
			return c.typeOf(v[0], depth+1)
		}
		if head, ok := v[0].Value.(ast.Var); !ok || !ast.RootDocumentNames.Contains(v[0]) {
			if ok {
				return selectPath(c.typeOfVar(head, depth), v[1:])
			}
			return selectPath(c.typeOf(v[0], depth+1), v[1:])
		}
		return c.policy.compiler.TypeEnv.GetByRef(v)
	case *ast.ArrayComprehension, *ast.Array:
		return types.NewArray(nil, types.A)
	case ast.String:
		return types.S
	case ast.Number:
		return types.N
	}
	return nil
}

func (c *parityCheck) typeOfVar(v ast.Var, depth int) types.Type {
	for _, d := range c.defs[v] {
		t := d.result
		if d.term != nil {
			t = c.typeOf(d.term, depth+1)
		}
		if t != nil {
			return t
		}
	}
	return nil
}

func selectPath(t types.Type, path ast.Ref) types.Type {
	for _, step := range path {
		if t == nil {
			return nil
		}
		switch v := step.Value.(type) {
		case ast.String:
			t = types.Select(t, string(v))
		case ast.Number:
			t = types.Select(t, json.Number(v))
		default:
			t = types.Values(t)
		}
	}
	return t
}

// configRef checks a reference below data.config. There the interpreter reads
// its store, whose paths are strings: 1 finds the key "1", and "1" the second
// member of a list. The module finds neither.
func (c *parityCheck) configRef(r ast.Ref, bound ast.VarSet) {
	if len(r) < 3 || !r.HasPrefix(configPrefix) {
		return
	}
	values := []any{c.policy.source.config}
	for _, t := range r[2:] {
		if free(t, bound) {
			values = membersOf(values, t)
			continue
		}
		if len(values) == 0 && !c.isText(t) {
			c.add(r[0].Location, "give the config a name first, as in `settings := data.config`, and index that",
				"%v indexes data.config where this config holds nothing: in an object the interpreter would take the number for a name", t)
			return
		}
		if !c.sameIndex(t, values) {
			c.add(r[0].Location, "give the config a name first, as in `settings := data.config`, and index that",
				"%v indexes data.config, and may be a number in an object or a string in a list: the interpreter takes one for the other", t)
			return
		}
		values = membersOf(values, t)
	}
}

// isText reports whether an index is always a string.
func (c *parityCheck) isText(index *ast.Term) bool {
	kind := c.typeOf(index, 0)
	return kind != nil && types.Compare(kind, types.S) == 0
}

var configPrefix = ast.MustParseRef("data.config")

// sameIndex reports whether an index means the same to both engines in all of
// the values that it may index.
func (c *parityCheck) sameIndex(index *ast.Term, values []any) bool {
	kind := c.typeOf(index, 0)
	text, isText := index.Value.(ast.String)
	for _, v := range values {
		switch v.(type) {
		case map[string]any:
			if !c.isText(index) {
				return false
			}
		case []any:
			if _, err := strconv.Atoi(string(text)); isText && err != nil {
				continue
			}
			if kind == nil || types.Compare(kind, types.N) != 0 {
				return false
			}
		}
	}
	return true
}

// membersOf returns what an index may find in values.
func membersOf(values []any, index *ast.Term) []any {
	var found []any
	for _, v := range values {
		switch v := v.(type) {
		case map[string]any:
			if key, ok := index.Value.(ast.String); ok {
				if member, ok := v[string(key)]; ok {
					found = append(found, member)
				}
				continue
			}
			for _, member := range v {
				found = append(found, member)
			}
		case []any:
			found = append(found, v...)
		}
	}
	return found
}
