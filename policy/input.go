package policy

import (
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

// valueOf is value without what nothing reads.
func (in Input) valueOf(f *footprint) (ast.Value, error) {
	if in.json == nil || f.all { // without a text there is nothing to cut, and nothing to parse
		return in.value()
	}
	return termOf(f.of(in.json))
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
	// Over maps encoding/json takes longer than for all else.
	bare := *c
	bare.Checks, bare.Token = nil, nil
	var extra []canonicalMember
	add := func(name string, v any) error {
		text, err := appendCanonical(make([]byte, 0, extraSize), v, 1)
		extra = append(extra, canonicalMember{name, text})
		return err
	}
	err := add("checks", c.Checks)
	if len(c.Token) > 0 {
		err = errors.Join(err, add("token", c.Token))
	}
	if request != nil {
		err = errors.Join(err, add("request", request))
	}
	if err != nil {
		return Input{}, err
	}
	raw, err := encodeCanonical(&bare, extra...)
	if err != nil {
		return Input{}, err
	}
	return canonicalInput(raw), nil
}

// extraSize is how many bytes most such parts have at the most.
const extraSize = 2 << 10

// canonical encodes a document with its keys sorted and no white space.
func canonical(doc any) (Input, error) {
	raw, err := encodeCanonical(doc)
	if err != nil {
		return Input{}, err
	}
	return canonicalInput(raw), nil
}

// canonicalInput is the input with this canonical text.
func canonicalInput(raw []byte) Input {
	return Input{raw, sync.OnceValues(func() (ast.Value, error) { return termOf(raw) })}
}
