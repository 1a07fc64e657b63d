package audit

// compactText reports whether a text is one JSON value as a line has it: valid (RFC
// 8259), without white space, in printable ASCII. What it does not say yes to may be
// JSON nevertheless. An input is as long as all else of a line together, and
// encoding/json takes longer for such a look than SHA-256 for the line.
func compactText(text []byte) bool {
	s := scanner{text, 0}
	return s.value(0) && s.at == len(text)
}

// maxNesting is how deep a text is looked into.
const maxNesting = 100

type scanner struct {
	text []byte
	at   int
}

// skip goes over the byte c, if it comes.
func (s *scanner) skip(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) value(depth int) bool {
	if s.at == len(s.text) || depth > maxNesting {
		return false
	}
	switch s.text[s.at] {
	case '{':
		s.at++
		return s.list(depth, '}', true)
	case '[':
		s.at++
		return s.list(depth, ']', false)
	case '"':
		return s.string()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// list goes over what stands between the brackets of an object or array.
func (s *scanner) list(depth int, end byte, named bool) bool {
	if s.skip(end) {
		return true
	}
	for {
		if named && (!s.string() || !s.skip(':')) || !s.value(depth+1) {
			return false
		}
		if !s.skip(',') {
			return s.skip(end)
		}
	}
}

func (s *scanner) word(word string) bool {
	if end := s.at + len(word); end <= len(s.text) && string(s.text[s.at:end]) == word {
		s.at = end
		return true
	}
	return false
}

// string goes over a string without escapes of more than one letter but \u.
func (s *scanner) string() bool {
	if !s.skip('"') {
		return false
	}
	for at := s.at; at < len(s.text); at++ { // most of a text is in strings
		switch c := s.text[at]; {
		case c == '"':
			s.at = at + 1
			return true
		case c < ' ' || c > '~':
			return false
		case c == '\\':
			if s.at = at + 1; !s.escape() {
				return false
			}
			at = s.at - 1
		}
	}
	return false
}

// escape goes over what follows a backslash.
func (s *scanner) escape() bool {
	if s.at == len(s.text) {
		return false
	}
	c := s.text[s.at]
	s.at++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if s.at == len(s.text) || !isHex(s.text[s.at]) {
				return false
			}
			s.at++
		}
		return true
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// digits goes over digits and says how many there were.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && s.digits() == 0 {
		return false
	}
	if s.skip('.') && s.digits() == 0 {
		return false
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('-') {
			s.skip('+')
		}
		return s.digits() > 0
	}
	return true
}
