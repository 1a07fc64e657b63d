package report

import (
	"fmt"
	"time"

	"github.com/attestctl/attestctl/evidence"
)

// SchemaTrustCheck is the schema of a [TrustCheck].
const SchemaTrustCheck = "attestctl.trust-check/v1"

// TrustCheck says what is wrong with a trust directory at a time.
type TrustCheck struct {
	Schema   string             `json:"schema"`
	Dir      string             `json:"dir"`
	At       string             `json:"at"`
	Findings []evidence.Finding `json:"findings"`
	Errors   int                `json:"errors"`
	Notes    int                `json:"notes"`
}

// NewTrustCheck counts.
func NewTrustCheck(dir string, at time.Time, findings []evidence.Finding) *TrustCheck {
	c := &TrustCheck{Schema: SchemaTrustCheck, Dir: dir, At: stamp(at), Findings: append([]evidence.Finding{}, findings...)}
	for _, f := range findings {
		if f.Severity == evidence.SeverityNote {
			c.Notes++
		} else {
			c.Errors++
		}
	}
	return c
}

func (c *TrustCheck) text(p *page) {
	for _, f := range c.Findings {
		lead := span{"error  ", red}
		if f.Severity == evidence.SeverityNote {
			lead = span{"note   ", yellow}
		}
		p.wrapped(fmt.Sprintf("%s: %s [%s]", Quote(f.Path), f.Detail, f.Code), lead)
	}
	word := span{"ok", green}
	if c.Errors > 0 {
		word = span{"failed", red}
	}
	p.line(word, plain("  "), span{Quote(c.Dir), bold}, plain("  at "+c.At+"  "+count(c.Errors, "error")+", "+count(c.Notes, "note")))
}
