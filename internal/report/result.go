package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/policy"
)

// Schemas of the JSON and YAML documents. Adding a field keeps the version,
// changing the meaning of one makes a new one.
const (
	SchemaResult  = "attestctl.result/v1"
	SchemaResults = "attestctl.results/v1"
)

// Result is the outcome for one file.
type Result struct {
	File     string
	Evidence *evidence.Result // nil if the file could not be read
	Err      error            // why it was not accepted or not allowed; nil if it was
	// Decision is that of the policy with the given name; nil if none was asked.
	Decision *policy.Decision
	Policy   string
}

// verdict returns the verdict, or "error" where there is none.
func (r *Result) verdict() string {
	if r.Evidence == nil {
		return "error"
	}
	return r.Evidence.Verdict.String()
}

// MarshalJSON gives the document of schema attestctl.result/v1. Claims are
// present only if the verdict is accepted.
func (r *Result) MarshalJSON() ([]byte, error) {
	doc := struct {
		Schema        string           `json:"schema"`
		File          string           `json:"file"`
		Format        string           `json:"format,omitempty"`
		Verdict       string           `json:"verdict"`
		Error         string           `json:"error,omitempty"`
		Insecure      []string         `json:"insecure,omitempty"`
		UnknownFields int              `json:"unknown_fields,omitempty"`
		ValidUntil    string           `json:"valid_until,omitempty"`
		Checks        []evidence.Check `json:"checks,omitempty"`
		Claims        *claims.Claims   `json:"claims,omitempty"`
		Decision      *policy.Decision `json:"decision,omitempty"`
	}{Schema: SchemaResult, File: r.File, Verdict: r.verdict()}
	if r.Err != nil {
		doc.Error = r.Err.Error()
	}
	if e := r.Evidence; e != nil {
		doc.Format, doc.Insecure, doc.UnknownFields, doc.Checks = e.Format, e.Insecure, e.UnknownFields, e.Checks
		if e.Verdict == evidence.Accepted {
			doc.Claims, doc.Decision = e.Claims, r.Decision
			if !e.ValidUntil.IsZero() {
				doc.ValidUntil = e.ValidUntil.UTC().Format(time.RFC3339)
			}
		}
	}
	return marshalCompact(doc)
}

func marshalCompact(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(b.String()), err
}

// text writes the checks, what they prove, and the verdict.
func (r *Result) text(p *page) {
	if r.Evidence == nil {
		r.textLine(p)
		return
	}
	format := r.Evidence.Format
	if format == "" {
		format = "format not recognised"
	}
	p.line(span{Quote(r.File), bold}, plain(": "+format))
	p.blank()
	r.textChecks(p)
	p.blank()
	if r.Evidence.Verdict == evidence.Accepted && r.Evidence.Claims != nil {
		textClaims(p, r.Evidence.Claims)
		p.blank()
	}
	p.line(r.word())
	if r.Decision != nil {
		p.blank()
		textDecision(p, r.Policy, r.Decision)
	}
}

func (r *Result) textChecks(p *page) {
	lines := foldSkipped(r.Evidence.Checks)
	width := 0
	for _, c := range lines {
		width = max(width, len(c.ID))
	}
	for _, c := range lines {
		lead := []span{{"  " + pad(c.Status.String(), 9), statusColor(c.Status)}, plain(pad(c.ID, width) + "  ")}
		switch c.Status {
		case evidence.Pass, evidence.Skip, evidence.NotRun:
			p.line(append(lead, span{c.Detail, dim})...)
		case evidence.Fail:
			p.wrapped(c.Detail, lead...)
		default:
			p.wrapped(c.Detail, lead...)
		}
	}
}

// minFolded is how many checks in a row one line can stand for.
const minFolded = 2

// foldSkipped gives the checks with one line for several in a row that were not made
// for the same reason, as those of a part that the evidence does not have.
func foldSkipped(checks []evidence.Check) []evidence.Check {
	var lines []evidence.Check
	for len(checks) > 0 {
		first := checks[0]
		n := 1
		for n < len(checks) && checks[n].Status == first.Status && checks[n].Detail == first.Detail && checks[n].Hint == first.Hint {
			n++
		}
		if n < minFolded || first.Status != evidence.Skip && first.Status != evidence.NotRun {
			n = 1
		} else {
			first.ID += " to " + checks[n-1].ID
			first.Detail = fmt.Sprintf("%d checks: %s", n, first.Detail)
		}
		lines, checks = append(lines, first), checks[n:]
	}
	return lines
}

// textLine writes the result on one line, for lists of many.
func (r *Result) textLine(p *page) {
	word := r.word()
	if r.Decision != nil {
		word = decisionWord(r.Decision)
	}
	word.text = pad(word.text, len("UNTRUSTED")+2)
	spans := []span{word, plain(Quote(r.File))}
	if r.Err != nil {
		spans = append(spans, plain("  "), plain(r.Err.Error()))
	}
	p.line(spans...)
}

func (r *Result) word() span {
	s := span{strings.ToUpper(r.verdict()), red}
	if r.Evidence == nil {
		return s
	}
	switch r.Evidence.Verdict {
	case evidence.Accepted:
		s.color = green
	case evidence.Untrusted:
		s.color = yellow
	case evidence.Refused:
	}
	return s
}

func statusColor(s evidence.Status) color {
	switch s {
	case evidence.Pass:
		return green
	case evidence.Skip:
		return yellow
	case evidence.NotRun:
		return dim
	case evidence.Fail:
		return red
	default:
		return red
	}
}

// textResults writes one result in full, or many on a line each.
type textResults struct {
	w   io.Writer
	run Run
}

func newTextResults(w io.Writer, run Run) Results { return &textResults{w, run} }

// Add implements Results.
func (t *textResults) Add(r *Result) error {
	p := &page{Style: t.run.Style}
	if t.run.Many {
		r.textLine(p)
	} else {
		r.text(p)
	}
	_, err := io.WriteString(t.w, p.b.String())
	return err
}

// Close implements Results.
func (t *textResults) Close(s Summary) error {
	if !t.run.Many {
		return nil
	}
	_, err := io.WriteString(t.w, "\n"+s.String()+"\n")
	return err
}
