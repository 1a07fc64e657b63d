package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on a JSON document. The largest genuine one has about 200 values, 40
// members in an object and nine levels.
const (
	maxJSONDepth   = 16
	maxJSONValues  = 1 << 14
	maxJSONMembers = 256
	maxNumber      = 32 // characters
	maxExponent    = 3  // digits
)

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// node is a JSON value. Numbers stay the text they were written as.
type node struct {
	kind    kind
	yes     bool   // of a boolean
	text    string // of a text, decoded, or of a number, as written
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

// parser reads JSON (RFC 8259) and refuses what other decoders read in more
// than one way: two members of an object whose names are equal, or differ in
// case only (encoding/json takes the last of those for any of them), invalid
// UTF-8, and half a surrogate pair.
type parser struct {
	in     string
	off    int
	values int
	open   []member // of the objects that are not at their end yet
}

// parseObject decodes a JSON object that is all of in.
func parseObject(in []byte) (node, error) {
	if !utf8.Valid(in) {
		return node{}, errors.New("not valid utf-8")
	}
	p := &parser{in: string(in), open: make([]member, 0, 32)}
	if p.next() != '{' {
		return node{}, errors.New("not a json object")
	}
	n, err := p.value(0, "")
	if err != nil {
		return node{}, fmt.Errorf("byte %d: %w", p.off, err)
	}
	if p.space(); p.off != len(p.in) {
		return node{}, fmt.Errorf("byte %d: %d bytes after the object", p.off, len(p.in)-p.off)
	}
	return n, nil
}

func (p *parser) space() {
	for p.off < len(p.in) {
		switch p.in[p.off] {
		case ' ', '\t', '\r', '\n':
			p.off++
		default:
			return
		}
	}
}

// next skips white space and returns the byte there, or 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.off == len(p.in) {
		return 0
	}
	return p.in[p.off]
}

// skip moves over the byte c, if it comes next.
func (p *parser) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.off++
	return true
}

// value decodes the value of the member called name.
func (p *parser) value(depth int, name string) (n node, err error) {
	if p.values++; p.values > maxJSONValues || depth > maxJSONDepth {
		return node{}, fmt.Errorf("more than %d values or %d levels", maxJSONValues, maxJSONDepth)
	}
	switch c := p.next(); {
	case c == '{':
		n.kind = object
		n.members, err = p.object(depth, name)
	case c == '[':
		n.kind = array
		n.items, err = p.array(depth)
	case c == '"':
		n.kind = text
		n.text, err = p.text()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = number
		n.text, err = p.number()
	default:
		return p.word()
	}
	return n, err
}

// isEnvironment reports whether the object of this name maps the names of
// environment variables, which are not ours: http_proxy stands beside
// HTTP_PROXY in many containers.
func isEnvironment(name string) bool { return name == "env" || name == "env_override" }

func (p *parser) object(depth int, name string) ([]member, error) {
	p.off++
	if p.skip('}') {
		return nil, nil
	}
	same := strings.EqualFold
	if isEnvironment(name) {
		same = func(a, b string) bool { return a == b }
	}
	first := len(p.open)
	for {
		if p.next() != '"' {
			return nil, errors.New("want the name of a member")
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if err := unique(p.open[first:], key, same); err != nil {
			return nil, err
		}
		if !p.skip(':') {
			return nil, fmt.Errorf("want a colon after %s", quote(key))
		}
		v, err := p.value(depth+1, key)
		if err != nil {
			return nil, err
		}
		p.open = append(p.open, member{key, v})
		if p.skip('}') {
			list := slices.Clone(p.open[first:])
			p.open = p.open[:first]
			return list, nil
		}
		if !p.skip(',') {
			return nil, fmt.Errorf("want a comma or the end of the object after %s", quote(key))
		}
	}
}

// unique refuses a name that is there already (RFC 8725 2.4).
func unique(list []member, name string, same func(a, b string) bool) error {
	if len(list) == maxJSONMembers {
		return fmt.Errorf("object of more than %d members", maxJSONMembers)
	}
	for i := range list {
		if same(list[i].name, name) {
			return fmt.Errorf("members %s and %s of one object", quote(list[i].name), quote(name))
		}
	}
	return nil
}

func (p *parser) array(depth int) ([]node, error) {
	p.off++
	if p.skip(']') {
		return nil, nil
	}
	var list []node
	for {
		v, err := p.value(depth+1, "")
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if p.skip(']') {
			return list, nil
		}
		if !p.skip(',') {
			return nil, errors.New("want a comma or the end of the array")
		}
	}
}

// digits moves over digits and returns how many there are.
func (p *parser) digits() int {
	start := p.off
	for p.off < len(p.in) && p.in[p.off] >= '0' && p.in[p.off] <= '9' {
		p.off++
	}
	return p.off - start
}

// at reports whether the byte that comes next is one of set, and moves over it.
func (p *parser) at(set string) bool {
	if p.off == len(p.in) || strings.IndexByte(set, p.in[p.off]) < 0 {
		return false
	}
	p.off++
	return true
}

// number reads a number (RFC 8259 6). A huge exponent is refused: it is a few
// bytes here and much work for whoever computes with it.
func (p *parser) number() (string, error) {
	bad := errors.New("not a json number")
	start := p.off
	p.at("-")
	zero := p.off < len(p.in) && p.in[p.off] == '0'
	if n := p.digits(); n == 0 || zero && n > 1 {
		return "", bad
	}
	if p.at(".") && p.digits() == 0 {
		return "", bad
	}
	if p.at("eE") {
		p.at("+-")
		if n := p.digits(); n == 0 || n > maxExponent {
			return "", bad
		}
	}
	if p.off-start > maxNumber {
		return "", fmt.Errorf("number of more than %d characters", maxNumber)
	}
	return p.in[start:p.off], nil
}

func (p *parser) word() (node, error) {
	for _, w := range [...]struct {
		text string
		node node
	}{{"null", node{kind: null}}, {"true", node{kind: boolean, yes: true}}, {"false", node{kind: boolean}}} {
		if strings.HasPrefix(p.in[p.off:], w.text) {
			p.off += len(w.text)
			return w.node, nil
		}
	}
	return node{}, errors.New("want a json value")
}
