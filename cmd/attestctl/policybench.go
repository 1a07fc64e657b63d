package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyBench is the command and its flags.
type policyBench struct {
	sys      *system
	fixtures string
	config   string
	duration time.Duration
	output   string
	clock    func() time.Time
}

func newPolicyBench(sys *system) *cobra.Command {
	b := &policyBench{sys: sys, clock: time.Now}
	c := leaf(&cobra.Command{
		Use:   "bench POLICY [flags]",
		Short: "Measure how long the engines take for a decision",
		Long: `Bench decides every accepted case of the fixtures again and again, one decision
at a time, with the interpreter and with WebAssembly, from the same input bytes.
It prints the time, the bytes and the allocations of one decision, and the ratio
to the interpreter's time. Reading the policy and verifying evidence are not
counted.`,
		Example: `  attestctl policy bench rego/
  attestctl policy bench builtin:gce-cvm --config config.json --time 5s -o json`,
		Args: arguments(1, 1, "POLICY"),
	}, b.run)
	f := c.Flags()
	f.StringVar(&b.fixtures, "fixtures", fixturesDir, "`FOLDER` of the cases")
	f.StringVar(&b.config, "config", "", "JSON or YAML `FILE` that the policy sees as data.config")
	f.DurationVar(&b.duration, "time", time.Second, "how long to measure each engine")
	textOrJSON(c, &b.output)
	c.ValidArgsFunction = completeBuiltins
	return c
}

// maxBench bounds what --time can ask for.
const maxBench = time.Hour

func (b *policyBench) run(args []string) error {
	if b.duration <= 0 || b.duration > maxBench {
		return hint.New(usagef("--time %v is not a time to measure for", b.duration), "write --time 1s")
	}
	ctx := context.Background()
	cases, err := acceptedCases(ctx, b.fixtures)
	if err != nil {
		return err
	}
	set := newPolicySet([]string{engineRego, engineWASM})
	defer set.close()
	if set.config, err = readConfig(b.sys, b.config); err != nil {
		return err
	}
	jobs, err := set.jobs(cases, args[0])
	if err != nil {
		return err
	}
	out := &report.PolicyBench{Schema: report.SchemaPolicyBench, Policy: args[0], Cases: len(cases)}
	for i, word := range set.engines {
		m, err := b.measure(ctx, jobs, i)
		if err != nil {
			return err
		}
		m.Engine = word
		out.Add(m)
	}
	return report.Write(b.sys.stdout, b.output, out, b.sys.style())
}

// benchJob is one decision.
type benchJob struct {
	engines []policy.Engine
	in      policy.Input
}

func (s *policySet) jobs(cases []acceptedCase, ref string) ([]benchJob, error) {
	jobs := make([]benchJob, 0, len(cases))
	for _, c := range cases {
		config := s.config
		if config == nil {
			config = c.configOf(ref)
		}
		p, err := s.get(ref, config)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", report.Quote(ref), err)
		}
		in, err := policy.InputOf(c.claims, c.Spec.Request)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, benchJob{p.engines, in})
	}
	return jobs, nil
}

// measure decides all jobs in rounds until the time is up. The first round is
// not counted: it fills caches and pools.
func (b *policyBench) measure(ctx context.Context, jobs []benchJob, engine int) (report.Measurement, error) {
	var m report.Measurement
	if err := round(ctx, jobs, engine); err != nil {
		return m, err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := b.clock()
	for m.Decisions == 0 || b.clock().Sub(start) < b.duration {
		if err := round(ctx, jobs, engine); err != nil {
			return m, err
		}
		m.Decisions += len(jobs)
	}
	elapsed := b.clock().Sub(start)
	runtime.ReadMemStats(&after)
	n := uint64(m.Decisions) //nolint:gosec // counts up from 0
	m.NsPerOp = float64(elapsed.Nanoseconds()) / float64(m.Decisions)
	m.BytesPerOp = (after.TotalAlloc - before.TotalAlloc) / n
	m.AllocsPerOp = (after.Mallocs - before.Mallocs) / n
	return m, nil
}

// round decides every job once, from its bytes: an Input that is used again
// would keep what the interpreter parsed.
func round(ctx context.Context, jobs []benchJob, engine int) error {
	for _, j := range jobs {
		if _, err := j.engines[engine].Decide(ctx, j.in.Fresh()); err != nil {
			return err
		}
	}
	return nil
}
