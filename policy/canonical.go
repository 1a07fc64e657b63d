package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// jsonNode is one value of a JSON text that package encoding/json has written. Its
// canonical form has the keys of objects sorted, no white space, and each string
// in the one spelling that encoding/json gives it: what decoding into maps and
// encoding again gives, without the maps.
type jsonNode struct {
	kind byte         // '{', '[', '"', or the first byte of a literal or number
	text string       // canonical; of objects and arrays only where the kids are not read yet
	kids []jsonMember // of an object, sorted by name, or of an array
}

// jsonMember is a member of an object, or a value of an array.
type jsonMember struct {
	name  string
	key   string // the name, canonical
	value jsonNode
}

var (
	errJSONText  = errors.New("not a json text")
	errJSONTwice = errors.New("a key stands twice")
	errJSONDeep  = fmt.Errorf("nests deeper than %d", maxJSONDepth)
)

// parseJSON reads a text without white space.
func parseJSON(raw []byte) (jsonNode, error) {
	p := jsonParser{string(raw), 0}
	n, err := p.value(0)
	if err == nil && p.at != len(p.text) {
		err = errJSONText
	}
	return n, err
}

type jsonParser struct {
	text string
	at   int
}

// next returns the byte that comes, or 0 at the end.
func (p *jsonParser) next() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *jsonParser) value(depth int) (jsonNode, error) {
	if depth > maxJSONDepth {
		return jsonNode{}, errJSONDeep
	}
	switch p.next() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		text, _, err := p.string()
		return jsonNode{kind: '"', text: text}, err
	}
	end := p.at
	for end < len(p.text) && strings.IndexByte(",]}\":[{ \t\r\n", p.text[end]) < 0 {
		end++
	}
	n := jsonNode{text: p.text[p.at:end]}
	if !json.Valid([]byte(n.text)) {
		return jsonNode{}, errJSONText
	}
	n.kind, p.at = n.text[0], end
	return n, nil
}

// more goes over a comma, or over the end of an object or array; first is for the
// one that may be empty.
func (p *jsonParser) more(first bool, end byte) (bool, error) {
	c := p.next()
	p.at++
	switch {
	case c == end:
		return false, nil
	case first:
		p.at--
		return true, nil
	case c == ',':
		return true, nil
	}
	return false, errJSONText
}

func (p *jsonParser) array(depth int) (jsonNode, error) {
	n := jsonNode{kind: '['}
	p.at++
	for {
		more, err := p.more(len(n.kids) == 0, ']')
		if err != nil || !more {
			return n, err
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, jsonMember{value: v})
	}
}

func (p *jsonParser) object(depth int) (jsonNode, error) {
	n := jsonNode{kind: '{'}
	p.at++
	for {
		more, err := p.more(len(n.kids) == 0, '}')
		if err != nil {
			return n, err
		}
		if !more {
			return n, n.sort()
		}
		var m jsonMember
		if m.key, m.name, err = p.string(); err != nil {
			return n, err
		}
		if p.next() != ':' {
			return n, errJSONText
		}
		p.at++
		if m.value, err = p.value(depth + 1); err != nil {
			return n, err
		}
		if n.kids == nil {
			n.kids = make([]jsonMember, 0, 8) // most have as many
		}
		n.kids = append(n.kids, m)
	}
}

// sort brings the members into the order of their keys.
func (n *jsonNode) sort() error {
	slices.SortFunc(n.kids, func(a, b jsonMember) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(n.kids); i++ {
		if n.kids[i].name == n.kids[i-1].name {
			return errJSONTwice
		}
	}
	return nil
}

// find returns where the member with this name is, or would be.
func (n *jsonNode) find(name string) (int, bool) {
	return slices.BinarySearchFunc(n.kids, name, func(m jsonMember, name string) int { return strings.Compare(m.name, name) })
}

// set gives an object a member, in the place of one that has the name, which is
// plain.
func (n *jsonNode) set(name string, v any) error {
	value, err := toNode(v)
	if err != nil {
		return err
	}
	n.put(name, value)
	return nil
}

// put is set for a value that is there.
func (n *jsonNode) put(name string, value jsonNode) {
	m := jsonMember{name, `"` + name + `"`, value}
	i, found := n.find(name)
	if found {
		n.kids[i] = m
		return
	}
	n.kids = slices.Insert(n.kids, i, m)
}

// textsNode is the object with these members.
func textsNode(texts map[string]string) jsonNode {
	if texts == nil {
		return jsonNode{kind: 'n', text: "null"}
	}
	names, size := make([]string, 0, len(texts)), len("{}")
	for name, text := range texts {
		names = append(names, name)
		size += len(`"":"",`) + len(name) + len(text)
	}
	slices.Sort(names)
	b := append(make([]byte, 0, size), '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(appendQuoted(b, name), ':'), texts[name])
	}
	return jsonNode{kind: '{', text: string(append(b, '}'))}
}

// appendQuoted appends a text as encoding/json writes it.
func appendQuoted(b []byte, text string) []byte {
	if verbatim(text) {
		return append(append(append(b, '"'), text...), '"')
	}
	again, err := json.Marshal(text)
	if err != nil {
		again = []byte(`""`) // cannot be: every string can be encoded
	}
	return append(b, again...)
}

// string returns a string in its canonical form, and what it says.
func (p *jsonParser) string() (text, str string, err error) {
	if p.next() != '"' {
		return "", "", errJSONText
	}
	end := p.at + 1
	for end < len(p.text) && p.text[end] != '"' {
		if p.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.text) {
		return "", "", errJSONText
	}
	text = p.text[p.at : end+1]
	p.at = end + 1
	if str = text[1 : len(text)-1]; verbatim(str) {
		return text, str, nil
	}
	if str, err = unquote(text); err != nil {
		return "", "", errJSONText
	}
	return string(appendQuoted(nil, str)), str, nil
}

func unquote(text string) (str string, err error) {
	err = json.Unmarshal([]byte(text), &str)
	return str, err
}

// verbatim reports whether encoding/json writes a string as it is.
func verbatim(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// write appends the canonical form.
func (n *jsonNode) write(b *bytes.Buffer) {
	if n.text != "" {
		b.WriteString(n.text)
		return
	}
	b.WriteByte(n.kind)
	for i := range n.kids {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.kind == '{' {
			b.WriteString(n.kids[i].key)
			b.WriteByte(':')
		}
		n.kids[i].value.write(b)
	}
	b.WriteByte(n.kind + 2) // the bracket that closes
}

// term returns the value as OPA has it.
func (n *jsonNode) term() *ast.Term {
	switch n.kind {
	case '{':
		n = n.read()
		members := make([][2]*ast.Term, len(n.kids))
		for i := range n.kids {
			members[i] = [2]*ast.Term{ast.StringTerm(n.kids[i].name), n.kids[i].value.term()}
		}
		return ast.ObjectTerm(members...)
	case '[':
		items := make([]*ast.Term, len(n.kids))
		for i := range n.kids {
			items[i] = n.kids[i].value.term()
		}
		return ast.ArrayTerm(items...)
	case '"':
		return stringTerm(n.text)
	case 'n':
		return ast.NullTerm()
	case 't', 'f':
		return ast.BooleanTerm(n.kind == 't')
	default:
		return ast.NumberTerm(json.Number(n.text))
	}
}

// read returns an object with its members, where only its text is known.
func (n *jsonNode) read() *jsonNode {
	if n.text == "" {
		return n
	}
	read, err := parseJSON([]byte(n.text))
	if err != nil {
		return &jsonNode{} // cannot be: it was written here
	}
	return &read
}

// stringTerm returns what a string says.
func stringTerm(text string) *ast.Term {
	if str := text[1 : len(text)-1]; verbatim(str) {
		return ast.StringTerm(str)
	}
	str, err := unquote(text)
	if err != nil {
		return ast.NullTerm() // cannot be: encoding/json wrote it
	}
	return ast.StringTerm(str)
}
