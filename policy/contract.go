package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// decisionPackage is the package of allow and deny.
const decisionPackage = "data.attest"

const allowAdvice = "write `default allow := false` and one or more `allow if { … }` in a single file of package attest"

// checkContract checks that the policy has one allow that is false by default
// and stands in one file, and that deny, if there is one, is a set.
func (ps *problems) checkContract(s *Source, modules map[string]*ast.Module) {
	var allow, deny []*ast.Rule
	file, found := "", false
	for _, f := range s.modules {
		m := modules[f.Path]
		if m.Package.Path.String() != decisionPackage {
			ps.checkElsewhere(m)
			continue
		}
		found = true
		for _, r := range m.Rules {
			switch string(ruleName(r)) {
			case "allow":
				if file == "" {
					file = f.Path
				}
				if f.Path != file {
					ps.add(r.Location, "one file decides: another that adds to allow would open what this one closes",
						"allow stands in %s too; all its rules belong in one file", file)
				}
				allow = append(allow, r)
			case "deny":
				deny = append(deny, r)
			}
		}
	}
	if !found {
		ps.add(at(s.modules[0]), allowAdvice, "no module is in package attest")
		return
	}
	ps.checkAllow(allow)
	ps.checkDeny(deny)
	ps.checkNames(s, modules, len(allow) > 0)
}

func at(f File) *ast.Location { return &ast.Location{File: f.Path, Row: 1, Col: 1} }

// ruleName returns the first name of a rule: deny of `deny.x` and of `deny[x]`.
func ruleName(r *ast.Rule) ast.Var {
	if name, ok := r.Head.Ref()[0].Value.(ast.Var); ok {
		return name
	}
	return ""
}

func (ps *problems) checkAllow(rules []*ast.Rule) {
	if len(rules) == 0 {
		return // checkNames says what may have been meant
	}
	var defaults []*ast.Rule
	for _, r := range rules {
		if len(r.Head.Args) > 0 || len(r.Head.Ref()) != 1 || r.Head.RuleKind() != ast.SingleValue {
			ps.add(r.Location, allowAdvice, "allow is not a plain rule with one value")
		}
		if r.Default {
			defaults = append(defaults, r)
		}
	}
	switch {
	case len(defaults) == 0:
		ps.add(rules[0].Location, allowAdvice, "allow has no default: without one it can be undefined")
	case !defaults[0].Head.Value.Equal(ast.InternedTerm(false)):
		ps.add(defaults[0].Location, allowAdvice, "the default of allow is %v, not false", defaults[0].Head.Value)
	case len(defaults) > 1:
		ps.add(defaults[1].Location, allowAdvice, "allow has a second default")
	case len(rules) == 1:
		ps.add(rules[0].Location, allowAdvice, "allow is always false")
	}
}

func (ps *problems) checkDeny(rules []*ast.Rule) {
	for _, r := range rules {
		if len(r.Head.Args) > 0 || len(r.Head.Ref()) != 1 || r.Head.RuleKind() != ast.MultiValue {
			ps.add(r.Location, "write `deny contains {\"code\": \"…\", \"msg\": \"…\"} if { … }`", "deny is not a set of reasons")
		}
	}
}

// misnamed are the words that people write for the two that decide.
var misnamed = map[string]string{
	"allowed": "allow", "allows": "allow", "is_allowed": "allow", "permit": "allow", "permitted": "allow",
	"authorized": "allow", "authorised": "allow", "accept": "allow", "approve": "allow", "release": "allow",
	"denied": "deny", "denies": "deny", "violation": "deny", "violations": "deny", "reject": "deny",
	"block": "deny", "forbid": "deny", "errors": "deny",
}

// checkElsewhere refuses allow and deny outside of the package that decides: who
// writes them there means them, and nobody would ask.
func (ps *problems) checkElsewhere(m *ast.Module) {
	for _, r := range m.Rules {
		if name := ruleName(r); name == "allow" || name == "deny" {
			ps.add(r.Location, "move the rule into package attest, or give it another name and use it there",
				"%s of %v decides nothing: only package attest is asked", name, m.Package)
		}
	}
}

// checkNames finds rules that look as if they were meant to decide but are read
// by nobody. Helpers of such names, which another rule reads, are fine.
func (ps *problems) checkNames(s *Source, modules map[string]*ast.Module, hasAllow bool) {
	read := readNames(s, modules)
	suggested := false
	for _, f := range s.modules {
		m := modules[f.Path]
		if m.Package.Path.String() != decisionPackage {
			continue
		}
		for _, r := range m.Rules {
			name := string(ruleName(r))
			meant := meantBy(name)
			if meant == "" || read[name] {
				continue
			}
			suggested = suggested || meant == "allow"
			ps.add(r.Location, "rename the rule to "+meant, "%s decides nothing: did you mean %s?", name, meant)
		}
	}
	if !hasAllow && !suggested {
		ps.add(firstOf(s, modules), allowAdvice, "package attest has no rule allow")
	}
}

func firstOf(s *Source, modules map[string]*ast.Module) *ast.Location {
	for _, f := range s.modules {
		if m := modules[f.Path]; m.Package.Path.String() == decisionPackage {
			return m.Package.Location
		}
	}
	return nil
}

// meantBy returns which of the two that decide a name was meant to be, or "".
func meantBy(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "allow" || name == "deny":
		return ""
	case misnamed[lower] != "":
		return misnamed[lower]
	case distance(lower, "allow") <= 1:
		return "allow"
	case distance(lower, "deny") <= 1:
		return "deny"
	}
	return ""
}

// readNames lists every name that some rule reads: variables and the parts of
// references.
func readNames(s *Source, modules map[string]*ast.Module) map[string]bool {
	names := map[string]bool{}
	for _, f := range s.modules {
		for _, r := range modules[f.Path].Rules {
			collect := func(t *ast.Term) bool {
				switch v := t.Value.(type) {
				case ast.Var:
					names[string(v)] = true
				case ast.String:
					names[string(v)] = true
				}
				return false
			}
			ast.WalkTerms(r.Body, collect)
			if r.Head.Value != nil {
				ast.WalkTerms(r.Head.Value, collect)
			}
			if r.Head.Key != nil {
				ast.WalkTerms(r.Head.Key, collect)
			}
		}
	}
	return names
}

// checkTypes checks what the compiler inferred of allow and deny.
func (ps *problems) checkTypes(c *ast.Compiler) {
	for _, m := range c.Modules {
		if m.Package.Path.String() != decisionPackage {
			continue
		}
		for _, r := range m.Rules {
			t := c.TypeEnv.GetByRef(r.Ref())
			switch string(ruleName(r)) {
			case "allow":
				if types.Compare(t, types.B) != 0 {
					ps.add(r.Location, "make it a comparison, or put the condition into the body: `allow if { … }`",
						"allow is not always a boolean: it is %s", types.Sprint(t))
				}
			case "deny":
				if set, ok := t.(*types.Set); ok && !isReason(set.Of()) {
					ps.add(r.Location, `a reason is a string or {"code": string, "msg": string}`,
						"deny has members of type %s", types.Sprint(set.Of()))
				}
			}
		}
	}
}

// isReason reports whether a value of type t can be a reason for a denial.
func isReason(t types.Type) bool {
	switch t := t.(type) {
	case types.String:
		return true
	case types.Any:
		return len(t) == 0 || !slices.ContainsFunc(t, func(each types.Type) bool { return !isReason(each) })
	case *types.Object:
		for _, key := range t.Keys() {
			if key != "code" && key != "msg" {
				return false
			}
		}
		return t.DynamicProperties() != nil || len(t.Keys()) == 2
	}
	return false
}
