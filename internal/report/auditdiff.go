package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/policy"
)

// SchemaAuditDiff is the schema of an [AuditDiff].
const SchemaAuditDiff = "attestctl.auditdiff/v1"

// AuditDiff lists the decisions of an audit log that another policy would have
// made differently. Replayed is Unchanged, Opened, Closed and Reasons together;
// with Undecided, Others, Withheld, Unreadable and Unselected it makes Decisions.
type AuditDiff struct {
	Schema string `json:"schema"`
	Log    string `json:"log"`
	New    string `json:"new"`
	Digest string `json:"new_digest"` // of NEW with its config

	Seq      uint64 `json:"seq"`      // of the last whole line
	Signed   bool   `json:"signed"`   // every checkpoint, with a key that was given
	Unsigned int    `json:"unsigned"` // decisions behind the last checkpoint

	Decisions  int `json:"decisions"`  // in the log
	Unselected int `json:"unselected"` // that do not meet the conditions
	Undecided  int `json:"undecided"`  // refused or failed before a policy decided
	Others     int `json:"others"`     // of another policy than the one asked for
	Withheld   int `json:"withheld"`   // whose input the log does not hold
	Unreadable int `json:"unreadable"` // whose input no policy of this version takes
	Replayed   int `json:"replayed"`

	Unchanged int `json:"unchanged"`
	Opened    int `json:"opened"`  // denied then, allowed now
	Closed    int `json:"closed"`  // allowed then, denied now
	Reasons   int `json:"reasons"` // denied for other reasons

	Unlisted int           `json:"unlisted"` // changes beyond those below
	Changes  []AuditChange `json:"changes"`

	listed map[string]room
}

// AuditChange is one decision that would be another one. Before is what the log
// has, with the digest of the policy that decided.
type AuditChange struct {
	Seq       uint64          `json:"seq"`
	Time      time.Time       `json:"timestamp"`
	RequestID string          `json:"request_id"`
	Route     string          `json:"route"`
	Secret    string          `json:"secret"`
	Remote    string          `json:"remote"`
	Outcome   string          `json:"outcome"` // what came of the request then
	Policy    string          `json:"policy"`  // that decided, where it was read from
	Kind      string          `json:"kind"`
	Before    policy.Decision `json:"before"`
	After     policy.Decision `json:"after"`
}

// A log has no bound, what is listed of each kind has: so many changes, and so
// many bytes of text.
const (
	maxListed      = 1000
	maxListedBytes = 16 << 20
)

// room is what is listed already.
type room struct{ changes, bytes int }

// Add counts a decision that was made again, and lists it if it changed.
func (d *AuditDiff) Add(c AuditChange) {
	d.Replayed++
	switch c.Kind = changeOf(c.Before, c.After); c.Kind {
	case ChangeOpened:
		d.Opened++
	case ChangeClosed:
		d.Closed++
	case ChangeReasons:
		d.Reasons++
	default:
		d.Unchanged++
		return
	}
	r := d.listed[c.Kind]
	r.changes++
	r.bytes += c.size()
	if r.changes > maxListed || r.bytes > maxListedBytes {
		d.Unlisted++
		return
	}
	if d.listed == nil {
		d.listed = map[string]room{}
	}
	d.listed[c.Kind] = r
	d.Changes = append(d.Changes, c)
}

// size is how many bytes of text the change holds.
func (c *AuditChange) size() int {
	n := len(c.RequestID) + len(c.Route) + len(c.Secret) + len(c.Remote) + len(c.Policy)
	for _, r := range slices.Concat(c.Before.Reasons, c.After.Reasons) {
		n += len(r.Code) + len(r.Msg)
	}
	return n
}

// Sort puts what matters most first, and the older before the newer.
func (d *AuditDiff) Sort() {
	slices.SortStableFunc(d.Changes, func(a, b AuditChange) int {
		return cmp.Or(changeRank(a.Kind)-changeRank(b.Kind), cmp.Compare(a.Seq, b.Seq))
	})
}

func (d *AuditDiff) text(p *page) {
	for _, c := range d.Changes {
		c.text(p)
	}
	if len(d.Changes) > 0 {
		p.blank()
	}
	p.linef("%d of %s replayed: %d DENY -> ALLOW, %d ALLOW -> DENY, %d with other reasons, %d unchanged",
		d.Replayed, count(d.Decisions, "decision"), d.Opened, d.Closed, d.Reasons, d.Unchanged)
	for _, row := range []struct {
		n    int
		what string
	}{
		{d.Unlisted, "changes more than are listed"},
		{d.Unselected, "that do not meet the conditions"},
		{d.Others, "of another policy than the one asked for"},
		{d.Undecided, "refused or failed before a policy decided"},
		{d.Withheld, "whose input is not in the log"},
		{d.Unreadable, "whose input is not a claims document of this version"},
		{d.Unsigned, "behind the last checkpoint, which no signature covers yet"},
	} {
		if row.n > 0 {
			p.linef("%5d %s", row.n, row.what)
		}
	}
}

func (c *AuditChange) text(p *page) {
	about := "secret " + Quote(c.Secret)
	if c.Secret == "" {
		about = "no secret"
	}
	p.line(changeWord(c.Kind), plain(fmt.Sprintf("  %s  %s  request %s  from %s",
		c.Time.UTC().Format(time.RFC3339), about, Quote(cmp.Or(c.RequestID, "-")), Quote(cmp.Or(c.Remote, "-")))))
	p.wrapped(fmt.Sprintf("%s, by %s %s", c.Outcome, Quote(c.Policy), Quote(c.Before.Policy)), span{fmt.Sprintf("    line %d: ", c.Seq), dim})
	changedReasons(p, c.Before, c.After)
}
