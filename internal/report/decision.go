package report

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/attestctl/attestctl/policy"
)

// Decision is what a policy said of one input: the decision document of schema
// attestctl.decision/v1, and whether the claims it saw were verified.
type Decision struct {
	Decision policy.Decision
	Policy   string // as the user named it
	File     string // of the evidence or the claims
	Verified bool   // false: the claims are taken for what they say
}

// MarshalJSON gives the decision document with two more fields.
func (d *Decision) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(d.Decision)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Schema   json.RawMessage `json:"schema"`
		Allow    json.RawMessage `json:"allow"`
		Reasons  json.RawMessage `json:"reasons"`
		Policy   json.RawMessage `json:"policy"`
		Verified bool            `json:"verified"`
		File     string          `json:"file"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	doc.Verified, doc.File = d.Verified, d.File
	return marshalCompact(doc)
}

func (d *Decision) text(p *page) {
	source := "verified evidence"
	color := green
	if !d.Verified {
		source, color = "claims that nobody verified", yellow
	}
	p.line(span{Quote(d.File), bold}, plain(": "), span{source, color})
	p.blank()
	textDecision(p, d.Policy, &d.Decision)
}

// maxCodeColumn is the longest code that has a column of its own.
const maxCodeColumn = 32

// textDecision writes every reason and then the word.
func textDecision(p *page, name string, d *policy.Decision) {
	p.field("policy", name)
	p.field("digest", d.Policy)
	width := 0
	for _, r := range d.Reasons {
		if n := utf8.RuneCountInString(Quote(r.Code)); n <= maxCodeColumn {
			width = max(width, n)
		}
	}
	for _, r := range d.Reasons {
		if code := Quote(r.Code); utf8.RuneCountInString(code) <= maxCodeColumn {
			p.wrapped(Quote(r.Msg), plain("  "), span{pad(code, width), red}, plain("  "))
		} else {
			p.wrapped(code+"  "+Quote(r.Msg), plain("  "))
		}
	}
	if d.Detail != "" {
		p.field("detail", d.Detail)
	}
	p.blank()
	p.line(decisionWord(d))
}

func decisionWord(d *policy.Decision) span {
	if d.Allow {
		return span{"ALLOWED", green}
	}
	return span{"DENIED", red}
}
