package token

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// get returns the member of this name, written exactly so.
func (n node) get(name string) (node, bool) {
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value, true
		}
	}
	return node{}, false
}

// any returns the value as encoding/json would decode it with UseNumber.
func (n node) any() any {
	switch n.kind {
	case boolean:
		return n.yes
	case number:
		return json.Number(n.text)
	case text:
		return n.text
	case array:
		list := make([]any, len(n.items))
		for i, v := range n.items {
			list[i] = v.any()
		}
		return list
	case object:
		return n.toMap()
	case null:
	}
	return nil
}

func (n node) toMap() map[string]any {
	m := make(map[string]any, len(n.members))
	for _, v := range n.members {
		m[v.name] = v.value.any()
	}
	return m
}

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
func (f fields) of(name string, want kind) (node, bool) {
	n, ok := f.node.get(name)
	if ok && n.kind != want {
		f.fail(name, "is %v, want %v", n.kind, want)
		ok = false
	}
	return n, ok
}

func (f fields) text(name string) string {
	n, _ := f.of(name, text)
	return n.text
}

func (f fields) boolean(name string) *bool {
	n, ok := f.of(name, boolean)
	if !ok {
		return nil
	}
	return &n.yes
}

// integer reads a number without fraction or exponent that fits 64 bits.
func (f fields) integer(name string) *int64 {
	n, ok := f.of(name, number)
	if !ok {
		return nil
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil {
		f.fail(name, "is not an integer of 64 bits")
		return nil
	}
	return &i
}

func (f fields) texts(name string) []string {
	n, ok := f.of(name, array)
	if !ok {
		return nil
	}
	list := make([]string, len(n.items))
	for i, v := range n.items {
		if v.kind != text {
			f.fail(name, "holds %v, want strings", v.kind)
			return nil
		}
		list[i] = v.text
	}
	return list
}

// textOrTexts reads a string as a list of one (RFC 7519 4.1.3, RFC 9711 4.1).
func (f fields) textOrTexts(name string) []string {
	if n, ok := f.node.get(name); ok && n.kind == text {
		return []string{n.text}
	}
	return f.texts(name)
}

func (f fields) textMap(name string) map[string]string {
	n, ok := f.of(name, object)
	if !ok {
		return nil
	}
	m := make(map[string]string, len(n.members))
	for _, v := range n.members {
		if v.value.kind != text {
			f.fail(name, "holds %v, want strings", v.value.kind)
			return nil
		}
		m[v.name] = v.value.text
	}
	return m
}

// isNull reports whether the member is there and null.
func (f fields) isNull(name string) bool {
	n, ok := f.node.get(name)
	return ok && n.kind == null
}

// child returns the member if it is there and an object.
func (f fields) child(name string) (fields, bool) {
	n, ok := f.of(name, object)
	return fields{f.name(name), n, f.err}, ok
}
