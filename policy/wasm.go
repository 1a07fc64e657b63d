package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// defaultWASMMemory is the linear memory of an instance where Limits does not
// say. Nothing in it is freed during a decision.
const (
	defaultWASMMemory = 16 << 20
	pageSize          = 64 << 10
	minPages          = 4
)

// WASM is the second engine: the policy compiled to WebAssembly by OPA's
// compiler, run by a host of our own. Builtin functions that can fail, or that
// the module would compute differently, run in the interpreter's own code.
//
// What a module cannot hold exactly (numbers that are neither 64-bit integers
// nor short decimals, strings that are not UTF-8) and every evaluation in which
// a function fails is decided by the reference engine within the same deadline:
// the interpreter skips rules that its index excludes, and so which function
// fails depends on the interpreter. A module evaluates all that the interpreter
// does, so that where nothing fails in the module nothing fails there.
type WASM struct {
	policy    *Policy
	limits    Limits
	runtime   wazero.Runtime
	module    wazero.CompiledModule
	env       wazero.CompiledModule
	reference Engine
	seen      *footprint
	pool      chan *instance // nil members are instances to be made
	closed    chan struct{}
	close     func() error
}

var errClosed = errors.New("the engine is closed")

// WASM compiles the policy and returns the engine. Limits.Memory bounds the
// linear memory of each of its instances, of which there is one per processor;
// 0 means 16 MiB. It refuses a policy that it could not decide as the reference
// does.
func (p *Policy) WASM(limits Limits) (*WASM, error) { return p.WASMFrom(nil, limits) }

// WASMFrom is [Policy.WASM] for one of many policies. What the cache has of another
// with the same modules, as one that differs in its config alone, is not compiled
// again; nil has nothing. Engines must be closed before their cache.
func (p *Policy) WASMFrom(cache *WASMCache, limits Limits) (*WASM, error) {
	if err := p.CheckParity(); err != nil {
		return nil, err
	}
	reference, err := p.Topdown(limits)
	if err != nil {
		return nil, err
	}
	if limits.Memory <= 0 {
		limits.Memory = defaultWASMMemory
	}
	module, err := cache.code(p)
	if err != nil {
		return nil, err
	}
	w := &WASM{
		policy: p, limits: limits.withDefaults(), reference: reference, seen: p.seen,
		pool: make(chan *instance, runtime.GOMAXPROCS(0)), closed: make(chan struct{}),
	}
	w.close = sync.OnceValue(w.shutDown)
	if err := w.start(context.Background(), module, cache.config()); err != nil {
		return nil, err
	}
	return w, nil
}

// start compiles the module to machine code and makes the first instance.
func (w *WASM) start(ctx context.Context, module []byte, config wazero.RuntimeConfig) error {
	pages := uint32(max(minPages, min(w.limits.Memory/pageSize, 1<<15)))
	w.runtime = wazero.NewRuntimeWithConfig(ctx, config.WithMemoryLimitPages(pages).WithDebugInfoEnabled(false))
	err := w.load(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), module, pages)
	if err != nil {
		return errors.Join(fmt.Errorf("starting the policy: %w", err), w.runtime.Close(ctx))
	}
	return nil
}

func (w *WASM) load(ctx context.Context, module []byte, pages uint32) error {
	if err := instantiateHost(ctx, w.runtime); err != nil {
		return err
	}
	least, err := memoryPages(module)
	if err != nil {
		return err
	}
	if least > pages {
		return fmt.Errorf("%w: the policy alone takes %d KiB", errTooLarge, least*(pageSize>>10))
	}
	if w.env, err = w.runtime.CompileModule(ctx, envModule(hostModule, max(minPages, least), pages)); err != nil {
		return err
	}
	if w.module, err = w.runtime.CompileModule(ctx, module); err != nil {
		return err
	}
	first, err := w.instantiate(ctx)
	if err != nil {
		return err
	}
	w.pool <- first
	for range cap(w.pool) - 1 {
		w.pool <- nil
	}
	return nil
}

// Close waits for decisions under way and frees the engine. Later decisions are
// errors.
func (w *WASM) Close() error { return w.close() }

func (w *WASM) shutDown() error {
	close(w.closed)
	for range cap(w.pool) {
		<-w.pool
	}
	return w.runtime.Close(context.Background())
}

// Decide implements Engine. Its error is that the engine is closed.
func (w *WASM) Decide(ctx context.Context, in Input) (Decision, error) {
	if in.parse == nil {
		return deny(w.policy.digest, CodeInput, errNoInput.Error()), nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.limits.Deadline)
	defer cancel()
	text := w.seen.of(in.json)
	if !exactInput(text) {
		return w.reference.Decide(ctx, in)
	}
	var i *instance
	select {
	case <-w.closed:
		return Decision{}, errClosed
	case <-ctx.Done():
		return deny(w.policy.digest, CodeTimeout, ""), nil
	case i = <-w.pool:
	}
	value, i, err := w.evaluate(ctx, i, text)
	w.pool <- i
	var failed *trap
	switch {
	case err == nil && ctx.Err() != nil: // a function of the host took too long
		return deny(w.policy.digest, CodeTimeout, ""), nil
	case err == nil:
		return read(w.policy.digest, value), nil
	case errors.As(err, &failed) && failed.code == askReference:
		return w.reference.Decide(ctx, in)
	case errors.As(err, &failed):
		return deny(w.policy.digest, failed.code, err.Error()), nil
	}
	return deny(w.policy.digest, CodeInternal, err.Error()), nil
}

// evaluate runs an instance and returns it if it can be used again. An instance
// that was stopped or that trapped cannot: a new one takes a third of a
// millisecond.
func (w *WASM) evaluate(ctx context.Context, i *instance, input []byte) (ast.Value, *instance, error) {
	var err error
	if i == nil {
		if i, err = w.instantiate(context.WithoutCancel(ctx)); err != nil {
			return nil, nil, err
		}
	}
	value, err := i.evaluate(ctx, &budget{left: w.limits.Memory}, input)
	if !i.broken {
		return value, i, err
	}
	return value, nil, errors.Join(err, i.close(ctx))
}

// maxScanDepth is how deep an input may nest before the interpreter decides
// over it: a module's parser recurses.
const maxScanDepth = 512

// exactInput reports whether a module can hold an input exactly. The input is
// canonical JSON, as Input always is: outside strings, a digit is a number's.
func exactInput(raw []byte) bool {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
		case '{', '[':
			if depth++; depth > maxScanDepth {
				return false
			}
		case '}', ']':
			depth--
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			start := i
			for i+1 < len(raw) && numeric(raw[i+1]) {
				i++
			}
			if !exactClaim(raw[start : i+1]) {
				return false
			}
		}
	}
	return true
}

// endOfString returns where the string that begins at i ends.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}

// exactClaim reports whether a number is an integer of 64 bits.
func exactClaim(s []byte) bool {
	return plainInteger(s) && (len(s) <= exactDigits || exactNumber(string(s)) == nil)
}

func numeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// plainInteger reports whether a JSON number is an integer without fraction,
// exponent or negative zero.
func plainInteger(s []byte) bool {
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s[0] != '-' || s[1] != '0'
}
