package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// paths lists what is read as a whole, and with a question mark what only has to keep
// its shape.
func (f *footprint) paths(prefix string) []string {
	switch {
	case f.all:
		return []string{prefix}
	case len(f.members) == 0:
		return []string{prefix + "?"}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		list = append(list, f.members[name].paths(strings.TrimPrefix(prefix+"."+strings.Trim(name, `"`), "."))...)
	}
	return list
}

// TestFootprint: what can be read is found, whichever way it is referred to. The empty
// path is the whole input.
func TestFootprint(t *testing.T) {
	for _, tc := range [][2]string{ // what is read, by which rules
		{"?", `allow if true`},
		{"request.a.b", `allow if input.request.a.b == 1`},
		{`request.a\"\u003cb`, `allow if input["request"]["a\"<b"]`},
		{"request.a request.c", `allow if { input.request.a.b; input.request.c; input.request.a }`},
		{"request.a.b", `allow if not input.request.a.b`},
		{"request.list", `allow if input.request.list[0].a`},
		{"request", `allow if { some k; input.request[k].a == 1 }`},
		{"", `allow if { some k; input[k] }`},
		{"request.m schema", `allow if input.request.m[input.schema]`},
		{"", `allow if { x := input; x.request.a == 1 }`},
		{"request", `allow if { x := input.request; x.a == 1 }`},
		{"", `allow if object.get(input, "a", 1) == 1`},
		{"request", `allow if object.get(input.request, "a", 1) == 1`},
		{"", `allow if { walk(input, [path, _]); count(path) > 9 }`},
		{"request", `allow if { some k, v in input.request; k == v }`},
		{"request.a request.b", `allow if { every v in input.request.a { v > input.request.b } }`},
		{"request.a", `allow if count({x | x := input.request.a[_]}) > 1`},
		{"request.a", `allow if count([1 | input.request.a]) > 1`},
		{"request.a", `allow if count({x: y | y := input.request.a[x]}) > 1`},
		{"", `allow if f(input)` + "\n" + `f(x) if x.a`},
		{"request", `allow if f(input.request)` + "\n" + `f(x) if x.a`},
		{"request.b request.c", `allow if f(1)` + "\n" + `f(x) := y if { x == 2; y := input.request.b } else := input.request.c`},
		{"request.h request.i", `allow if f(1)` + "\n" + `f(x) if { x == 2; g } else := h if x == 3 else := i` + "\ng := 1\n" + `h := input.request.h` + "\n" + `i := input.request.i`},
		{"request.h", `allow if g` + "\n" + `g := input.request.h`},
		{"?", `allow if true` + "\n" + `unused if input.request.a`},
		{"request.m", `deny contains msg if { true; msg := sprintf("%v", [input.request.m]) }`},
		{"request.m", `deny contains input.request.m if true`},
		// Only the shape.
		{"?", `allow if is_object(input)`},
		{"request?", `allow if is_object(input.request)`},
		{"request?", `allow if _ = input.request`},
		{"request.a", `allow if { is_object(input.request); input.request.a }`},
		{"request.a?", `allow if not is_object(input.request.a)`},
		{"request", `allow if { x := input.request; is_object(x); x.a }`},
		{"request", `allow if { x := input.request; is_object(x); y := x; count(y) > 1 }`},
		{"", `allow if { x := input; is_object(x); count(x) > 1 }`},
		{"request schema", `allow if is_object(input.request[input.schema])`},
		{"request", `allow if is_array(input.request)`},
		// The library's words look claims up.
		{"request.a", `deny contains data.attestctl.message.wants(["request", "a"], "b") if true`},
		{"request", `deny contains data.attestctl.message.wants(["request", x], "b") if some x in ["a"]`},
		{"request.a schema", `deny contains data.attestctl.message.one_of(["request", "a"], input.schema) if true`},
		{"", `deny contains data.attestctl.message.seen([x, "a"]) if some x in ["request"]`},
		{"", `deny contains data.attestctl.message.seen(x) if x := ["request", "a"]`},
		{"", `deny contains data.attestctl.message.seen(input.request.path) if true`},
	} {
		want, rules := tc[0], tc[1]
		module := "package attest\n\ndefault allow := false\n\n" + rules
		if !strings.Contains(rules, "allow if") {
			module += "\n\nallow if input.hwmodel"
			if want != "" {
				want = "hwmodel " + want
			}
		}
		if !strings.Contains(rules, "deny contains") {
			module += "\n\ndeny contains \"never\" if data.config.x"
		}
		p := policyOf(t, module, "{}")
		if got := strings.Join(p.seen.paths(""), " "); got != want {
			t.Errorf("%s\nreads %q, want %q", rules, got, want)
		}
	}
}

// TestShippedFootprints: no policy that ships makes an engine read all there is.
func TestShippedFootprints(t *testing.T) {
	for name, p := range shippedPolicies(t) {
		if p.seen.all {
			t.Errorf("%s reads the whole input", name)
		}
		for _, claim := range []string{"checks", "skipped", "boot", "token", "tee", "submods"} {
			if m := p.seen.members[`"`+claim+`"`]; m != nil && m.all && (claim != "tee" || !strings.Contains("sev-snp tdx", name)) {
				t.Errorf("%s reads all of %s", name, claim)
			}
		}
	}
}

// cutSlowly is what of cut from a document.
func (f *footprint) cutSlowly(doc any) any {
	object, ok := doc.(map[string]any)
	if f.all || !ok {
		return doc
	}
	out := map[string]any{}
	for name, v := range object {
		if next := f.members[string(appendQuoted(nil, name))]; next != nil {
			out[name] = next.cutSlowly(v)
		}
	}
	return out
}

// TestCutExpressions: an expression has the same value over what it reads as over all.
// Each is a policy of its own, so that nothing else reads what it was seen not to.
func TestCutExpressions(t *testing.T) {
	direct := regexp.MustCompile(`\b[rc]\b`)
	requests := []any{
		hostileRequest(),
		map[string]any{"s": "", "n": 0, "list": map[string]any{"b": 1, "a": 2, "c": 3}, "obj": []any{1, 2}},
		map[string]any{"s": 1, "n": "7", "list": "abc", "strings": nil, "ctl": []any{}, "smile": map[string]any{}, "max": true},
		[]any{1, "x"},
		nil,
	}
	compared, less := 0, 0
	for i, expression := range expressions {
		if testing.Short() && i%5 != 0 {
			continue
		}
		for _, form := range []string{`deny contains sprintf("%v", [x]) if x := EXPR`, `deny contains "is not" if not EXPR`} {
			rule := strings.ReplaceAll(form, "EXPR", direct.ReplaceAllStringFunc(expression, inPlace))
			s, err := assemble(t.Name(), map[string]string{"attest.rego": expressionHead + rule, "config.json": hostileConfig})
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(s)
			if err != nil {
				continue // TestParityExpressions says which are refused
			}
			cut, whole := interpretersOf(t, p, Limits{Deadline: 10 * time.Second})
			for _, request := range requests {
				in := inputOf(t, map[string]any{"verified_at": 1, "request": request, "boot": map[string]any{"complete": true}})
				if got, want := decide(t, cut, in), decide(t, whole, in); text(t, got) != text(t, want) {
					t.Errorf("%s over %s:\ncut   %s %s\nwhole %s %s", rule, in.json, text(t, got), got.Detail, text(t, want), want.Detail)
				}
				if len(p.seen.of(in.json)) < len(in.json) {
					less++
				}
				compared++
			}
		}
	}
	if less < compared/2 || compared < 100 {
		t.Errorf("of %d inputs %d were cut", compared, less)
	}
}

// interpretersOf returns the interpreter as it ships, and one that is given all.
func interpretersOf(tb testing.TB, p *Policy, l Limits) (cut, whole Engine) {
	tb.Helper()
	var both [2]Engine
	for i := range both {
		e, err := p.Topdown(l)
		if err != nil {
			tb.Fatal(err)
		}
		both[i] = e
	}
	i, ok := both[1].(*interpreter)
	if !ok {
		tb.Fatalf("the reference is a %T", both[1])
	}
	i.seen = &footprint{all: true}
	return both[0], both[1]
}

// footprintIn is some footprint of a document, and a bit beside it.
func footprintIn(r *rand.Rand, doc any) *footprint {
	f := &footprint{all: r.IntN(4) == 0}
	object, ok := doc.(map[string]any)
	if f.all || !ok {
		return f
	}
	f.members = map[string]*footprint{`"absent"`: {all: true}}
	for name, v := range object {
		if r.IntN(2) == 0 {
			f.members[string(appendQuoted(nil, name))] = footprintIn(r, v)
		}
	}
	return f
}

func TestCut(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	shorter := 0
	for range 5000 {
		doc := randomDocument(r, 0)
		text, err := encodeCanonical(doc)
		if err != nil {
			t.Fatal(err)
		}
		doc = nil // numbers as the text has them
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		f := footprintIn(r, doc)
		want, err := encodeCanonical(f.cutSlowly(doc))
		if err != nil {
			t.Fatal(err)
		}
		got := f.of(text)
		if !bytes.Equal(got, want) {
			t.Fatalf("of %s\nis   %s\nwant %s", text, got, want)
		}
		if len(got) < len(text) {
			shorter++
		}
	}
	if shorter < 300 {
		t.Errorf("something was cut from %d documents of 5000", shorter)
	}
}

// TestCutBroken: from what is not canonical nothing is cut, and nothing panics.
func TestCutBroken(t *testing.T) {
	f := &footprint{members: map[string]*footprint{`"a"`: {members: map[string]*footprint{`"b"`: {all: true}}}}}
	good := `{"a":{"b":[1,"]",{"c":"\\\""}],"c":-1},"d":{"e":"}"},"f":true}`
	if got := string(f.of([]byte(good))); got != `{"a":{"b":[1,"]",{"c":"\\\""}]}}` {
		t.Errorf("of = %s", got)
	}
	for n := range len(good) {
		if got := string(f.of([]byte(good[:n]))); got != good[:n] {
			t.Errorf("of(%s) = %s", good[:n], got)
		}
	}
	for _, text := range []string{"", "{", "{}x", `{"d":}`, `{"d"1}`, `{d:1}`, `{"d":1,}`, `{"d":1 "a":2}`, `{"d":[}`, "\"\\", `{"a":{"b":1}]`, good + "}"} {
		if got := string(f.of([]byte(text))); got != text {
			t.Errorf("of(%s) = %s", text, got)
		}
	}
}

// TestFootprintAsWritten: nothing hangs on the compiler giving each reference a
// variable of its own.
func TestFootprintAsWritten(t *testing.T) {
	for _, tc := range [][2]string{ // what is read, by which rules
		{"", `allow if f(input)`},
		{"a b", `allow if input.a[input.b]`},
		{"a b", `allow if _ = input.a[input.b]`},
		{"a b c", `allow if data.attestctl.message.seen(["a", input.b], input.c)`},
		{"", `allow if g with input as 1`},
		{"", `allow if data.attestctl.message.seen(["a"], x) with input.b as 1`},
		{"a b", `allow if x = input.a with input.b as 1`},
		{"a", `allow if { x = data.b; is_object(x); input.a }`},
	} {
		want, rule := tc[0], tc[1]
		f := &footprint{}
		f.rule(ast.MustParseRule(rule))
		if got := strings.Join(f.paths(""), " "); got != want {
			t.Errorf("%s\nreads %q, want %q", rule, got, want)
		}
	}
	f := &footprint{}
	if f.collect(ast.InputRootDocument, nil); !f.all {
		t.Error("input as a variable is not the whole input")
	}
}
