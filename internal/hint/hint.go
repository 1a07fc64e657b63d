// Package hint lets an error carry advice: one sentence that says what the
// user can do next. Whoever prints the error asks for it with Of.
package hint

import "errors"

type hinted struct {
	error

	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// New returns err with advice attached, or nil if err is nil.
func New(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// Of returns the advice nearest to the surface of err, or "".
func Of(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	return ""
}
