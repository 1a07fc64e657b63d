package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/internal/hint"
)

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
