package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/audit"
)

// auditReplay is what policy diff --audit takes.
type auditReplay struct {
	file, key      string
	filter         audit.Filter
	policy, digest string // of the decisions that are made again; "" is any
}

// auditReplayFlags mean nothing without a log.
var auditReplayFlags = []string{"key", "secret", "outcome", "since", "until", "check", "remote", "request", "policy", "policy-digest"}

func (a *auditReplay) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.file, "audit", "", "audit log `FILE` of a server, whose decisions NEW makes again")
	f.StringVar(&a.key, "key", "", "public key `FILE` that audit keygen printed, PEM")
	auditFilterFlags(c, &a.filter)
	f.StringVar(&a.policy, "policy", "", "decisions of the policy that the log calls `NAME`, such as builtin:codelab")
	f.StringVar(&a.digest, "policy-digest", "", "decisions of the policy with this `DIGEST`, sha256:HEX")
	completePolicy(c)
}

// runAudit decides again what the log has. Nothing of a log is printed before all
// of it was verified.
func (d *policyDiff) runAudit(set *policySet, ref string) error {
	if countStdin([]string{d.audit.file, d.audit.key, d.config}) > 1 {
		return usagef("standard input (-) is named twice and can be read once")
	}
	config, err := readConfig(d.sys, d.config)
	if err != nil {
		return err
	}
	p, err := set.get(ref, config)
	if err != nil {
		return fmt.Errorf("policy %s: %w", report.Quote(ref), err)
	}
	run := &auditRun{auditReplay: &d.audit, decider: decider{engine: p.engines[0]}, out: report.AuditDiff{
		Schema: report.SchemaAuditDiff, Log: d.audit.file, New: ref, Digest: p.policy.Digest(), Changes: []report.AuditChange{},
	}}
	if err := run.read(d.sys); err != nil {
		return err
	}
	if err := report.Write(d.sys.stdout, d.output, &run.out, d.sys.style()); err != nil {
		return err
	}
	if run.unreadable != nil {
		d.sys.warn(run.unreadable.Error())
	}
	if err := d.opened(run.out.Opened, counted(run.out.Replayed, "decision")); err != nil {
		return err
	}
	return run.left()
}

// auditRun is one way through a log.
type auditRun struct {
	*auditReplay
	decider

	out        report.AuditDiff
	unreadable error // the first input that is none
	failed     error // what is not the log's fault
}

// read verifies the log and decides on the way.
func (r *auditRun) read(sys *system) error {
	var public []byte
	if r.key != "" {
		key, err := sys.auditPublic(r.key)
		if err != nil {
			return err
		}
		public = key
	} else {
		sys.warn("without --key nobody vouches for the log: its checkpoints are verified with the key that it names itself")
	}
	f, err := sys.openAny(r.file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	log, bar := sys.readProgress(f)
	sum, err := audit.Visit(log, public, r.visit)
	bar.hide()
	if r.failed != nil {
		return r.failed
	}
	if err != nil {
		return auditBroken(r.file, err)
	}
	r.out.Seq, r.out.Signed, r.out.Unsigned = sum.Seq, sum.Signed, sum.Unsigned
	r.out.Sort()
	return nil
}

// visit counts a record and decides it again where a policy had decided.
func (r *auditRun) visit(rec audit.Record) error {
	r.out.Decisions++
	switch {
	case !r.filter.Match(rec):
		r.out.Unselected++
	case r.policy != "" && r.policy != rec.Policy, r.digest != "" && r.digest != rec.PolicyDigest:
		r.out.Others++
	case !rec.Result.Allow && len(rec.Result.Reasons) == 0: // a policy that denies says why
		r.out.Undecided++
	case rec.Input == nil:
		r.out.Withheld++
	default:
		r.failed = r.replay(rec)
	}
	return r.failed
}

func (r *auditRun) replay(rec audit.Record) error {
	after, err := r.decide(context.Background(), rec.InputDigest, rec.Input)
	if unreadable, ok := errors.AsType[*inputError](err); ok {
		r.out.Unreadable++
		if r.unreadable == nil {
			r.unreadable = fmt.Errorf("%s, line %d: %w", report.Quote(r.file), rec.Seq, unreadable)
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.out.Add(report.AuditChange{
		Seq: rec.Seq, Time: rec.Time, RequestID: rec.RequestID, Route: rec.Route, Secret: rec.Secret, Remote: rec.Remote,
		Outcome: rec.Outcome(), Policy: rec.Policy, Before: recorded(rec), After: after,
	})
	return nil
}

// recorded is what the log has of a policy's decision.
func recorded(rec audit.Record) policy.Decision {
	d := policy.Decision{Allow: rec.Result.Allow, Policy: rec.PolicyDigest}
	for _, reason := range rec.Result.Reasons {
		d.Reasons = append(d.Reasons, policy.Reason(reason))
	}
	return d
}

var errNotReplayed = errors.New("no decision of the log was made again")

// left is the error for what could not be decided again.
func (r *auditRun) left() error {
	switch {
	case r.out.Unreadable > 0:
		err := fmt.Errorf("%s could not be made again: what the input holds is no claims document of this version", counted(r.out.Unreadable, "decision"))
		return hint.New(&exitError{exitFailed, err}, "an older server wrote it; --since and --until leave decisions out")
	case r.out.Replayed == 0:
		return hint.New(&exitError{exitTool, errNotReplayed}, "no policy decided anything there, or the conditions leave all of it out")
	}
	return nil
}
