package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/policy"
)

// SchemaExplanation is the schema of an [Explanation].
const SchemaExplanation = "attestctl.explanation/v1"

// Explanation says why a policy decides over one input as it does.
type Explanation struct {
	policy.Explanation

	Policy   string // as the user named it
	File     string // of the evidence or the claims
	Verified bool   // false: the claims are taken for what they say
}

// MarshalJSON gives the document of schema attestctl.explanation/v1.
func (x *Explanation) MarshalJSON() ([]byte, error) {
	return marshalCompact(struct {
		Schema   string           `json:"schema"`
		File     string           `json:"file"`
		Verified bool             `json:"verified"`
		Policy   string           `json:"policy"`
		Decision policy.Decision  `json:"decision"`
		Denials  []policy.Denial  `json:"denials"`
		Allow    []policy.Attempt `json:"allow"`
		Repair   *policy.Repair   `json:"repair"`
	}{
		SchemaExplanation, x.File, x.Verified, x.Policy, x.Decision,
		append([]policy.Denial{}, x.Denials...), append([]policy.Attempt{}, x.Attempts...), x.Repair,
	})
}

func (x *Explanation) text(p *page) {
	source := span{"verified evidence", green}
	if !x.Verified {
		source = span{"claims that nobody verified", yellow}
	}
	p.line(span{Quote(x.File), bold}, plain(": "), source)
	p.field("policy", x.Policy)
	p.field("digest", x.Decision.Policy)
	p.blank()
	for _, d := range x.Denials {
		textDenial(p, d)
		p.blank()
	}
	x.textOwnReasons(p)
	for _, a := range x.Attempts {
		p.line(span{Quote(a.Rule), bold}, span{fmt.Sprintf("  %s:%d", Quote(a.File), a.Line), dim})
		textClauses(p, a.Clauses, 1)
		p.blank()
	}
	if x.Repair != nil {
		textRepair(p, x.Repair)
		p.blank()
	}
	p.line(decisionWord(&x.Decision))
}

// textOwnReasons writes the reasons that no rule of deny gave.
func (x *Explanation) textOwnReasons(p *page) {
	known := map[string]bool{}
	for _, d := range x.Denials {
		known[d.Code+"\x00"+d.Msg] = true
	}
	for _, r := range x.Decision.Reasons {
		if !known[r.Code+"\x00"+r.Msg] {
			p.wrapped(Quote(r.Msg), span{Quote(r.Code), red}, plain("  "))
			p.field("detail", x.Decision.Detail)
			p.blank()
		}
	}
}

func textDenial(p *page, d policy.Denial) {
	p.wrapped(Quote(d.Msg), span{Quote(d.Code), red}, plain("  "))
	p.field("rule", d.Title)
	p.field("at", fmt.Sprintf("%s:%d", d.File, d.Line))
	p.field("source", d.Source)
	for _, r := range d.Readings {
		textReading(p, r, "  ")
	}
}

func textReading(p *page, r policy.Reading, indent string) {
	p.wrapped(seen(r.Seen)+", want "+r.Wanted, plain(indent), span{Quote(r.Claim), bold}, plain(" is "))
}

// maxSeen bounds a value in text; JSON has all of it.
const maxSeen = 300

// seen writes the value of a claim.
func seen(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "absent"
	}
	return clip(Escape(string(raw)), maxSeen)
}

// textClauses writes a table of expressions, and below one that does not hold
// the reason.
func textClauses(p *page, list []policy.Clause, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, c := range list {
		mark := span{"✗ ", red}
		switch {
		case c.Holds:
			mark = span{"✓ ", green}
		case c.Unreached:
			mark = span{"· ", dim}
		}
		p.line(plain(indent), mark, plain(fmt.Sprintf("%5d  ", c.Line)), plain(Quote(c.Text)))
		if c.Holds || c.Unreached {
			continue
		}
		for _, r := range c.Readings {
			textReading(p, r, indent+"         ")
		}
		for _, b := range c.Because {
			p.line(plain(indent+"         "), span{fmt.Sprintf("%s  %s:%d", Quote(b.Rule), Quote(b.File), b.Line), dim})
			textClauses(p, b.Clauses, depth+5)
		}
	}
}

func textRepair(p *page, r *policy.Repair) {
	p.line(span{"the least that would have to differ", bold})
	for _, c := range r.Changes {
		want := seen(c.Wanted)
		p.wrapped(seen(c.Seen)+" → "+want, plain("  "), plain(Quote(c.Claim)), plain("  "))
	}
	if r.From != "" {
		p.field("as in", r.From)
	}
}
