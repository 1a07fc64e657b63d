package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/attestctl/attestctl/policy"
)

// SchemaPolicyTest is the schema of a [PolicyTest].
const SchemaPolicyTest = "attestctl.policytest/v1"

// PolicyTest is the outcome of one run of policy test.
type PolicyTest struct {
	Schema   string           `json:"schema"`
	Passed   bool             `json:"passed"`
	Summary  TestSummary      `json:"summary"`
	Engines  []string         `json:"engines"`
	Policies []string         `json:"policies"`
	Seconds  float64          `json:"seconds"`
	Tests    []Test           `json:"tests"`
	Coverage []PolicyCoverage `json:"coverage,omitempty"`
	Verbose  bool             `json:"-"` // text lists what passed too
}

// The ways in which a test ends. Updated is a case whose want.json was rewritten.
const (
	TestPassed  = "pass"
	TestFailed  = "fail"
	TestError   = "error" // it could not be decided, which fails too
	TestSkipped = "skip"
	TestUpdated = "updated"
)

// kindFixture is the kind of the cases.
const kindFixture = "fixture"

// Test is a test of a policy, a case of the fixtures, or a policy itself.
type Test struct {
	Suite    string    `json:"suite"` // the policy, or the folder of the cases
	Kind     string    `json:"kind"`  // "rego", "fixture", "policy" or "coverage"
	Name     string    `json:"name"`
	Status   string    `json:"status"`
	File     string    `json:"file,omitempty"`
	Line     int       `json:"line,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	// Decisions is how many policies decided over a case in this run. Those that
	// were only recorded do not count.
	Decisions int     `json:"decisions,omitempty"`
	Output    string  `json:"output,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Finding is one thing that is wrong with a test.
type Finding struct {
	// Rule is the ID of the check, the code of the policy's reason, or a word
	// of this program such as "claims" or "rego.test".
	Rule    string `json:"rule"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"` // where it differs from the test's
	Line    int    `json:"line,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// TestSummary counts tests by the way they ended.
type TestSummary struct {
	Tests   int `json:"tests"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Errors  int `json:"errors"`
	Skipped int `json:"skipped"`
	Updated int `json:"updated"`

	Cases     int `json:"cases"`
	Decisions int `json:"decisions"`
}

// PolicyCoverage is the coverage of one policy.
type PolicyCoverage struct {
	Policy  string                `json:"policy"`
	Percent float64               `json:"percent"` // of lines
	Files   []policy.FileCoverage `json:"files"`
}

// Failed reports whether a test keeps the run from passing.
func (t *Test) Failed() bool {
	return t.Status != TestPassed && t.Status != TestSkipped && t.Status != TestUpdated
}

// where returns the place of a finding, or that of its test.
func (t *Test) where(f Finding) (file string, line int) {
	if f.File != "" {
		return f.File, max(f.Line, 1)
	}
	return t.File, max(t.Line, 1)
}

// Finish counts the tests and decides: no test that failed, and one at least.
func (r *PolicyTest) Finish() {
	r.Schema = SchemaPolicyTest
	r.Summary = TestSummary{Tests: len(r.Tests)}
	for i := range r.Tests {
		if r.Tests[i].Kind == kindFixture {
			r.Summary.Cases++
			r.Summary.Decisions += r.Tests[i].Decisions
		}
		switch r.Tests[i].Status {
		case TestPassed:
			r.Summary.Passed++
		case TestSkipped:
			r.Summary.Skipped++
		case TestUpdated:
			r.Summary.Updated++
		case TestError:
			r.Summary.Errors++
		default:
			r.Summary.Failed++
		}
	}
	r.Passed = r.Summary.Failed == 0 && r.Summary.Errors == 0 && r.Summary.Passed+r.Summary.Updated > 0
}

// suites lists the suites in the order of their first test.
func (r *PolicyTest) suites() (names []string, tests map[string][]*Test) {
	tests = map[string][]*Test{}
	for i := range r.Tests {
		t := &r.Tests[i]
		if tests[t.Suite] == nil {
			names = append(names, t.Suite)
		}
		tests[t.Suite] = append(tests[t.Suite], t)
	}
	return names, tests
}

// policyTestFormats lists the formats of a [PolicyTest]. A new one is a file and
// a row here.
func policyTestFormats() []struct {
	name   string
	encode func(*PolicyTest, Style) ([]byte, error)
} {
	return []struct {
		name   string
		encode func(*PolicyTest, Style) ([]byte, error)
	}{
		{"text", func(r *PolicyTest, s Style) ([]byte, error) { return encodeText(r, s) }},
		{"json", func(r *PolicyTest, _ Style) ([]byte, error) { return marshal(r) }},
		{"junit", encodeJUnit},
		{"tap", encodeTAP},
		{"github", encodeGitHub},
		{"sarif", encodeSARIF},
	}
}

// PolicyTestFormats lists the names of the formats, the default first.
func PolicyTestFormats() []string {
	var names []string
	for _, f := range policyTestFormats() {
		names = append(names, f.name)
	}
	return names
}

// WritePolicyTest writes a run in the named format, one of [PolicyTestFormats].
func WritePolicyTest(w io.Writer, name string, r *PolicyTest, s Style) error {
	for _, f := range policyTestFormats() {
		if f.name != name {
			continue
		}
		out, err := f.encode(r, s)
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		_, err = w.Write(out)
		return err
	}
	return fmt.Errorf("unknown output format %q", name)
}

// escapedLines splits text of several lines and escapes each.
func escapedLines(text string) []string {
	var list []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		list = append(list, Escape(line))
	}
	return list
}

// sentence is a finding as one line: what, and the advice.
func (f Finding) sentence() string {
	s := f.Message
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}
