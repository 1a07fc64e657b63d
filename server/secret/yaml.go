package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/attestctl/attestctl/internal/hint"
)

const maxDepth = 8 // nested brackets, or list dashes on one line

// decodeYAML reads one small document that is a map, without what makes YAML
// dangerous or ambiguous. Maps keep their order.
func decodeYAML(data []byte) (yaml.MapSlice, error) {
	switch {
	case len(data) > maxConfig:
		return nil, fmt.Errorf("larger than %d KiB", maxConfig>>10)
	case !utf8.Valid(data):
		return nil, errors.New("not UTF-8")
	}
	if err := checkTokens(string(data)); err != nil {
		return nil, err
	}
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(data, &doc, yaml.Strict(), yaml.UseOrderedMap()); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n") // the rest draws the line
		return nil, errors.New(first)
	}
	if len(doc) == 0 {
		return nil, errors.New("empty")
	}
	return doc, nil
}

// checkTokens bounds the depth before a parser recurses.
func checkTokens(text string) error {
	depth, dashes, before := 0, 0, token.UnknownType
	for _, t := range lexer.Tokenize(text) {
		last := before
		before = t.Type
		dashes++
		switch t.Type { //nolint:exhaustive // all others are harmless
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType:
			return fmt.Errorf("line %d: anchors, aliases, merge keys, tags and directives are not allowed", t.Position.Line)
		case token.DocumentHeaderType, token.DocumentEndType:
			return fmt.Errorf("line %d: more than one document", t.Position.Line)
		case token.MappingValueType:
			// the decoder makes text of some keys, of 0x10 and true
			if !slices.Contains([]token.Type{token.StringType, token.SingleQuoteType, token.DoubleQuoteType}, last) {
				return hint.New(fmt.Errorf("line %d: a key is not text", t.Position.Line), "write it in quotes")
			}
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if dashes > maxDepth {
				return fmt.Errorf("line %d: nested too deeply", t.Position.Line)
			}
			continue
		}
		if dashes = 0; depth > maxDepth {
			return fmt.Errorf("line %d: nested too deeply", t.Position.Line)
		}
	}
	return nil
}

// keyError is what is wrong with the value of a key: "secrets.db.max_age: ...".
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string {
	if inner, ok := e.err.(*keyError); ok { //nolint:errorlint // the next key of the path, if it is one
		return plain(e.key) + "." + inner.Error()
	}
	return plain(e.key) + ": " + e.err.Error()
}

func (e *keyError) Unwrap() error { return e.err }

// option is a key of a map, and what its value does to a T.
type option[T any] struct {
	name string
	set  func(*T, any) error
}

// into makes the function of an option that parses a value into a field.
func into[T, V any](field func(*T) *V, parse func(any) (V, error)) func(*T, any) error {
	return func(t *T, value any) (err error) {
		*field(t), err = parse(value)
		return err
	}
}

// fill sets in t what a map says, and returns its keys.
func fill[T any](t *T, value any, options []option[T]) (keys []string, err error) {
	entries, err := mapOf(value)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		i := slices.IndexFunc(options, func(o option[T]) bool { return o.name == e.key })
		if i < 0 {
			return nil, &keyError{e.key, hint.New(errors.New("unknown key"), "known are "+namesOf(options))}
		}
		if err := options[i].set(t, e.value); err != nil {
			return nil, &keyError{e.key, err}
		}
		keys = append(keys, e.key)
	}
	return keys, nil
}

func namesOf[T any](options []option[T]) string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.name
	}
	return strings.Join(names, ", ")
}

type entry struct {
	key   string
	value any
}

// mapOf returns the entries of a map in their order.
func mapOf(value any) ([]entry, error) {
	m, ok := value.(yaml.MapSlice)
	if !ok {
		return nil, fmt.Errorf("is %s, want a map", typeOf(value))
	}
	entries := make([]entry, len(m))
	for i, item := range m {
		key, ok := item.Key.(string)
		if !ok {
			return nil, fmt.Errorf("a key is %s, want text", typeOf(item.Key))
		}
		entries[i] = entry{key, item.Value}
	}
	return entries, nil
}

// plain keeps what an error quotes of the document short and printable.
func plain(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	q := fmt.Sprintf("%+q", s)
	return q[1 : len(q)-1]
}

// typeOf names the type of a value in the words of YAML.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "empty"
	case string:
		return "text"
	case bool:
		return "a boolean"
	case yaml.MapSlice:
		return "a map"
	case []any:
		return "a list"
	default:
		return "a number"
	}
}
