package main

import (
	"context"
	"encoding/json"

	"github.com/attestctl/attestctl/policy"
)

// decider decides each input once, as long as it remembers it.
type decider struct {
	engine policy.Engine
	known  map[string]policy.Decision // by the digest of the input
	bytes  int                        // of text in them
}

// What a decider remembers, until it forgets all of it: a log may have any number
// of inputs.
const (
	maxKnown      = 10_000
	maxKnownBytes = 16 << 20
)

// inputError says that an input cannot be decided.
type inputError struct{ err error }

// Error implements error.
func (e *inputError) Error() string { return "the input: " + e.err.Error() }

// Unwrap returns the cause.
func (e *inputError) Unwrap() error { return e.err }

// decide returns what the policy says of an input, with the reasons as a log would
// have them. The error is an *inputError where there is nothing to ask about.
func (d *decider) decide(ctx context.Context, digest string, input []byte) (policy.Decision, error) {
	if said, ok := d.known[digest]; ok {
		return said, nil
	}
	in, err := policy.ParseInput(input)
	if err != nil {
		return policy.Decision{}, &inputError{err}
	}
	said, err := d.engine.Decide(ctx, in)
	if err != nil {
		return policy.Decision{}, err
	}
	if said.Reasons, err = asLogged(said.Reasons); err != nil {
		return policy.Decision{}, err
	}
	size := 0
	for _, r := range said.Reasons {
		size += len(r.Code) + len(r.Msg)
	}
	if len(d.known) >= maxKnown || d.bytes+size > maxKnownBytes {
		d.known, d.bytes = nil, 0
	}
	if d.known == nil {
		d.known = map[string]policy.Decision{}
	}
	d.known[digest] = said
	d.bytes += size
	return said, nil
}

// asLogged takes reasons through JSON, which has no invalid UTF-8.
func asLogged(reasons []policy.Reason) ([]policy.Reason, error) {
	raw, err := json.Marshal(reasons)
	if err != nil {
		return nil, err
	}
	var out []policy.Reason
	err = json.Unmarshal(raw, &out)
	return out, err
}
