package policy

import "bytes"

// of returns what is read of a canonical text: the same text without the members of
// objects that nothing refers to. A text that is not canonical comes back whole.
func (f *footprint) of(text []byte) []byte {
	if f.all {
		return text
	}
	c := cutter{text: text, out: make([]byte, 0, cutSize)}
	if !c.value(f) || c.at != len(text) {
		return text
	}
	return c.out
}

// cutSize is how many bytes most policies read at the most.
const cutSize = 2 << 10

// cutter copies what is read of a text.
type cutter struct {
	text []byte
	at   int
	out  []byte
}

// value copies what is read of the value that comes, and reports whether there is
// one. A policy may take a list or a string for an object, hence those are copied.
func (c *cutter) value(f *footprint) bool {
	if !f.all && c.at < len(c.text) && c.text[c.at] == '{' {
		return c.object(f)
	}
	start := c.at
	if !c.skip() {
		return false
	}
	c.out = append(c.out, c.text[start:c.at]...)
	return true
}

func (c *cutter) object(f *footprint) bool {
	c.out = append(c.out, '{')
	if c.at++; c.next('}') {
		c.out = append(c.out, '}')
		return true
	}
	for empty := len(c.out); ; {
		if !c.member(f, len(c.out) == empty) {
			return false
		}
		if !c.next(',') {
			c.out = append(c.out, '}')
			return c.next('}')
		}
	}
}

// member copies a member if something refers to it.
func (c *cutter) member(f *footprint, first bool) bool {
	start := c.at
	if !c.string() {
		return false
	}
	m := f.members[string(c.text[start:c.at])]
	if !c.next(':') {
		return false
	}
	if m == nil {
		return c.skip()
	}
	if !first {
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, c.text[start:c.at]...)
	return c.value(m)
}

// next goes over a byte if it is this one.
func (c *cutter) next(b byte) bool {
	if c.at == len(c.text) || c.text[c.at] != b {
		return false
	}
	c.at++
	return true
}

// skip goes over a value.
func (c *cutter) skip() bool {
	if c.at == len(c.text) {
		return false
	}
	switch c.text[c.at] {
	case '"':
		return c.string()
	case '{', '[':
		return c.brackets()
	}
	n := bytes.IndexAny(c.text[c.at:], ",]}\":[{ ")
	if n < 0 {
		n = len(c.text) - c.at
	}
	c.at += n
	return n > 0
}

// brackets goes over an object or an array.
func (c *cutter) brackets() bool {
	for depth := 0; c.at < len(c.text); {
		switch c.text[c.at] {
		case '"':
			if !c.string() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if c.at++; depth == 0 {
			return true
		}
	}
	return false
}

func (c *cutter) string() bool {
	if c.at == len(c.text) || c.text[c.at] != '"' {
		return false
	}
	end := endOfString(c.text, c.at)
	if end >= len(c.text) {
		return false
	}
	c.at = end + 1
	return true
}
