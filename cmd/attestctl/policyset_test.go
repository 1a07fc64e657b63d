package main

import (
	"context"
	"slices"
	"testing"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// stub is an engine that decides the same of everything, or panics.
type stub struct {
	answer policy.Decision
	broken bool
}

func (s stub) Decide(context.Context, policy.Input) (policy.Decision, error) {
	if s.broken {
		panic("boom")
	}
	return s.answer, nil
}

// TestEnginesThatDifferFail gives a case two engines that do not decide alike,
// and one that panics: neither is a pass.
func TestEnginesThatDifferFail(t *testing.T) {
	cases, err := fixture.Load(committed)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cases, func(c fixture.Case) bool { return c.Want.Claims != nil })
	c := cases[i]
	c.Spec.Policies = []fixture.Policy{{Policy: "builtin:stub"}}
	allow, deny := policy.Decision{Allow: true}, policy.Deny("", policy.Reason{Code: "a", Msg: "b"})
	for _, tc := range []struct {
		name    string
		engines []policy.Engine
		status  string
		rule    string
	}{
		{"differ", []policy.Engine{stub{answer: allow}, stub{answer: deny}}, report.TestError, policy.CodeDisagree},
		{"other reasons", []policy.Engine{stub{answer: policy.Decision{}}, stub{answer: deny}}, report.TestError, policy.CodeDisagree},
		{"panic", []policy.Engine{stub{broken: true}}, report.TestError, kindFixture},
		{"none", nil, report.TestError, kindFixture},
		{"same", []policy.Engine{stub{answer: allow}, stub{answer: allow}}, report.TestFailed, "decision"}, // not recorded
	} {
		prepared := &preparedPolicy{engines: tc.engines}
		prepared.once.Do(func() {})
		set := newPolicySet([]string{engineRego, engineWASM})
		set.ready["builtin:stub\x00"] = prepared
		r := &testRun{policyTest: &policyTest{sys: testSystem()}, set: set, tested: map[string]bool{"builtin:stub": true}}
		got := r.testCase(t.Context(), "fixtures", c)
		rules := []string{}
		for _, f := range got.Findings {
			rules = append(rules, f.Rule)
		}
		if got.Status != tc.status || !got.Failed() || !slices.Contains(rules, tc.rule) {
			t.Errorf("%s: %s with %q, want %s with %s", tc.name, got.Status, rules, tc.status, tc.rule)
		}
	}
}

func TestDiffRule(t *testing.T) {
	for line, want := range map[string]string{
		"verdict: want accepted, got refused":                                   "verdict",
		"checks.tpm.quote.signature[sha1]: want pass, got fail":                 "tpm.quote.signature[sha1]",
		`claims.boot.kernel: "a: checks.x: b" -> nothing`:                       "claims",
		"claims: nothing -> the claims of accepted evidence":                    "claims",
		"decisions.builtin:gce-cvm.allow: want true, got false":                 "decision",
		`decisions.builtin:gce-cvm.reasons: unexpected zone: "missing x: y"`:    "zone",
		`decisions.../../p.reasons: missing project: "project_id is something"`: "project",
		"decisions.builtin:codelab: want nothing, got allow":                    "decision",
	} {
		if got := diffRule(line); got != want {
			t.Errorf("diffRule(%q) = %q, want %q", line, got, want)
		}
	}
}
