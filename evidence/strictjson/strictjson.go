// Package strictjson decodes JSON documents that somebody signed, and refuses what
// other decoders read in more than one way: two members of an object whose names
// are equal or differ in case only (encoding/json takes the last of those for any
// of them, so that a signed member could be overridden), invalid UTF-8, half a
// surrogate pair, bytes after the document. Numbers stay the text they were written
// as, and every value keeps its bytes.
//
// Source: RFC 8259; RFC 8725, 2.4.
package strictjson

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Boolean
	Number
	Text
	Array
	Object
)

// String names the kind with its article.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Node is a value.
type Node struct {
	Kind    Kind
	Raw     string // the bytes it was written in
	Yes     bool   // of a boolean
	Text    string // of a text, decoded; of a number, as written
	Items   []Node
	Members []Member // in the order of the text
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value Node
}

// Form says what a document may be. Its limits must be set.
type Form struct {
	Depth, Values, Members int // at the most: levels, values in all, members of an object
	// Plain allows no more than strings of printable ASCII without escapes and
	// integers of up to ten digits without a sign.
	Plain bool
	// CaseCounts reports whether an object's members may have names that differ in
	// case only, by the name of the object; nil is never.
	CaseCounts func(name string) bool
}

// Parse decodes one value that is all of in.
func (f Form) Parse(in []byte) (Node, error) {
	if !utf8.Valid(in) {
		return Node{}, errors.New("not valid utf-8")
	}
	p := parser{Form: f, in: string(in)}
	n, err := p.value(0, "")
	if err != nil {
		return Node{}, fmt.Errorf("byte %d: %w", p.off, err)
	}
	if p.space(); p.off != len(p.in) {
		_, what, _ := strings.Cut(n.Kind.String(), " ")
		return Node{}, fmt.Errorf("byte %d: %d bytes after the %s", p.off, len(p.in)-p.off, cmp.Or(what, "value"))
	}
	return n, nil
}

// Get returns the member of this name, written exactly so.
func (n Node) Get(name string) (Node, bool) {
	for i := range n.Members {
		if n.Members[i].Name == name {
			return n.Members[i].Value, true
		}
	}
	return Node{}, false
}

// Any returns the value as encoding/json would decode it with UseNumber.
func (n Node) Any() any {
	switch n.Kind {
	case Boolean:
		return n.Yes
	case Number:
		return json.Number(n.Text)
	case Text:
		return n.Text
	case Array:
		list := make([]any, len(n.Items))
		for i, v := range n.Items {
			list[i] = v.Any()
		}
		return list
	case Object:
		return n.Map()
	case Null:
	}
	return nil
}

// Map returns the members of an object, as Any does.
func (n Node) Map() map[string]any {
	m := make(map[string]any, len(n.Members))
	for _, v := range n.Members {
		m[v.Name] = v.Value.Any()
	}
	return m
}
