package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// The words for engines. Both decides with the two and denies where they differ.
const (
	engineRego = "rego"
	engineWASM = "wasm"
	engineBoth = "both"
)

// policyFlags name a policy and how it is run.
type policyFlags struct {
	ref, config, engine string
}

func (p *policyFlags) add(c *cobra.Command, usage string) {
	c.Flags().StringVar(&p.ref, "policy", "", usage)
	p.addConfig(c)
	engineFlag(c, &p.engine)
	completePolicy(c)
}

func engineFlag(c *cobra.Command, value *string) {
	*value = engineRego
	choice(c, value, "engine", "", "rego (the reference), wasm, or both, which denies where they differ",
		[]string{engineRego, engineWASM, engineBoth})
}

func (p *policyFlags) addConfig(c *cobra.Command) {
	c.Flags().StringVar(&p.config, "config", "", "JSON or YAML `FILE` that the policy sees as data.config, instead of its own")
}

func completePolicy(c *cobra.Command) {
	if err := c.RegisterFlagCompletionFunc("policy", completeBuiltins); err != nil {
		panic(err) // the flag is missing or has a completion already
	}
}

func completeBuiltins(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return policy.Builtins(), cobra.ShellCompDirectiveDefault
}

// check refuses flags that mean nothing without a policy.
func (p *policyFlags) check() error {
	if p.ref == "" && (p.config != "" || p.engine != engineRego && p.engine != "") {
		return hint.New(usagef("--config and --engine belong to a policy, and none is named"), "add --policy")
	}
	return nil
}

// goal is what a file must be for exit code 0.
func (p *policyFlags) goal() string {
	if p.ref != "" {
		return "accepted and allowed"
	}
	return "accepted"
}

// open compiles the policy and makes the engine, which is nil without a policy.
func (p *policyFlags) open(sys *system) (e policy.Engine, closeEngine func(), err error) {
	if p.ref == "" {
		return nil, func() {}, nil
	}
	compiled, err := p.compile(sys)
	if err != nil {
		return nil, nil, err
	}
	e, closeEngine, err = newEngine(compiled, p.engine, policy.Limits{})
	if err != nil {
		return nil, nil, fmt.Errorf("policy %s: %w", report.Quote(p.ref), err)
	}
	return e, closeEngine, nil
}

// compile reads the policy and its config.
func (p *policyFlags) compile(sys *system) (*policy.Policy, error) {
	s, err := policy.Open(p.ref)
	if err != nil {
		return nil, err
	}
	if p.config != "" {
		if s, err = withConfigFile(sys, s, p.config); err != nil {
			return nil, err
		}
	}
	compiled, err := policy.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", report.Quote(p.ref), err)
	}
	return compiled, nil
}

func withConfigFile(sys *system, s *policy.Source, file string) (*policy.Source, error) {
	text, err := sys.readFile(file)
	if err != nil {
		return nil, &exitError{exitTool, fmt.Errorf("--config %s: %w", report.Quote(file), err)}
	}
	s, err = s.WithConfig(configName(file), string(text))
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", report.Quote(file), err)
	}
	return s, nil
}

// configName tells the format of a config: standard input is JSON.
func configName(file string) string {
	if file == stdinName {
		return "config.json"
	}
	return file
}

// newEngine makes an engine by its word.
func newEngine(p *policy.Policy, word string, limits policy.Limits) (e policy.Engine, closeEngine func(), err error) {
	return newEngineFrom(nil, p, word, limits)
}

// newEngineFrom makes one of many engines.
func newEngineFrom(cache *policy.WASMCache, p *policy.Policy, word string, limits policy.Limits) (e policy.Engine, closeEngine func(), err error) {
	if word == engineRego || word == "" {
		e, err = p.Topdown(limits)
		return e, func() {}, err
	}
	wasm, err := p.WASMFrom(cache, limits)
	if err != nil {
		return nil, nil, hint.New(err, cmp.Or(hint.Of(err), "--engine rego decides without WebAssembly"))
	}
	closeEngine = func() { wasm.Close() } //nolint:errcheck,gosec // the process ends
	switch word {
	case engineWASM:
		return wasm, closeEngine, nil
	case engineBoth:
		reference, err := p.Topdown(limits)
		if err != nil {
			closeEngine()
			return nil, nil, err
		}
		return policy.Both(reference, wasm), closeEngine, nil
	}
	closeEngine()
	return nil, nil, usagef("there is no engine %q", word)
}

// explainDenial returns the error for evidence or claims that a policy denies.
func explainDenial(file string, denied *appraise.DenialError) error {
	err := fmt.Errorf("%s is %w", file, denied)
	for _, r := range denied.Decision.Reasons {
		switch r.Code {
		case policy.CodeDisagree:
			return hint.New(err, "the two engines decide differently: this is a bug, please report it with the policy")
		case policy.CodeTimeout, policy.CodeMemory, policy.CodeInternal, policy.CodeBuiltinError:
			return hint.New(err, "the policy failed, which denies; attestctl policy test shows where")
		}
	}
	return hint.New(err, "every reason is listed above; attestctl policy explain shows the rules behind them")
}

var errNoDecision = errors.New("internal error: the policy gave no decision")

// decide asks an engine about an input and makes an error of a denial.
func decide(ctx context.Context, e policy.Engine, in policy.Input) (*policy.Decision, error) {
	if e == nil {
		return nil, errNoDecision
	}
	d, err := e.Decide(ctx, in)
	switch {
	case err != nil:
		return nil, err
	case !d.Allow:
		return &d, &appraise.DenialError{Decision: d}
	}
	return &d, nil
}
