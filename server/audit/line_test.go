package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestLine pins the encoding: logs that are written must stay readable.
func TestLine(t *testing.T) {
	r := sample("d1")
	r.Seq, r.Prev = 7, Hash{9}
	input := `{"schema":"attestctl.claims/v1","n":[1,2.50],"s":"a<b"}`
	sum := sha256.Sum256([]byte(input))
	zeros := func(first string) string { return first + strings.Repeat("00", 31) }
	want := `{"seq":7,"prev":"` + zeros("09") + `","decision_id":"d1","timestamp":"2026-03-01T12:00:00.0000005Z",` +
		`"request_id":"r-d1","remote":"192.0.2.7:4242","route":"POST /v1/secrets/{name}","secret":"db",` +
		`"evidence_sha256":"` + zeros("01") + `","format":"vtpm","verdict":"accepted","failed":["tpm.quote.nonce[sha256]"],` +
		`"policy":"builtin:gce-cvm","policy_digest":"sha256:` + zeros("02") + `",` +
		`"result":{"allow":false,"reasons":[{"code":"zone","msg":"unexpected zone"}]},` +
		`"shadow":{"policy":"next/","policy_digest":"sha256:` + zeros("03") + `","allow":true,"reasons":[]},` +
		`"released":false,"binding":"nonce","challenge":"` + zeros("04") + `","error":"policy-denied",` +
		`"input_digest":"sha256:` + hex.EncodeToString(sum[:]) + `","input":` + input + `}`
	if got, err := r.Line(); err != nil || string(got) != want {
		t.Errorf("Line() = %s, %v\nwant %s", got, err, want)
	}
}

func TestLineEscapes(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"\n\r\t\b\f\x00\x1b[2J", `\n\r\t\b\f\u0000\u001b[2J`},
		{"\x7f\u0085\u2028\u2029", `\u007f\u0085\u2028\u2029`},
		{"\u202e\u2066\u200f\ufeff", `\u202e\u2066\u200f\ufeff`},
		{"ü\U0001f600", `\u00fc\ud83d\ude00`},
		{"\xff\xfe", `\ufffd\ufffd`},
		{`"\</script>&`, `\"\\</script>&`},
	} {
		r := Record{DecisionID: "d", Time: epoch, Route: tc.text}
		line, err := r.Line()
		if err != nil || !bytes.Contains(line, []byte(`"route":"`+tc.want+`"`)) {
			t.Errorf("Line() for route %q = %s, %v, want %s", tc.text, line, err, tc.want)
		}
		if _, err := decodeRecord(line); err != nil {
			t.Errorf("decoding %s: %v", line, err)
		}
	}
	r := Record{DecisionID: "d", Time: epoch, Input: json.RawMessage("{ \"ü\u202e\" : \"\U0001f600\u2028<\" }")}
	line, err := r.Line()
	if want := `{"\u00fc\u202e":"\ud83d\ude00\u2028<"}}`; err != nil || !strings.HasSuffix(string(line), want) {
		t.Errorf("Line() = %s, %v, want the input %s", line, err, want)
	}
}

func TestLineRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		r    Record
		want error
	}{
		"nothing":                 {Record{}, errNoID},
		"released and denied":     {Record{DecisionID: "d", Released: true}, errReleased},
		"input is no JSON":        {Record{DecisionID: "d", Input: json.RawMessage("{")}, errInput},
		"input is empty":          {Record{DecisionID: "d", Input: json.RawMessage{}}, errInput},
		"input is null":           {Record{DecisionID: "d", Input: json.RawMessage("null")}, errInput},
		"input is not UTF-8":      {Record{DecisionID: "d", Input: json.RawMessage("{\"\xff\":1}")}, errInput},
		"input and another":       {Record{DecisionID: "d", Input: json.RawMessage("{}{}")}, errInput},
		"input that ends early":   {Record{DecisionID: "d", Input: json.RawMessage(`{},"released":true`)}, errInput},
		"a bare newline in input": {Record{DecisionID: "d", Input: json.RawMessage("{\"\n\":1}")}, errInput},
	} {
		if line, err := tc.r.Line(); !errors.Is(err, tc.want) || line != nil {
			t.Errorf("%s: Line() = %s, %v, want %v", name, line, err, tc.want)
		}
	}
	if line, err := (Record{DecisionID: "d", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).Line(); err == nil {
		t.Errorf("Line() in the year 10000 = %s", line)
	}
}

// TestDecodeRecord refuses every other encoding of the same record.
func TestDecodeRecord(t *testing.T) {
	r := sample("d1")
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(line)
	if err != nil {
		t.Fatal(err)
	}
	again := got
	again.Input, r.Input = nil, nil
	r.InputDigest, r.Shadow.Reasons = got.InputDigest, []Reason{}
	if !reflect.DeepEqual(again, r) {
		t.Errorf("decodeRecord(%s) = %+v, want %+v", line, again, r)
	}
	for name, edit := range map[string][2]string{
		"white space":           {`"released":`, `"released": `},
		"a second member":       {`"released":false`, `"released":false,"released":false`},
		"another case":          {`"released":false`, `"Released":false`},
		"an unknown member":     {`"released":false`, `"released":false,"x":1`},
		"an empty member":       {`"error":"policy-denied"`, `"error":""`},
		"null reasons":          {`"reasons":[]`, `"reasons":null`},
		"an escape too many":    {`policy-denied`, `policy\u002ddenied`},
		"half a surrogate":      {`policy-denied`, `policy\ud800denied`},
		"upper-case hex":        {`sha256:02`, `sha256:0A`},
		"another zone":          {`0005Z`, `0005+00:00`},
		"released":              {`"released":false`, `"released":true`},
		"input of other digest": {`a<b`, `a<c`},
		"digest of other input": {`"input_digest":"sha256:`, `"input_digest":"sha256:0`},
		"white space in input":  {`[1,2.50]`, `[1, 2.50]`},
		"another order":         {`"format":"vtpm","verdict":"accepted"`, `"verdict":"accepted","format":"vtpm"`},
	} {
		edited := bytes.Replace(line, []byte(edit[0]), []byte(edit[1]), 1)
		if name == "upper-case hex" {
			edited = bytes.Replace(line, []byte(`"prev":"00`), []byte(`"prev":"0A`), 1)
		}
		if bytes.Equal(edited, line) {
			t.Fatalf("%s: nothing was edited", name)
		}
		if r, err := decodeRecord(edited); err == nil || !reflect.DeepEqual(r, Record{}) {
			t.Errorf("%s: decodeRecord(%s) = %+v, %v, want an error", name, edited, r, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("d1", "/v1/secrets/db", "\u202e\n", []byte(`{"a": ["\u2028", 1.0]}`))
	f.Add("", "", "\xff", []byte("{}"))
	f.Add("d", "\x00", "\U0001f600", []byte(nil))
	f.Fuzz(func(t *testing.T, id, route, failed string, input []byte) {
		r := Record{DecisionID: id, Time: epoch, Route: route, Failed: []string{failed}, Input: input}
		line, err := r.Line()
		if err != nil {
			if line != nil {
				t.Fatalf("Line() = %s beside %v", line, err)
			}
			return
		}
		if !printable(line) {
			t.Errorf("not printable: %q", line)
		}
		got, err := decodeRecord(line)
		if err != nil {
			t.Fatalf("decodeRecord(%s): %v", line, err)
		}
		if want := strings.ToValidUTF8(id, "\ufffd"); got.DecisionID != want && !strings.Contains(want, "\ufffd") {
			t.Errorf("decision id %q, want %q", got.DecisionID, want)
		}
		if (got.InputDigest == "") != (len(got.Input) == 0) {
			t.Errorf("digest %q of the input %q", got.InputDigest, got.Input)
		}
	})
}
