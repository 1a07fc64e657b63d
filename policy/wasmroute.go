package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	opacompile "github.com/open-policy-agent/opa/v1/compile"
)

// routePrefix names the twin of a builtin function that the host computes, with
// the interpreter's own code. It is no "host.": contains is a keyword of Rego.
const routePrefix = "host_"

// native lists the functions that OPA's modules compute themselves: those that
// are fast, never fail, and mean the same as the interpreter's for every value
// that reaches a module. All others are computed by the host, above all those
// that fail: a module takes a failure for undefined, and a deny rule is silent.
var native = strings.Fields(`
	eq assign equal neq gt gte lt lte internal.member_2 internal.member_3
	is_number is_string is_boolean is_array is_set is_object is_null type_name
	walk print internal.print internal.test_case rego.metadata.chain rego.metadata.rule
`)

// entrypoint is the name of the entry in a module.
const entrypoint = "attestctl/entry/decision"

// WASMModule returns the policy as a WebAssembly module with OPA's ABI 1.3 and
// the digest of its source. The functions that the host must provide, as
// builtins() lists them, are the interpreter's: host_NAME and guard.NAME.
// data must be {"config": ...}, and the entrypoint is "attestctl/entry/decision".
func (p *Policy) WASMModule() ([]byte, error) {
	code, err := p.wasmCode()
	if err != nil {
		return nil, err
	}
	return withDigest(code, p.digest), nil
}

// wasmCode is the module without the digest, which depends on the config.
func (p *Policy) wasmCode() ([]byte, error) {
	b := bundle.Bundle{Data: map[string]any{}}
	b.Manifest.Init()
	capabilities := routedCapabilities()
	for _, name := range sortedKeys(p.modules) {
		m := p.modules[name].Copy()
		routeCalls(m)
		b.Modules = append(b.Modules, bundle.ModuleFile{URL: name, Path: name, Parsed: m, Raw: []byte(p.modules[name].String())})
	}
	c := opacompile.New().
		WithTarget(opacompile.TargetWasm).
		WithBundle(&b).
		WithEntrypoints(entrypoint).
		WithCapabilities(capabilities).
		WithRegoVersion(ast.RegoV1)
	// Build ends with formatting the Rego that is left, which fails for strings
	// with control characters; the module has been made by then.
	err := c.Build(context.Background())
	if len(b.WasmModules) != 1 {
		return nil, fmt.Errorf("compiling the policy to WebAssembly: %w", cmp.Or(err, errWASM))
	}
	return b.WasmModules[0].Raw, nil
}

// CheckWASM says whether a module is this policy, byte for byte, as this version
// of attestctl compiles it.
func (p *Policy) CheckWASM(module []byte) error {
	digest, err := WASMDigest(module)
	if err != nil {
		return err
	}
	if digest != p.digest {
		return fmt.Errorf("the module was made from the policy %s, and this is %s", digest, p.digest)
	}
	want, err := p.WASMModule()
	if err != nil {
		return err
	}
	if !slices.Equal(module, want) {
		return fmt.Errorf("the module names the policy %s, but it is not what this version of attestctl makes of it", digest)
	}
	return nil
}

func sortedKeys(modules map[string]*ast.Module) []string {
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// routedCapabilities adds the twins to what a policy may use.
func routedCapabilities() *ast.Capabilities {
	c := Capabilities()
	for _, b := range c.Builtins {
		if routed(b.Name) {
			c.Builtins = append(c.Builtins, &ast.Builtin{Name: routePrefix + b.Name, Decl: b.Decl})
		}
	}
	return c
}

// routed says whether calls of a function are renamed.
func routed(name string) bool {
	return slices.Contains(allowed, name) && !slices.Contains(native, name)
}

// routeCalls renames the calls of the functions that the host computes.
func routeCalls(m *ast.Module) {
	rename := func(operator *ast.Term) {
		ref, ok := operator.Value.(ast.Ref)
		if !ok {
			return
		}
		if name := ref.String(); routed(name) {
			operator.Value = functionRef(routePrefix + name)
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				rename(x.OperatorTerm())
			}
		case ast.Call:
			rename(x[0])
		}
		return false
	}).Walk(m)
}

// functionRef makes the reference to a function of its name.
func functionRef(name string) ast.Ref {
	parts := strings.Split(name, ".")
	ref := ast.Ref{ast.VarTerm(parts[0])}
	for _, p := range parts[1:] {
		ref = append(ref, ast.StringTerm(p))
	}
	return ref
}
