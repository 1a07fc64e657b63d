package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// verify is the command and its flags.
type verify struct {
	sys    *system
	expect evidence.Expect
	nonce  nonceFlag
	trust  trustFlags
	parts  quoteParts
	policy policyFlags
	format string
	output string

	challenge string // the file
	asked     []byte // its nonce
}

func newVerify(sys *system) *cobra.Command {
	v := &verify{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "verify FILE... --nonce NONCE [flags]",
		Short: "Verify evidence and print what it proves",
		Long: `Verify checks evidence offline and prints every check by name. Only if all of
them pass does it accept (exit 0) and print the claims that are proven.

With --policy it then asks that policy about the claims, and prints the decision
with every reason for a denial.

FILE is the output of gotpm attest, in any of its forms, the message of a
tpm2_quote together with --sig and --pcrs, an SEV-SNP report or TDX quote by
itself, the body of a verifyAttestation request, an attestation token, or an
export of what gotpm token --cloud-log wrote; "-" is standard input. Directories are
searched for regular files, hidden ones left out. For many files the exit code
is the largest of theirs: 0 accepted, 1 not readable, 3 refused or untrusted, 4
denied by the policy.

The attestation key must chain to Google's roots, to those of --trust, or be the
key that --ak-pub pins; hardware reports to the roots of AMD and Intel. A machine
whose firmware measured SEV-SNP or TDX must send its report, and the report data
must have been made for the nonce by one of the formulas of --tee-binding.

A token must be signed by a key of its issuer: of --jwks, of the trust directory,
or, for Google's tokens with certificates, of a chain to the root that is built in.
It must have been made for --audience and --nonce.`,
		Example: `  attestctl verify quote.dat --nonce 30c1f2...
  attestctl verify quote.dat --nonce 30c1f2... --at 2026-02-24 -o json
  attestctl verify quote.msg --sig quote.sig --pcrs quote.pcrs --log binary_bios_measurements \
    --ak-pub ak.pub --nonce 30c1f2...
  attestctl verify report.bin --report-data 4f1a... --snp-cert vcek.der --crl milan.crl
  attestctl verify evidence/ --nonce 30c1f2... --trust anchors/
  attestctl verify token.jwt --audience https://db.example.com --nonce 30c1f2... --jwks jwks.json
  attestctl verify token.jwt --audience https://sts.google.com --without nonce --at 2025-02-17T10:40:00Z
  gcloud logging read 'log_id("gotpm")' --format=json | attestctl verify - --at logged \
    --audience https://db.example.com --without nonce --jwks jwks.json
  attestctl verify quote.dat --nonce 30c1f2... --policy builtin:gce-cvm --config config.json`,
		Args: arguments(1, -1, "FILE"),
	}, v.run)
	v.evidenceFlags(c)
	v.policy.add(c, "decide over the claims with this policy: builtin:NAME, a folder or a bundle `FILE`")
	outputFlag(c, &v.output)
	return c
}

// evidenceFlags adds the flags that say how evidence is judged.
func (v *verify) evidenceFlags(c *cobra.Command) {
	f := c.Flags()
	v.nonce.expect = &v.expect
	f.Var(&v.nonce, "nonce", nonceUsage)
	f.StringVar(&v.challenge, "challenge", "", "take the nonce from the challenge `FILE` of the Confidential Computing API")
	f.Var(&atFlag{expect: &v.expect}, "at", atUsage)
	f.Var(&parsed[[]int]{&v.expect.RequirePCRs, parsePCRs, "LIST", ""}, "require-pcrs", "PCRs that must be quoted and explained (default 0-9,14)")
	hardwareFlags(c, &v.expect)
	tokenFlags(c, &v.expect.Token)
	freshnessFlags(c, &v.expect)
	v.trust.add(f)
	v.parts.add(f)
	for _, o := range v.insecure() {
		f.BoolVar(o.on, o.name, false, o.usage)
	}
	formatFlag(c, &v.format)
}

func (v *verify) run(args []string) error {
	if err := v.check(args); err != nil {
		return err
	}
	v.setTime()
	a, closeEngine, err := v.appraiser()
	if err != nil {
		return err
	}
	defer closeEngine()
	files, many, err := expand(args)
	if err != nil {
		return err
	}
	if many && v.parts.ccel != "" {
		return usagef("--ccel belongs to one TDX quote, and a directory is named")
	}
	v.warnInsecure()
	return v.report(a, files, many)
}

// report prints one result in full, or a line for each of many.
func (v *verify) report(a appraise.Appraiser, files []string, many bool) error {
	next, stop := iter.Pull(v.results(a, files))
	defer stop()
	first, ok := next()
	if !ok {
		return errors.New("internal error: nothing was judged")
	}
	var second *report.Result
	if !many {
		second, many = next()
	}
	out, err := report.NewResults(v.sys.stdout, v.output, report.Run{Style: v.sys.style(), Many: many})
	if err != nil {
		return err
	}
	if !many {
		if first.Evidence != nil && first.Evidence.Format == evidence.FormatCloudLog {
			first.File = strings.TrimSuffix(first.File, "#1") // the only run in it
		}
		return v.reportOne(first, out)
	}
	return v.reportMany(out, len(files), func(yield func(*report.Result) bool) {
		for r := first; r != nil && yield(r); {
			if r, second = second, nil; r == nil {
				r, _ = next()
			}
		}
	})
}

// setTime verifies at this moment unless another was given.
func (v *verify) setTime() {
	if v.expect.Now.IsZero() && !v.expect.AtLogged {
		v.expect.Now = v.sys.now()
	}
}

// appraiser gathers the flags. The caller closes the engine.
func (v *verify) appraiser() (a appraise.Appraiser, closeEngine func(), err error) {
	trust, err := v.trust.load(v.sys, v.expect.Token.Issuer)
	if err != nil {
		return a, nil, err
	}
	engine, closeEngine, err := v.policy.open(v.sys)
	return appraise.Appraiser{Trust: trust, Expect: v.expect, Format: v.format, Engine: engine}, closeEngine, err
}

func (v *verify) warnInsecure() {
	for _, o := range v.insecure() {
		if *o.on {
			v.sys.warn("--" + o.name + ": " + o.warning)
		}
	}
}

// check refuses flags that contradict each other or are missing.
func (v *verify) check(args []string) error {
	if err := v.readChallenge(); err != nil {
		return err
	}
	if err := cmp.Or(checkNonce(&v.nonce), checkHardware(&v.expect), checkToken(&v.expect.Token), v.policy.check()); err != nil {
		return err
	}
	if v.expect.InsecureEvidenceAK && v.trust.akPub != "" {
		return usagef("--ak-pub and --insecure-evidence-ak contradict each other")
	}
	if countStdin(slices.Concat(args, v.parts.names(), v.trust.names(), []string{v.policy.config, v.challenge})) > 1 {
		return usagef("standard input (-) is named twice and can be read once")
	}
	return v.parts.check(args, v.format)
}

// reportOne prints one result in full.
func (v *verify) reportOne(r *report.Result, out report.Results) error {
	if r.Evidence == nil {
		return r.Err
	}
	if err := out.Add(r); err != nil {
		return err
	}
	return explain(r)
}

// reportMany prints a line for each result and a summary.
func (v *verify) reportMany(out report.Results, files int, results iter.Seq[*report.Result]) error {
	var sum report.Summary
	worst := exitAccepted
	bar := v.sys.progress(files)
	for r := range results {
		sum.Count(r)
		if r.Err != nil {
			worst = max(worst, codeOf(r.Err))
		}
		bar.hide()
		if err := out.Add(r); err != nil {
			return err
		}
		bar.step()
	}
	bar.hide()
	sum.Runs = sum.Files != files
	if err := out.Close(sum); err != nil {
		return err
	}
	if worst != exitAccepted {
		err := &exitError{worst, fmt.Errorf("%d of %d %ss were not %s", sum.Files-sum.Accepted+sum.Denied, sum.Files, sum.Noun(), v.policy.goal())}
		return hint.New(err, "verify one of them alone to see its checks and what to do")
	}
	return nil
}

func (v *verify) judge(a appraise.Appraiser, f io.Reader) (*evidence.Result, error) {
	if v.parts.ccel != "" {
		log, err := v.sys.open(v.parts.ccel)
		if err != nil {
			return nil, fmt.Errorf("--ccel: %w", err)
		}
		defer log.Close() //nolint:errcheck // nothing was written
		return a.AppraiseTDXQuote(f, log)
	}
	if !v.parts.given() {
		return a.Appraise(f)
	}
	q, closeAll, err := v.parts.open(v.sys, f)
	defer closeAll()
	if codeOf(err) == exitRefused {
		return evidence.RefuseInput(err)
	}
	if err != nil {
		return nil, err
	}
	return a.AppraiseTPM2Quote(q)
}

// explain returns the error for a result that was not accepted, with advice:
// that of the check that failed, or what its documentation says.
func explain(r *report.Result) error {
	if denied, ok := errors.AsType[*appraise.DenialError](r.Err); ok {
		return explainDenial(report.Quote(r.File), denied)
	}
	refusal, ok := errors.AsType[*evidence.Refusal](r.Err)
	if !ok {
		return r.Err
	}
	err := fmt.Errorf("%s is %v: %w", report.Quote(r.File), refusal.Verdict, r.Err)
	advice := refusal.Check.Hint
	if info, ok := checkInfo(refusal.Check.ID); ok && advice == "" {
		advice = phrase(info.Remedy)
	}
	return hint.New(err, advice)
}

// phrase makes a sentence of the documentation a hint.
func phrase(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}
