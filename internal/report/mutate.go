package report

import (
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/policy"
)

// SchemaMutation is the schema of a [Mutation].
const SchemaMutation = "attestctl.mutation/v1"

// Mutation says which changes of the claims of accepted evidence a policy does
// not notice.
type Mutation struct {
	policy.Mutation

	Policy    string
	Documents []string // the fixtures or the file
	Threshold int      // percent
}

// MarshalJSON gives the document of schema attestctl.mutation/v1.
func (m *Mutation) MarshalJSON() ([]byte, error) {
	return marshalCompact(struct {
		Schema    string   `json:"schema"`
		Policy    string   `json:"policy"`
		Documents []string `json:"documents"`
		Score     int      `json:"score"`
		Threshold int      `json:"threshold,omitempty"`
		policy.Mutation
	}{SchemaMutation, m.Policy, m.Documents, m.Score(), m.Threshold, m.Mutation})
}

func (m *Mutation) text(p *page) {
	p.line(span{Quote(m.Policy), bold}, plain(": "+count(m.Mutants, "mutant")+" of "+count(len(m.Documents), "document")))
	p.blank()
	for _, c := range m.Claims {
		if len(c.Survivors) == 0 {
			continue
		}
		p.line(span{Quote(c.Claim), bold}, span{fmt.Sprintf("  %d of %d denied", c.Killed, c.Mutants), dim})
		for _, s := range c.Survivors {
			to := ""
			if len(s.To) > 0 {
				to = " → " + seen(s.To)
			}
			p.line(span{"  still allowed  ", red}, plain(s.Mutation+to), span{"  in " + fewNames(s.Documents), dim})
		}
	}
	if m.Killed < m.Mutants {
		p.blank()
	}
	if len(m.NotRead) > 0 {
		p.wrapped(strings.Join(folded(m.NotRead), " "), span{"not read  ", yellow})
		p.blank()
	}
	p.line(m.word(), plain(fmt.Sprintf("  %d of %s denied, %s", m.Killed, count(m.Mutants, "mutant"), count(m.Mutants-m.Killed, "survivor"))))
}

func (m *Mutation) word() span {
	s := span{fmt.Sprintf("%d %%", m.Score()), green}
	switch {
	case m.Score() < m.Threshold:
		s.color = red
	case m.Killed < m.Mutants:
		s.color = yellow
	}
	return s
}

// folded writes members of the same object together: a["x"] a["y"] as a["x","y"].
func folded(names []string) []string {
	var out []string
	last := ""
	for _, name := range names {
		at := strings.Index(name, "[\"")
		if at < 0 || !strings.HasSuffix(name, "\"]") {
			out, last = append(out, name), ""
			continue
		}
		if prefix := name[:at]; prefix == last {
			n := len(out) - 1
			out[n] = strings.TrimSuffix(out[n], "]") + "," + name[at+1:]
		} else {
			out, last = append(out, name), prefix
		}
	}
	return out
}

// fewNames names the first.
func fewNames(names []string) string {
	const most = 3
	if len(names) <= most {
		return Escape(strings.Join(names, ", "))
	}
	return fmt.Sprintf("%s and %d more", Escape(strings.Join(names[:most], ", ")), len(names)-most)
}
