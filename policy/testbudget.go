package policy

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// budgets gives every test a budget. OPA's runner knows of none: what it hands
// to a function is the cancellation of the test, which each test has of its own.
type budgets struct {
	mu sync.Mutex
	of map[topdown.Cancel]*budget
}

// charging calls a function with the budget of its test.
func (b *budgets) charging(call func(topdown.BuiltinContext, []*ast.Term) (*ast.Term, error)) func(topdown.BuiltinContext, []*ast.Term) (*ast.Term, error) {
	return func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
		if ctx.Cancel != nil {
			ctx.Cancel = b.get(ctx.Cancel)
		}
		return call(ctx, args)
	}
}

// get returns the budget of a test. A test is evaluated by one goroutine.
func (b *budgets) get(c topdown.Cancel) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[c] == nil {
		b.of[c] = &budget{left: defaultMemory}
	}
	return b.of[c]
}
