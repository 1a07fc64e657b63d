package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Quote returns a value as it may be shown on a terminal, on one line: unchanged
// if every character of it is printable, else as a Go string literal. Control
// and format characters (ESC, line ends, U+202E) and invalid UTF-8 become
// escapes. Different values never look the same: text that starts with a quote
// itself is quoted too.
func Quote(s string) string {
	if !utf8.ValidString(s) || s != "" && s[0] == '"' {
		return strconv.Quote(s)
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// Escape is [Quote] for a sentence: it escapes in place and adds no quotes. Two
// sentences may look the same; neither can act on the terminal or end the line.
func Escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if strconv.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(s[:n])
		} else {
			q := strconv.Quote(s[:n])
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
