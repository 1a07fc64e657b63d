package policy

import (
	_ "embed" // for the schema
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// claimsSchema is a copy of docs/claims.schema.json, which go:embed cannot
// reach; a test keeps the two in step.
//
//go:embed claims.schema.json
var claimsSchema []byte

// inputSchema is the JSON Schema of what a policy sees as input: a claims
// document, and below request whatever the caller asks for.
var inputSchema = sync.OnceValues(func() (map[string]any, error) {
	doc, err := strictJSON(claimsSchema, configNumber)
	if err != nil {
		return nil, fmt.Errorf("the claims schema: %w", err)
	}
	schema, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the claims schema: not an object")
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the claims schema: no properties")
	}
	properties["request"] = map[string]any{"type": "object", "description": "What the caller asks for; never from evidence."}
	delete(schema, "$id") // nobody shall try to fetch it
	delete(schema, "$schema")
	return schema, nil
})

// Schema returns the JSON Schema (draft 2020-12) of a policy's input.
func Schema() ([]byte, error) {
	s, err := inputSchema()
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(s, "", "  ")
}

// typeSchemas gives the schema to OPA's type checker.
func typeSchemas() (*ast.SchemaSet, error) {
	s, err := inputSchema()
	if err != nil {
		return nil, err
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, s)
	return set, nil
}

// validator checks documents against the schema at run time.
var validator = sync.OnceValues(func() (*jsonschema.Schema, error) {
	s, err := inputSchema()
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing
	if err := c.AddResource("attestctl:input", s); err != nil {
		return nil, fmt.Errorf("the claims schema: %w", err)
	}
	compiled, err := c.Compile("attestctl:input")
	if err != nil {
		return nil, fmt.Errorf("the claims schema: %w", err)
	}
	return compiled, nil
})

// validate checks a document against the schema. The error names the first
// place that breaks it.
func validate(doc any) error {
	schema, err := validator()
	if err != nil {
		return err
	}
	err = schema.Validate(doc)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	return fmt.Errorf("/%s: %v", strings.Join(invalid.InstanceLocation, "/"), invalid.BasicOutput().Error)
}
