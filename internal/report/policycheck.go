package report

import (
	"fmt"

	"github.com/attestctl/attestctl/policy"
)

// SchemaPolicyCheck is the schema of a [PolicyCheck].
const SchemaPolicyCheck = "attestctl.policy-check/v1"

// PolicyCheck says what is wrong with policies.
type PolicyCheck struct {
	Schema   string          `json:"schema"`
	Policies []CheckedPolicy `json:"policies"`
	Errors   int             `json:"errors"`
	Warnings int             `json:"warnings"`
}

// CheckedPolicy is one policy. Problems are errors: it is no policy, or the
// engines would decide it differently. Warnings are what is most likely not meant.
type CheckedPolicy struct {
	Policy   string           `json:"policy"`
	Digest   string           `json:"digest,omitempty"`
	Problems []policy.Problem `json:"problems"`
	Warnings []policy.Lint    `json:"warnings"`

	// Locate makes a file of the policy one from here, for formats that annotate
	// files; nil leaves it as it is.
	Locate func(file string) string `json:"-"`
}

// NewPolicyCheck counts.
func NewPolicyCheck(list []CheckedPolicy) *PolicyCheck {
	c := &PolicyCheck{Schema: SchemaPolicyCheck, Policies: list}
	for i := range list {
		c.Errors += len(list[i].Problems)
		c.Warnings += len(list[i].Warnings)
		list[i].Problems = append([]policy.Problem{}, list[i].Problems...)
		list[i].Warnings = append([]policy.Lint{}, list[i].Warnings...)
	}
	return c
}

func (c *PolicyCheck) text(p *page) {
	for _, one := range c.Policies {
		for _, e := range one.Problems {
			p.wrapped(e.String(), span{"error    ", red})
			textAdvice(p, e.Hint)
		}
		for _, w := range one.Warnings {
			p.wrapped(w.String(), span{"warning  ", yellow})
			textAdvice(p, w.Hint)
		}
		word := span{"ok", green}
		if len(one.Problems) > 0 {
			word = span{"failed", red}
		}
		p.line(word, plain("  "), span{Quote(one.Policy), bold}, plain(fmt.Sprintf("  %s, %s",
			count(len(one.Problems), "error"), count(len(one.Warnings), "warning"))), span{"  " + one.Digest, dim})
	}
}

func textAdvice(p *page, advice string) {
	if advice != "" {
		p.wrapped(advice, plain("         "))
	}
}
