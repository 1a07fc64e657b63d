package server

import (
	"bytes"
	"context"
	"errors"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/audit"
)

// judged is what is known of a piece of evidence in the end.
type judged struct {
	result   *evidence.Result
	input    policy.Input     // what the policy saw
	decision *policy.Decision // nil if no policy was asked
}

var (
	errUndecided = errors.New("no policy decided")
	errNeither   = errors.New("evidence was neither accepted nor refused")
)

// judge is all that the server adds to an Appraiser: nothing. What is not accepted
// is a denial, and a denial by the policy is a decision.
func judge(ctx context.Context, a appraise.Appraiser, raw []byte) (judged, error) {
	w := &witness{Engine: a.Engine}
	if a.Engine != nil {
		a.Engine = w
	}
	res, err := a.Appraise(bytes.NewReader(raw))
	j := judged{result: res}
	switch {
	case err != nil && res != nil:
		return j, denied(err)
	case err != nil:
		return j, err
	case res == nil || res.Verdict != evidence.Accepted || res.Claims == nil:
		return j, errNeither
	}
	j.decision, err = a.Decide(ctx, res)
	j.input = w.input
	if _, byPolicy := errors.AsType[*appraise.DenialError](err); err != nil && !byPolicy {
		return j, err
	}
	if j.decision == nil {
		return j, errUndecided
	}
	return j, nil
}

// witness keeps what an engine is asked.
type witness struct {
	policy.Engine

	input policy.Input
}

// Decide implements policy.Engine.
func (w *witness) Decide(ctx context.Context, in policy.Input) (policy.Decision, error) {
	w.input = in
	return w.Engine.Decide(ctx, in)
}

// shadow asks the shadow policy, whose word counts for nothing but the log.
func (d *decision) shadow(ctx context.Context) {
	s := d.snap.shadow
	if s == nil {
		return
	}
	said, err := s.engine.Decide(ctx, d.judged.input)
	if err != nil {
		d.server.o.Log.ErrorContext(ctx, "the shadow policy was not asked", "request", d.id, "error", err.Error())
		return
	}
	d.record.Shadow = &audit.Shadow{Policy: s.policy, PolicyDigest: said.Policy, Allow: said.Allow, Reasons: reasons(said.Reasons)}
	agrees := said.Allow == d.record.Result.Allow
	d.server.metrics.shadowed(agrees)
	if !agrees {
		d.server.o.Log.WarnContext(ctx, "the shadow policy decides differently",
			"request", d.id, "enforced", d.record.Result.Allow, "shadow", said.Allow)
	}
}

func reasons(list []policy.Reason) []audit.Reason {
	out := make([]audit.Reason, len(list))
	for i, r := range list {
		out[i] = audit.Reason(r)
	}
	return out
}
