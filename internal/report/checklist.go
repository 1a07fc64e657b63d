package report

import "github.com/attestctl/attestctl/evidence"

// SchemaChecks is the schema of a [CheckList].
const SchemaChecks = "attestctl.checks/v1"

// CheckList documents checks.
type CheckList struct {
	Schema string  `json:"schema"`
	Checks []Check `json:"checks"`
}

// Check documents one check.
type Check struct {
	ID      string `json:"id"`
	PerBank bool   `json:"per_bank"`
	Proves  string `json:"proves"`
	Fails   string `json:"fails"`
	Remedy  string `json:"remedy"`
	Spec    string `json:"spec"`
}

// NewCheckList documents the given checks.
func NewCheckList(infos ...evidence.CheckInfo) *CheckList {
	list := &CheckList{Schema: SchemaChecks}
	for _, c := range infos {
		list.Checks = append(list.Checks, Check(c))
	}
	return list
}

// text writes a table of many checks, or all about one.
func (l *CheckList) text(p *page) {
	width := 0
	for _, c := range l.Checks {
		width = max(width, len(c.ID))
	}
	for _, c := range l.Checks {
		if len(l.Checks) > 1 {
			p.wrapped(c.Proves, span{pad(c.ID, width), bold}, plain("  "))
			continue
		}
		name := c.ID
		if c.PerBank {
			name += "[bank]"
		}
		p.line(span{name, bold})
		p.field("proves", c.Proves)
		p.field("fails", c.Fails)
		p.field("remedy", c.Remedy)
		p.field("follows", c.Spec)
	}
}
