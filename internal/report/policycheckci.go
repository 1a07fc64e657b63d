package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/attestctl/attestctl/policy"
)

// policyCheckFormats lists the formats of a [PolicyCheck] beside those of every
// document: annotations for a pull request, and for code scanning.
func policyCheckFormats() []format {
	annotations := func(encode func(*PolicyCheck) ([]byte, error)) func(Document, Style) ([]byte, error) {
		return func(d Document, _ Style) ([]byte, error) {
			c, ok := d.(*PolicyCheck)
			if !ok {
				return nil, fmt.Errorf("not a check of policies: %T", d)
			}
			return encode(c)
		}
	}
	return append(formats(),
		format{name: "github", encode: annotations(githubCheck)},
		format{name: "sarif", encode: annotations(sarifCheck)})
}

// PolicyCheckFormats lists the names of the formats, the default first.
func PolicyCheckFormats() []string {
	var names []string
	for _, f := range policyCheckFormats() {
		names = append(names, f.name)
	}
	return names
}

// WritePolicyCheck writes a check in the named format, one of [PolicyCheckFormats].
func WritePolicyCheck(w io.Writer, name string, c *PolicyCheck, s Style) error {
	for _, f := range policyCheckFormats() {
		if f.name == name {
			return write(w, f, c, s)
		}
	}
	return fmt.Errorf("unknown output format %q", name)
}

// checkRule is the rule of what keeps a text from being a policy.
const checkRule = "policy.compile"

// remark is a problem or a warning with its place from here.
type remark struct {
	policy, level, rule string
	file                string
	line, column        int
	message             string
}

// remarks lists the problems and warnings of all policies.
func (c *PolicyCheck) remarks() []remark {
	var list []remark
	for _, one := range c.Policies {
		for _, e := range one.Problems {
			list = append(list, one.remark("error", checkRule, e))
		}
		for _, w := range one.Warnings {
			list = append(list, one.remark("warning", w.ID, policy.Problem{File: w.File, Line: w.Line, Column: w.Column, Msg: w.Msg, Hint: w.Hint}))
		}
	}
	return list
}

func (p *CheckedPolicy) remark(level, rule string, e policy.Problem) remark {
	file := e.File
	if p.Locate != nil {
		file = p.Locate(file)
	}
	message := Finding{Message: e.Msg, Hint: e.Hint}.sentence()
	return remark{p.Policy, level, rule, file, max(e.Line, 1), e.Column, message}
}

// githubCheck writes one annotation for each problem and warning. The last line
// is the verdict.
func githubCheck(c *PolicyCheck) ([]byte, error) {
	var b strings.Builder
	for _, r := range c.remarks() {
		b.WriteString(githubCommand(r.level, r.file, r.line, r.column, r.policy+": "+r.rule, escapedLines(r.message)))
	}
	if max(c.Errors, c.Warnings) > maxAnnotations {
		fmt.Fprintf(&b, "::warning title=attestctl::GitHub shows %d errors and %d warnings of a step, the log shows all\n", maxAnnotations, maxAnnotations)
	}
	word := "PASS"
	if c.Errors > 0 {
		word = "FAIL"
	}
	fmt.Fprintf(&b, "attestctl policy check: %s: %s, %s\n", word, count(c.Errors, "error"), count(c.Warnings, "warning"))
	return []byte(b.String()), nil
}

// sarifCheck writes one result for each problem and warning. Its fingerprint has
// no line, so that it stays the same while the text moves; those that say the
// same of one file are numbered.
func sarifCheck(c *PolicyCheck) ([]byte, error) {
	results, seen := []sarifResult{}, map[remark]int{}
	for _, r := range c.remarks() {
		same := remark{policy: r.policy, file: r.file, rule: r.rule, message: r.message}
		seen[same]++
		name := Escape(r.policy)
		results = append(results, sarifResult{
			RuleID: Escape(r.rule), Level: r.level, Message: sarifText{strings.Join(escapedLines(r.message), "\n")},
			Locations:    []sarifLocation{sarifAt(name, r.file, r.line, r.column)},
			Fingerprints: fingerprint(r.policy, r.file, r.rule, r.message, strconv.Itoa(seen[same])),
		})
	}
	lints := policy.Lints()
	return sarifOf(results, func(id string) string {
		if i := slices.IndexFunc(lints, func(l policy.LintRule) bool { return l.ID == id }); i >= 0 {
			return "attestctl policy check: " + lints[i].Hint
		}
		return "attestctl policy check: what keeps a text from being a policy"
	})
}
