package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reword says in this package's words what OPA's compiler found, with a way
// round it where there is one.
func reword(e *ast.Error) (msg, advice string) {
	msg = strings.ReplaceAll(e.Message, guardPrefix, "")
	switch d := e.Details.(type) {
	case *ast.RefErrInvalidDetail:
		return rewordRef(d, msg)
	case *ast.UnificationErrDetail:
		return strings.Join(append([]string{msg}, trimmed(d.Lines())...), "; "), "the two sides can never be equal: see docs/claims.schema.json"
	}
	if name, ok := strings.CutPrefix(msg, "undefined function "); ok {
		return msg, wayRound(name)
	}
	switch {
	case strings.Contains(msg, "`if` keyword is required"), strings.Contains(msg, "`contains` keyword is required"):
		return msg, "policies are Rego v1: `opa fmt --write --v0-v1` rewrites older ones"
	case strings.HasPrefix(msg, "template strings"):
		return msg, "make the message with sprintf"
	}
	return msg, ""
}

// rewordRef names the path that does not exist and the nearest that does.
func rewordRef(d *ast.RefErrInvalidDetail, msg string) (string, string) {
	if d.Pos >= len(d.Ref) {
		return msg, ""
	}
	path := d.Ref[:d.Pos+1].String()
	if d.Have != nil || len(d.OneOf) == 0 {
		return fmt.Sprintf("%s: %s holds nothing of that kind", d.Ref, d.Ref[:d.Pos]), "see docs/claims.schema.json"
	}
	names := make([]string, 0, len(d.OneOf))
	for _, v := range d.OneOf {
		if s, ok := v.(ast.String); ok {
			names = append(names, string(s))
		}
	}
	wrong, _ := d.Ref[d.Pos].Value.(ast.String) // another type has no near name
	advice := fmt.Sprintf("%s has %s", d.Ref[:d.Pos], strings.Join(names, ", "))
	if best := nearest(string(wrong), names); best != "" {
		advice = fmt.Sprintf("did you mean %s?", d.Ref[:d.Pos].Append(ast.StringTerm(best)))
	}
	if d.Ref.HasPrefix(ast.InputRootRef) {
		return path + ": no evidence has such a claim", advice
	}
	return path + ": does not exist", advice
}

func trimmed(lines []string) []string {
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return lines
}

// nearest returns the name that is most like the given one, or "" if none is.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
