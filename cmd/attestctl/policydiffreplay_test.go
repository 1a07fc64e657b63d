package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/audit"
)

// judges writes down what policies say of cases, as a server does: what the policy
// saw and what it said.
type judges struct {
	set     *policySet
	request map[string]any
	records map[[2]string][]audit.Record // by policy and config
}

func (j *judges) decide(ctx context.Context, ref string, config map[string]any, c *claims.Claims, request map[string]any) (json.RawMessage, error) {
	p, err := j.set.get(ref, config) //nolint:contextcheck // what is compiled outlives the call that needed it first
	if err != nil {
		return nil, err
	}
	asked := maps.Clone(j.request)
	maps.Copy(asked, request)
	in, err := policy.InputOf(c, asked)
	if err != nil {
		return nil, err
	}
	d, err := p.engines[0].Decide(ctx, in)
	if err != nil {
		return nil, err
	}
	r := audit.Record{Verdict: "accepted", Policy: ref, PolicyDigest: d.Policy, Input: in.Bytes(), Result: audit.Result{Allow: d.Allow}}
	for _, reason := range d.Reasons {
		r.Result.Reasons = append(r.Result.Reasons, audit.Reason(reason))
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	key := [2]string{ref, string(text)}
	r.RequestID = string(rune('a' + len(j.records[key])%26))
	j.records[key] = append(j.records[key], r)
	return json.Marshal(d)
}

// judgedCases returns what the policies of the committed cases say of them.
func judgedCases(t *testing.T) map[[2]string][]audit.Record {
	t.Helper()
	cases, err := fixture.Load(committed)
	if err != nil {
		t.Fatal(err)
	}
	j := &judges{set: newPolicySet([]string{engineRego}), records: map[[2]string][]audit.Record{}}
	defer j.set.close()
	j.request = map[string]any{"remote": "2001:db8::1", "secret": "ключ \x7f\u2028<&> \U0001f511"}
	for i, c := range cases {
		if testing.Short() && i%8 != 0 {
			continue // the whole is for a run without the race detector
		}
		if _, err := c.Run(t.Context(), j.decide); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	return j.records
}

// TestAuditDiffOfTheSamePolicy: a policy decides again whatever it had decided, in
// every case of every policy; and a single decision that the log has otherwise is
// the one that shows.
func TestAuditDiffOfTheSamePolicy(t *testing.T) {
	records, n, s := judgedCases(t), 0, newSession()
	for question, list := range records {
		n += len(list)
		args := []string{question[0]}
		if question[1] != "null" {
			file := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(file, []byte(question[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--config", file)
		}
		wrong := list[len(list)/2]
		wrong.RequestID, wrong.Result = "wrong", otherwise(wrong.Result)
		file, public := auditLogOf(t, append(list, wrong))
		code, kind := exitAccepted, report.ChangeClosed
		if !wrong.Result.Allow {
			code, kind = exitFailed, report.ChangeOpened
		}
		got := s.replayed(t, code, append(args, "--audit", file, "--key", public, "--policy-digest", wrong.PolicyDigest)...)
		if got.Unchanged != len(list) || len(got.Changes) != 1 || got.Changes[0].RequestID != "wrong" || got.Changes[0].Kind != kind {
			t.Errorf("%s: %+v, want %d unchanged and one %s", question, got, len(list), kind)
		}
	}
	least := 100
	if testing.Short() {
		least /= 8
	}
	if n < least {
		t.Errorf("%d decisions", n)
	}
}

// otherwise is the decision that a server did not make.
func otherwise(r audit.Result) audit.Result {
	if !r.Allow {
		return audit.Result{Allow: true}
	}
	return audit.Result{Reasons: []audit.Reason{{Code: "other", Msg: "other"}}}
}
