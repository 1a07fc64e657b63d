package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// fixtureAdd is the command and its flags, which mean what they mean for verify.
type fixtureAdd struct {
	verify

	dir, name, title string
	policies         []string
	refused          bool
}

func newFixtureAdd(sys *system) *cobra.Command {
	a := &fixtureAdd{verify: verify{sys: sys}}
	c := leaf(&cobra.Command{
		Use:   "add FILE --name NAME --nonce NONCE [flags]",
		Short: "Record real evidence as a case",
		Long: `Add copies evidence and the trust it needs into a new folder, verifies it now, and
writes what came out to want.json. Nothing that exists is overwritten. Evidence
that is not accepted is recorded only with --refused; otherwise a wrong nonce
would make a case that tests nothing (exit 3).

Real evidence may name projects, instances, keys and files: look before you
publish it.`,
		Example: `  attestctl fixture add quote.dat --name web-1 --nonce 30c1f2...
  attestctl fixture add quote.dat --name web-1 --nonce 30c1f2... --at 2026-02-24 --policy builtin:gce-cvm
  attestctl fixture add stolen.dat --name stale --nonce 30c1f2... --refused`,
		Args: arguments(1, 1, "FILE"),
	}, a.run)
	f := c.Flags()
	f.StringVar(&a.name, "name", "", "`NAME` of the new case")
	f.StringVar(&a.title, "title", "", "`TEXT` that says what the case is about")
	a.nonce.expect = &a.expect
	f.Var(&a.nonce, "nonce", nonceUsage)
	f.Var(&parsed[time.Time]{&a.expect.Now, parseTime, "TIME", ""}, "at", "time to verify at: RFC 3339, a date, or Unix seconds (default now)")
	f.Var(&parsed[[]int]{&a.expect.RequirePCRs, parsePCRs, "LIST", ""}, "require-pcrs", "PCRs that must be quoted and explained (default 0-9,14)")
	hardwareFlags(c, &a.expect)
	tokenFlags(c, &a.expect.Token)
	f.StringArrayVar(&a.policies, "policy", nil, "builtin:NAME or a `PATH`: a policy that decides the case; may be repeated")
	f.BoolVar(&a.refused, "refused", false, "record evidence that must stay refused")
	a.trust.add(f)
	for _, o := range a.insecure() {
		f.BoolVar(o.on, o.name, false, o.usage)
	}
	dirFlag(c, &a.dir)
	return c
}

func (a *fixtureAdd) run(args []string) error {
	if a.name == "" {
		return hint.New(usagef("fixture add needs --name"), "the name becomes that of the folder")
	}
	if err := fixture.CheckName(a.name); err != nil {
		return &exitError{exitUsage, err}
	}
	if err := a.check(args); err != nil {
		return err
	}
	data, err := a.sys.readFile(args[0])
	if err != nil {
		return inFile(args[0], err)
	}
	if err := a.nonce.fits(fixture.FormatOf(data)); err != nil {
		return err
	}
	r, err := a.recording(args[0])
	if err != nil {
		return err
	}
	if evidence.TakesTextNonce(fixture.FormatOf(data)) {
		t := fixture.TokenSpec(a.expect.Token)
		r.Spec.Nonce, r.Spec.Token = nil, &t
	}
	c, err := fixture.Record(data, r)
	if err != nil {
		return err
	}
	return a.write(args[0], c)
}

// recording gathers the flags.
func (a *fixtureAdd) recording(file string) (fixture.Recording, error) {
	if a.expect.Now.IsZero() {
		a.expect.Now = a.sys.now()
	}
	r := fixture.Recording{Name: a.name, Spec: fixture.Spec{
		Title: a.title, Nonce: a.expect.Nonce, At: a.expect.Now.UTC().Truncate(time.Second), RequirePCRs: a.expect.RequirePCRs,
		TEENonce: a.expect.TEENonce, ReportData: a.expect.ReportData, TEEExtra: a.expect.TEEExtra, TEEBinding: a.expect.Binding, VMPL: a.expect.VMPL,
	}}
	if r.Spec.Title == "" {
		r.Spec.Title = "recorded from " + filepath.Base(file)
	}
	for _, o := range a.insecure() {
		if *o.on {
			a.sys.warn("--" + o.name + ": " + o.warning)
			r.Spec.Insecure = append(r.Spec.Insecure, o.name)
		}
	}
	for _, p := range a.policies {
		ref, err := a.policyRef(p)
		if err != nil {
			return r, err
		}
		r.Spec.Policies = append(r.Spec.Policies, fixture.Policy{Policy: ref})
	}
	return r, a.recordTrust(&r)
}

// policyRef makes a path from here one from the case.
func (a *fixtureAdd) policyRef(name string) (string, error) {
	if strings.HasPrefix(name, "builtin:") {
		return name, nil
	}
	if !exists(name) {
		return "", hint.New(fmt.Errorf("--policy %s: there is no such file or folder", report.Quote(name)),
			"policies that ship with attestctl are named builtin:NAME")
	}
	from, err := filepath.Abs(filepath.Join(a.dir, a.name))
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	ref, err := filepath.Rel(from, to)
	return filepath.ToSlash(ref), err
}

func (a *fixtureAdd) recordTrust(r *fixture.Recording) error {
	given := a.trust.names()
	if len(given) == 0 {
		return nil // the embedded anchors
	}
	if len(given) == 1 && a.trust.akPub != "" {
		key, err := a.sys.readFile(a.trust.akPub)
		if err == nil {
			_, err = evidence.PinAK(key)
		}
		if err != nil {
			return &exitError{exitTool, fmt.Errorf("--ak-pub %s: %w", report.Quote(a.trust.akPub), err)}
		}
		r.AKPub = key
		return nil
	}
	t, err := a.trust.load(a.sys, a.expect.Token.Issuer)
	r.Trust = t
	return err
}

// write stores the case, if what came out is what the user meant.
func (a *fixtureAdd) write(file string, c fixture.Case) error {
	accepted := c.Want.Verdict == evidence.Accepted.String()
	switch {
	case !accepted && !a.refused:
		err := fmt.Errorf("%s is %s: %s", report.Quote(file), c.Want.Verdict, strings.Join(c.Want.Failing(), ", "))
		return hint.New(&exitError{exitRefused, err}, "attestctl verify with the same flags says why; --refused records it as a case that must stay so")
	case accepted && a.refused:
		return hint.New(fmt.Errorf("%s is accepted", report.Quote(file)), "leave out --refused, or give what makes it wrong")
	}
	if err := c.Write(a.dir); err != nil {
		return err
	}
	a.sys.warn("real evidence may name projects, instances, keys and files: look at the case before you publish it")
	if _, err := fmt.Fprintf(a.sys.stdout, "recorded %s: %s\n", report.Quote(filepath.ToSlash(filepath.Join(a.dir, a.name))), c.Want.Verdict); err != nil {
		return err
	}
	if accepted && len(a.policies) > 0 {
		_, err := fmt.Fprintln(a.sys.stdout, "its decisions are recorded by attestctl policy test --update")
		return err
	}
	return nil
}
