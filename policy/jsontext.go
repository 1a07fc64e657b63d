package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	errJSONText  = errors.New("not a json text")
	errJSONTwice = errors.New("a key stands twice")
	errJSONDeep  = fmt.Errorf("nests deeper than %d", maxJSONDepth)
)

// jsonText goes over a JSON text that package encoding/json has written, without
// white space.
type jsonText struct {
	text string
	at   int
}

// next returns the byte that comes, or 0 at the end.
func (t *jsonText) next() byte {
	if t.at == len(t.text) {
		return 0
	}
	return t.text[t.at]
}

// more goes over what stands before a value in an object or array, or over the
// bracket that ends it, and says which.
func (t *jsonText) more(first bool, end byte) (bool, error) {
	c := t.next()
	switch {
	case c == end:
		t.at++
		return false, nil
	case first:
		return true, nil
	case c == ',':
		t.at++
		return true, nil
	}
	return false, errJSONText
}

// key goes over the name of a member and its colon.
func (t *jsonText) key() (text, name string, err error) {
	if text, name, err = t.string(); err != nil {
		return "", "", err
	}
	if t.next() != ':' {
		return "", "", errJSONText
	}
	t.at++
	return text, name, nil
}

// literal goes over a number, true, false or null.
func (t *jsonText) literal() (string, error) {
	end := t.at
	for end < len(t.text) && strings.IndexByte(",]}\":[{ \t\r\n", t.text[end]) < 0 {
		end++
	}
	text := t.text[t.at:end]
	if !json.Valid([]byte(text)) {
		return "", errJSONText
	}
	t.at = end
	return text, nil
}

// string goes over a string and returns its canonical form, and what it says.
func (t *jsonText) string() (text, str string, err error) {
	if t.next() != '"' {
		return "", "", errJSONText
	}
	end := t.at + 1
	for end < len(t.text) && t.text[end] != '"' {
		if t.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(t.text) {
		return "", "", errJSONText
	}
	text = t.text[t.at : end+1]
	t.at = end + 1
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

// appendQuoted appends a string as encoding/json writes it.
func appendQuoted(b []byte, str string) []byte {
	if verbatim(str) {
		return append(append(append(b, '"'), str...), '"')
	}
	quoted, err := json.Marshal(str)
	if err != nil {
		quoted = []byte(`""`) // cannot be: every string can be encoded
	}
	return append(b, quoted...)
}

// verbatim reports whether encoding/json writes a string as it is.
func verbatim(str string) bool {
	for i := range len(str) {
		if c := str[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
