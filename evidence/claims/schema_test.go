package claims_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"github.com/attestctl/attestctl/evidence/claims"
)

var update = flag.Bool("update", false, "rewrite docs/claims.schema.json")

// generate makes the JSON Schema of the claims document from the Go types and
// their comments. The document is closed: a field that is not in it is an error
// in whoever reads it.
func generate(t *testing.T) []byte {
	t.Helper()
	r := jsonschema.Reflector{ExpandedStruct: true, Anonymous: true}
	if err := r.AddGoComments("github.com/attestctl/attestctl/evidence/claims", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	comments := make(map[string]string, len(r.CommentMap))
	for name, text := range r.CommentMap { // the walk names the package by its folder
		comments[filepath.Clean(name)] = text
	}
	r.CommentMap = comments
	s := r.Reflect(&claims.Claims{})
	s.ID = "https://github.com/attestctl/attestctl/docs/claims.schema.json"
	s.Title = claims.Schema
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func TestSchemaInStep(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "claims.schema.json")
	got := generate(t)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say; run go test ./evidence/claims -run TestSchemaInStep -update", path)
	}
}

// TestEveryFieldDescribed wants a comment for every type of the document, since
// the schema is what policy authors read.
func TestEveryFieldDescribed(t *testing.T) {
	var doc struct {
		Description string
		Properties  map[string]struct{ Description string }
		Defs        map[string]struct{ Description string } `json:"$defs"`
	}
	if err := json.Unmarshal(generate(t), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Properties) < 10 || len(doc.Defs) < 15 {
		t.Fatalf("schema has %d properties and %d definitions, the document is larger", len(doc.Properties), len(doc.Defs))
	}
	for name, p := range doc.Properties {
		if p.Description == "" {
			t.Errorf("claim %q has no description", name)
		}
	}
	for name, d := range doc.Defs {
		if d.Description == "" {
			t.Errorf("type %q has no description", name)
		}
	}
}

// TestAbsentIsNeverFalse walks the types: a field that may be absent and whose
// zero value would read as a statement must be a pointer.
func TestAbsentIsNeverFalse(t *testing.T) {
	var walk func(reflect.Type)
	seen := map[reflect.Type]bool{}
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			walk(f.Type)
			optional := bytes.Contains([]byte(f.Tag.Get("json")), []byte("omitempty"))
			if optional && f.Type.Kind() == reflect.Bool {
				t.Errorf("%s.%s is an optional bool: absent would read as false", typ.Name(), f.Name)
			}
		}
	}
	walk(reflect.TypeFor[claims.Claims]())
	if len(seen) < 15 {
		t.Errorf("walked %d types only", len(seen))
	}
}
