package policy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Condition is what one body of allow, or one rule of deny, demands of the
// claims once everything that the policy and its config say has been evaluated.
type Condition struct {
	Rule string `json:"rule"` // allow or deny
	Code string `json:"code,omitempty"`
	// Title is that of the rule, from its METADATA.
	Title string `json:"title,omitempty"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	// Ways are alternatives: of one of them, all lines must hold.
	Ways [][]string `json:"ways"`
	// Never says that no claims can make the rule hold, Always that all do.
	Never  bool `json:"never,omitempty"`
	Always bool `json:"always,omitempty"`
	// Reduced is false where OPA could not evaluate the rule without claims; the
	// lines are then those of the rule itself. Note says why.
	Reduced bool   `json:"reduced"`
	Note    string `json:"note,omitempty"`
	// Helpers are the rules that the lines ask and that could not be folded in.
	Helpers []string `json:"helpers,omitempty"`
}

// partialDeadline bounds the partial evaluation of one rule, maxWays how many
// alternatives of it are still of use to a person, and maxUnfolded the terms of
// a rule with everything it calls: what is left without claims is as long.
const (
	partialDeadline = time.Second
	maxWays         = 64
	maxUnfolded     = maxTypeSize
)

// Conditions says what the policy demands, by evaluating it with its config and
// without claims: a condition for each body of allow, then for each rule of
// deny, in the order of the text.
func (p *Policy) Conditions(ctx context.Context) ([]Condition, error) {
	return p.conditions(ctx, partialDeadline)
}

// conditions gives each rule this long.
func (p *Policy) conditions(ctx context.Context, deadline time.Duration) ([]Condition, error) {
	store, err := p.store()
	if err != nil {
		return nil, err
	}
	options := append(guardedFunctions(), rego.Compiler(p.measured), rego.Store(store),
		rego.Unknowns([]string{"input"}), rego.SetRegoVersion(ast.RegoV1))
	var list []Condition
	for _, name := range []string{"allow", "deny"} {
		for _, r := range p.rules(name) {
			for ; r != nil; r = r.Else {
				if !r.Default {
					list = append(list, p.condition(ctx, name, r, deadline, options))
				}
			}
		}
	}
	return list, nil
}

func (p *Policy) condition(ctx context.Context, name string, r *ast.Rule, deadline time.Duration, options []func(*rego.Rego)) Condition {
	c := Condition{Rule: name, Title: p.titleOf(r), File: r.Location.File, Line: r.Location.Row, Reduced: true}
	if name == "deny" {
		c.Code = codeOf(r)
	}
	body := demands(r)
	if p.unfolded(body) > maxUnfolded {
		return c.asWritten(r, "with everything it calls it is too long to be read")
	}
	pq, err := withoutClaims(ctx, deadline, append(slices.Clip(options), rego.ParsedQuery(body)))
	switch {
	case err != nil:
		return c.asWritten(r, "OPA cannot evaluate it without claims: "+firstLine(err.Error()))
	case len(pq.Queries) > maxWays:
		return c.asWritten(r, fmt.Sprintf("there are %d ways; the rule says it in fewer words", len(pq.Queries)))
	}
	c.Never = len(pq.Queries) == 0
	for _, q := range pq.Queries {
		c.Ways = append(c.Ways, p.plainLines(q))
		c.Always = c.Always || len(q) == 0
	}
	slices.SortFunc(c.Ways, slices.Compare)
	c.Ways = slices.CompactFunc(c.Ways, slices.Equal)
	for _, m := range pq.Support {
		text, err := format.Ast(m)
		if err != nil {
			return c.asWritten(r, "OPA cannot print what is left of it: "+firstLine(err.Error()))
		}
		c.Helpers = append(c.Helpers, plainText(string(text)))
	}
	slices.Sort(c.Helpers)
	c.Helpers = slices.Compact(c.Helpers)
	if readsDeny(pq.Queries) {
		return c.asWritten(r, "it asks whether deny is empty, which cannot be turned into conditions: see those of deny, each of which must not hold")
	}
	return c
}

// withoutClaims evaluates a query with nothing known of them, within its time and memory.
func withoutClaims(ctx context.Context, deadline time.Duration, options []func(*rego.Rego)) (*rego.PartialQueries, error) {
	q, err := rego.New(options...).PrepareForPartial(ctx)
	if err != nil {
		return nil, err
	}
	b := &budget{left: defaultMemory}
	defer time.AfterFunc(deadline, b.Cancel).Stop()
	defer context.AfterFunc(ctx, b.Cancel)()
	pq, err := q.Partial(ctx, rego.EvalExternalCancel(b))
	// A function that is stopped is undefined to OPA, which may then say without an
	// error that no claims will do.
	switch {
	case b.exhausted:
		return nil, errors.New("the memory limit was reached")
	case b.cancelled.Load():
		return nil, fmt.Errorf("the time limit of %v was reached", deadline)
	}
	return pq, err
}

// demands returns the body of a rule without what only makes its message.
func demands(r *ast.Rule) ast.Body {
	first := -1
	for _, e := range r.Body {
		if !e.Generated && (first < 0 || offset(e) < first) {
			first = offset(e)
		}
	}
	body := ast.Body{}
	for _, e := range valued(r) {
		if r.Head.Key != nil && e.Generated && offset(e) < first {
			continue
		}
		copied := e.Copy()
		copied.Index = len(body)
		body = append(body, copied)
	}
	return body
}

// readsDeny reports whether what is left asks deny as a whole.
func readsDeny(queries []ast.Body) bool {
	found := false
	for _, q := range queries {
		ast.WalkRefs(q, func(r ast.Ref) bool {
			found = found || strings.Contains(r.String(), "attest.deny")
			return false
		})
	}
	return found
}

// asWritten gives the lines of the rule itself.
func (c Condition) asWritten(r *ast.Rule, note string) Condition {
	c.Reduced, c.Note, c.Never, c.Always, c.Helpers = false, note, false, false, nil
	var lines []string
	for _, e := range r.Body {
		if !e.Generated {
			lines = append(lines, exprText(e))
		}
	}
	c.Ways = [][]string{lines}
	return c
}

// plainLines writes the expressions of a query as people write Rego, in the
// order of the policy and each once.
func (p *Policy) plainLines(q ast.Body) []string {
	lines := []string{}
	for _, e := range q {
		if line := p.plainLine(e.Copy()); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (p *Policy) plainLine(e *ast.Expr) string {
	e.Location, e.With = nil, nil
	if terms, operator := judgedTerms(e); strings.HasPrefix(operator, "data.") {
		rules := p.compiler.GetRulesExact(ast.MustParseRef(strings.Replace(operator, "data.partial.", "data.", 1)))
		if len(rules) > 0 && len(rules[0].Head.Args) < len(terms) { // the last is its result
			n := len(terms) - 1
			call := ast.CallTerm(append([]*ast.Term{e.OperatorTerm()}, terms[:n]...)...)
			return plainText(call.String() + " == " + terms[n].String())
		}
	}
	text, err := format.Ast(ast.NewBody(e))
	if err != nil {
		text = []byte(e.String())
	}
	return plainText(oneLine(strings.TrimSpace(string(text))))
}

var (
	localName  = regexp.MustCompile(`__local(\d+)(?:_\d+)*__[0-9]*`)
	notName    = regexp.MustCompile(`__not[0-9_]+__`)
	everyKey   = regexp.MustCompile(`\bevery x1, x2 in `)
	claimEqual = regexp.MustCompile(`^((?:not )?[a-z_][\w.\[\]"]*) = `)
	soleMember = regexp.MustCompile(` in \[("[^"\\]*"|[0-9.]+)\]$`)
)

// plainText gives the names that the compiler made short ones, and writes what
// people write.
func plainText(text string) string {
	text = strings.NewReplacer(guardPrefix, "", "data.partial.", "", "package partial\n\n", "").Replace(text)
	text = renamed(localName, text, "x")
	text = renamed(notName, text, "unmet_")
	if everyKey.MatchString(text) {
		text = renamed(regexp.MustCompile(`\bx\d+\b`), everyKey.ReplaceAllString(text, "every x2 in "), "v")
	}
	text = soleMember.ReplaceAllString(text, " == $1")
	return claimEqual.ReplaceAllString(text, "$1 == ")
}

func renamed(pattern *regexp.Regexp, text, prefix string) string {
	names := map[string]string{}
	return pattern.ReplaceAllStringFunc(text, func(name string) string {
		if names[name] == "" {
			names[name] = fmt.Sprintf("%s%d", prefix, len(names)+1)
		}
		return names[name]
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// codeOf returns the code of a reason that a rule of deny writes out, or "".
func codeOf(r *ast.Rule) string {
	if r.Head.Key == nil {
		return ""
	}
	object, ok := r.Head.Key.Value.(ast.Object)
	if !ok {
		return ""
	}
	code, _ := stringAt(object, "code")
	return code
}
