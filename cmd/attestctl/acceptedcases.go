package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
)

// acceptedCase is a case whose evidence was verified now and accepted.
type acceptedCase struct {
	fixture.Case

	claims  *claims.Claims
	configs map[string]map[string]any // by the name of the policy in the case
}

// acceptedCases verifies the cases of a folder and keeps those that any policy
// may see.
func acceptedCases(ctx context.Context, dir string) ([]acceptedCase, error) {
	cases, err := fixture.Load(dir)
	if err != nil {
		return nil, err
	}
	var list []acceptedCase
	for _, c := range cases {
		a, err := verifyCase(ctx, c)
		if err != nil {
			return nil, err
		}
		if a.claims != nil {
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return nil, hint.New(fmt.Errorf("%s: %w", dir, errNoAccepted), "policies decide over evidence that verifies; attestctl fixture list shows what there is")
	}
	return list, nil
}

var errNoAccepted = errors.New("no case is accepted")

func verifyCase(ctx context.Context, c fixture.Case) (acceptedCase, error) {
	a := acceptedCase{Case: c, configs: map[string]map[string]any{}}
	// Run hands each policy of the case its config with files read; what the
	// decider answers is not used.
	got, err := c.Run(ctx, func(_ context.Context, ref string, config map[string]any, _ *claims.Claims, _ map[string]any) (json.RawMessage, error) {
		a.configs[ref] = config
		return json.RawMessage(`{"allow":false,"reasons":[]}`), nil
	})
	a.claims = got.Claims
	return a, err
}

// configOf returns the config that the case gives to the first of the policies
// that it gives one, or nil.
func (c acceptedCase) configOf(refs ...string) map[string]any {
	for _, ref := range refs {
		for name, config := range c.configs {
			if identity(name) == identity(ref) && config != nil {
				return config
			}
		}
	}
	return nil
}
