package strictjson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

var (
	full  = strictjson.Form{Depth: 4, Values: 8, Members: 3, CaseCounts: func(name string) bool { return name == "env" }}
	plain = strictjson.Form{Depth: 4, Values: 8, Members: 3, Plain: true}
)

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		form     strictjson.Form
		in, want string
	}{
		{full, ``, "want a json value"},
		{full, `{"a":1}{}`, "bytes after the object"},
		{full, `null 1`, "bytes after the value"},
		{full, `{"a":1,"a":2}`, `members "a" and "a"`},
		{full, `{"a":1,"A":2}`, `members "a" and "A"`},
		{full, `{"a":1,"\u0061":2}`, `members "a" and "a"`},
		{full, `{"env":{"a":1,"a":2}}`, `members "a" and "a"`},
		{full, `{"a":1,"b":1,"c":1,"d":1}`, "more than 3 members"},
		{full, `[[[[[1]]]]]`, "levels"},
		{full, `[1,1,1,1,1,1,1,1]`, "more than 8 values"},
		{full, "\"\xff\"", "utf-8"},
		{full, `"\ud800"`, "surrogate"},
		{full, `"\ud800A"`, "surrogate"},
		{full, `01`, "leading zero"},
		{full, `1e9999`, "not a json number"},
		{full, `1.`, "not a json number"},
		{full, strings.Repeat("1", 33), "33 characters"},
		{full, `[1,]`, "want a json value"},
		{full, `{"a" 1}`, "want a colon"},
		{full, `{"a":1 "b":2}`, "want a comma"},
		{full, `"a`, "not a json string"},
		{plain, `-1`, "want a json value"},
		{plain, `1.5`, "bytes after"},
		{plain, `12345678901`, "11 characters"},
		{plain, `"\n"`, "without escapes"},
		{plain, `"é"`, "without escapes"},
	} {
		if _, err := tc.form.Parse([]byte(tc.in)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", tc.in, err, tc.want)
		}
	}
}

func TestParseKeepsBytes(t *testing.T) {
	n, err := plain.Parse([]byte(` {"a": {"b" : [1, "x"]}} `))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := n.Get("a")
	if !ok || a.Raw != `{"b" : [1, "x"]}` {
		t.Errorf("a is %q", a.Raw)
	}
	if _, ok := n.Get("A"); ok {
		t.Error("a member was found by a name in another case")
	}
	if _, err := full.Parse([]byte(`{"env":{"a":1,"A":2}}`)); err != nil {
		t.Errorf("case counts in env: %v", err)
	}
}

// FuzzParse wants what is accepted to be what encoding/json reads.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"é\ud83d\ude00",true,null]}`, `[]`, `"x"`, `{"env":{"a":"b"}}`} {
		f.Add([]byte(seed))
	}
	form := strictjson.Form{Depth: 16, Values: 1 << 10, Members: 64}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, err := form.Parse(in)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(in)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", in, err)
		}
		if got := n.Any(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, encoding/json reads %#v", in, got, want)
		}
	})
}

// TestManyNames: what is one name among few is one among many, and an object of
// many names does not cost their square.
func TestManyNames(t *testing.T) {
	form := strictjson.Form{Depth: 4, Values: 1 << 17, Members: 1 << 16}
	exact := form
	exact.CaseCounts = func(string) bool { return true }
	object := func(n int, last string) []byte {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			fmt.Fprintf(&b, `"name-%d":0,`, i)
		}
		return fmt.Append(nil, b.String(), `"`, last, `":0}`)
	}
	for _, n := range []int{1, 31, 32, 33, 200} {
		for last, folded := range map[string]bool{"name-0": true, "NAME-0": true, "\u004eame-0": true, "name-x": false} {
			_, err := form.Parse(object(n, last))
			if (err != nil) != folded {
				t.Errorf("%d names and %s: %v, want refused %t", n, last, err, folded)
			}
			_, err = exact.Parse(object(n, last))
			if same := last == "name-0"; (err != nil) != same {
				t.Errorf("%d names and %s, case counts: %v, want refused %t", n, last, err, same)
			}
		}
		for _, pair := range [][2]string{{"k", "\u212a"}, {"s", "\u017f"}, {"\u00b5", "\u03bc"}} { // as strings.EqualFold has them
			doc := object(n, pair[0]+`":0,"`+pair[1])
			if _, err := form.Parse(doc); err == nil {
				t.Errorf("%d names with %s and %s are read", n, pair[0], pair[1])
			}
		}
	}
	if _, err := form.Parse(object(60000, "name-x")); err != nil {
		t.Errorf("60000 names: %v", err)
	}
}
