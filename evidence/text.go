package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// isText reports whether b is UTF-8 text without control characters other than
// tab and line ends. A byte order mark is not text here.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size == 1, r == '\uFEFF', r == 0x7f:
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r':
			return false
		}
		i += size
	}
	return true
}

// firstByte returns the first byte that is not white space, or 0.
func firstByte(b []byte) byte {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// maxStrings bounds the strings of a text form, of which several in a row are one
// value: a decoder takes memory for each.
const maxStrings = 1 << 14

var errUnclosedString = errors.New("a string is not closed")

// countBraces counts the opening braces of protobuf's text form, or else of its
// JSON form, outside of strings and comments. In both every message and
// every map entry or map has one, which bounds what a decoder will build and
// betrays entries that it would merge.
func countBraces(b []byte, text bool) (int, error) {
	opening, quotes, comment := "{", `"`, ""
	if text {
		opening, quotes, comment = "{<", `"'`, "#"
	}
	count, texts := 0, 0
	for i := 0; i < len(b); i++ {
		c := rune(b[i])
		switch {
		case strings.ContainsRune(opening, c):
			count++
		case strings.ContainsRune(quotes, c):
			if texts++; texts > maxStrings {
				return 0, fmt.Errorf("more than %d strings", maxStrings)
			}
			end := stringEnd(b, i)
			if end < 0 {
				return 0, fmt.Errorf("byte %d: %w", i, errUnclosedString)
			}
			i = end
		case strings.ContainsRune(comment, c):
			i += lineLength(b[i:])
		}
	}
	return count, nil
}

func lineLength(b []byte) int {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return n
	}
	return len(b)
}

// stringEnd returns the index of the quote that closes the string opened at i,
// or -1.
func stringEnd(b []byte, i int) int {
	quote := b[i]
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}
