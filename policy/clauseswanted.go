package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inverse names the comparison that holds where another does not.
var inverse = map[string]string{
	"eq": "neq", "equal": "neq", "neq": "eq", "gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt",
	"internal.member_2": "!in", "": "!",
}

// mirror names the comparison with its sides changed.
var mirror = map[string]string{"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}

// wantedOf says what an operator wants of its i-th operand, and values that
// would do.
func wantedOf(operator string, i int, terms []*ast.Term, s *sight, invert bool) (string, []ast.Value) {
	if invert {
		operator = inverse[operator]
		if operator == "" {
			return "", nil
		}
	}
	switch operator {
	case "":
		return "anything but false", []ast.Value{ast.Boolean(true)}
	case "!":
		return "absent or false", []ast.Value{ast.Boolean(false)}
	}
	if words := typeWords[operator]; words != "" || len(terms) != 2 {
		return words, nil
	}
	return wantedBeside(operator, i, terms, s)
}

// wantedBeside says what a comparison wants of its i-th operand beside the other.
func wantedBeside(operator string, i int, terms []*ast.Term, s *sight) (string, []ast.Value) {
	other := s.plug(terms[1-i])
	if other == nil {
		return "", nil
	}
	text := cutWanted(other.String())
	if i == 1 && mirror[operator] != "" {
		operator = mirror[operator]
	}
	if i == 1 && operator == "internal.member_2" {
		return "a list with " + text, []ast.Value{ast.NewArray(other)}
	}
	if i == 1 && operator == "!in" {
		return "a list without " + text, nil
	}
	return comparison(operator, text, other.Value)
}

func comparison(operator, text string, other ast.Value) (string, []ast.Value) {
	if operator == "internal.member_2" {
		return membership(text, other)
	}
	words, ok := comparisonWords[operator]
	switch {
	case !ok:
		return "", nil
	case words.would:
		return fmt.Sprintf(words.format, text), []ast.Value{other}
	}
	return fmt.Sprintf(words.format, text), nil
}

// comparisonWords say what a comparison wants, and whether the value it compares
// with would do.
var comparisonWords = map[string]struct {
	format string
	would  bool
}{
	"eq":         {"%s", true},
	"equal":      {"%s", true},
	"assign":     {"%s", true},
	"neq":        {"anything but %s", false},
	"gt":         {"more than %s", false},
	"gte":        {"%s or more", true},
	"lt":         {"less than %s", false},
	"lte":        {"%s or less", true},
	"!in":        {"none of %s", false},
	"startswith": {"text that begins with %s", true},
	"endswith":   {"text that ends with %s", true},
	"contains":   {"text that contains %s", true},
}

const maxValues = 8

func membership(text string, other ast.Value) (string, []ast.Value) {
	var values []ast.Value
	eachMember(other, func(_, v *ast.Term) bool {
		values = append(values, v.Value)
		return len(values) < maxValues
	})
	if len(values) == 1 {
		return cutWanted(values[0].String()), values
	}
	return "one of " + text, values
}

var typeWords = map[string]string{
	"is_string": "a string", "is_number": "a number", "is_boolean": "true or false", "is_array": "a list",
	"is_object": "an object", "is_null": "null",
}

const maxWanted = 400

func cutWanted(text string) string {
	if len(text) <= maxWanted {
		return text
	}
	return strings.ToValidUTF8(text[:maxWanted], "") + "…"
}
