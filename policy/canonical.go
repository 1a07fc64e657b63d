package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// canonicalJSON returns a JSON text that encoding/json has written with the keys of
// its objects sorted and each string in the one spelling that encoding/json gives
// it: what decoding into maps and encoding again gives, without the maps. extra are
// members of the outermost object, in the place of those that have their names.
func canonicalJSON(raw []byte, extra ...canonicalMember) ([]byte, error) {
	return canonicalAt(0, raw, extra)
}

// canonicalAt does so for a value that stands so deep in a document.
func canonicalAt(depth int, raw []byte, extra []canonicalMember) ([]byte, error) {
	w := canonicalWriter{jsonText: jsonText{text: string(raw)}, out: make([]byte, 0, len(raw)+len(raw)/2), extra: extra}
	if err := w.value(depth); err != nil {
		return nil, fmt.Errorf("encoding the input: %w", err)
	}
	if w.at != len(w.text) {
		return nil, fmt.Errorf("encoding the input: %w", errJSONText)
	}
	return w.out, nil
}

// encodeCanonical returns what v encodes to.
func encodeCanonical(v any, extra ...canonicalMember) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the input: %w", err)
	}
	return canonicalJSON(raw, extra...)
}

// appendCanonical appends what v encodes to, which stands so deep in a document. It
// goes over maps and lists by itself, which encoding/json does by reflection.
func appendCanonical(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return nil, errJSONDeep
	}
	switch v := v.(type) {
	case string:
		return appendQuoted(b, v), nil
	case []any:
		if v != nil {
			return appendList(b, v, depth+1)
		}
	case map[string]any:
		if v != nil {
			return appendMap(b, v, func(b []byte, v any) ([]byte, error) { return appendCanonical(b, v, depth+1) })
		}
	case map[string]string:
		if v != nil {
			return appendMap(b, v, func(b []byte, text string) ([]byte, error) { return appendQuoted(b, text), nil })
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the input: %w", err)
	}
	text, err := canonicalAt(depth, raw, nil)
	return append(b, text...), err
}

func appendList(b []byte, list []any, depth int) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendCanonical(b, v, depth); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) ([]byte, error)) (_ []byte, err error) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, name), ':')
		if b, err = value(b, m[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// canonicalMember is a member of an object, whose name is plain.
type canonicalMember struct {
	name string
	text []byte // of the value, canonical
}

// canonicalWriter writes what it goes over.
type canonicalWriter struct {
	jsonText

	out     []byte
	members []memberSpan // of the objects that are open
	sorted  []byte       // what an object becomes
	extra   []canonicalMember
}

// memberSpan is where a member stands in what was written.
type memberSpan struct {
	name     string
	from, to int
}

func (w *canonicalWriter) value(depth int) error {
	if depth > maxJSONDepth {
		return errJSONDeep
	}
	switch w.next() {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		text, _, err := w.string()
		w.out = append(w.out, text...)
		return err
	}
	text, err := w.literal()
	w.out = append(w.out, text...)
	return err
}

func (w *canonicalWriter) array(depth int) error {
	w.at++
	w.out = append(w.out, '[')
	for first := true; ; first = false {
		more, err := w.more(first, ']')
		if err != nil {
			return err
		}
		if !more {
			w.out = append(w.out, ']')
			return nil
		}
		if !first {
			w.out = append(w.out, ',')
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
}

func (w *canonicalWriter) object(depth int) error {
	w.at++
	w.out = append(w.out, '{')
	from, open := len(w.out), len(w.members)
	for first := true; ; first = false {
		more, err := w.more(first, '}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		text, name, err := w.key()
		if err != nil {
			return err
		}
		start := len(w.out)
		w.out = append(append(w.out, text...), ':')
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.members = append(w.members, memberSpan{name, start, len(w.out)})
	}
	if depth == 0 {
		w.addExtra()
	}
	return w.end(from, open)
}

// addExtra writes the members that come from elsewhere.
func (w *canonicalWriter) addExtra() {
	for _, x := range w.extra {
		start := len(w.out)
		w.out = append(append(appendQuoted(w.out, x.name), ':'), x.text...)
		span := memberSpan{x.name, start, len(w.out)}
		if i := slices.IndexFunc(w.members, func(m memberSpan) bool { return m.name == x.name }); i >= 0 {
			w.members[i] = span
		} else {
			w.members = append(w.members, span)
		}
	}
}

// end brings the members of the innermost object, which were written one behind the
// other, into the order of their names.
func (w *canonicalWriter) end(from, open int) error {
	members := w.members[open:]
	slices.SortFunc(members, func(a, b memberSpan) int { return strings.Compare(a.name, b.name) })
	w.sorted = w.sorted[:0]
	for i, m := range members {
		if i > 0 {
			if m.name == members[i-1].name {
				return errJSONTwice
			}
			w.sorted = append(w.sorted, ',')
		}
		w.sorted = append(w.sorted, w.out[m.from:m.to]...)
	}
	w.out = append(append(w.out[:from], w.sorted...), '}')
	w.members = w.members[:open]
	return nil
}
