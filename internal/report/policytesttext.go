package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// text lists what did not pass with everything found, the coverage, and the
// verdict last.
func (r *PolicyTest) text(p *page) {
	names, tests := r.suites()
	for _, name := range names {
		r.textSuite(p, name, tests[name])
	}
	for i := range r.Coverage {
		r.Coverage[i].text(p, r.Verbose)
	}
	if len(names)+len(r.Coverage) > 0 {
		p.blank()
	}
	p.line(r.word(), plain(": "+r.Summary.String()+"; "+r.how()))
}

func (r *PolicyTest) how() string {
	cases := fmt.Sprintf("%s, %s", count(r.Summary.Cases, "case"), count(r.Summary.Decisions, "decision"))
	return fmt.Sprintf("%s; engines %s; %.1f s", cases, strings.Join(r.Engines, ", "), r.Seconds)
}

func (r *PolicyTest) word() span {
	if r.Passed {
		return span{"PASS", green}
	}
	return span{"FAIL", red}
}

func (r *PolicyTest) textSuite(p *page, name string, tests []*Test) {
	kinds := map[string]int{}
	for _, t := range tests {
		if t.Status == TestPassed {
			kinds[t.Kind]++
		}
	}
	var counts []string
	for _, k := range []struct{ kind, thing string }{{"rego", "test"}, {kindFixture, "case"}} {
		if kinds[k.kind] > 0 {
			counts = append(counts, count(kinds[k.kind], k.thing)+" passed")
		}
	}
	p.line(span{Quote(name), bold}, plain("  "+strings.Join(counts, ", ")))
	for _, t := range tests {
		if t.Status != TestPassed || r.Verbose {
			t.text(p)
		}
	}
}

func (t *Test) text(p *page) {
	color := map[string]color{TestPassed: green, TestSkipped: yellow, TestUpdated: yellow}[t.Status]
	if t.Failed() {
		color = red
	}
	p.line(span{"  " + pad(strings.ToUpper(t.Status), 8), color}, plain(Escape(t.Name)), span{t.place() + t.undecided(), dim})
	for _, f := range t.Findings {
		t.textFinding(p, f)
	}
	if t.Output != "" && (t.Failed() || t.Status == TestPassed) {
		for _, line := range escapedLines(t.Output) {
			p.line(span{"      printed: ", dim}, plain(line))
		}
	}
}

// place says where to look, if there is something to look for.
func (t *Test) place() string {
	switch {
	case t.File == "" || !t.Failed():
		return ""
	case t.Line == 0:
		return "  " + Quote(t.File)
	}
	return "  " + Quote(t.File) + ":" + strconv.Itoa(t.Line)
}

// undecided says that no policy was asked about a case that passed.
func (t *Test) undecided() string {
	if t.Kind == kindFixture && t.Status == TestPassed && t.Decisions == 0 {
		return "  no policy decided"
	}
	return ""
}

func (t *Test) textFinding(p *page, f Finding) {
	for i, line := range escapedLines(f.Message) {
		if i == 0 && f.File != "" && f.File != t.File {
			line = fmt.Sprintf("%s:%d: %s", Quote(f.File), max(f.Line, 1), line)
		}
		p.wrapped(line, plain("      "))
	}
	if f.Hint != "" {
		p.wrapped(f.Hint, span{"      hint: ", dim})
	}
}

func (c *PolicyCoverage) text(p *page, verbose bool) {
	p.line(span{Quote(c.Policy), bold}, plain(fmt.Sprintf("  coverage %.1f %% of lines", c.Percent)))
	for _, f := range c.Files {
		if len(f.Missing) == 0 && !verbose {
			continue
		}
		p.line(plain(fmt.Sprintf("  %s  %d of %d lines", Quote(f.File), f.Covered, f.Lines)))
		for _, rule := range f.Rules {
			switch {
			case !rule.Covered:
				p.line(plain(fmt.Sprintf("    line %d: ", rule.Line)), span{"never used ", red}, plain(Quote(rule.Rule)))
			case verbose:
				p.line(plain(fmt.Sprintf("    line %d: ", rule.Line)), span{"covered    ", green}, plain(Quote(rule.Rule)))
			}
		}
		if len(f.Missing) > 0 {
			p.wrapped(Ranges(f.Missing), plain("    lines not covered: "))
		}
	}
}

// Ranges writes ascending numbers, runs of them with a dash.
func Ranges(numbers []int) string {
	var words []string
	for rest := slices.Clone(numbers); len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n] == rest[0]+n {
			n++
		}
		word := strconv.Itoa(rest[0])
		if n > 1 {
			word += "-" + strconv.Itoa(rest[n-1])
		}
		words, rest = append(words, word), rest[n:]
	}
	return strings.Join(words, ", ")
}

// String returns one line for a person.
func (s TestSummary) String() string {
	parts := []string{fmt.Sprintf("%d passed", s.Passed), fmt.Sprintf("%d failed", s.Failed)}
	for _, p := range []struct {
		n    int
		word string
	}{{s.Errors, "with errors"}, {s.Skipped, "skipped"}, {s.Updated, "updated"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}
