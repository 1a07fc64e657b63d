package report

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements of JUnit XML as Jenkins, GitLab and GitHub's actions read them
// (jenkinsci/xunit-plugin, junit-10.xsd).
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Skipped   *junitMessage `xml:"skipped"`
	Error     *junitProblem `xml:"error"`
	Failure   *junitProblem `xml:"failure"`
	Output    string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr,omitempty"`
}

type junitProblem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// encodeJUnit writes JUnit XML. Characters that XML cannot hold, or that act on
// a terminal, are escaped as everywhere.
func encodeJUnit(r *PolicyTest, _ Style) ([]byte, error) {
	doc := junitSuites{
		Name: "attestctl policy test", Tests: r.Summary.Tests, Failures: r.Summary.Failed, Errors: r.Summary.Errors,
		Time: seconds(r.Seconds),
	}
	names, tests := r.suites()
	for _, name := range names {
		s := junitSuite{Name: Escape(name), Tests: len(tests[name])}
		total := 0.0
		for _, t := range tests[name] {
			s.add(t)
			total += t.Seconds
		}
		s.Time = seconds(total)
		doc.Suites = append(doc.Suites, s)
	}
	out, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

func (s *junitSuite) add(t *Test) {
	c := junitCase{Name: Escape(t.Name), Classname: t.Kind, Time: seconds(t.Seconds), Output: strings.Join(escapedLines(t.Output), "\n")}
	switch {
	case t.Status == TestSkipped:
		s.Skipped++
		c.Skipped = &junitMessage{Escape(firstMessage(t))}
	case t.Status == TestError:
		s.Errors++
		c.Error = junitFailure(t)
	case t.Failed():
		s.Failures++
		c.Failure = junitFailure(t)
	}
	s.Cases = append(s.Cases, c)
}

func junitFailure(t *Test) *junitProblem {
	p := &junitProblem{Type: t.Kind, Message: Escape(firstMessage(t))}
	if len(t.Findings) > 0 {
		p.Type = Escape(t.Findings[0].Rule)
	}
	var text []string
	for _, f := range t.Findings {
		file, line := t.where(f)
		at := ""
		if file != "" {
			at = fmt.Sprintf("%s:%d: ", Escape(file), line)
		}
		for i, l := range escapedLines(f.sentence()) {
			if i == 0 {
				l = at + l
			}
			text = append(text, l)
		}
	}
	p.Text = strings.Join(text, "\n")
	return p
}

// firstMessage is the first line of the first finding.
func firstMessage(t *Test) string {
	if len(t.Findings) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(t.Findings[0].Message, "\n")
	if more := len(t.Findings) - 1; more > 0 {
		first += fmt.Sprintf(" (and %d more)", more)
	}
	return first
}
