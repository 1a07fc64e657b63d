package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// auditDiff is a replay with s wherever a log or a policy could put it.
func auditDiff(s string) *AuditDiff {
	d := &AuditDiff{
		Schema: SchemaAuditDiff, Log: s, New: s, Digest: s, Decisions: 9, Unselected: 1, Undecided: 1, Others: 1, Withheld: 1, Unreadable: 1,
		Unsigned: 3, Changes: []AuditChange{},
	}
	no, yes := policy.Deny(s, policy.Reason{Code: s, Msg: s}), policy.Decision{Allow: true, Policy: s}
	add := func(seq uint64, before, after policy.Decision) {
		d.Add(AuditChange{Seq: seq, RequestID: s, Route: s, Secret: s, Remote: s, Outcome: s, Policy: s, Before: before, After: after})
	}
	add(2, yes, no)
	add(3, no, policy.Deny("", policy.Reason{Code: "b", Msg: s}))
	add(4, no, yes)
	add(5, no, no)
	add(6, no, yes)
	d.Sort()
	return d
}

func TestAuditDiffOrder(t *testing.T) {
	d := auditDiff("x")
	var got []string
	for _, c := range d.Changes {
		got = append(got, fmt.Sprint(c.Kind, c.Seq))
	}
	if want := []string{"opened4", "opened6", "closed2", "reasons3"}; !slices.Equal(got, want) || d.Replayed != 5 || d.Unchanged != 1 {
		t.Errorf("changes %q, want %q; %+v", got, want, d)
	}
}

// TestAuditDiffIsBounded: however much changes, all of it is counted, so much is
// listed, and what is less does not take the place of what opens.
func TestAuditDiffIsBounded(t *testing.T) {
	yes := policy.Decision{Allow: true}
	for name, c := range map[string]struct{ msg, most int }{"many": {1, maxListed}, "large": {maxListedBytes / 3, 2}} {
		no := policy.Deny("", policy.Reason{Code: "c", Msg: strings.Repeat("x", c.msg)})
		d, n := &AuditDiff{}, 2*c.most+2
		for range n {
			d.Add(AuditChange{Before: yes, After: no})
		}
		for range n {
			d.Add(AuditChange{Before: no, After: yes})
		}
		d.Sort()
		if d.Closed != n || d.Opened != n || len(d.Changes) != 2*c.most || d.Unlisted != 2*(n-c.most) {
			t.Errorf("%s: %d opened, %d closed, %d listed, %d not", name, d.Opened, d.Closed, len(d.Changes), d.Unlisted)
		}
		if d.Changes[c.most-1].Kind != ChangeOpened {
			t.Errorf("%s: what opens is not listed", name)
		}
	}
}
