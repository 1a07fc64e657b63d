package report

import (
	"fmt"
	"slices"
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
	Verbose   bool     // text lists every survivor
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
		if m.Verbose {
			textSurvivors(p, c.Survivors)
		} else {
			textSurvivorCounts(p, c.Survivors)
		}
	}
	if m.Killed < m.Mutants {
		p.blank()
	}
	if len(m.NotRead) > 0 {
		p.wrapped(strings.Join(folded(m.NotRead), " "), span{"not read  ", yellow})
		p.blank()
	}
	p.line(m.word(), plain(fmt.Sprintf("  %d of %s denied, %s%s", m.Killed, count(m.Mutants, "mutant"), count(m.Mutants-m.Killed, "survivor"), m.accepted())))
}

func (m *Mutation) accepted() string {
	if m.Accepted == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them accepted", m.Accepted)
}

func textSurvivors(p *page, list []policy.Survivor) {
	for _, s := range list {
		to, word, why := "", span{"  still allowed  ", red}, ""
		if len(s.To) > 0 {
			to = " → " + seen(s.To)
		}
		if s.Accepted != "" {
			word, why = span{"  accepted       ", dim}, ": "+s.Accepted
		}
		p.line(word, plain(s.Mutation+to), span{"  in " + fewNames(s.Documents) + why, dim})
	}
}

// textSurvivorCounts counts the survivors of one claim by the kind of change,
// and those that were accepted by their reason.
func textSurvivorCounts(p *page, list []policy.Survivor) {
	var reasons []string
	for _, s := range list {
		if !slices.Contains(reasons, s.Accepted) {
			reasons = append(reasons, s.Accepted)
		}
	}
	slices.Sort(reasons) // what is not accepted comes first
	for _, reason := range reasons {
		var kinds []string
		counts, documents := map[string]int{}, map[string]bool{}
		for _, s := range list {
			if s.Accepted != reason {
				continue
			}
			if counts[s.Mutation] == 0 {
				kinds = append(kinds, s.Mutation)
			}
			counts[s.Mutation] += len(s.Documents)
			for _, d := range s.Documents {
				documents[d] = true
			}
		}
		for i, k := range kinds {
			kinds[i] = fmt.Sprintf("%s %d", k, counts[k])
		}
		word, why := span{"  still allowed  ", red}, ""
		if reason != "" {
			word, why = span{"  accepted       ", dim}, ": "+reason
		}
		p.line(word, plain(strings.Join(kinds, ", ")), span{"  in " + count(len(documents), "document") + why, dim})
	}
}

func (m *Mutation) word() span {
	s := span{fmt.Sprintf("%d %%", m.Score()), green}
	switch {
	case m.Score() < m.Threshold:
		s.color = red
	case m.Killed+m.Accepted < m.Mutants:
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
