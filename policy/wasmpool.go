package policy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// instance is a module with a memory of its own. One decision uses it at a time.
type instance struct {
	env, module api.Module
	mem         api.Memory
	ticks       api.MutableGlobal
	functions   map[string]api.Function
	builtins    map[uint32]hostFunction
	entry       uint64
	data        uint64 // address of the data
	base        uint64 // where the heap of a decision begins
	yes, no     uint32 // addresses of true and false
	stack       [8]uint64

	// Of the decision under way.
	ctx    context.Context //nolint:containedctx // of one call, for the functions that it calls
	budget *budget
	ask    string // why the reference engine shall decide
	broken bool
}

// exported are the functions of OPA's ABI that the host calls.
var exported = []string{
	"opa_malloc", "opa_value_parse", "opa_heap_ptr_get", "opa_heap_ptr_set", "builtins", "entrypoints",
	"opa_eval_ctx_new", "opa_eval_ctx_set_input", "opa_eval_ctx_set_data", "opa_eval_ctx_set_entrypoint",
	"eval", "opa_eval_ctx_get_result",
}

// instantiate makes an instance and loads the data into it.
func (w *WASM) instantiate(ctx context.Context) (*instance, error) {
	env, err := w.runtime.InstantiateModule(ctx, w.env, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, err
	}
	i := &instance{env: env, mem: env.ExportedMemory("memory"), functions: map[string]api.Function{}, builtins: map[uint32]hostFunction{}}
	i.budget = &budget{left: w.limits.Memory}
	i.ctx = context.WithValue(ctx, instanceKey{}, i)
	i.module, err = w.runtime.InstantiateModule(experimental.WithImportResolver(i.ctx, func(name string) api.Module { //nolint:contextcheck // the context of the decision that waits for it
		if name == "env" {
			return env
		}
		return nil
	}), w.module, wazero.NewModuleConfig().WithName(""))
	if err == nil {
		err = i.link()
	}
	if err == nil {
		err = i.load(w.policy.source.raw)
	}
	if err != nil {
		return nil, errors.Join(err, i.close(ctx))
	}
	return i, nil
}

func (i *instance) close(ctx context.Context) error {
	if i.module == nil {
		return i.env.Close(ctx)
	}
	return errors.Join(i.module.Close(ctx), i.env.Close(ctx))
}

// link finds what the module exports.
func (i *instance) link() error {
	for _, name := range exported {
		if i.functions[name] = i.module.ExportedFunction(name); i.functions[name] == nil {
			return fmt.Errorf("%w: it exports no %s", errWASM, name)
		}
	}
	var ok bool
	if i.ticks, ok = i.module.ExportedGlobal(ticksExport).(api.MutableGlobal); !ok {
		return fmt.Errorf("%w: it cannot be stopped", errWASM)
	}
	return nil
}

// load prepares the memory that all decisions start from.
func (i *instance) load(config []byte) error {
	data := append(append([]byte(`{"config":`), config...), '}')
	yes, err1 := i.parse([]byte("true"))
	no, err2 := i.parse([]byte("false"))
	root, err3 := i.parse(data)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	i.yes, i.no, i.data = yes, no, uint64(root)
	entries, err := i.table("entrypoints")
	if err != nil {
		return err
	}
	id, ok := entries[entrypoint]
	if !ok {
		return fmt.Errorf("%w: it has no entrypoint %s", errWASM, entrypoint)
	}
	i.entry = uint64(id)
	names, err := i.table("builtins")
	if err != nil {
		return err
	}
	for name, id := range names {
		if i.builtins[id], ok = hostFunctionOf(name); !ok {
			return fmt.Errorf("%w: it calls %s", errWASM, name)
		}
	}
	i.base, err = i.run("opa_heap_ptr_get")
	return err
}

// table reads a table of names and numbers that a function of the module gives.
func (i *instance) table(function string) (map[string]uint32, error) {
	addr, err := i.run(function)
	if err != nil {
		return nil, err
	}
	t, err := i.values().term(uint32(addr)) //nolint:gosec // an i32
	if err != nil {
		return nil, err
	}
	object, ok := t.Value.(ast.Object)
	if !ok {
		return nil, errMemoryLayout
	}
	table := map[string]uint32{}
	err = object.Iter(func(key, value *ast.Term) error {
		n, err := strconv.ParseUint(value.String(), 10, 32)
		table[textOf(key)] = uint32(n)
		return err
	})
	return table, err
}

// evaluate evaluates the entrypoint over an input. The instance must not be used
// again if it is broken afterwards.
func (i *instance) evaluate(ctx context.Context, b *budget, input []byte) (ast.Value, error) {
	i.ctx, i.budget, i.ask = context.WithValue(ctx, instanceKey{}, i), b, ""
	value, err := i.decide(input)
	i.broken = err != nil
	switch {
	case err != nil:
		return nil, trapOf(err)
	case i.ask != "":
		return nil, &trap{askReference, i.ask}
	}
	return value, nil
}

// decide calls the module, by section "Evaluation" of OPA's ABI.
func (i *instance) decide(input []byte) (ast.Value, error) {
	if _, err := i.run("opa_heap_ptr_set", i.base); err != nil {
		return nil, err
	}
	doc, err := i.parse(input)
	if err != nil {
		return nil, err
	}
	c, err := i.run("opa_eval_ctx_new")
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		function string
		arg      uint64
	}{
		{"opa_eval_ctx_set_input", uint64(doc)},
		{"opa_eval_ctx_set_data", i.data},
		{"opa_eval_ctx_set_entrypoint", i.entry},
	} {
		if _, err := i.run(step.function, c, step.arg); err != nil {
			return nil, err
		}
	}
	if _, err := i.run("eval", c); err != nil {
		return nil, err
	}
	addr, err := i.run("opa_eval_ctx_get_result", c)
	if err != nil {
		return nil, err
	}
	t, err := i.values().term(uint32(addr)) //nolint:gosec // an i32
	if err != nil {
		return nil, err
	}
	return resultOf(t)
}

// resultOf unpacks the one result of the query that OPA makes of an entrypoint.
func resultOf(t *ast.Term) (ast.Value, error) {
	set, ok := t.Value.(ast.Set)
	if !ok || set.Len() != 1 {
		return nil, errMemoryLayout
	}
	object, ok := set.Slice()[0].Value.(ast.Object)
	if !ok || object.Len() != 1 {
		return nil, errMemoryLayout
	}
	result := object.Get(ast.InternedTerm("result"))
	if result == nil {
		return nil, errMemoryLayout
	}
	return result.Value, nil
}

// run calls a function of the module.
func (i *instance) run(function string, args ...uint64) (uint64, error) {
	stack := i.stack[:]
	if i.nested(function) {
		stack = make([]uint64, 2)
	}
	copy(stack, args)
	if err := i.functions[function].CallWithStack(i.ctx, stack); err != nil {
		return 0, err
	}
	return uint64(uint32(stack[0])), nil //nolint:gosec // an i32, or nothing
}

// nested says whether a function may be called while another runs, from a
// function of the host.
func (i *instance) nested(function string) bool {
	return function == "opa_malloc" || function == "opa_value_parse"
}

func (i *instance) values() values { return values{i.mem, i.budget} }

// cString reads a text that ends with a zero byte.
func (i *instance) cString(addr uint32) (string, bool) {
	if addr >= i.mem.Size() {
		return "", false
	}
	raw, ok := i.mem.Read(addr, i.mem.Size()-addr)
	n := bytes.IndexByte(raw, 0)
	if !ok || n < 0 {
		return "", false
	}
	return string(raw[:n]), true
}

// alloc makes room in the module's memory.
func (i *instance) alloc(n int) (uint32, error) {
	addr, err := i.run("opa_malloc", uint64(n)) //nolint:gosec // not negative
	return uint32(addr), err                    //nolint:gosec // an i32
}

// parse makes a value of its text in the module's memory. Nothing may be lost:
// a text that the module cannot read would be undefined there.
func (i *instance) parse(text []byte) (uint32, error) {
	addr, err := i.alloc(len(text))
	if err != nil {
		return 0, err
	}
	if !i.mem.Write(addr, text) {
		return 0, errMemoryLayout
	}
	value, err := i.run("opa_value_parse", uint64(addr), uint64(len(text)))
	if err != nil {
		return 0, err
	}
	if value == 0 {
		return 0, &trap{CodeInternal, "the module cannot read a value"}
	}
	return uint32(value), nil //nolint:gosec // an i32
}

func (i *instance) boolean(b bool) uint32 {
	if b {
		return i.yes
	}
	return i.no
}

// put makes a value in the module's memory.
func (i *instance) put(v ast.Value) (uint32, error) {
	switch v := v.(type) {
	case ast.Boolean:
		return i.boolean(bool(v)), nil
	case ast.String:
		return i.putString(string(v)) // any bytes, as the interpreter's strings
	}
	text, err := appendValue(nil, v)
	if err != nil {
		return 0, err
	}
	return i.parse(text)
}

// putString lays a string out behind its header, in one block.
func (i *instance) putString(s string) (uint32, error) {
	addr, err := i.alloc(headerSize + len(s))
	if err != nil {
		return 0, err
	}
	head := [headerSize]byte{wasmString}
	binary.LittleEndian.PutUint32(head[4:], uint32(len(s))) //nolint:gosec // of the module's memory
	binary.LittleEndian.PutUint32(head[8:], addr+headerSize)
	if !i.mem.Write(addr, head[:]) || !i.mem.WriteString(addr+headerSize, s) {
		return 0, errMemoryLayout
	}
	return addr, nil
}

// putInt makes an integer.
func (i *instance) putInt(n int64) (uint32, error) {
	addr, err := i.alloc(headerSize)
	if err != nil {
		return 0, err
	}
	head := [headerSize]byte{wasmNumber, 1}
	binary.LittleEndian.PutUint64(head[8:], uint64(n)) //nolint:gosec // two's complement
	if !i.mem.Write(addr, head[:]) {
		return 0, errMemoryLayout
	}
	return addr, nil
}
