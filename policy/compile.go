package policy

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attestctl/attestctl/internal/hint"
)

// maxRules bounds the rules of a policy, the library included.
const maxRules = 2048

// entryModule is the one place that both engines evaluate. It lists the values
// of allow, so that undefined is seen and not guessed.
const entryModule = `package attestctl.entry

# METADATA
# description: What both engines evaluate; none is undefined.
# entrypoint: true
decision := {"allow": [x | x := data.attest.allow], "deny": [x | x := data.attest.deny]}
`

// entryQuery is what an engine asks for.
const entryQuery = "data.attestctl.entry.decision"

// Policy is a compiled policy. It is immutable and safe for concurrent use.
type Policy struct {
	source   *Source
	digest   string
	modules  map[string]*ast.Module
	compiler *ast.Compiler // as written
	measured *ast.Compiler // with the calls of hold: the one to evaluate with
	seen     *footprint    // of the input
}

// Compile checks a source against everything a policy must be and compiles it:
// Rego v1, strict, allowed functions only, typed by the claims schema, with the
// contract's allow and deny. The error is a *CompileError that lists all
// problems of the first stage that found one; its hint is a way round the first.
func Compile(s *Source) (*Policy, error) {
	if s == nil || len(s.modules) == 0 {
		return nil, errNoModules
	}
	modules, err := within(maxCompile, func() (map[string]*ast.Module, error) { return parse(s) })
	if err != nil {
		return nil, err
	}
	found := problems{}
	for _, f := range s.modules {
		found.checkModule(modules[f.Path])
	}
	found.checkContract(s, modules)
	if err := found.err(); err != nil {
		return nil, err
	}
	for _, m := range modules {
		guardCalls(m)
	}
	compiler, err := compileInTime(modules, checkSizes)
	if err != nil {
		return nil, err
	}
	found.checkRefs(s, compiler)
	found.checkTypes(compiler)
	if err := found.err(); err != nil {
		return nil, err
	}
	measured, err := compileInTime(modules, addHolds)
	if err != nil {
		return nil, err
	}
	return &Policy{
		source: s, digest: s.Digest(), modules: modules,
		compiler: compiler, measured: measured, seen: footprintOf(compiler),
	}, nil
}

// parse parses the modules and the library.
func parse(s *Source) (map[string]*ast.Module, error) {
	found, modules, rules := problems{}, map[string]*ast.Module{}, 0
	for _, f := range append(s.Library(), s.modules...) {
		m, err := parseModule(f)
		if err != nil {
			found.addErrors(err)
			continue
		}
		if rules += countRules(m); rules > maxRules {
			return nil, fmt.Errorf("%s: more than %d rules", f.Path, maxRules)
		}
		modules[f.Path] = m
	}
	return modules, found.err()
}

// countRules counts the rules of a module; each else is one.
func countRules(m *ast.Module) int {
	n := 0
	for _, r := range m.Rules {
		for ; r != nil; r = r.Else {
			n++
		}
	}
	return n
}

func parseModule(f File) (*ast.Module, error) {
	m, err := ast.ParseModuleWithOpts(f.Path, f.Text, ast.ParserOptions{
		Capabilities:      Capabilities(),
		ProcessAnnotation: true,
		RegoVersion:       ast.RegoV1,
	})
	if err == nil && m == nil {
		return nil, ast.Errors{ast.NewError(ast.ParseErr, &ast.Location{File: f.Path, Row: 1, Col: 1}, "an empty module")}
	}
	return m, err
}

// maxCompile is how long a policy may compile; those that ship take 20 ms.
const maxCompile = 5 * time.Second

// compileInTime gives up on a policy whose types OPA would infer for years, as
// it does where arrays hold each other twice forty times over. It cannot be
// interrupted, so that the attempt is left behind: a policy is compiled when a
// person loads it, not once a request.
func compileInTime(modules map[string]*ast.Module, stage ast.CompilerStage) (*ast.Compiler, error) {
	c, err := within(maxCompile, func() (*ast.Compiler, error) { return compile(modules, stage) })
	if errors.Is(err, errTooSlow) {
		return nil, hint.New(fmt.Errorf("compiling the policy: %w", err),
			"split long rules and large values: OPA's compiler takes time that grows with the square of them")
	}
	return c, err
}

// compile runs OPA's compiler with a stage of ours before it infers types; it
// does not change the modules.
func compile(modules map[string]*ast.Module, stage ast.CompilerStage) (*ast.Compiler, error) {
	schemas, err := typeSchemas()
	if err != nil {
		return nil, err
	}
	c := ast.NewCompiler().
		WithCapabilities(Capabilities()).
		WithStrict(true).
		WithSchemas(schemas).
		WithDefaultRegoVersion(ast.RegoV1).
		WithUseTypeCheckAnnotations(false). // a comment must not change the type of input
		WithStageAfterID(ast.StageRewriteDynamicTerms, stageOf(stage))
	c.Compile(modules)
	found := problems{}
	if c.Failed() {
		found.addErrors(c.Errors)
	}
	return c, found.err()
}

func stageOf(stage ast.CompilerStage) ast.CompilerStageDefinition {
	return ast.CompilerStageDefinition{Name: "attestctl", MetricName: "attestctl", Stage: stage}
}

// addErrors adds what OPA found wrong, in this package's words where it has any.
func (ps *problems) addErrors(err error) {
	var list ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = ast.Errors{one}
	default:
		ps.add(nil, "", "%v", err)
	}
	for _, e := range list {
		msg, advice := reword(e)
		ps.add(e.Location, advice, "%s", msg)
	}
}

// Digest identifies everything that can change a decision of the policy.
func (p *Policy) Digest() string { return p.digest }

// Source returns the text the policy was compiled from.
func (p *Policy) Source() *Source { return p.source }

// Modules returns the parsed modules by path, the library included. Calls of
// builtin functions that have a guarded twin name the twin. Do not modify them.
func (p *Policy) Modules() map[string]*ast.Module { return maps.Clone(p.modules) }

// Compiler returns the compiler with the compiled modules. Do not modify it.
func (p *Policy) Compiler() *ast.Compiler { return p.compiler }
