package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attestctl/attestctl/internal/hint"
)

// Problem is one reason why a text is not a policy. Line and Column count from
// 1; Line is 0 where no place can be named.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Msg    string `json:"msg"`
	Hint   string `json:"hint,omitempty"`
}

func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Msg
	case p.Line == 0:
		return p.File + ": " + p.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Msg)
}

// CompileError lists everything that is wrong with a policy, in the order of
// its text.
type CompileError struct {
	Problems []Problem
}

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects.
type problems []Problem

func (ps *problems) add(at *ast.Location, advice, format string, args ...any) {
	p := Problem{Msg: fmt.Sprintf(format, args...), Hint: advice}
	if at != nil {
		p.File, p.Line, p.Column = at.File, at.Row, at.Col
	}
	*ps = append(*ps, p)
}

// maxProblems is how many problems are told at once.
const maxProblems = 50

// err returns the problems as one error, whose hint is that of the first that
// has one, or nil.
func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	ps = slices.Compact(ps)
	e := &CompileError{ps[:min(len(ps), maxProblems)]}
	for _, p := range e.Problems {
		if p.Hint != "" {
			return hint.New(e, p.Hint)
		}
	}
	return e
}
