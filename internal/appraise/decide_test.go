package appraise_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/policy"
)

// decider is an engine that notes what it is asked.
type decider struct {
	asked  []string
	answer policy.Decision
	err    error
}

func (d *decider) Decide(_ context.Context, in policy.Input) (policy.Decision, error) {
	d.asked = append(d.asked, string(in.Bytes()))
	return d.answer, d.err
}

func TestDecide(t *testing.T) {
	e, a := machine(t)
	raw, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Appraise(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := a.Decide(t.Context(), res); d != nil || err != nil {
		t.Errorf("without an engine: Decide = %v, %v", d, err)
	}
	engine := &decider{answer: policy.Decision{Allow: true}}
	a.Engine, a.Request = engine, map[string]any{"secret": "db"}
	d, err := a.Decide(t.Context(), res)
	if err != nil || d == nil || !d.Allow {
		t.Errorf("Decide = %v, %v; want it allowed", d, err)
	}
	if len(engine.asked) != 1 || !strings.Contains(engine.asked[0], `"request":{"secret":"db"}`) || !strings.Contains(engine.asked[0], `"tpm":`) {
		t.Errorf("the policy saw %q", engine.asked)
	}

	engine.answer = policy.Decision{} // the zero value denies
	d, err = a.Decide(t.Context(), res)
	if _, ok := errors.AsType[*appraise.DenialError](err); !ok || d == nil || d.Allow {
		t.Errorf("Decide = %v, %v; want a denial", d, err)
	}
	engine.answer, engine.err = policy.Decision{Allow: true}, errors.New("closed")
	if d, err := a.Decide(t.Context(), res); d != nil || !errors.Is(err, engine.err) {
		t.Errorf("Decide = %v, %v; want no decision beside an error", d, err)
	}
}

// TestRefusedNeverDecided: whatever is not accepted reaches no policy.
func TestRefusedNeverDecided(t *testing.T) {
	e, a := machine(t)
	raw, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := a.Appraise(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	engine := &decider{answer: policy.Decision{Allow: true}}
	a.Engine = engine
	a.Expect.Nonce = make([]byte, 32)
	refused, err := a.Appraise(bytes.NewReader(raw))
	if err == nil {
		t.Fatal("accepted with another nonce")
	}
	for name, res := range map[string]*evidence.Result{
		"nil":       nil,
		"refused":   refused,
		"no claims": {Verdict: evidence.Accepted},
		"untrusted": {Verdict: evidence.Untrusted, Claims: accepted.Claims},
	} {
		if d, err := a.Decide(t.Context(), res); d != nil || err == nil {
			t.Errorf("%s: Decide = %v, %v", name, d, err)
		}
	}
	if len(engine.asked) != 0 {
		t.Errorf("the policy was asked %d times", len(engine.asked))
	}
}

func TestDeniedNamesReasons(t *testing.T) {
	for want, d := range map[string]policy.Decision{
		"denied by the policy":                    {},
		"denied by the policy: a: b":              policy.Deny("", policy.Reason{Code: "a", Msg: "b"}),
		"denied by the policy: a: b (and 1 more)": policy.Deny("", policy.Reason{Code: "c", Msg: "d"}, policy.Reason{Code: "a", Msg: "b"}),
	} {
		if got := (&appraise.DenialError{Decision: d}).Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
}
