package report

import (
	"fmt"
	"strings"
)

// maxAnnotations is how many annotations GitHub shows of one step; it drops the
// rest in silence.
const maxAnnotations = 10

// encodeGitHub writes workflow commands, which become annotations of the files of
// a pull request. The last line is the verdict.
func encodeGitHub(r *PolicyTest, _ Style) ([]byte, error) {
	var b strings.Builder
	failing := 0
	for i := range r.Tests {
		t := &r.Tests[i]
		if !t.Failed() {
			continue
		}
		failing++
		b.WriteString(githubError(t))
	}
	if failing > maxAnnotations {
		fmt.Fprintf(&b, "::warning title=attestctl::%d tests failed; GitHub shows %d annotations of a step, the log shows all\n", failing, maxAnnotations)
	}
	fmt.Fprintf(&b, "attestctl policy test: %s: %s\n", r.word().text, Escape(r.Summary.String()+"; "+r.how()))
	return []byte(b.String()), nil
}

// githubError is one annotation for one test, with all that was found.
func githubError(t *Test) string {
	var message []string
	for _, f := range t.Findings {
		message = append(message, escapedLines(f.sentence())...)
	}
	if len(message) == 0 {
		message = []string{t.Status}
	}
	first := Finding{}
	if len(t.Findings) > 0 {
		first = t.Findings[0]
	}
	file, line := t.where(first)
	return githubCommand("error", file, line, 0, t.Suite+": "+t.Name, message)
}

// githubCommand is one annotation; level is error or warning, and a column of 0
// is unknown.
func githubCommand(level, file string, line, column int, title string, message []string) string {
	var properties []string
	if file != "" && isPath(file) {
		properties = append(properties, "file="+githubProperty(file), fmt.Sprintf("line=%d", line))
		if column > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", column))
		}
	}
	properties = append(properties, "title="+githubProperty(title))
	return fmt.Sprintf("::%s %s::%s\n", level, strings.Join(properties, ","), githubData(strings.Join(message, "\n")))
}

// isPath reports whether a file is one of the repository's: policies that ship
// with attestctl are not.
func isPath(file string) bool { return !strings.HasPrefix(file, "builtin:") }

// githubData escapes a message as actions/toolkit does.
func githubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// githubProperty escapes a property, which a colon or a comma would end.
func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(Escape(s))
}
