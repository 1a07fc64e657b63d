package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of JSON that comes from outside.
const (
	maxJSONDepth = 64
	maxInputSize = 4 << 20
	maxNumber    = 40 // digits of a number in a config
)

// strictJSON decodes one JSON value that has exactly one reading: UTF-8, no key
// twice, no lone surrogate, nothing after it. Objects are map[string]any, numbers
// json.Number as they were spelled, and number judges each of them.
func strictJSON(raw []byte, number func(string) error) (any, error) {
	switch {
	case bytes.HasPrefix(raw, []byte("\ufeff")):
		return nil, errors.New("begins with a byte order mark")
	case !utf8.Valid(raw):
		return nil, errors.New("not UTF-8")
	case !json.Valid(raw):
		var v any
		err := json.Unmarshal(raw, &v)
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if err := checkEscapes(raw); err != nil {
		return nil, err
	}
	d := decoder{json.NewDecoder(bytes.NewReader(raw)), number}
	d.UseNumber()
	return d.value("", 0)
}

// decoder walks over the tokens of a text that json.Valid has accepted.
type decoder struct {
	*json.Decoder

	number func(string) error
}

func (d decoder) value(at string, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nests deeper than %d", maxJSONDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return d.array(at, depth)
		}
		return d.object(at, depth)
	case json.Number:
		if err := d.number(v.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", pointer(at), err)
		}
	}
	return token, nil
}

func (d decoder) array(at string, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := d.value(at+"/"+strconv.Itoa(len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func (d decoder) object(at string, depth int) (any, error) {
	doc := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if _, again := doc[key]; !ok || again {
			return nil, fmt.Errorf("%s: the key %q stands twice", pointer(at), key)
		}
		if doc[key], err = d.value(at+"/"+key, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return doc, err
}

func pointer(at string) string {
	if at == "" {
		return "the document"
	}
	return at
}

// checkEscapes refuses \u escapes that are no character: halves of a surrogate
// pair, which every decoder replaces in its own way.
func checkEscapes(raw []byte) error {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; raw[i] != 'u' {
			continue
		}
		switch unit := hex4(raw, i+1); {
		case unit < 0xD800 || unit > 0xDFFF:
			i += 4
		case unit < 0xDC00 && i+10 < len(raw) && raw[i+5] == '\\' && raw[i+6] == 'u' && isLow(hex4(raw, i+7)):
			i += 10
		default:
			return fmt.Errorf("a lone surrogate, \\u%04x", unit)
		}
	}
	return nil
}

func isLow(unit uint64) bool { return unit >= 0xDC00 && unit <= 0xDFFF }

// hex4 reads four hex digits, or returns 0.
func hex4(raw []byte, at int) uint64 {
	if at+4 > len(raw) {
		return 0
	}
	n, err := strconv.ParseUint(string(raw[at:at+4]), 16, 16)
	if err != nil {
		return 0
	}
	return n
}

// claimNumber accepts the numbers of a claims document: integers of 64 bits in
// their only spelling. Larger ones are decimal strings there.
func claimNumber(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return fmt.Errorf("%.40s is not an integer of 64 bits; claims spell others as strings", s)
	}
	return nil
}

// configNumber accepts decimal numbers without exponent, of bounded length.
func configNumber(s string) error {
	if len(s) > maxNumber || strings.ContainsAny(s, "eE") || strings.HasPrefix(s, "-0") && strings.Trim(s, "-0.") == "" {
		return fmt.Errorf("%.40s: numbers are decimal, without exponent, at most %d digits; quote what is not a number", s, maxNumber)
	}
	return nil
}
