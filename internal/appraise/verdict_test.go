package appraise

import (
	"testing"

	"github.com/attestctl/attestctl/evidence"
)

// undecided is a Bundle that breaks the promise of evidence.Bundle.
type undecided struct {
	evidence.Bundle

	res *evidence.Result
}

func (u undecided) Verify(*evidence.Trust, evidence.Expect) (*evidence.Result, error) {
	return u.res, nil
}

// TestNoVerdictIsAnError holds whatever a new format may do wrong.
func TestNoVerdictIsAnError(t *testing.T) {
	for name, res := range map[string]*evidence.Result{
		"none": nil, "zero": {}, "refused": {Verdict: evidence.Refused}, "untrusted": {Verdict: evidence.Untrusted},
	} {
		if got, err := (Appraiser{}).verify(undecided{res: res}, nil); err == nil || got != nil {
			t.Errorf("%s: verify = %+v, %v; want an error alone", name, got, err)
		}
	}
	if _, err := (Appraiser{}).verify(undecided{res: &evidence.Result{Verdict: evidence.Accepted}}, nil); err != nil {
		t.Errorf("accepted: %v", err)
	}
}
