package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// diffFindings makes a finding of each line of fixture.Diff, with the check or
// the reason's code as its rule. Text from evidence is quoted there, so that it
// cannot look like another line.
func diffFindings(diff string) []report.Finding {
	var list []report.Finding
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		list = append(list, report.Finding{Rule: diffRule(line), Message: line})
	}
	return list
}

// placeFindings gives each finding the line of want.json that it is about, and
// the test that of the first. A file that cannot be read leaves them where they
// are.
func placeFindings(t *report.Test, c fixture.Case) {
	raw, err := os.ReadFile(filepath.Join(c.Dir, "want.json"))
	if err != nil {
		return
	}
	line := fixture.Lines(raw)
	for i := range t.Findings {
		f := &t.Findings[i]
		f.File, f.Line = t.File, line(f.Message)
		if i == 0 {
			t.Line = f.Line
		}
	}
}

func diffRule(line string) string {
	subject, rest, _ := strings.Cut(line, ": ")
	if id, ok := strings.CutPrefix(subject, "checks."); ok {
		return id
	}
	if strings.HasPrefix(subject, "decisions.") {
		for _, word := range []string{"missing ", "unexpected "} {
			if code, ok := strings.CutPrefix(rest, word); ok && strings.HasSuffix(subject, ".reasons") {
				code, _, _ = strings.Cut(code, ": ")
				return code
			}
		}
		return "decision"
	}
	part, _, _ := strings.Cut(subject, ".")
	return part // "verdict" or "claims"
}

// reportCoverage adds the coverage of a policy, and fails if it is below the
// threshold.
func (r *testRun) reportCoverage(ref string, p *policy.Policy) {
	c := report.PolicyCoverage{Policy: filepath.ToSlash(ref), Files: r.set.coverage[identity(ref)].Report(p)}
	covered, lines := 0, 0
	for _, f := range c.Files {
		covered, lines = covered+f.Covered, lines+f.Lines
	}
	c.Percent = 100
	if lines > 0 {
		c.Percent = 100 * float64(covered) / float64(lines)
	}
	r.out.Coverage = append(r.out.Coverage, c)
	if r.threshold == 0 {
		return
	}
	t := report.Test{Suite: c.Policy, Kind: kindCoverage, Name: "coverage", Status: report.TestPassed, File: policyFile(ref, ""), Line: 1}
	if c.Percent < r.threshold {
		t.Status = report.TestFailed
		t.Findings = uncovered(ref, c, r.threshold)
	}
	r.out.Tests = append(r.out.Tests, t)
}

// uncovered names the threshold and the lines that nothing evaluated.
func uncovered(ref string, c report.PolicyCoverage, threshold float64) []report.Finding {
	list := []report.Finding{{
		Rule: kindCoverage, Message: fmt.Sprintf("%.1f %% of lines are covered, want %g %%", c.Percent, threshold),
	}}
	for _, f := range c.Files {
		if len(f.Missing) > 0 {
			list = append(list, report.Finding{
				Rule: kindCoverage, File: policyFile(ref, f.File), Line: f.Missing[0],
				Message: "not covered: lines " + report.Ranges(f.Missing),
			})
		}
	}
	return list
}
