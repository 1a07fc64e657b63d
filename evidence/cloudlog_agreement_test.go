package evidence

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDiffering: all of two documents is compared, in both directions, and numbers as
// a log keeps them.
func TestDiffering(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{`{}`, `{}`, ""},
		{`{"a":{"b":[1,"x",true,null]}}`, `{"a":{"b":[1,"x",true,null]}}`, ""},
		{`{"a":1700000000}`, `{"a":1.7e9}`, ""},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, ""}, // one float64
		{`{"a":1}`, `{"a":2}`, "a"},
		{`{"a":1}`, `{"a":"1"}`, "a"},
		{`{"a":"1"}`, `{"a":1}`, "a"},
		{`{"a":1e999}`, `{"a":1e999}`, "a"}, // no number that a log keeps
		{`{"a":1e999}`, `{"a":2e999}`, "a"},
		{`{"a":"x"}`, `{"a":"y"}`, "a"},
		{`{"a":true}`, `{"a":false}`, "a"},
		{`{"a":true}`, `{"a":"true"}`, "a"},
		{`{"a":null}`, `{"a":false}`, "a"},
		{`{"a":false}`, `{"a":null}`, "a"},
		{`{"a":""}`, `{"a":null}`, "a"},
		{`{"a":null}`, `{}`, "a"},
		{`{}`, `{"a":null}`, "a"},
		{`{"a":{}}`, `{"a":null}`, "a"},
		{`{"a":null}`, `{"a":{}}`, "a"},
		{`{"a":{}}`, `{"a":[]}`, "a"},
		{`{"a":[]}`, `{"a":{}}`, "a"},
		{`{"a":[]}`, `{"a":null}`, "a"},
		{`{"a":{"b":1}}`, `{"a":{"b":1,"c":2}}`, "a.c"},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1}}`, "a.c"},
		{`{"a":[1]}`, `{"a":[1,2]}`, "a"},
		{`{"a":[1,2]}`, `{"a":[1]}`, "a"},
		{`{"a":[1,2]}`, `{"a":[2,1]}`, "a[0]"},
		{`{"a":[1,{"b":"x"}]}`, `{"a":[1,{"b":"y"}]}`, "a[1].b"},
		{`[]`, `{}`, "form"},
	} {
		decode := func(text string) (v any) {
			t.Helper()
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		if got := differing("", decode(c.a), decode(c.b)); got != c.want {
			t.Errorf("differing(%s, %s) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}
