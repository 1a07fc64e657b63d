package evidence_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attestctl/attestctl/internal/forge"
)

// TestClaimsFitSchema validates the claims of every piece of evidence that is
// accepted against the published schema.
func TestClaimsFitSchema(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "claims.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("claims.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("claims.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(name string, claims any) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(toJSON(t, claims))))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	validated := 0
	for _, tc := range realCases(t) {
		res, err := verify(tc.data, embeddedTrust(t), tc.want)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		validate(tc.name, res.Claims)
		validated++
	}
	for _, fc := range forge.Cases() {
		if fc.Check != "" {
			continue
		}
		e, err := fc.Build()
		if err != nil {
			t.Fatal(err)
		}
		res, err := verifyForged(t, e)
		if err != nil {
			t.Fatalf("%s: %v", fc.Name, err)
		}
		validate(fc.Name, res.Claims)
		validated++
	}
	if validated < 10 {
		t.Errorf("%d documents were validated, want 10 or more", validated)
	}
}
