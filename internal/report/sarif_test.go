package report

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// oasis compiles the schema of OASIS from testdata, and loads nothing else.
func oasis(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := os.Open("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // only read from
	doc, err := jsonschema.UnmarshalJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing
	c.AssertFormat()
	if err := c.AddResource(sarifSchema, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(sarifSchema)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func fits(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

func TestSARIFSchema(t *testing.T) {
	schema := oasis(t)
	for _, s := range nasty {
		text := encodeTest(t, "sarif", s)
		if err := fits(t, schema, text); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		var log sarifLog
		if err := json.Unmarshal([]byte(text), &log); err != nil {
			t.Fatal(err)
		}
		if n := len(log.Runs[0].Results); n != 5 {
			t.Errorf("%q: %d results, want 5", s, n)
		}
		for _, r := range log.Runs[0].Results {
			if log.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
				t.Errorf("%q: rule %d is not %s", s, r.RuleIndex, r.RuleID)
			}
		}
	}
}

// TestSARIFSchemaRefuses keeps the schema from letting everything pass.
func TestSARIFSchemaRefuses(t *testing.T) {
	schema, good := oasis(t), encodeTest(t, "sarif", "plain")
	for _, tc := range []struct{ name, old, changed string }{
		{"another version", `"version": "2.1.0"`, `"version": "2.0.0"`},
		{"no version", `"version": "2.1.0",`, ""},
		{"unknown level", `"level": "error"`, `"level": "fatal"`},
		{"line zero", `"startLine": `, `"startLine": -`},
		{"rule below zero", `"ruleIndex": `, `"ruleIndex": -9`},
		{"unknown property", `"runs": `, `"run": [], "runs": `},
		{"message as text", `"message": {`, `"messages": {`},
	} {
		text := strings.ReplaceAll(good, tc.old, tc.changed)
		if text == good {
			t.Errorf("%s: %q is not in what is written", tc.name, tc.old)
		}
		if fits(t, schema, text) == nil {
			t.Errorf("%s: the schema lets it pass", tc.name)
		}
	}
}

// TestSARIFFingerprint stays while only a value changes.
func TestSARIFFingerprint(t *testing.T) {
	at := &Test{Suite: "fixtures", Name: "a", Kind: "fixture"}
	fingerprint := func(message string) string {
		return sarifResultOf(at, Finding{Rule: "claims", Message: message}).Fingerprints["attestctl/v1"]
	}
	if fingerprint("claims.x: 1 -> 2") != fingerprint("claims.x: 1 -> 3") {
		t.Error("another value has another fingerprint")
	}
	if fingerprint("claims.x: 1 -> 2") == fingerprint("claims.y: 1 -> 2") {
		t.Error("another claim has the same fingerprint")
	}
}
