package tdx

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Limits on the documents Intel signs. Real ones have about 5 KiB, 1500 values
// and six levels.
const (
	maxJSONDepth   = 12
	maxJSONValues  = 1 << 15
	maxJSONMembers = 64
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

// node is a JSON value with the exact bytes it was written in.
type node struct {
	kind    kind
	raw     []byte
	text    string // of a text, which has no escapes
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

// parser reads JSON as Intel writes it: integers without sign, exponent or
// leading zero, printable ASCII without escapes, and no two members of an object
// whose names differ in case only. encoding/json would take the last of those for
// any of them, so that a signed member could be overridden by an unsigned one.
type parser struct {
	in     []byte
	off    int
	values int
}

// parseJSON decodes one JSON value that is all of in.
func parseJSON(in []byte) (node, error) {
	p := &parser{in: in}
	n, err := p.value(0)
	if err != nil {
		return node{}, fmt.Errorf("byte %d: %w", p.off, err)
	}
	if p.space(); p.off != len(in) {
		return node{}, fmt.Errorf("byte %d: %d bytes after the document", p.off, len(in)-p.off)
	}
	return n, nil
}

func (p *parser) space() {
	for p.off < len(p.in) && strings.IndexByte(" \t\r\n", p.in[p.off]) >= 0 {
		p.off++
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

func (p *parser) value(depth int) (n node, err error) {
	if p.values++; p.values > maxJSONValues || depth > maxJSONDepth {
		return node{}, fmt.Errorf("more than %d values or %d levels", maxJSONValues, maxJSONDepth)
	}
	c := p.next()
	start := p.off
	switch {
	case c == '{':
		n.kind = object
		n.members, err = p.object(depth)
	case c == '[':
		n.kind = array
		n.items, err = p.array(depth)
	case c == '"':
		n.kind = text
		n.text, err = p.text()
	case c >= '0' && c <= '9':
		n.kind = number
		err = p.number()
	default:
		n.kind, err = p.word()
	}
	if err != nil {
		return node{}, err
	}
	n.raw = p.in[start:p.off]
	return n, nil
}

func (p *parser) object(depth int) ([]member, error) {
	p.off++
	if p.skip('}') {
		return nil, nil
	}
	var list []member
	for {
		if p.next() != '"' {
			return nil, errors.New("want the name of a member")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if err := unique(list, name); err != nil {
			return nil, err
		}
		if !p.skip(':') {
			return nil, fmt.Errorf("want a colon after %q", name)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, member{name, v})
		if p.skip('}') {
			return list, nil
		}
		if !p.skip(',') {
			return nil, fmt.Errorf("want a comma or the end of the object after %q", name)
		}
	}
}

// unique refuses a name that is there already, in whatever case.
func unique(list []member, name string) error {
	if len(list) == maxJSONMembers {
		return fmt.Errorf("object of more than %d members", maxJSONMembers)
	}
	for _, m := range list {
		if strings.EqualFold(m.name, name) {
			return fmt.Errorf("members %q and %q of one object", m.name, name)
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
		v, err := p.value(depth + 1)
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

func (p *parser) text() (string, error) {
	p.off++
	start := p.off
	for ; p.off < len(p.in); p.off++ {
		switch c := p.in[p.off]; {
		case c == '"':
			p.off++
			return string(p.in[start : p.off-1]), nil
		case c == '\\' || c < ' ' || c > '~':
			return "", fmt.Errorf("byte 0x%02x in a string, want printable ascii without escapes", c)
		}
	}
	return "", errors.New("string without end")
}

func (p *parser) number() error {
	start := p.off
	for p.off < len(p.in) && p.in[p.off] >= '0' && p.in[p.off] <= '9' {
		p.off++
	}
	if n := p.off - start; n > 10 || n > 1 && p.in[start] == '0' {
		return errors.New("number with a leading zero or more than 10 digits")
	}
	return nil
}

func (p *parser) word() (kind, error) {
	for _, w := range []struct {
		text string
		kind kind
	}{{"null", null}, {"true", boolean}, {"false", boolean}} {
		if bytes.HasPrefix(p.in[p.off:], []byte(w.text)) {
			p.off += len(w.text)
			return w.kind, nil
		}
	}
	return null, errors.New("want a json value as intel writes them")
}
