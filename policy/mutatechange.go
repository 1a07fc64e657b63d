package policy

import (
	"encoding/json"
	"math/big"
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"
)

// members finds the indexes of lists in the path of a claim.
var members = regexp.MustCompile(`\[\d+\]`)

// change is one change of a claim; a nil value removes it.
type change struct {
	kind string
	to   *ast.Term
}

// changesOf lists what may become of a claim. Where a policy reads only its
// shape, another value of the same shape is no change.
func changesOf(v ast.Value, how readKind) []change {
	list := []change{{"remove", nil}, {"null", ast.NullTerm()}}
	if _, null := v.(ast.Null); null {
		list = list[:1]
	}
	for _, to := range retyped(v) {
		list = append(list, change{"retype", to})
	}
	switch v := v.(type) {
	case ast.Object:
		if v.Len() > 0 {
			list = append(list, change{"empty", ast.ObjectTerm()})
		}
	case *ast.Array:
		if v.Len() > 0 {
			list = append(list, change{"empty", ast.ArrayTerm()})
		}
	}
	if how == valueRead {
		list = append(list, otherValues(v)...)
	}
	return list
}

// retyped gives values of the other types, as like to the old one as can be.
func retyped(v ast.Value) []*ast.Term {
	t := ast.NewTerm(v)
	list := []*ast.Term{}
	add := func(name string, to *ast.Term) {
		if ast.ValueName(v) != name {
			list = append(list, to)
		}
	}
	text := "x"
	if leaf(v) {
		text = v.String()
	}
	add("string", ast.StringTerm(text))
	add("number", ast.IntNumberTerm(1))
	add("boolean", ast.BooleanTerm(true))
	add("array", ast.ArrayTerm(t))
	add("object", ast.ObjectTerm([2]*ast.Term{ast.StringTerm("value"), t}))
	return list
}

// otherValues gives other values of the same type.
func otherValues(v ast.Value) []change {
	switch v := v.(type) {
	case ast.Boolean:
		return []change{{"flip", ast.BooleanTerm(!bool(v))}}
	case ast.Number:
		return []change{
			{"off-by-one", plusInt(v, 1)},
			{"off-by-one", plusInt(v, -1)},
			{"other", ast.IntNumberTerm(0)},
		}
	case ast.String:
		list := []change{{"other", ast.StringTerm(otherText(string(v)))}}
		if v != "" {
			list = append(list, change{"empty", ast.StringTerm("")}, change{"other", ast.StringTerm(string(v) + "x")})
		}
		return list
	}
	return nil
}

func plusInt(n ast.Number, d int64) *ast.Term {
	f, ok := new(big.Float).SetPrec(256).SetString(string(n))
	if !ok {
		return ast.IntNumberTerm(int(d))
	}
	return ast.NewTerm(ast.Number(json.Number(f.Add(f, new(big.Float).SetInt64(d)).Text('f', -1))))
}

// otherText changes the first character into another of its kind, so that a
// digest stays a digest.
func otherText(s string) string {
	if s == "" {
		return "x"
	}
	switch c := s[0]; {
	case c == '0':
		return "1" + s[1:]
	case c > '0' && c <= '9':
		return "0" + s[1:]
	case c == 'a':
		return "b" + s[1:]
	case c >= 'b' && c <= 'z':
		return "a" + s[1:]
	}
	return "x" + s
}
