package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyEval is the command and its flags, which mean what they mean for verify.
type policyEval struct {
	verify

	claims, request string
}

func newPolicyEval(sys *system) *cobra.Command {
	e := &policyEval{verify: verify{sys: sys}}
	c := leaf(&cobra.Command{
		Use:   "eval (--claims FILE | EVIDENCE --nonce HEX) --policy POLICY [flags]",
		Short: "Print what a policy decides over evidence or claims",
		Long: `Eval prints the decision document of one policy: allow, every reason for a
denial, and the digest of the policy. Evidence is verified first, with the flags
of verify, and what is not accepted never reaches the policy (exit 3).

With --claims it decides over a claims document instead: JSON of the published
schema, such as the claims of verify -o json. Nobody verified those, and the
output says so. If the document has a request, that is what the policy sees as
input.request, and --request is refused. Exit codes: 0 allowed, 4 denied.`,
		Example: `  attestctl policy eval --claims claims.json --policy builtin:gce-cvm --config config.json
  attestctl policy eval quote.dat --nonce 30c1f2... --policy rego/ --engine both
  attestctl policy eval --claims claims.json --policy rego/ --request '{"secret": "db"}' -o json`,
		Args: arguments(0, 1, "EVIDENCE"),
	}, e.run)
	e.evidenceFlags(c)
	e.policy.add(c, "`POLICY` that decides: builtin:NAME, a folder or a bundle file")
	f := c.Flags()
	f.StringVar(&e.claims, "claims", "", "decide over the claims in `FILE`, which nobody verified, instead of evidence")
	f.StringVar(&e.request, "request", "", "`JSON` object that the policy sees as input.request")
	outputFlag(c, &e.output)
	return c
}

func (e *policyEval) run(args []string) error {
	if err := e.checkFlags(args); err != nil {
		return err
	}
	request, err := parseRequest(e.request)
	if err != nil {
		return err
	}
	if e.claims != "" {
		return e.evalClaims(request)
	}
	e.setTime()
	a, closeEngine, err := e.appraiser()
	if err != nil {
		return err
	}
	defer closeEngine()
	e.warnInsecure()
	a.Request = request
	r, err := e.judgeOne(a, args[0])
	if err != nil {
		return err
	}
	if r.Decision == nil {
		return explain(r)
	}
	return e.write(args[0], *r.Decision, true, r.Err)
}

func (e *policyEval) checkFlags(args []string) error {
	switch {
	case e.policy.ref == "":
		return hint.New(usagef("policy eval needs --policy"), "name a folder, a bundle file, or builtin:NAME")
	case e.claims == "" && len(args) == 0:
		return hint.New(usagef("policy eval needs EVIDENCE or --claims"), "attestctl policy eval --help shows examples")
	case e.claims != "" && len(args) > 0:
		return usagef("--claims and EVIDENCE contradict each other")
	case e.claims != "":
		if countStdin([]string{e.claims, e.policy.config}) > 1 {
			return usagef("standard input (-) is named twice and can be read once")
		}
		return e.policy.check()
	}
	return e.check(args)
}

// parseRequest reads the object that a policy sees as input.request.
func parseRequest(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no request
	}
	request, err := policy.ParseRequest([]byte(text))
	if err != nil {
		return nil, hint.New(usagef("--request: %v", err), `give a JSON object, such as {"secret": "db"}`)
	}
	return request, nil
}

// evalClaims decides over a claims document.
func (e *policyEval) evalClaims(request map[string]any) error {
	in, err := e.claimsInput(request)
	if err != nil {
		return err
	}
	engine, closeEngine, err := e.policy.open(e.sys)
	if err != nil {
		return err
	}
	defer closeEngine()
	d, err := decide(context.Background(), engine, in)
	if d == nil {
		return err
	}
	return e.write(e.claims, *d, false, err)
}

// claimsInput reads the claims and adds what --request asks for, if it is given.
func (e *policyEval) claimsInput(request map[string]any) (policy.Input, error) {
	in, err := e.sys.claimsInput(e.claims)
	if err != nil || request == nil {
		return in, err
	}
	in, err = in.WithRequest(request)
	if errors.Is(err, policy.ErrRequestTwice) {
		return in, hint.New(usagef("%s and --request contradict each other: %v", report.Quote(e.claims), err),
			"leave --request away to decide over the request in the file, or take it out of the file")
	}
	return in, err
}

func (e *policyEval) readClaims() ([]byte, error) {
	f, err := e.sys.open(e.claims)
	if err != nil {
		return nil, &exitError{exitTool, err}
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, maxClaims+1))
}

// maxClaims is more than policy.ParseInput takes, so that it is the one to say
// what is too large.
const maxClaims = 16 << 20

func (e *policyEval) write(file string, d policy.Decision, verified bool, err error) error {
	doc := &report.Decision{Decision: d, Policy: e.policy.ref, File: file, Verified: verified}
	if err := report.Write(e.sys.stdout, e.output, doc, e.sys.style()); err != nil {
		return err
	}
	if denied, ok := errors.AsType[*appraise.DenialError](err); ok {
		return explainDenial(report.Quote(file), denied)
	}
	return err
}
