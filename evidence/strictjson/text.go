package strictjson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errString = errors.New("not a json string")

// text reads a string. One without escapes costs no copy.
func (p *parser) text() (string, error) {
	p.off++
	start := p.off
	for ; p.off < len(p.in); p.off++ {
		switch c := p.in[p.off]; {
		case c == '"':
			p.off++
			return p.in[start : p.off-1], nil
		case p.Plain && (c == '\\' || c < ' ' || c > '~'):
			return "", fmt.Errorf("byte 0x%02x in a string, want printable ascii without escapes", c)
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", errString
		}
	}
	return "", errString
}

// escaped reads on where the first escape of a string is.
func (p *parser) escaped(start int) (string, error) {
	var out strings.Builder
	out.WriteString(p.in[start:p.off])
	for p.off < len(p.in) {
		c := p.in[p.off]
		p.off++
		switch {
		case c == '"':
			return out.String(), nil
		case c < ' ':
			return "", errString
		case c != '\\':
			out.WriteByte(c)
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out.WriteRune(r)
		}
	}
	return "", errString
}

// escape reads what follows a backslash (RFC 8259 7).
func (p *parser) escape() (rune, error) {
	if p.off == len(p.in) {
		return 0, errString
	}
	c := p.in[p.off]
	p.off++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, errString
	}
	r, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(p.in[p.off:], `\u`) {
		return 0, errors.New("half a surrogate pair")
	}
	p.off += 2
	low, err := p.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, errors.New("half a surrogate pair")
	}
	return r, nil
}

func (p *parser) hex4() (rune, error) {
	if len(p.in)-p.off < 4 {
		return 0, errString
	}
	var r rune
	for _, c := range []byte(p.in[p.off : p.off+4]) {
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if i < 0 || c < '0' {
			return 0, errString
		}
		r = r<<4 | rune(i) //nolint:gosec // i is below 16
	}
	p.off += 4
	return r, nil
}

// Quote prints input in an error: in quotes, in ASCII, and not at any length.
func Quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
