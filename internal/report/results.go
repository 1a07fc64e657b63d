package report

import (
	"fmt"
	"io"

	"github.com/attestctl/attestctl/evidence"
)

// Results receives the results of one run in their order.
type Results interface {
	Add(*Result) error
	Close(Summary) error
}

// Run is what a format of results must know beforehand.
type Run struct {
	Style

	Many bool // a list with a summary rather than one result
}

// NewResults starts the results of a run in the named format, one of [Formats].
func NewResults(w io.Writer, name string, run Run) (Results, error) {
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	return f.results(w, run), nil
}

// Summary counts the results of a run by their verdict. Errors are files that
// could not be read.
type Summary struct {
	Files     int `json:"files"`
	Accepted  int `json:"accepted"`
	Untrusted int `json:"untrusted"`
	Refused   int `json:"refused"`
	Errors    int `json:"errors"`
	Denied    int `json:"denied,omitempty"` // of those accepted

	// Runs says that some of the files hold several pieces of evidence, which are
	// counted one by one.
	Runs bool `json:"-"`
}

// Noun is what the summary counts.
func (s Summary) Noun() string {
	if s.Runs {
		return "result"
	}
	return "file"
}

// Count adds one result.
func (s *Summary) Count(r *Result) {
	s.Files++
	switch {
	case r.Evidence == nil:
		s.Errors++
	case r.Evidence.Verdict == evidence.Accepted:
		s.Accepted++
		if r.Decision != nil && !r.Decision.Allow {
			s.Denied++
		}
	case r.Evidence.Verdict == evidence.Untrusted:
		s.Untrusted++
	default:
		s.Refused++
	}
}

// String returns one line for a person.
func (s Summary) String() string {
	accepted := fmt.Sprintf("%d accepted", s.Accepted)
	if s.Denied > 0 {
		accepted += fmt.Sprintf(" (%d denied by the policy)", s.Denied)
	}
	return fmt.Sprintf("%s: %s, %d untrusted, %d refused, %d could not be read",
		count(s.Files, s.Noun()), accepted, s.Untrusted, s.Refused, s.Errors)
}
