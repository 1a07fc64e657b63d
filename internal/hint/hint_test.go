package hint_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/attestctl/attestctl/internal/hint"
)

func TestOf(t *testing.T) {
	inner := hint.New(io.EOF, "inner advice")
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"none", io.EOF, ""},
		{"nil", nil, ""},
		{"direct", inner, "inner advice"},
		{"wrapped", fmt.Errorf("reading: %w", inner), "inner advice"},
		{"nearest to the surface", hint.New(fmt.Errorf("reading: %w", inner), "outer advice"), "outer advice"},
	} {
		if got := hint.Of(tc.err); got != tc.want {
			t.Errorf("%s: Of(%v) = %q, want %q", tc.name, tc.err, got, tc.want)
		}
	}
	if !errors.Is(inner, io.EOF) || inner.Error() != "EOF" {
		t.Errorf("New changes the error: %v", inner)
	}
	if hint.New(nil, "advice") != nil {
		t.Error("New(nil) is not nil")
	}
}
