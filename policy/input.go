package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attestctl/attestctl/evidence/claims"
)

// Input is the canonical JSON of what a policy sees as input: a claims document,
// and below "request" what is asked for. Its zero value is no input; every
// engine denies it.
type Input struct {
	json  []byte
	parse func() (ast.Value, error)
}

// Bytes returns the canonical JSON. Do not modify it.
func (in Input) Bytes() []byte { return in.json }

var errNoInput = errors.New("no input")

// value returns the input as OPA's interpreter takes it, parsed once however
// many engines decide over it.
func (in Input) value() (ast.Value, error) {
	if in.parse == nil {
		return nil, errNoInput
	}
	return in.parse()
}

// ParseInput reads a claims document that somebody saved. It is taken for what
// it says: nothing in it is verified. It must be JSON with exactly one reading
// and keep to the claims schema; the error names the place where it does not.
func ParseInput(raw []byte) (Input, error) {
	if len(raw) > maxInputSize {
		return Input{}, fmt.Errorf("the claims: %d bytes; the limit is %d", len(raw), maxInputSize)
	}
	doc, err := strictJSON(raw, claimNumber)
	if err != nil {
		return Input{}, fmt.Errorf("the claims: %w", err)
	}
	if err := validate(doc); err != nil {
		return Input{}, fmt.Errorf("the claims: %w", err)
	}
	return canonical(doc)
}

// InputOf makes the input for verified claims. request, which may be nil, is
// what the caller asks for; it never comes from evidence.
func InputOf(c *claims.Claims, request map[string]any) (Input, error) {
	if c == nil {
		return Input{}, errors.New("no claims: the evidence was not accepted")
	}
	doc, err := toMap(c)
	if err != nil {
		return Input{}, err
	}
	if request != nil {
		doc["request"] = request
	}
	return canonical(doc)
}

// toMap decodes what v encodes to, numbers kept exact.
func toMap(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	doc := map[string]any{}
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	return doc, nil
}

// canonical encodes a document with its keys sorted and no white space.
func canonical(doc any) (Input, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return Input{}, fmt.Errorf("encoding the input: %w", err)
	}
	return Input{raw, sync.OnceValues(func() (ast.Value, error) {
		return ast.ValueFromReader(bytes.NewReader(raw))
	})}, nil
}
