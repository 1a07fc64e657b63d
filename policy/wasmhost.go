package policy

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostModule is the name of the module that holds the host's functions.
const hostModule = "attestctl"

// hostFunctions are what OPA's modules import, in the order of envModule.
var hostFunctions = []string{
	"opa_abort", "opa_println", "opa_builtin0", "opa_builtin1", "opa_builtin2", "opa_builtin3", "opa_builtin4",
}

// trap ends an evaluation; code is why.
type trap struct {
	code   string
	detail string
}

func (t *trap) Error() string { return t.detail }

// askReference is the code of a trap that is no reason for a denial: the
// reference engine shall decide.
const askReference = "ask"

// instanceKey is the key of the instance in the context of its calls.
type instanceKey struct{}

func instanceOf(ctx context.Context) *instance {
	i, ok := ctx.Value(instanceKey{}).(*instance)
	if !ok {
		panic(&trap{CodeInternal, "a call that belongs to no instance"})
	}
	return i
}

// instantiateHost makes the host's functions known to a runtime. All instances
// share them and are told apart by the context of the call.
func instantiateHost(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(hostModule)
	i32 := api.ValueTypeI32
	for n, name := range hostFunctions {
		f := b.NewFunctionBuilder()
		switch name {
		case "opa_abort":
			f = f.WithGoFunction(api.GoFunc(abort), []api.ValueType{i32}, nil)
		case "opa_println":
			f = f.WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), []api.ValueType{i32}, nil)
		default:
			arity := n - 2
			params := bytes.Repeat([]api.ValueType{i32}, arity+2)
			f = f.WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
				stack[0] = uint64(instanceOf(ctx).callBuiltin(uint32(stack[0]), stack[2:2+arity])) //nolint:gosec // an i32
			}), params, []api.ValueType{i32})
		}
		b = f.Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// abort is what a module calls when it cannot go on, and in every check.
func abort(ctx context.Context, stack []uint64) {
	if uint32(stack[0]) == tickAddress { //nolint:gosec // an i32; the rest of the word means nothing
		tick(ctx)
		return
	}
	i := instanceOf(ctx)
	msg, ok := i.cString(uint32(stack[0])) //nolint:gosec // an i32
	switch {
	case ok && strings.HasPrefix(msg, "opa_malloc"):
		panic(&trap{CodeMemory, msg})
	case ok && strings.Contains(msg, "conflict"):
		panic(&trap{askReference, msg})
	}
	panic(&trap{CodeInternal, "the module aborted: " + msg})
}

// tick is where a module lets the host look at the clock.
func tick(ctx context.Context) {
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(end) <= 0 {
		panic(&trap{CodeTimeout, "interrupted"})
	}
	if i := instanceOf(ctx); i.ticks != nil { // nil while the module starts
		i.ticks.Set(ticks)
	}
}

// hostFunction is a builtin function that the host computes.
type hostFunction struct {
	name string
	call func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error)
	fast func(i *instance, args []uint64) (uint32, bool) // nil, or the same without terms where it can
}

// hostFunctionOf returns the function that a module knows by a name.
func hostFunctionOf(name string) (hostFunction, bool) {
	if plain, ok := strings.CutPrefix(name, guardPrefix); ok {
		if guards[plain] == nil {
			return hostFunction{}, false
		}
		return hostFunction{name: name, call: func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
			return callGuarded(plain, ctx, args)
		}}, true
	}
	plain, ok := strings.CutPrefix(name, routePrefix)
	f := topdown.GetBuiltin(plain)
	if !ok || !routed(plain) || f == nil {
		return hostFunction{}, false
	}
	return hostFunction{name: name, fast: fastFunctions[plain], call: func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
		var result *ast.Term
		err := f(ctx, args, func(t *ast.Term) error {
			result = t
			return nil
		})
		return result, err
	}}, true
}

// callBuiltin calls a function for a module and returns the address of its
// result, or 0 for undefined. After a failure the evaluation only goes on to
// leave the instance as it was found.
func (i *instance) callBuiltin(id uint32, args []uint64) uint32 {
	f, ok := i.builtins[id]
	if !ok {
		panic(&trap{CodeInternal, "a call of an unknown function"})
	}
	if f.fast != nil {
		if addr, ok := f.fast(i, args); ok {
			return addr
		}
	}
	terms := make([]*ast.Term, len(args))
	for n, a := range args {
		var err error
		if terms[n], err = i.values().term(uint32(a)); err != nil { //nolint:gosec // an i32
			panic(trapOf(err))
		}
	}
	result, err := f.call(i.builtinContext(), terms)
	if err != nil {
		i.ask = f.name + ": " + err.Error()
		return 0
	}
	if result == nil {
		return 0
	}
	addr, err := i.put(result.Value)
	switch {
	case errors.Is(err, errNotCarried):
		i.ask = f.name + ": " + err.Error()
		return 0
	case err != nil:
		panic(trapOf(err))
	}
	return addr
}

// trapOf makes the reason for which an evaluation ends of an error.
func trapOf(err error) *trap {
	var t *trap
	switch {
	case errors.As(err, &t):
		return t
	case errors.Is(err, errTooLarge):
		return &trap{CodeMemory, err.Error()}
	}
	return &trap{CodeInternal, err.Error()}
}

// builtinContext is what the interpreter's functions learn of the evaluation.
func (i *instance) builtinContext() topdown.BuiltinContext {
	return topdown.BuiltinContext{
		Context: i.ctx,
		Cancel:  i.budget,
		Cache:   builtins.Cache{},
		Seed:    zeros{},
		Time:    ast.NewTerm(ast.Number("0")),
	}
}

// fastFunctions are functions of which some calls need not copy their arguments
// into terms. They return false where the interpreter's code shall see to it.
var fastFunctions = map[string]func(i *instance, args []uint64) (uint32, bool){
	"count":      fastCount,
	"startswith": fastStrings(bytes.HasPrefix),
	"endswith":   fastStrings(bytes.HasSuffix),
	"contains":   fastStrings(bytes.Contains),
	"object.get": fastObjectGet,
}

func fastCount(i *instance, args []uint64) (uint32, bool) {
	h, err := i.values().header(uint32(args[0])) //nolint:gosec // an i32
	if err != nil {
		return 0, false
	}
	n := h.b // of an array
	switch h.kind {
	case wasmArray:
	case wasmObject, wasmSet:
		n = h.c
	case wasmString, wasmStringInterned:
		s, ok := i.mem.Read(h.b, h.a)
		if !ok {
			return 0, false
		}
		n = uint32(utf8.RuneCount(s)) //nolint:gosec // of the module's memory
	default:
		return 0, false
	}
	addr, err := i.putInt(int64(n))
	return addr, err == nil
}

func fastStrings(f func(s, part []byte) bool) func(*instance, []uint64) (uint32, bool) {
	return func(i *instance, args []uint64) (uint32, bool) {
		s, ok1 := i.values().stringBytes(uint32(args[0]))    //nolint:gosec // an i32
		part, ok2 := i.values().stringBytes(uint32(args[1])) //nolint:gosec // an i32
		if !ok1 || !ok2 {
			return 0, false
		}
		return i.boolean(f(s, part)), true
	}
}

// fastObjectGet looks strings up in objects.
func fastObjectGet(i *instance, args []uint64) (uint32, bool) {
	vs, object, path, other := i.values(), uint32(args[0]), uint32(args[1]), uint32(args[2]) //nolint:gosec // i32s
	h, err := vs.header(path)
	if err != nil {
		return 0, false
	}
	keys := []uint32{path}
	if h.kind == wasmArray {
		keys = keys[:0]
		for n := range h.b {
			key, ok := vs.mem.ReadUint32Le(h.a + n*8 + 4)
			if !ok {
				return 0, false
			}
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		found, ok := vs.lookUp(object, key)
		if !ok {
			return 0, false
		}
		if found == 0 {
			return other, true
		}
		object = found
	}
	return object, len(keys) > 0
}
