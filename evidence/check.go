package evidence

import (
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// Status is the outcome of one check. Its zero value is Fail: a check that
// nobody decided counts against the evidence.
type Status int

// The outcomes of a check.
const (
	Fail   Status = iota
	Pass          // decided in favour of the evidence
	Skip          // does not apply; the detail says why
	NotRun        // an earlier failure made it meaningless
)

// String returns the word that every output uses.
func (s Status) String() string {
	switch s {
	case Fail:
		return "fail"
	case Pass:
		return "pass"
	case Skip:
		return "skip"
	case NotRun:
		return "not-run"
	default:
		return "fail"
	}
}

// MarshalText makes statuses words in JSON and YAML.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check is the outcome of one named check. ID is one of the table in checks.go,
// with the PCR bank in brackets where the check is made per bank. Detail says
// what was seen, for a failure also what was expected; Hint what to do next.
type Check struct {
	ID     string `json:"id"`
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// checklist collects the outcomes of one verification.
type checklist struct {
	done []Check
}

// record files a check that was made: passed with the detail if err is nil,
// failed with the error and its hint otherwise.
func (c *checklist) record(id, detail string, err error) bool {
	if err != nil {
		c.done = append(c.done, Check{ID: id, Status: Fail, Detail: clip(err.Error()), Hint: hint.Of(err)})
		return false
	}
	c.done = append(c.done, Check{ID: id, Status: Pass, Detail: detail})
	return true
}

// maxDetail bounds what a check says: some of it quotes the evidence.
const maxDetail = 2000

func clip(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	return strings.ToValidUTF8(text[:maxDetail], "") + fmt.Sprintf("... (%d bytes more)", len(text)-maxDetail)
}

func (c *checklist) skip(id, why string) {
	c.done = append(c.done, Check{ID: id, Status: Skip, Detail: why})
}

func (c *checklist) notRun(why string, ids ...string) {
	for _, id := range ids {
		c.done = append(c.done, Check{ID: id, Status: NotRun, Detail: why})
	}
}

// failed reports whether the check id, in any bank, has failed.
func (c *checklist) failed(id string) bool {
	for _, d := range c.done {
		if d.Status == Fail && baseID(d.ID) == id {
			return true
		}
	}
	return false
}

// complete returns every check of the table in its order: those that were
// made, and the others as not run.
func (c *checklist) complete() []Check {
	all := make([]Check, 0, len(Checks)+len(c.done))
	bases := make([]string, len(c.done))
	for i, d := range c.done {
		bases[i] = baseID(d.ID)
	}
	for _, info := range Checks {
		before := len(all)
		for i, base := range bases {
			if base == info.ID {
				all = append(all, c.done[i])
			}
		}
		if len(all) == before {
			all = append(all, Check{ID: info.ID, Status: NotRun, Detail: "an earlier check failed"})
		}
	}
	return all
}

// baseID strips the bank: tpm.quote.signature[sha256] is tpm.quote.signature.
func baseID(id string) string {
	base, _, _ := strings.Cut(id, "[")
	return base
}
