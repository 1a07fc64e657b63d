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

// changeRank is the place of a kind in that order.
func changeRank(kind string) int {
	return slices.Index([]string{ChangeOpened, ChangeClosed, ChangeReasons}, kind)
}

// DecisionChange is one case that is decided differently.
type DecisionChange struct {
	Case   string          `json:"case"`
	Title  string          `json:"title"`
	Kind   string          `json:"kind"`
	Before policy.Decision `json:"before"`
	After  policy.Decision `json:"after"`
}

// changeOf names the kind of a change; "" is none.
func changeOf(before, after policy.Decision) string {
	switch {
	case !before.Allow && after.Allow:
		return ChangeOpened
	case before.Allow && !after.Allow:
		return ChangeClosed
	case !slices.Equal(before.Reasons, after.Reasons):
		return ChangeReasons
	}
	return ""
}

// Add adds a case if its two decisions differ.
func (d *PolicyDiff) Add(c DecisionChange) {
	switch c.Kind = changeOf(c.Before, c.After); c.Kind {
	case ChangeOpened:
		d.Opened++
	case ChangeClosed:
		d.Closed++
	case ChangeReasons:
		d.Reasons++
	default:
		return
	}
	d.Changes = append(d.Changes, c)
}

// Sort puts what matters most first.
func (d *PolicyDiff) Sort() {
	slices.SortStableFunc(d.Changes, func(a, b DecisionChange) int {
		return cmp.Or(changeRank(a.Kind)-changeRank(b.Kind), cmp.Compare(a.Case, b.Case))
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
	p.line(changeWord(c.Kind), plain("  "+Quote(c.Case)+"  "), span{Quote(c.Title), dim})
	changedReasons(p, c.Before, c.After)
}

func changeWord(kind string) span {
	switch kind {
	case ChangeOpened:
		return span{"DENY -> ALLOW", red}
	case ChangeClosed:
		return span{"ALLOW -> DENY", yellow}
	}
	return span{"DENY -> DENY ", dim}
}

// changedReasons writes the reasons that only one of two decisions has.
func changedReasons(p *page, before, after policy.Decision) {
	for _, r := range before.Reasons {
		if !slices.Contains(after.Reasons, r) {
			p.wrapped(Quote(r.Code)+": "+strconv.Quote(r.Msg), plain("    - "))
		}
	}
	for _, r := range after.Reasons {
		if !slices.Contains(before.Reasons, r) {
			p.wrapped(Quote(r.Code)+": "+strconv.Quote(r.Msg), plain("    + "))
		}
	}
}
