package token

import (
	"fmt"
	"strconv"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// fields reads members of an object by name and type. A member that is there
// and of another type is an error, never an absent one. The first error sticks.
type fields struct {
	path string
	node node
	err  *error
}

func fieldsOf(n node, err *error) fields { return fields{node: n, err: err} }

func (f fields) name(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

func (f fields) fail(name, format string, args ...any) {
	if *f.err == nil {
		*f.err = fmt.Errorf("%s %s", f.name(name), fmt.Sprintf(format, args...))
	}
}

// of returns the member if it is there and of the kind.
func (f fields) of(name string, want strictjson.Kind) (node, bool) {
	n, ok := f.node.Get(name)
	if ok && n.Kind != want {
		f.fail(name, "is %v, want %v", n.Kind, want)
		ok = false
	}
	return n, ok
}

func (f fields) text(name string) string {
	n, _ := f.of(name, strictjson.Text)
	return n.Text
}

func (f fields) boolean(name string) *bool {
	n, ok := f.of(name, strictjson.Boolean)
	if !ok {
		return nil
	}
	return &n.Yes
}

// integer reads a number without fraction or exponent that fits 64 bits.
func (f fields) integer(name string) *int64 {
	n, ok := f.of(name, strictjson.Number)
	if !ok {
		return nil
	}
	i, err := strconv.ParseInt(n.Text, 10, 64)
	if err != nil {
		f.fail(name, "is not an integer of 64 bits")
		return nil
	}
	return &i
}

func (f fields) texts(name string) []string {
	n, ok := f.of(name, strictjson.Array)
	if !ok {
		return nil
	}
	list := make([]string, len(n.Items))
	for i, v := range n.Items {
		if v.Kind != strictjson.Text {
			f.fail(name, "holds %v, want strings", v.Kind)
			return nil
		}
		list[i] = v.Text
	}
	return list
}

// textOrTexts reads a string as a list of one (RFC 7519 4.1.3, RFC 9711 4.1).
func (f fields) textOrTexts(name string) []string {
	if n, ok := f.node.Get(name); ok && n.Kind == strictjson.Text {
		return []string{n.Text}
	}
	return f.texts(name)
}

func (f fields) textMap(name string) map[string]string {
	n, ok := f.of(name, strictjson.Object)
	if !ok {
		return nil
	}
	m := make(map[string]string, len(n.Members))
	for _, v := range n.Members {
		if v.Value.Kind != strictjson.Text {
			f.fail(name, "holds %v, want strings", v.Value.Kind)
			return nil
		}
		m[v.Name] = v.Value.Text
	}
	return m
}

// isNull reports whether the member is there and null.
func (f fields) isNull(name string) bool {
	n, ok := f.node.Get(name)
	return ok && n.Kind == strictjson.Null
}

// child returns the member if it is there and an object.
func (f fields) child(name string) (fields, bool) {
	n, ok := f.of(name, strictjson.Object)
	return fields{f.name(name), n, f.err}, ok
}
