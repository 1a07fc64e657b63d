package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attestctl/attestctl/evidence/claims"
)

// viaMaps is the canonical form by encoding/json alone: decoded into maps, whose
// keys it sorts, and encoded again.
func viaMaps(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		tb.Fatal(err)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// agree wants the canonical form that encoding/json gives, and the value that OPA
// reads of it.
func agree(tb testing.TB, raw []byte) {
	tb.Helper()
	text, err := canonicalJSON(raw)
	if err != nil {
		tb.Fatalf("canonicalJSON(%s): %v", raw, err)
	}
	in := canonicalInput(text)
	if want := viaMaps(tb, raw); !bytes.Equal(in.Bytes(), want) {
		tb.Errorf("canonical form of %s:\n%s, want\n%s", raw, in.Bytes(), want)
	}
	got, err := in.value()
	if err != nil {
		tb.Fatal(err)
	}
	if want, err := ast.ValueFromReader(bytes.NewReader(raw)); err != nil || got.Compare(want) != 0 || got.Hash() != want.Hash() {
		tb.Errorf("value of %s: %v, want %v, %v", raw, got, want, err)
	}
}

// TestCanonicalForm compares with encoding/json and OPA over odd documents.
func TestCanonicalForm(t *testing.T) {
	for _, doc := range []any{
		nil, true, false, 0, -7, int64(math.MaxInt64), uint64(math.MaxUint64), 1.5, 1e300, json.Number("10.50"), json.Number("-0"),
		"", "plain", "a\"b\\c/d", "<script>&amp;", "\x00\x1f\x7f", "ü \u2028 \U0001f600 \ufffd", "bad \xff utf-8", `\u0041`,
		[]any{},
		map[string]any{},
		[]any{nil, []any{map[string]any{}}},
		map[string]any{"": 1, "<": 2, "a\n": 3, "ä": 4, "z": nil, "Z": true},
		struct {
			B json.RawMessage `json:"b"`
			A string          `json:"a"`
		}{json.RawMessage(` { "z" : [ 1 , 2.0 , "\u00e4\u0041\/<" ] , "\u0061" : null } `), "]},:"},
	} {
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, raw)
	}
}

// TestInputOfClaims wants the input to be what the claims encode to, checks and
// request among it.
func TestInputOfClaims(t *testing.T) {
	request := map[string]any{"z": []any{1, "<"}, "a": nil}
	for _, checks := range []map[string]string{nil, {}, {"b": "pass", "a[x]": "skip", "ü<\"": "\n"}} {
		c := &claims.Claims{Schema: "s", Sub: "a&b", Checks: checks, Token: map[string]any{"b": json.Number("1.50"), "a": []any(nil), "é": []any{"<"}}}
		if checks == nil {
			c.Token = map[string]any{}
		}
		in, err := InputOf(c, request)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(struct {
			*claims.Claims

			Request map[string]any `json:"request"`
		}{c, request})
		if err != nil {
			t.Fatal(err)
		}
		if want := viaMaps(t, raw); !bytes.Equal(in.Bytes(), want) {
			t.Errorf("input of checks %v:\n%s, want\n%s", checks, in.Bytes(), want)
		}
	}
}

// TestCanonicalFormRandom does so over random documents.
func TestCanonicalFormRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		doc := randomDocument(r, 0)
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, raw)
		if text, err := appendCanonical([]byte("x"), doc, 0); err != nil || string(text) != "x"+string(raw) {
			t.Errorf("appendCanonical of %s: %s, %v", raw, text, err)
		}
	}
}

func randomDocument(r *rand.Rand, depth int) any {
	text := func() string {
		alphabet := []rune("ab{}[]\",:\\<>&é\u2028\n\x01 09")
		s := make([]rune, r.IntN(6))
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(s)
	}
	switch kind := r.IntN(8); {
	case kind == 0:
		return nil
	case kind == 1:
		return r.IntN(2) == 0
	case kind == 2:
		return r.Int64()
	case kind == 3 || depth > 5:
		return text()
	case kind < 6:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomDocument(r, depth+1)
		}
		return list
	default:
		doc := map[string]any{}
		for range r.IntN(5) {
			doc[text()] = randomDocument(r, depth+1)
		}
		return doc
	}
}

// TestNoCanonicalForm: what encoding/json does not write is no document, and a key
// that stands twice has no one meaning.
func TestNoCanonicalForm(t *testing.T) {
	deep := bytes.Repeat([]byte("["), maxJSONDepth+2)
	for _, raw := range []string{
		"", " ", "tru", "nul", "01", "1 ", "-", "{", "[", "[1", "[1,]", "[,1]", "{}{}", `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"`, `"\`, `"\x"`, "\"\n\\\"", `"a" `, "[1 2]", string(deep),
	} {
		if text, err := canonicalJSON([]byte(raw)); err == nil {
			t.Errorf("canonicalJSON(%.40q) = %s, want an error", raw, text)
		}
		if v, err := termOf([]byte(raw)); err == nil && !strings.Contains(raw, `":1,"`) {
			t.Errorf("termOf(%.40q) = %v, want an error", raw, v)
		}
	}
}

// TestDeepText: neither reader goes deeper than the other engine would.
func TestDeepText(t *testing.T) {
	for brackets, fits := range map[int]bool{1: true, maxJSONDepth: true, maxJSONDepth + 1: false, 1000: false} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			inner := pair[0] + "1" + pair[1]
			raw := []byte(strings.Repeat(pair[0], brackets-1) + inner + strings.Repeat(pair[1], brackets-1))
			if _, err := canonicalJSON(raw); errors.Is(err, errJSONDeep) == fits {
				t.Errorf("canonicalJSON of %d times %s: %v", brackets, pair[0], err)
			}
			if _, err := termOf(raw); errors.Is(err, errJSONDeep) == fits {
				t.Errorf("termOf of %d times %s: %v", brackets, pair[0], err)
			}
		}
	}
}

// FuzzCanonicalForm: a text is refused, or its canonical form is the one of
// encoding/json.
func FuzzCanonicalForm(f *testing.F) {
	f.Add([]byte(`{"b":[1,-2.5e3,"\u0041<"],"a":{"":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var doc json.RawMessage
		if json.Unmarshal(text, &doc) != nil {
			if _, err := canonicalJSON(text); err == nil {
				t.Errorf("canonicalJSON(%q) takes what is no json", text)
			}
			return
		}
		raw, err := json.Marshal(doc) // without white space
		if err != nil {
			return
		}
		if _, err := canonicalJSON(raw); err == nil {
			agree(t, raw)
		}
	})
}

// TestDeepInput: what one engine would not read is no input for the other.
func TestDeepInput(t *testing.T) {
	p := policyOf(t, "package attest\n\ndefault allow := false\n\nallow if input.request.a\n", "{}")
	reference, wasm := enginesOf(t, p, Limits{Deadline: time.Minute})
	claim := &claims.Claims{Schema: claims.Schema}
	empty, err := InputOf(claim, nil)
	if err != nil {
		t.Fatal(err)
	}
	for brackets, fits := range map[int]bool{1: true, maxJSONDepth - 2: true, maxJSONDepth - 1: true, maxJSONDepth: false, 2 * maxJSONDepth: false} {
		var nested any = []any{}
		for range brackets - 1 {
			nested = []any{nested}
		}
		request := map[string]any{"a": nested}
		for _, made := range []func() (Input, error){
			func() (Input, error) { return InputOf(claim, request) },
			func() (Input, error) { return empty.WithRequest(request) },
		} {
			in, err := made()
			if (err == nil) != fits {
				t.Errorf("%d brackets: %v", brackets, err)
			}
			if err != nil {
				continue
			}
			if got, want := decide(t, wasm, in), decide(t, reference, in); !got.Allow || !want.Allow {
				t.Errorf("%d brackets: wasm %+v, rego %+v", brackets, got, want)
			}
		}
	}
}
