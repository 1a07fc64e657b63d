package appraise

import (
	"context"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/policy"
)

// DenialError is the error for genuine evidence that a policy denies.
type DenialError struct {
	Decision policy.Decision
}

// Error implements error. It names the first reason.
func (d *DenialError) Error() string {
	reasons := d.Decision.Reasons
	if len(reasons) == 0 {
		return "denied by the policy"
	}
	msg := fmt.Sprintf("denied by the policy: %s: %s", reasons[0].Code, reasons[0].Msg)
	if more := len(reasons) - 1; more > 0 {
		msg += fmt.Sprintf(" (and %d more)", more)
	}
	return msg
}

var errNotAccepted = errors.New("no policy is asked about evidence that was not accepted")

// Decide asks the policy of the Appraiser about a result of [Appraiser.Appraise].
// Only accepted evidence reaches a policy; anything else is an error. The error
// is of type *DenialError if the policy denies, and then the decision stands beside
// it. Without an Engine both are nil.
func (a Appraiser) Decide(ctx context.Context, res *evidence.Result) (*policy.Decision, error) {
	if res == nil || res.Verdict != evidence.Accepted || res.Claims == nil {
		return nil, errNotAccepted
	}
	if a.Engine == nil {
		return nil, nil //nolint:nilnil // nobody was to decide
	}
	d, err := Decide(ctx, a.Engine, res.Claims, a.Request)
	if err != nil {
		return nil, err
	}
	if !d.Allow {
		return &d, &DenialError{d}
	}
	return &d, nil
}

// Decide is the one way from claims to a decision.
func Decide(ctx context.Context, e policy.Engine, c *claims.Claims, request map[string]any) (policy.Decision, error) {
	in, err := policy.InputOf(c, request)
	if err != nil {
		return policy.Decision{}, err
	}
	return e.Decide(ctx, in)
}
