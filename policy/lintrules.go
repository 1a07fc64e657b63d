package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// calls visits every call in the policy's own modules, as they were compiled.
// claims are the paths of the variables of its body.
func (l *linter) calls(visit func(e *ast.Expr, operator string, terms []*ast.Term, claims map[ast.Var]ast.Ref)) {
	w := &polarityWalk{linter: l}
	for _, f := range l.policy.source.modules {
		for _, r := range l.policy.compiler.Modules[f.Path].Rules {
			claims := map[ast.Var]ast.Ref{}
			ast.WalkExprs(r, func(e *ast.Expr) bool {
				if e.IsEquality() {
					w.alias(e, claims)
				}
				if every, ok := e.Terms.(*ast.Every); ok {
					visit(e, "every", []*ast.Term{every.Domain}, claims)
				} else if terms, operator := judgedTerms(e); operator != "" {
					visit(e, operator, terms, claims)
				}
				return false
			})
		}
	}
}

// claimOf returns the claim that a term is, or "".
func claimOf(t *ast.Term, claims map[ast.Var]ast.Ref) string {
	if at := (&polarityWalk{}).origin(t, claims); at != nil {
		return claimPath(at)
	}
	return ""
}

// guardedBy lists the claims that some call of one of the functions judges.
func (l *linter) guardedBy(functions ...string) map[string]bool {
	found := map[string]bool{}
	l.calls(func(e *ast.Expr, operator string, terms []*ast.Term, claims map[ast.Var]ast.Ref) {
		for _, name := range functions {
			if operator == name {
				found[claimOf(terms[0], claims)] = true
			}
		}
		if operator == "eq" && strings.HasPrefix(exprText(e), "some ") { // some x in list
			if ref, ok := terms[1].Value.(ast.Ref); ok && len(ref) > 1 {
				found[claimOf(ast.NewTerm(ref[:len(ref)-1]), claims)] = true
			}
		}
	})
	return found
}

func (l *linter) untypedComparison() {
	guarded := l.guardedBy("is_number")
	l.calls(func(e *ast.Expr, operator string, terms []*ast.Term, claims map[ast.Var]ast.Ref) {
		switch operator {
		case "gt", "gte", "lt", "lte":
		default:
			return
		}
		for _, t := range terms {
			if claim := claimOf(t, claims); claim != "" && !guarded[claim] {
				l.add(e.Location, "%s: nothing says that %s is a number", exprText(e), claim)
			}
		}
	})
}

func (l *linter) emptyEvery() {
	guarded := l.guardedBy("count")
	l.calls(func(e *ast.Expr, operator string, terms []*ast.Term, claims map[ast.Var]ast.Ref) {
		if operator != "every" {
			return
		}
		if claim := claimOf(terms[0], claims); claim != "" && !guarded[claim] {
			l.add(e.Location, "every over %s is true where it is empty", claim)
		}
	})
}

func (l *linter) unanchoredRegex() {
	l.calls(func(e *ast.Expr, operator string, terms []*ast.Term, _ map[ast.Var]ast.Ref) {
		if operator != "regex.match" {
			return
		}
		pattern, ok := terms[0].Value.(ast.String)
		if ok && (!startsAny(string(pattern), "^", `\A`) || !endsAny(string(pattern), "$", `\z`)) {
			l.add(e.Location, "the pattern %s matches anywhere in the text", terms[0])
		}
	})
}

func startsAny(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func endsAny(s string, suffixes ...string) bool {
	for _, p := range suffixes {
		if strings.HasSuffix(s, p) {
			return true
		}
	}
	return false
}

func (l *linter) projectPrefix() {
	l.calls(func(e *ast.Expr, operator string, terms []*ast.Term, claims map[ast.Var]ast.Ref) {
		switch operator {
		case "startswith", "endswith", "contains", "strings.any_prefix_match", "glob.match":
		default:
			return
		}
		for _, t := range terms {
			claim := claimOf(t, claims)
			if partOf(claim, "submods.gce") || partOf(claim, "sub") || partOf(claim, "google_service_accounts") {
				l.add(e.Location, "%s: compares only a part of %s", exprText(e), claim)
			}
		}
	})
}

// schemaHas reports whether the claims schema has a path. A part that is not
// fixed stands for a member of a list or of an object of any names.
func schemaHas(path ast.Ref) bool {
	root, err := inputSchema()
	if err != nil {
		return true
	}
	node := root
	for _, part := range path {
		next, known := schemaStep(root, resolveSchema(root, node), part)
		if !known {
			return false
		}
		if next == nil {
			return true // anything may be below
		}
		node = next
	}
	return true
}

func resolveSchema(root, node map[string]any) map[string]any {
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	at := root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at, _ = at[part].(map[string]any)
	}
	return at
}

// schemaStep returns the schema of a member; nil and true where anything goes.
func schemaStep(_, node map[string]any, part *ast.Term) (map[string]any, bool) {
	properties, _ := node["properties"].(map[string]any)
	if name, ok := part.Value.(ast.String); ok {
		if next, ok := properties[string(name)].(map[string]any); ok {
			return next, true
		}
	} else if items, ok := node["items"].(map[string]any); ok {
		return items, true
	}
	switch more := node["additionalProperties"].(type) {
	case map[string]any:
		return more, true
	case bool:
		return nil, more
	}
	return nil, properties == nil
}
