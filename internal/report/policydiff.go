package report

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/attestctl/attestctl/policy"
)

// SchemaPolicyDiff is the schema of a [PolicyDiff].
const SchemaPolicyDiff = "attestctl.policydiff/v1"

// PolicyDiff lists the cases that two policies decide differently.
type PolicyDiff struct {
	Schema  string           `json:"schema"`
	Old     string           `json:"old"`
	New     string           `json:"new"`
	Cases   int              `json:"cases"`
	Opened  int              `json:"opened"`  // denied before, allowed now
	Closed  int              `json:"closed"`  // allowed before, denied now
	Reasons int              `json:"reasons"` // denied for other reasons
	Changes []DecisionChange `json:"changes"`
}

// The kinds of changes, in the order in which they are listed.
const (
	ChangeOpened  = "opened"
	ChangeClosed  = "closed"
	ChangeReasons = "reasons"
)

// DecisionChange is one case that is decided differently.
type DecisionChange struct {
	Case   string          `json:"case"`
	Title  string          `json:"title"`
	Kind   string          `json:"kind"`
	Before policy.Decision `json:"before"`
	After  policy.Decision `json:"after"`
}

// Add adds a case if its two decisions differ.
func (d *PolicyDiff) Add(c DecisionChange) {
	switch {
	case !c.Before.Allow && c.After.Allow:
		c.Kind = ChangeOpened
		d.Opened++
	case c.Before.Allow && !c.After.Allow:
		c.Kind = ChangeClosed
		d.Closed++
	case !slices.Equal(c.Before.Reasons, c.After.Reasons):
		c.Kind = ChangeReasons
		d.Reasons++
	default:
		return
	}
	d.Changes = append(d.Changes, c)
}

// Sort puts what matters most first.
func (d *PolicyDiff) Sort() {
	order := []string{ChangeOpened, ChangeClosed, ChangeReasons}
	slices.SortStableFunc(d.Changes, func(a, b DecisionChange) int {
		return cmp.Or(slices.Index(order, a.Kind)-slices.Index(order, b.Kind), cmp.Compare(a.Case, b.Case))
	})
}

func (d *PolicyDiff) text(p *page) {
	for _, c := range d.Changes {
		c.text(p)
	}
	if len(d.Changes) > 0 {
		p.blank()
	}
	p.linef("%s: %d DENY -> ALLOW, %d ALLOW -> DENY, %d with other reasons", count(d.Cases, "case"), d.Opened, d.Closed, d.Reasons)
}

func (c *DecisionChange) text(p *page) {
	word := span{"DENY -> DENY ", dim}
	switch c.Kind {
	case ChangeOpened:
		word = span{"DENY -> ALLOW", red}
	case ChangeClosed:
		word = span{"ALLOW -> DENY", yellow}
	}
	p.line(word, plain("  "+Quote(c.Case)+"  "), span{Quote(c.Title), dim})
	for _, r := range c.Before.Reasons {
		if !slices.Contains(c.After.Reasons, r) {
			p.wrapped(Quote(r.Code)+": "+strconv.Quote(r.Msg), plain("    - "))
		}
	}
	for _, r := range c.After.Reasons {
		if !slices.Contains(c.Before.Reasons, r) {
			p.wrapped(Quote(r.Code)+": "+strconv.Quote(r.Msg), plain("    + "))
		}
	}
}
