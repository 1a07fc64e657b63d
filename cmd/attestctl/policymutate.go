package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyMutate is the command and its flags.
type policyMutate struct {
	sys                            *system
	policy                         policyFlags
	fixtures, claims, only, output string
	accept                         string
	threshold                      int
	verbose                        bool
}

func newPolicyMutate(sys *system) *cobra.Command {
	m := &policyMutate{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "mutate POLICY [flags]",
		Short: "Change every claim of accepted evidence and name what the policy still allows",
		Long: `Mutate tests a policy with claims that are wrong. It takes the cases that name the
policy and that it allows, removes, empties, retypes and changes every claim of
theirs that the policy reads, one at a time, and decides over each. A change that
is still allowed is a survivor: either the claim does not matter, or the policy
has a hole there. Survivors are counted for each claim; -v lists every one. Claims
that the policy does not read are listed apart.

With --claims it starts from one claims document instead of cases. --threshold
fails (exit 5) where fewer percent of the changes are denied.

--accept names a YAML or JSON list of survivors that somebody has looked at. They
are shown with their reason and do not count against --threshold. An entry needs
claim, with [*] for any index, and reason; mutation and policy narrow it. One that
nothing needs any longer is an error (exit 5):

  - claim: boot.efi_apps[*]
    mutation: remove
    reason: PCR 4 is pinned, so the list cannot be changed alone
  - policy: builtin:measured-boot
    claim: tpm.ak.key_sha256
    reason: the policy pins the boot, not the machine`,
		Example: `  attestctl policy mutate builtin:gce-cvm
  attestctl policy mutate rego/ --fixtures fixtures --threshold 95
  attestctl policy mutate rego/ --threshold 100 --accept survivors.yaml
  attestctl policy mutate rego/ --claims claims.json --config config.json -o json`,
		Args: arguments(1, 1, "POLICY"),
	}, m.run)
	c.ValidArgsFunction = completeBuiltins
	f := c.Flags()
	f.StringVar(&m.fixtures, "fixtures", fixturesDir, "`FOLDER` of the cases")
	f.StringVar(&m.claims, "claims", "", "start from the claims in `FILE`, with its request if it has one, instead of cases")
	f.StringVar(&m.only, "case", "", "start from the case `NAME` alone")
	f.IntVar(&m.threshold, "threshold", 0, "least `PERCENT` of the changes that must be denied")
	f.StringVar(&m.accept, "accept", "", "YAML or JSON `FILE` that lists survivors which may stay, each with a reason")
	f.BoolVarP(&m.verbose, "verbose", "v", false, "list every survivor with its value")
	m.policy.addConfig(c)
	outputFlag(c, &m.output)
	return c
}

func (m *policyMutate) run(args []string) error {
	switch {
	case m.threshold < 0 || m.threshold > 100:
		return usagef("--threshold %d is not from 0 to 100", m.threshold)
	case m.claims != "" && m.only != "":
		return usagef("--claims and --case contradict each other")
	case countStdin([]string{m.claims, m.policy.config, m.accept}) > 1:
		return usagef("standard input (-) is named twice and can be read once")
	}
	m.policy.ref = args[0]
	accepted, err := m.accepted()
	if err != nil {
		return err
	}
	base, err := m.policy.compile(m.sys)
	if err != nil {
		return err
	}
	doc, err := m.document(base)
	if err != nil {
		return err
	}
	unused := doc.Accept(accepted)
	if err := report.Write(m.sys.stdout, m.output, doc, m.sys.style()); err != nil {
		return err
	}
	return m.judge(doc, unused)
}

// judge returns the error for a list that names what does not survive, and for
// too many survivors.
func (m *policyMutate) judge(doc *report.Mutation, unused []policy.Accepted) error {
	switch {
	case len(unused) > 0:
		err := fmt.Errorf("--accept %s: nothing survives that entry %s is for", report.Quote(m.accept), report.Quote(unused[0].String()))
		if more := len(unused) - 1; more > 0 {
			err = fmt.Errorf("%w, nor %d others", err, more)
		}
		return hint.New(&exitError{exitFailed, err}, "the policy denies it now, or the claim is spelled otherwise: remove or correct the entry")
	case m.threshold > 0 && doc.Score() < m.threshold:
		return hint.New(&exitError{exitFailed, fmt.Errorf("%d %% of the mutants were denied, want %d %%", doc.Score(), m.threshold)},
			"demand in allow what the survivors changed, test that they do not matter, or list them with --accept and a reason")
	}
	return nil
}

// accepted reads the list of survivors that may stay and keeps what is about the
// policy. A policy that is named there must be one.
func (m *policyMutate) accepted() ([]policy.Accepted, error) {
	if m.accept == "" {
		return nil, nil
	}
	text, err := m.sys.readFile(m.accept)
	if err != nil {
		return nil, &exitError{exitTool, fmt.Errorf("--accept %s: %w", report.Quote(m.accept), err)}
	}
	list, err := policy.ParseAccepted(configName(m.accept), string(text))
	if err != nil {
		return nil, hint.New(fmt.Errorf("--accept: %w", err), "attestctl policy mutate --help shows an example")
	}
	for _, a := range list {
		if a.Policy == "" {
			continue
		}
		if _, err := policy.Open(a.Policy); err != nil {
			return nil, fmt.Errorf("--accept %s: %w", report.Quote(m.accept), err)
		}
	}
	want := identity(m.policy.ref)
	return slices.DeleteFunc(list, func(a policy.Accepted) bool { return a.Policy != "" && identity(a.Policy) != want }), nil
}

// document mutates what the policy allows, with each config.
func (m *policyMutate) document(base *policy.Policy) (*report.Mutation, error) {
	groups, err := m.groups(base)
	if err != nil {
		return nil, err
	}
	doc := &report.Mutation{Policy: m.policy.ref, Threshold: m.threshold, Documents: []string{}, Verbose: m.verbose}
	var found []*policy.Mutation
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		one, err := m.mutate(g)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
		doc.Documents = slices.AppendSeq(doc.Documents, maps.Keys(g.inputs))
	}
	slices.Sort(doc.Documents)
	doc.Mutation = *policy.MergeMutations(found...)
	return doc, nil
}

func (m *policyMutate) mutate(g *mutateGroup) (*policy.Mutation, error) {
	var bar *progress
	seen := 0
	step := func(done, total int) {
		if bar == nil {
			bar = m.sys.progress(total)
		}
		for ; seen < done; seen++ {
			bar.step()
		}
	}
	found, err := g.policy.Mutate(context.Background(), g.inputs, step)
	if bar != nil {
		bar.hide()
	}
	return found, err
}

// mutateGroup is a policy with one config, and what it allows.
type mutateGroup struct {
	policy *policy.Policy
	inputs map[string]policy.Input
}

// groups collects what the policy allows, by the config it allows it with.
func (m *policyMutate) groups(base *policy.Policy) (map[string]*mutateGroup, error) {
	if m.claims != "" {
		in, err := m.sys.claimsInput(m.claims)
		if err != nil {
			return nil, err
		}
		return map[string]*mutateGroup{"": {base, map[string]policy.Input{m.claims: in}}}, nil
	}
	cases, err := fixture.Load(m.fixtures)
	if err != nil {
		return nil, err
	}
	groups := map[string]*mutateGroup{}
	for _, c := range cases {
		if m.only != "" && c.Name != m.only {
			continue
		}
		if err := m.collect(groups, base, c); err != nil {
			return nil, err
		}
	}
	if len(groups) == 0 {
		return nil, hint.New(&exitError{exitFailed, fmt.Errorf("no case that names %s is allowed by it", report.Quote(m.policy.ref))},
			"name the policy in case.yaml of a case, or give claims with --claims and --config")
	}
	return groups, nil
}

// collect judges one case and keeps its claims if the policy allows them.
func (m *policyMutate) collect(groups map[string]*mutateGroup, base *policy.Policy, c fixture.Case) error {
	want := identity(m.policy.ref)
	asked := false
	for _, p := range c.Spec.Policies {
		asked = asked || identity(c.PolicyRef(p.Policy)) == want
	}
	if !asked {
		return nil
	}
	_, err := c.Run(context.Background(), func(ctx context.Context, ref string, config map[string]any, proven *claims.Claims, request map[string]any) (json.RawMessage, error) {
		if identity(ref) == want {
			if err := m.add(ctx, groups, base, c.Name, config, proven, request); err != nil {
				return nil, err
			}
		}
		return json.RawMessage(`{"allow": false, "reasons": []}`), nil
	})
	return err
}

func (m *policyMutate) add(ctx context.Context, groups map[string]*mutateGroup, base *policy.Policy, name string,
	config map[string]any, proven *claims.Claims, request map[string]any,
) error {
	p, err := m.configured(groups, base, config)
	if err != nil {
		return err
	}
	in, err := policy.InputOf(proven, request)
	if err != nil {
		return err
	}
	engine, err := p.Topdown(policy.Limits{}) //nolint:contextcheck // preparing takes none
	if err != nil {
		return err
	}
	d, err := engine.Decide(ctx, in)
	if err != nil || !d.Allow {
		return err
	}
	if groups[p.Digest()] == nil {
		groups[p.Digest()] = &mutateGroup{p, map[string]policy.Input{}}
	}
	groups[p.Digest()].inputs[name] = in
	return nil
}

// configured returns the policy with the config of a case, compiled once.
func (m *policyMutate) configured(groups map[string]*mutateGroup, base *policy.Policy, config map[string]any) (*policy.Policy, error) {
	if config == nil || m.policy.config != "" {
		return base, nil
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the config: %w", err)
	}
	s, err := base.Source().WithConfig("config.json", string(raw))
	if err != nil {
		return nil, err
	}
	if g := groups[s.Digest()]; g != nil {
		return g.policy, nil
	}
	return policy.Compile(s)
}
