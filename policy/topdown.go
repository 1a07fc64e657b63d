package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Limits bounds one decision. Its zero value means the defaults.
type Limits struct {
	// Deadline is how long a decision may take; 0 means 100 ms.
	Deadline time.Duration
	// Memory is how many bytes an evaluation may make; 0 means 64 MiB.
	Memory int
}

const (
	defaultDeadline = 100 * time.Millisecond
	defaultMemory   = 64 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Deadline <= 0 {
		l.Deadline = defaultDeadline
	}
	if l.Memory <= 0 {
		l.Memory = defaultMemory
	}
	return l
}

// Topdown returns the reference engine: OPA's interpreter.
func (p *Policy) Topdown(limits Limits) (Engine, error) {
	store, err := p.store()
	if err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){
		rego.Compiler(p.measured),
		rego.Store(store),
		rego.Query(entryQuery),
		rego.SetRegoVersion(ast.RegoV1),
		rego.Capabilities(Capabilities()),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
	}
	query, err := rego.New(append(options, guardedFunctions()...)...).PrepareForEval(context.Background())
	if err != nil {
		return nil, fmt.Errorf("preparing the policy: %w", err)
	}
	return &interpreter{query: query, digest: p.digest, limits: limits.withDefaults(), seen: p.seen}, nil
}

// store holds data.config and nothing else.
func (p *Policy) store() (storage.Store, error) {
	config, err := ast.ValueFromReader(bytes.NewReader(p.source.raw))
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	doc, err := ast.JSON(ast.NewObject([2]*ast.Term{ast.StringTerm("config"), ast.NewTerm(config)}))
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	data, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("reading the config: not an object")
	}
	return inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true)), nil
}

// guardedFunctions makes the guarded functions known to the interpreter.
func guardedFunctions() []func(*rego.Rego) {
	var options []func(*rego.Rego)
	for _, f := range ownFunctions() {
		options = append(options, rego.FunctionDyn(f.forRego()))
	}
	return options
}

// interpreter is the topdown engine.
type interpreter struct {
	query  rego.PreparedEvalQuery
	digest string
	limits Limits
	seen   *footprint
}

// Decide evaluates until the deadline or until ctx ends. OPA asks whether to go
// on between expressions; the guards bound what one expression can cost.
func (e *interpreter) Decide(ctx context.Context, in Input) (Decision, error) {
	input, err := in.valueOf(e.seen)
	if err != nil {
		return deny(e.digest, CodeInput, err.Error()), nil
	}
	b := &budget{left: e.limits.Memory}
	timer := time.AfterFunc(e.limits.Deadline, b.Cancel)
	defer timer.Stop()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, b.Cancel)()
	}
	return e.evaluate(b, input), nil //nolint:contextcheck // OPA would start a goroutine for it; the budget is cancelled instead
}

// evaluate makes a decision of whatever the evaluation does.
func (e *interpreter) evaluate(b *budget, input ast.Value) (d Decision) {
	defer func() {
		if r := recover(); r != nil {
			d = deny(e.digest, CodeInternal, fmt.Sprint(r))
		}
	}()
	var failed []topdown.Error
	rs, err := e.query.Eval(context.Background(),
		rego.EvalParsedInput(input),
		rego.EvalExternalCancel(b),
		rego.EvalTime(time.Unix(0, 0).UTC()),
		rego.EvalSeed(zeros{}),
		rego.EvalBuiltinErrorList(&failed),
		// Neither skips an expression whose function fails, so that an error
		// is seen whatever else the policy says.
		rego.EvalRuleIndexing(false),
		rego.EvalEarlyExit(false),
	)
	switch {
	case err != nil:
		return e.failed(b, err)
	case b.exhausted:
		return deny(e.digest, CodeMemory, "the memory limit was reached")
	case b.cancelled.Load():
		return deny(e.digest, CodeTimeout, "the deadline passed")
	case len(failed) > 0:
		return deny(e.digest, CodeBuiltinError, ownNames.Replace(failed[0].Error()))
	case len(rs) != 1 || len(rs[0].Expressions) != 1:
		return deny(e.digest, CodeUndefined, "the entrypoint has no value")
	}
	value, ok := rs[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return deny(e.digest, CodeType, "the entrypoint is no value")
	}
	return read(e.digest, value)
}

// failed tells the ways in which an evaluation fails.
func (e *interpreter) failed(b *budget, err error) Decision {
	var t *topdown.Error
	detail := ownNames.Replace(err.Error())
	switch {
	case b.exhausted:
		return deny(e.digest, CodeMemory, detail)
	case topdown.IsCancel(err):
		return deny(e.digest, CodeTimeout, detail)
	case errors.As(err, &t) && t.Code == topdown.ConflictErr:
		return deny(e.digest, CodeConflict, detail)
	case errors.As(err, &t) && (t.Code == topdown.BuiltinErr || t.Code == topdown.TypeErr):
		return deny(e.digest, CodeBuiltinError, detail)
	}
	return deny(e.digest, CodeInternal, detail)
}

// ownNames takes the names that the compiler gave out of what people read.
var ownNames = strings.NewReplacer(holdName+": ", "", guardPrefix, "")

// zeros is the randomness of a policy.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// budget stops an evaluation when its time is up, or when it has made more than
// it may: OPA asks Cancelled before every expression, and each costs a little
// memory. Only Cancel may be called from elsewhere.
type budget struct {
	cancelled atomic.Bool
	left      int
	exhausted bool
}

// stepCost is about what one step of the interpreter leaves behind.
const stepCost = 128

func (b *budget) Cancel() { b.cancelled.Store(true) }

func (b *budget) Cancelled() bool { return !b.spend(stepCost) || b.cancelled.Load() }

// exhaust ends the evaluation and returns why.
func (b *budget) exhaust() error {
	b.exhausted = true
	return errTooLarge
}

// spend charges n bytes and reports whether the evaluation may go on.
func (b *budget) spend(n int) bool {
	b.left -= n
	b.exhausted = b.exhausted || b.left < 0
	return !b.exhausted
}
