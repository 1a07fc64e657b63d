package strictjson

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a number, whoever computes with it.
const (
	maxNumber   = 32 // characters
	maxExponent = 3  // digits: a huge one is a few bytes here and much work there
	maxPlain    = 10 // digits of an integer in the plain form
)

type parser struct {
	Form

	in     string
	off    int
	values int
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
func (p *parser) value(depth int, name string) (n Node, err error) {
	if p.values++; p.values > p.Values || depth > p.Depth {
		return Node{}, fmt.Errorf("more than %d values or %d levels", p.Values, p.Depth)
	}
	c := p.next()
	start := p.off
	switch {
	case c == '{':
		n.Kind = Object
		n.Members, err = p.object(depth, name)
	case c == '[':
		n.Kind = Array
		n.Items, err = p.array(depth)
	case c == '"':
		n.Kind = Text
		n.Text, err = p.text()
	case p.number(c):
		n.Kind = Number
		n.Text, err = p.numeral()
	default:
		n, err = p.word()
	}
	if err != nil {
		return Node{}, err
	}
	n.Raw = p.in[start:p.off]
	return n, nil
}

// number reports whether a number of the form begins with c.
func (p *parser) number(c byte) bool { return c >= '0' && c <= '9' || c == '-' && !p.Plain }

func (p *parser) object(depth int, name string) ([]Member, error) {
	p.off++
	if p.skip('}') {
		return nil, nil
	}
	known := names{exact: p.CaseCounts != nil && p.CaseCounts(name)}
	var room [16]Member // on the stack: most objects have no more
	list := room[:0]
	for {
		if p.next() != '"' {
			return nil, errors.New("want the name of a member")
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if len(list) == p.Members {
			return nil, fmt.Errorf("object of more than %d members", p.Members)
		}
		if twin, again := known.find(list, key); again {
			return nil, fmt.Errorf("members %s and %s of one object", Quote(twin), Quote(key))
		}
		if !p.skip(':') {
			return nil, fmt.Errorf("want a colon after %s", Quote(key))
		}
		v, err := p.value(depth+1, key)
		if err != nil {
			return nil, err
		}
		list = append(list, Member{key, v})
		if p.skip('}') {
			return slices.Clone(list), nil
		}
		if !p.skip(',') {
			return nil, fmt.Errorf("want a comma or the end of the object after %s", Quote(key))
		}
	}
}

func (p *parser) array(depth int) ([]Node, error) {
	p.off++
	if p.skip(']') {
		return nil, nil
	}
	var list []Node
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

// numeral reads a number, which stays as it was written.
func (p *parser) numeral() (string, error) {
	start := p.off
	p.at("-")
	err := p.whole()
	if err == nil && !p.Plain {
		err = p.rest()
	}
	if n := p.off - start; err == nil && (n > maxNumber || n > maxPlain && p.Plain) {
		err = fmt.Errorf("number of %d characters, at most %d are read, %d in the plain form", n, maxNumber, maxPlain)
	}
	return p.in[start:p.off], err
}

var errNumber = errors.New("not a json number")

// whole reads what stands before the point.
func (p *parser) whole() error {
	start := p.off
	switch n := p.digits(); {
	case n == 0:
		return errNumber
	case n > 1 && p.in[start] == '0':
		return errors.New("number with a leading zero")
	}
	return nil
}

// rest reads what stands behind the whole (RFC 8259, 6).
func (p *parser) rest() error {
	if p.at(".") && p.digits() == 0 {
		return errNumber
	}
	if p.at("eE") {
		p.at("+-")
		if n := p.digits(); n == 0 || n > maxExponent {
			return errNumber
		}
	}
	return nil
}

func (p *parser) word() (Node, error) {
	for _, w := range [...]struct {
		text string
		node Node
	}{{"null", Node{Kind: Null}}, {"true", Node{Kind: Boolean, Yes: true}}, {"false", Node{Kind: Boolean}}} {
		if strings.HasPrefix(p.in[p.off:], w.text) {
			p.off += len(w.text)
			return w.node, nil
		}
	}
	return Node{}, errors.New("want a json value")
}
