package strictyaml

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/internal/hint"
)

// both decodes into either map and wants the same of them.
func both(tb testing.TB, in []byte) (map[string]any, error) {
	tb.Helper()
	doc, err := Decode[map[string]any](in)
	ordered, orderedErr := Decode[yaml.MapSlice](in)
	if err != nil && doc != nil || orderedErr != nil && ordered != nil {
		tb.Errorf("Decode(%.80q) returns something beside an error", in)
	}
	if (err == nil) != (orderedErr == nil) {
		tb.Errorf("Decode(%.80q) = %v in a map, %v in one with an order", in, err, orderedErr)
	}
	if len(doc) != len(ordered) {
		tb.Errorf("Decode(%.80q) has %d keys in a map, %d in one with an order", in, len(doc), len(ordered))
	}
	for _, item := range ordered {
		key, ok := item.Key.(string)
		if _, has := doc[key]; !ok || !has {
			tb.Errorf("Decode(%.80q): key %v is %T, in the map: %t", in, item.Key, item.Key, has)
		}
	}
	return doc, err
}

func TestDecode(t *testing.T) {
	for in, want := range map[string]map[string]any{
		"a: 1\nb: x\n":                     {"a": uint64(1), "b": "x"},
		"{\"a\": [true, ~, -1.5]}":         {"a": []any{true, nil, -1.5}},
		"'1': one\n\"true\": yes\n":        {"1": "one", "true": "yes"},
		"a: {b: {c: d}}":                   {"a": map[string]any{"b": map[string]any{"c": "d"}}},
		"a: [[[[[[[[x]]]]]]]]":             {"a": []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{"x"}}}}}}}}},
		"a:\n- - - - - - - - x\n":          {"a": []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{"x"}}}}}}}}},
		"a: |\n  - - - - - - - - - -\n":    {"a": "- - - - - - - - - -\n"},
		"a: \"&b !c *d\" # not an &anchor": {"a": "&b !c *d"},
	} {
		if got, err := both(t, []byte(in)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%q) = %#v, %v, want %#v", in, got, err, want)
		}
	}
	doc, err := Decode[yaml.MapSlice]([]byte("z: {y: 1, x: 2}\na: 3\n"))
	if err != nil || fmt.Sprint(doc) != "[{z [{y 1} {x 2}]} {a 3}]" {
		t.Errorf("Decode = %v, %v, want the order of the document", doc, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "empty"},
		{"# nothing", "empty"},
		{"{}", "empty"},
		{"~", "null was used"},
		{"- a", "sequence was used"},
		{"word", "string was used"},
		{"a: \xff", "not UTF-8"},
		{"a: b: CANARY", "not allowed in this context"},
		{"a: 1\n---\na: 2\n", "line 2: more than one document"},
		{"a: 1\n...\n", "line 2: more than one document"},
		{"a: &b 1", "line 1: anchors"},
		{"a: *b", "aliases"},
		{"a: {<<: {b: c}}", "merge keys"},
		{"a: !!str b", "tags"},
		{"%YAML 1.2\n", "directives"},
		{"a: " + strings.Repeat("[", 9) + strings.Repeat("]", 9), "line 1: nested too deeply"},
		{"a: " + strings.Repeat("{a: ", 9) + strings.Repeat("}", 9), "line 1: nested too deeply"},
		{"a:\n" + strings.Repeat("- ", 9) + "x", "line 2: nested too deeply"},
		{strings.Repeat("[", MaxSize), "nested too deeply"},
		{strings.Repeat("- ", MaxSize/2), "nested too deeply"},
		{"a: 1\n" + strings.Repeat("#", MaxSize), "larger than 64 KiB"},
		{"a: 1\na: 2\n", `"a" already defined`},
		{"a: {b: 1, 'b': 2}", `"b" already defined`},
		{"1: a", "line 1: a key is not text"},
		{"a: 1\n0x10: a", "line 2: a key is not text"},
		{"null: a", "line 1: a key is not text"},
		{"a: {1.5: b}", "line 1: a key is not text"},
		{".inf: a", "line 1: a key is not text"},
		{".nan: a", "line 1: a key is not text"},
		{"[a]: b", "line 1: a key is not text"},
		{"{? {a: b} : {}}", "line 1: a key is not text"},
		{"{1}", "line 1: a key is not text"},
		{"a: [b, {true}]", "line 1: a key is not text"},
		{"? 000", "line 1: a key is not text"},
		{"? a\n: b", "line 1: a key is not text"},
		{"true: a", "line 1: a key is not text"},
	} {
		_, err := both(t, []byte(tc.in))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Decode(%.80q) = %v, want an error with %q", tc.in, err, tc.want)
			continue
		}
		if text := err.Error() + hint.Of(err); strings.Contains(text, "CANARY") || strings.Contains(text, "\n") {
			t.Errorf("Decode(%.80q): the error shows the value, or has lines: %q", tc.in, text)
		}
	}
}

// FuzzDecode: on error nothing else is returned, and the error is one short line; on
// success all keys are text, and either kind of map has them.
func FuzzDecode(f *testing.F) {
	for _, in := range []string{"a: 1\nb: [x, {c: ~}]\n", "{\"a\": {'b': |\n  c\n}}", "{1, a}", "? a\n: b\n", "? - a\n: b\n", "? |\n  a\n: b\n", "a:\n- - b\n- c: d\n  e: f\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		doc, err := both(t, in)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n") {
				t.Errorf("error with lines: %.700q", text)
			}
			return
		}
		wantTextKeys(t, doc)
	})
}

// wantTextKeys wants every map at any depth to have keys of text.
func wantTextKeys(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			wantTextKeys(t, inner)
		}
	case []any:
		for _, inner := range v {
			wantTextKeys(t, inner)
		}
	case nil, string, bool, uint64, int64, float64:
	default:
		t.Errorf("a value is %T", v)
	}
}
