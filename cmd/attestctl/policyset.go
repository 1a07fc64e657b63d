package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/policy"
)

// policySet compiles each policy once for each config it is asked with. It is
// safe for concurrent use.
type policySet struct {
	engines []string // words, the first decides
	mu      sync.Mutex
	ready   map[string]*preparedPolicy
	wasm    *policy.WASMCache
	// coverage records the decisions of a policy by its identity; nil records
	// nothing.
	coverage map[string]*policy.Coverage
	// config is what every policy sees instead of what a case says, if not nil.
	config map[string]any
}

func newPolicySet(engines []string) *policySet {
	return &policySet{engines: engines, ready: map[string]*preparedPolicy{}, wasm: policy.NewWASMCache()}
}

// preparedPolicy is a policy with one config and its engines.
type preparedPolicy struct {
	once     sync.Once
	policy   *policy.Policy
	engines  []policy.Engine
	closeAll []func()
	err      error
}

// identity names a policy so that two ways to write its path are one.
func identity(ref string) string {
	if strings.HasPrefix(ref, "builtin:") {
		return ref
	}
	abs, err := filepath.Abs(ref)
	if err != nil {
		return ref
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		return target
	}
	return abs
}

// get compiles the policy; config is nil where it has its own.
func (s *policySet) get(ref string, config map[string]any) (*preparedPolicy, error) {
	id, text := identity(ref), ""
	if config != nil {
		raw, err := json.Marshal(config)
		if err != nil {
			return nil, fmt.Errorf("encoding the config: %w", err)
		}
		text = string(raw)
	}
	s.mu.Lock()
	p := s.ready[id+"\x00"+text]
	if p == nil {
		p = &preparedPolicy{}
		s.ready[id+"\x00"+text] = p
	}
	s.mu.Unlock()
	p.once.Do(func() { p.err = p.prepare(ref, text, s.engines, s.coverage[id], s.wasm) })
	return p, p.err
}

func (p *preparedPolicy) prepare(ref, config string, engines []string, coverage *policy.Coverage, cache *policy.WASMCache) error {
	s, err := policy.Open(ref)
	if err != nil {
		return err
	}
	if config != "" {
		if s, err = s.WithConfig("config.json", config); err != nil {
			return err
		}
	}
	if p.policy, err = policy.Compile(s); err != nil {
		return err
	}
	for _, word := range engines {
		e, closeEngine, err := newEngineFrom(cache, p.policy, word, policy.Limits{Deadline: testDeadline})
		if err != nil {
			return fmt.Errorf("engine %s: %w", word, err)
		}
		p.closeAll = append(p.closeAll, closeEngine)
		p.engines = append(p.engines, e)
	}
	if coverage != nil {
		recorder, err := p.policy.Recorder(coverage, policy.Limits{Deadline: testDeadline})
		if err != nil {
			return err
		}
		p.engines = append(p.engines, recorder)
	}
	return nil
}

// testDeadline is how long a decision may take in a test, where many are made at
// a time on a machine that may do something else: not what makes a case red.
const testDeadline = 2 * time.Second

func (s *policySet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ready {
		for _, closeEngine := range p.closeAll {
			closeEngine()
		}
	}
	s.wasm.Close() //nolint:errcheck,gosec // the process ends
}

// differError says that engines do not decide alike.
type differError struct{ first, second, one, two string }

// Error implements error.
func (e *differError) Error() string {
	return fmt.Sprintf("the engines differ: %s says %s, %s says %s", e.first, e.one, e.second, e.two)
}

var errNoEngine = errors.New("internal error: no engine")

// decide asks every engine, wants one answer of them, and returns it. It is a
// fixture.Decider.
func (s *policySet) decide(ctx context.Context, ref string, config map[string]any, c *claims.Claims, request map[string]any) (json.RawMessage, error) {
	p, err := s.get(ref, config) //nolint:contextcheck // what is compiled outlives the call that needed it first
	if err != nil {
		return nil, err
	}
	var first json.RawMessage
	for i, e := range p.engines {
		d, err := appraise.Decide(ctx, e, c, request)
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = raw
		}
		if string(raw) != string(first) {
			return nil, &differError{s.word(0), s.word(i), string(first), string(raw)}
		}
	}
	if first == nil {
		return nil, errNoEngine
	}
	return first, nil
}

// word names an engine; the one behind the last records coverage.
func (s *policySet) word(i int) string {
	if i < len(s.engines) {
		return s.engines[i]
	}
	return "the coverage recorder"
}
