package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// span is a piece of a line in one colour.
type span struct {
	text  string
	color color
}

// color is an SGR parameter (ECMA-48, 8.3.117); "" is the terminal's own.
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	dim    color = "2"
	bold   color = "1"
)

func plain(text string) span { return span{text: text} }

// page collects lines of text. It escapes all it is given.
type page struct {
	Style

	b strings.Builder
}

func encodeText(d Document, s Style) ([]byte, error) {
	p := &page{Style: s}
	d.text(p)
	return []byte(p.b.String()), nil
}

func (p *page) blank() { p.b.WriteByte('\n') }

// line writes one line and clips it to the width of the terminal.
func (p *page) line(spans ...span) {
	for len(spans) > 0 && spans[len(spans)-1].text == "" {
		spans = spans[:len(spans)-1]
	}
	if n := len(spans) - 1; n >= 0 {
		spans[n].text = strings.TrimRight(spans[n].text, " ")
	}
	room := p.Width
	for _, s := range spans {
		text := Escape(s.text)
		if p.Width > 0 {
			text = clip(text, room)
			room -= utf8.RuneCountInString(text)
		}
		p.paint(text, s.color)
	}
	p.b.WriteByte('\n')
}

func (p *page) linef(format string, args ...any) { p.line(plain(fmt.Sprintf(format, args...))) }

func (p *page) paint(text string, c color) {
	if p.Color && c != "" && text != "" {
		text = "\x1b[" + string(c) + "m" + text + "\x1b[0m"
	}
	p.b.WriteString(text)
}

// wrapped writes the lead and then the text, continued below its beginning on
// as many lines as it needs.
func (p *page) wrapped(text string, lead ...span) {
	indent := 0
	for _, s := range lead {
		part := Escape(s.text)
		indent += utf8.RuneCountInString(part)
		p.paint(part, s.color)
	}
	for i, line := range wrap(Escape(text), p.Width-indent) {
		if i > 0 {
			p.b.WriteString(strings.Repeat(" ", indent))
		}
		p.b.WriteString(line + "\n")
	}
}

// field writes "  name  value", the value wrapped and nothing if it is empty.
func (p *page) field(name, value string) {
	if value != "" {
		p.wrapped(Quote(value), span{fmt.Sprintf("  %-*s ", fieldWidth, name), dim})
	}
}

const fieldWidth = 12

// clip shortens text to n characters and shows that it did.
func clip(text string, n int) string {
	if n <= 0 {
		return ""
	}
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// minWrap is the narrowest column that is still worth wrapping to.
const minWrap = 20

// wrap breaks text into lines of at most n characters, at spaces where there
// are any. It leaves no character out.
func wrap(text string, n int) []string {
	if n < minWrap {
		return []string{text}
	}
	var lines []string
	rest := []rune(text)
	for len(rest) > n {
		at := n
		for at > n/2 && rest[at] != ' ' {
			at--
		}
		if rest[at] != ' ' {
			at = n
		}
		lines = append(lines, string(rest[:at]))
		if rest = rest[at:]; rest[0] == ' ' {
			rest = rest[1:]
		}
	}
	return append(lines, string(rest))
}

// pad makes text at least n characters wide.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}
