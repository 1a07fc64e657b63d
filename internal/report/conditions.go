package report

import (
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/policy"
)

// SchemaConditions is the schema of [Conditions].
const SchemaConditions = "attestctl.conditions/v1"

// Conditions says what a policy demands of claims.
type Conditions struct {
	Schema     string             `json:"schema"`
	Policy     string             `json:"policy"`
	Digest     string             `json:"digest"`
	Conditions []policy.Condition `json:"conditions"`
}

// NewConditions names the policy.
func NewConditions(name, digest string, list []policy.Condition) *Conditions {
	return &Conditions{SchemaConditions, name, digest, append([]policy.Condition{}, list...)}
}

func (c *Conditions) text(p *page) {
	p.line(span{Quote(c.Policy), bold}, span{"  " + c.Digest, dim})
	for _, one := range c.Conditions {
		p.blank()
		textCondition(p, one)
	}
}

func textCondition(p *page, c policy.Condition) {
	lead := span{c.Rule + " if", green}
	if c.Rule == "deny" {
		lead = span{strings.TrimSpace("deny "+Quote(c.Code)) + " if", red}
	}
	p.line(lead, span{fmt.Sprintf("  %s:%d  %s", Quote(c.File), c.Line, Quote(c.Title)), dim})
	switch {
	case c.Never:
		p.line(plain("  never, whatever the claims are"))
		return
	case c.Always:
		p.line(plain("  always, whatever the claims are"))
		return
	}
	for i, way := range c.Ways {
		if i > 0 {
			p.line(span{"or", bold})
		}
		for _, line := range way {
			p.line(plain("  " + Escape(line)))
		}
	}
	for _, h := range c.Helpers {
		p.line(span{"where", bold})
		for line := range strings.SplitSeq(strings.TrimSpace(h), "\n") {
			p.line(plain("  " + strings.ReplaceAll(line, "\t", "  ")))
		}
	}
	if c.Note != "" {
		p.wrapped(c.Note, span{"  not reduced: ", yellow})
	}
}
