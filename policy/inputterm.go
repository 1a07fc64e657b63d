package policy

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// termOf returns a canonical text as OPA has it.
func termOf(text []byte) (ast.Value, error) {
	r := termReader{jsonText{text: string(text)}}
	t, err := r.value(0)
	switch {
	case err != nil:
		return nil, err
	case r.at != len(r.text):
		return nil, errJSONText
	}
	return t.Value, nil
}

type termReader struct{ jsonText }

func (r *termReader) value(depth int) (*ast.Term, error) {
	if depth > maxJSONDepth {
		return nil, errJSONDeep
	}
	switch r.next() {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		_, str, err := r.string()
		return ast.StringTerm(str), err
	}
	text, err := r.literal()
	switch {
	case err != nil:
		return nil, err
	case text == "null":
		return ast.NullTerm(), nil
	case text == "true", text == "false":
		return ast.BooleanTerm(text == "true"), nil
	}
	return ast.NumberTerm(json.Number(text)), nil
}

func (r *termReader) array(depth int) (*ast.Term, error) {
	r.at++
	var items []*ast.Term
	for {
		more, err := r.more(len(items) == 0, ']')
		if err != nil {
			return nil, err
		}
		if !more {
			return ast.ArrayTerm(items...), nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

func (r *termReader) object(depth int) (*ast.Term, error) {
	r.at++
	var members [][2]*ast.Term
	for {
		more, err := r.more(len(members) == 0, '}')
		if err != nil {
			return nil, err
		}
		if !more {
			return ast.ObjectTerm(members...), nil
		}
		_, name, err := r.key()
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		members = append(members, [2]*ast.Term{ast.StringTerm(name), v})
	}
}
