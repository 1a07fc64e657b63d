package strictjson_test

import (
	"encoding/json"
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
