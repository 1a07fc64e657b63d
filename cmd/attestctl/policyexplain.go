package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyExplain is the command and its flags, which are those of policy eval.
type policyExplain struct {
	policyEval

	fixtures string
}

func newPolicyExplain(sys *system) *cobra.Command {
	x := &policyExplain{policyEval: policyEval{verify: verify{sys: sys}}}
	c := leaf(&cobra.Command{
		Use:   "explain (--claims FILE | EVIDENCE --nonce HEX) --policy POLICY [flags]",
		Short: "Say why a policy denies, rule by rule and claim by claim",
		Long: `Explain decides and says why, from the evaluation itself and with all reasons at
once: every rule of deny that fired, where it stands, the claims it read, what
they are and what it wants; for allow every condition of each of its bodies, true
or not, down to the comparison that failed; and the least set of claims that
would have to differ for the policy to allow.

That set comes from what the policy compares with. With --fixtures it comes from
the case that differs least, among those that the same policy allows. Either way
the policy itself was asked whether it suffices and whether all of it is needed.

Evidence is verified first, as verify does. A claims document may have a request
of its own; --request is then refused. Exit codes: 0 allowed, 4 denied.`,
		Example: `  attestctl policy explain quote.dat --nonce 30c1f2... --policy rego/
  attestctl policy explain --claims claims.json --policy builtin:gce-cvm --config config.json
  attestctl policy explain --claims claims.json --policy rego/ --fixtures fixtures -o json`,
		Args: arguments(0, 1, "EVIDENCE"),
	}, x.run)
	x.evidenceFlags(c)
	f := c.Flags()
	f.StringVar(&x.policy.ref, "policy", "", "`POLICY` that decides: builtin:NAME, a folder or a bundle file")
	x.policy.addConfig(c)
	completePolicy(c)
	f.StringVar(&x.claims, "claims", "", "explain over the claims in `FILE`, which nobody verified")
	f.StringVar(&x.request, "request", "", "`JSON` object that the policy sees as input.request")
	f.StringVar(&x.fixtures, "fixtures", "", "`FOLDER` of cases that the policy allows, to compare with")
	outputFlag(c, &x.output)
	return c
}

func (x *policyExplain) run(args []string) error {
	if x.policy.ref == "" {
		return hint.New(usagef("policy explain needs --policy"), "name a folder, a bundle file, or builtin:NAME")
	}
	if err := x.checkFlags(args); err != nil {
		return err
	}
	request, err := parseRequest(x.request)
	if err != nil {
		return err
	}
	p, err := x.policy.compile(x.sys)
	if err != nil {
		return err
	}
	in, file, err := x.input(args, request)
	if err != nil {
		return err
	}
	allowed, err := x.allowed(p)
	if err != nil {
		return err
	}
	why, err := p.Explain(context.Background(), in, allowed)
	if err != nil {
		return err
	}
	doc := &report.Explanation{Explanation: *why, Policy: x.policy.ref, File: file, Verified: x.claims == ""}
	if err := report.Write(x.sys.stdout, x.output, doc, x.sys.style()); err != nil {
		return err
	}
	if !why.Decision.Allow {
		return &exitError{exitDenied, fmt.Errorf("%s: %w", report.Quote(file), &appraise.DenialError{Decision: why.Decision})}
	}
	return nil
}

// input returns what the policy sees, of claims or of evidence that is verified
// first, and the name of the file.
func (x *policyExplain) input(args []string, request map[string]any) (policy.Input, string, error) {
	if x.claims != "" {
		in, err := x.claimsInput(request)
		return in, x.claims, err
	}
	x.setTime()
	trust, err := x.trust.load(x.sys, x.expect.Token.Issuer)
	if err != nil {
		return policy.Input{}, "", err
	}
	x.warnInsecure()
	r, err := x.judgeOne(appraise.Appraiser{Trust: trust, Expect: x.expect, Format: x.format}, args[0])
	if err != nil {
		return policy.Input{}, "", err
	}
	if r.Err != nil {
		return policy.Input{}, "", explain(r)
	}
	if r.Evidence == nil || r.Evidence.Verdict != evidence.Accepted {
		return policy.Input{}, "", errors.New("internal error: evidence was neither accepted nor refused")
	}
	in, err := policy.InputOf(r.Evidence.Claims, request)
	return in, args[0], err
}

// claimsInput reads a claims document.
func (sys *system) claimsInput(file string) (policy.Input, error) {
	e := policyEval{verify: verify{sys: sys}, claims: file}
	raw, err := e.readClaims()
	if err != nil {
		return policy.Input{}, err
	}
	in, err := policy.ParseInput(raw)
	if err != nil {
		return policy.Input{}, hint.New(fmt.Errorf("%s: %w", report.Quote(file), err),
			"claims are the object below \"claims\" of attestctl verify -o json; see docs/claims.schema.json")
	}
	return in, nil
}

// allowed returns the claims of the cases that the policy allows as it is
// configured here.
func (x *policyExplain) allowed(p *policy.Policy) (map[string]policy.Input, error) {
	if x.fixtures == "" {
		return nil, nil //nolint:nilnil // nothing to compare with
	}
	cases, err := fixture.Load(x.fixtures)
	if err != nil {
		return nil, err
	}
	engine, err := p.Topdown(policy.Limits{})
	if err != nil {
		return nil, err
	}
	allowed := map[string]policy.Input{}
	for _, c := range cases {
		if c.Want == nil || c.Want.Claims == nil {
			continue
		}
		in, err := policy.InputOf(c.Want.Claims, c.Spec.Request)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", c.Name, err)
		}
		d, err := engine.Decide(context.Background(), in)
		if err != nil {
			return nil, err
		}
		if d.Allow {
			allowed[c.Name] = in
		}
	}
	return allowed, nil
}
