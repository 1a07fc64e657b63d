package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ParseRequest reads what a caller asks for: a JSON object with exactly one
// reading, for InputOf and WithRequest.
func ParseRequest(raw []byte) (map[string]any, error) {
	if len(raw) > maxInputSize {
		return nil, fmt.Errorf("%d bytes; the limit is %d", len(raw), maxInputSize)
	}
	doc, err := strictJSON(raw, configNumber)
	if err != nil {
		return nil, err
	}
	request, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return request, nil
}

// ErrRequestTwice says that a claims document has a request already.
var ErrRequestTwice = errors.New("the claims have a request of their own")

// WithRequest returns the input with what the caller asks for. An input that has
// a request already is an error: nobody could tell which of the two was decided.
func (in Input) WithRequest(request map[string]any) (Input, error) {
	if in.parse == nil {
		return Input{}, errNoInput
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(in.json, &doc); err != nil {
		return Input{}, fmt.Errorf("reading the input: %w", err)
	}
	if _, twice := doc["request"]; twice {
		return Input{}, ErrRequestTwice
	}
	text, err := appendCanonical(nil, request, 1)
	if err != nil {
		return Input{}, err
	}
	raw, err := canonicalJSON(in.json, canonicalMember{"request", text})
	if err != nil {
		return Input{}, err
	}
	return canonicalInput(raw), nil
}

// ParseConfig reads the text of a JSON or YAML file, whose name tells which, as
// WithConfig does.
func ParseConfig(name, text string) (map[string]any, error) { return parseConfig(name, text) }

// Fresh returns the same input without what an engine has parsed of it, so that
// the next decision starts from the bytes. Measurements need it.
func (in Input) Fresh() Input {
	if in.parse == nil {
		return Input{}
	}
	return Input{in.json, sync.OnceValues(func() (ast.Value, error) {
		return ast.ValueFromReader(bytes.NewReader(in.json))
	})}
}
