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
	// Every check stands in every input: encoding/json takes longer for that one
	// map than for all else.
	bare := *c
	bare.Checks = nil
	doc, err := toNode(&bare)
	if err != nil {
		return Input{}, err
	}
	doc.put("checks", textsNode(c.Checks))
	if request != nil {
		if err := doc.set("request", request); err != nil {
			return Input{}, err
		}
	}
	return doc.input(), nil
}

// toNode returns what v encodes to.
func toNode(v any) (jsonNode, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return jsonNode{}, fmt.Errorf("encoding the input: %w", err)
	}
	n, err := parseJSON(raw)
	if err != nil {
		return jsonNode{}, fmt.Errorf("encoding the input: %w", err)
	}
	return n, nil
}

// canonical encodes a document with its keys sorted and no white space.
func canonical(doc any) (Input, error) {
	n, err := toNode(doc)
	if err != nil {
		return Input{}, err
	}
	return n.input(), nil
}

// input is the value as every engine takes it.
func (n *jsonNode) input() Input {
	var b bytes.Buffer
	n.write(&b)
	return Input{b.Bytes(), sync.OnceValues(func() (ast.Value, error) { return n.term().Value, nil })}
}
