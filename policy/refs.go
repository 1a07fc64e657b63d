package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reserved are the packages that a policy's own modules may not be in.
var reserved = []string{"data.attestctl", "data.config", "data.system"}

// checkModule checks one module of the policy's own, as it was parsed.
func (ps *problems) checkModule(m *ast.Module) {
	pkg := m.Package.Path.String()
	for _, name := range reserved {
		if pkg == name || strings.HasPrefix(pkg, name+".") || strings.HasPrefix(pkg, name+"[") {
			ps.add(m.Package.Location, "use package attest, or one of your own", "package %s is reserved", strings.TrimPrefix(pkg, "data."))
		}
	}
	ast.WalkWiths(m, func(w *ast.With) bool {
		ps.add(w.Location, "`with` is for tests: move it into a file named *_test.rego", "%s replaces what the rest of the policy sees", w)
		return false
	})
	ps.checkWholeData(m)
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			ps.checkCall(e.OperatorTerm())
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Call:
			ps.checkCall(v[0])
		case ast.Number:
			if checkNumber(string(v)) != nil {
				ps.add(t.Location, "write a number that is not so large", "the number %.40s", v)
			}
		}
		return false
	})
}

// checkWholeData refuses data where it stands for everything: alone, or with a
// name that is only known when the policy runs.
func (ps *problems) checkWholeData(m *ast.Module) {
	var visit *ast.GenericVisitor
	visit = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			if x.HasPrefix(ast.DefaultRootRef) && len(x.ConstantPrefix()) < 2 {
				ps.add(x[0].Location, dataAdvice, "%s: data as a whole, or by a name that is not fixed", x)
			}
			for _, t := range x[1:] {
				visit.Walk(t)
			}
			return true
		case *ast.Term:
			if x.Equal(ast.DefaultRootDocument) {
				ps.add(x.Location, dataAdvice, "data as a whole")
			}
		}
		return false
	})
	visit.Walk(m)
}

const dataAdvice = "a policy reads data.config and the rules of its own packages, each by its name"

// checkCall refuses the builtin functions that a policy may not call.
func (ps *problems) checkCall(operator *ast.Term) {
	name := operator.Value.String()
	_, known := ast.BuiltinMap[name]
	if known && !slices.Contains(allowed, name) || strings.HasPrefix(name, guardPrefix) {
		ps.add(operator.Location, wayRound(name), "%s: not a function that a policy may call", name)
	}
}

// checkRefs checks what the compiled modules read of data: the config, and
// rules and packages that exist. A name that does not exist is undefined for
// ever, and `not` of it always true.
func (ps *problems) checkRefs(s *Source, c *ast.Compiler) {
	known := knownPaths(c)
	for _, f := range s.modules {
		ast.WalkRefs(c.Modules[f.Path], func(r ast.Ref) bool {
			if r.HasPrefix(ast.DefaultRootRef) {
				ps.checkDataRef(r, known)
			}
			return false
		})
	}
}

func (ps *problems) checkDataRef(r ast.Ref, known []string) {
	fixed := r.ConstantPrefix()
	if len(fixed) < 2 {
		ps.add(r[0].Location, dataAdvice, "%s: data as a whole, or by a name that is not fixed", r)
		return
	}
	if name, ok := fixed[1].Value.(ast.String); ok && name == "config" {
		return
	}
	path := fixed.String()
	for _, k := range known {
		if path == k || under(path, k) || under(k, path) && len(fixed) == len(r) {
			return
		}
	}
	advice := dataAdvice
	if best := nearest(path, known); best != "" {
		advice = "did you mean " + best + "?"
	}
	ps.add(r[0].Location, advice, "%s: no rule of that name exists", r)
}

// under reports whether path goes on from prefix.
func under(path, prefix string) bool {
	return strings.HasPrefix(path, prefix) && strings.ContainsRune(".[", rune(path[len(prefix)]))
}

// knownPaths lists the paths of all rules.
func knownPaths(c *ast.Compiler) []string {
	var paths []string
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			paths = append(paths, r.Ref().ConstantPrefix().String())
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
