package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// parityPolicies compiles the policies of testdata/parity and those that ship.
func parityPolicies(tb testing.TB) map[string]*Policy {
	tb.Helper()
	policies := shippedPolicies(tb)
	files := filesIn(tb, "testdata/parity/*")
	for name, module := range files {
		if !strings.Contains(module, "package attest\n") {
			continue
		}
		s, err := assemble(name, map[string]string{"attest.rego": module, "levels.rego": files["levels.rego"], "config.json": files["config.json"]})
		if err != nil {
			tb.Fatal(err)
		}
		if policies[name], err = Compile(s); err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
	}
	return policies
}

// fixtureClaims reads the claims of all fixtures.
func fixtureClaims(tb testing.TB) []map[string]any {
	tb.Helper()
	paths, err := filepath.Glob("../fixtures/*/want.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all []map[string]any
	for _, path := range paths {
		if c := claimsOf(tb, path); c != nil {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		tb.Fatal("no fixture has claims")
	}
	return all
}

// hostileStrings are strings that some encoder, decoder or comparison of ours or
// of somebody else's has got wrong.
var hostileStrings = []string{
	"", " ", "\x00", "a\x00b", "\x01", "\a\b\v\x7f", "\u0080\u009f", "\u2028\u2029", "\ufeff", "\U000e0001", "\U0001F600", "e\u0301", "é",
	`\`, `\u0001`, `\ud800`, `"`, `'`, "</script>&", "\r\n", "\t", "İ", "straße", "ﬁ", "\ufffd", "\uffff", "\U0010ffff",
	"0", "-0", "007", "1_000", "1e400", "-1e-400", "9223372036854775808", "18446744073709551616", "0x10", "1.0", "NaN", "null", "true", "{}", "[]", "set()",
	"GCE", "gce", "GCP_AMD_SEV", "GCP_AMD_SEV\x00", "certificate", "pass", "fail", "skip", "europe-west4-b", "10.1.2.3", "10.0.0.0/33", "1.2.3", "1.2.3-rc.1",
	"a(b)^", "x-y-z", "dev-1", "YQ", "YQ==", "__proto__", "constructor", strings.Repeat("a", 300), strings.Repeat("\U000e0001", 100),
	strings.Repeat("-", 500), strings.Repeat("f", 40),
}

var hostileIntegers = []int64{0, 1, -1, 2, 3, 7, 13, 20, 255, 600, 11129, 1767225600, 1<<31 - 1, 1 << 31, 1 << 32, 1<<53 - 1, 1 << 53, 1<<53 + 1, -1 << 53, 1<<63 - 2, 1<<63 - 1, -1 << 63, -1<<63 + 1}

// hostileNumbers cannot come from claims, but from what a caller asks for.
var hostileNumbers = []string{"-0", "0.0", "1.0", "1.5", "0.1", "1e2", "1E+2", "1e400", "-1e-400", "18446744073709551615", "18446744073709551616", "9223372036854775808", "0.1000000000000000055511151231257827", "1e0"}

// random makes the mutants. Its seed is fixed, so that a failure is found again.
type random struct{ *rand.Rand }

func pick[T any](r random, list []T) T { return list[r.IntN(len(list))] }

func (r random) scalar() any {
	switch r.IntN(20) {
	case 0:
		return nil
	case 1, 2:
		return r.IntN(2) == 0
	case 3, 4, 5, 6, 7:
		return pick(r, hostileIntegers)
	case 8:
		return json.Number(pick(r, hostileNumbers))
	}
	return pick(r, hostileStrings)
}

func (r random) value(depth int) any {
	if depth <= 0 || r.IntN(3) == 0 {
		return r.scalar()
	}
	if r.IntN(2) == 0 {
		list := make([]any, r.IntN(5))
		for i := range list {
			list[i] = r.value(depth - 1)
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(5) {
		object[pick(r, append([]string{"a", "b", "c", "gce", "sha256"}, hostileStrings...))] = r.value(depth - 1)
	}
	return object
}

// request makes what the policies of testdata/parity read below request.
func (r random) request() map[string]any {
	words := make([]any, r.IntN(4))
	for i := range words {
		words[i] = pick(r, append([]string{"a", "b", "c"}, hostileStrings...))
	}
	list := make([]any, r.IntN(5))
	for i := range list {
		list[i] = pick(r, hostileIntegers)
	}
	return map[string]any{
		"name": pick(r, hostileStrings), "words": words, "list": list, "n": pick(r, hostileIntegers),
		"issued": pick(r, hostileIntegers), "digits": pick(r, hostileStrings),
		"map": map[string]any{"a": []any{1, "x"}, "b": list, pick(r, hostileStrings): r.value(2)},
	}
}

// leaves lists the paths of all members of a document.
func leaves(doc any, path []string, all *[][]string) {
	if len(path) > 0 {
		*all = append(*all, slices.Clone(path))
	}
	switch doc := doc.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			leaves(doc[key], append(path, key), all)
		}
	case []any:
		for i := range doc {
			leaves(doc[i], append(path, fmt.Sprint(i)), all)
		}
	}
}

// changed copies a document with the member at a path replaced; drop removes it.
func changed(doc any, path []string, f func(any) (v any, drop bool)) (any, bool) {
	if len(path) == 0 {
		return f(doc)
	}
	switch doc := doc.(type) {
	case map[string]any:
		clone := maps.Clone(doc)
		v, drop := changed(doc[path[0]], path[1:], f)
		if clone[path[0]] = v; drop {
			delete(clone, path[0])
		}
		return clone, false
	case []any:
		var i int
		if _, err := fmt.Sscan(path[0], &i); err != nil || i >= len(doc) {
			return doc, false
		}
		v, drop := changed(doc[i], path[1:], f)
		clone := slices.Clone(doc)
		if clone[i] = v; drop {
			clone = slices.Delete(clone, i, i+1)
		}
		return clone, false
	}
	return doc, false
}

// mutations remove, retype, empty and flip a member.
var mutations = []func(any) (any, bool){
	func(any) (any, bool) { return nil, true },
	func(any) (any, bool) { return nil, false },
	func(v any) (any, bool) { return []any{v}, false },
	func(v any) (any, bool) { return map[string]any{"x": v}, false },
	func(any) (any, bool) { return "", false },
	func(v any) (any, bool) {
		switch v := v.(type) {
		case bool:
			return !v, false
		case string:
			return v + "\u0001", false
		case json.Number:
			return "-" + v.String(), false
		case map[string]any:
			return map[string]any{}, false
		}
		return []any{}, false
	},
}

// TestParityMutants decides over every mutation of every claim of the fixtures,
// and over random documents, with both engines. Any difference is a failure.
func TestParityMutants(t *testing.T) {
	total, native, limit := 0, 0, 30000
	if testing.Short() {
		limit = 3000
	}
	policies, fixtures := parityPolicies(t), fixtureClaims(t)
	var paths [][2]any
	for _, claims := range fixtures {
		var all [][]string
		leaves(claims, nil, &all)
		for _, path := range all {
			paths = append(paths, [2]any{claims, path})
		}
	}
	for n, name := range slices.Sorted(maps.Keys(policies)) {
		t.Run(name, func(t *testing.T) {
			reference, wasm := enginesOf(t, policies[name], Limits{Deadline: 10 * time.Second})
			asked := &counting{Engine: wasm.reference}
			wasm.reference = asked
			cut, _ := interpretersOf(t, policies[name], Limits{Deadline: 10 * time.Second})
			r := random{rand.New(rand.NewPCG(1, uint64(n)))}
			allowed, decided := 0, limit/len(policies)
			for i := range decided {
				doc := r.document(fixtures, paths, i)
				in := inputOf(t, doc)
				got, want := decide(t, wasm, in), decide(t, reference, in)
				if text(t, got) != text(t, want) {
					t.Fatalf("decision %d over %s:\nWASM    %s %s\ntopdown %s %s", i, in.json, text(t, got), got.Detail, text(t, want), want.Detail)
				}
				if got := decide(t, cut, in); text(t, got) != text(t, want) {
					t.Fatalf("decision %d over %s:\ncut     %s %s\ntopdown %s %s", i, in.json, text(t, got), got.Detail, text(t, want), want.Detail)
				}
				if got.Allow {
					allowed++
				}
			}
			total, native = total+decided, native+decided-asked.n
			t.Logf("%d decisions, %d of them by the reference; %d allow", decided, asked.n, allowed)
		})
	}
	if native < limit*2/3 {
		t.Errorf("%d of %d decisions by the module alone, want %d", native, total, limit*2/3)
	}
	t.Logf("%d decisions, %d of them by the module alone", total, native)
}

// document makes the i-th input: a mutant of a fixture, or of several claims, or
// something random.
func (r random) document(fixtures []map[string]any, paths [][2]any, i int) any {
	switch i % 8 {
	case 0:
		return r.value(4)
	case 1:
		doc := maps.Clone(pick(r, fixtures))
		doc["request"] = r.value(4)
		return doc
	}
	chosen := pick(r, paths)
	doc := chosen[0]
	path, _ := chosen[1].([]string)
	doc, _ = changed(doc, path, pick(r, mutations))
	if i%8 == 2 {
		return doc
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return doc
	}
	object = maps.Clone(object)
	object["request"] = r.request()
	if i%8 == 3 {
		doc, _ = changed(object, []string{pick(r, slices.Sorted(maps.Keys(object)))}, func(any) (any, bool) { return r.scalar(), false })
		return doc
	}
	return object
}
