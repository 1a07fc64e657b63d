package report

import (
	"fmt"
	"strings"
)

// encodeTAP writes the Test Anything Protocol, version 14, with a YAML block
// below each test that did not pass.
func encodeTAP(r *PolicyTest, _ Style) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", len(r.Tests))
	for i := range r.Tests {
		t := &r.Tests[i]
		word := "ok"
		if t.Failed() {
			word = "not ok"
		}
		fmt.Fprintf(&b, "%s %d - %s", word, i+1, tapText(t.Suite+": "+t.Name))
		if t.Status == TestSkipped {
			fmt.Fprintf(&b, " # SKIP %s", tapText(firstMessage(t)))
		}
		b.WriteString("\n")
		if t.Failed() {
			tapBlock(&b, t)
		}
	}
	return []byte(b.String()), nil
}

// tapText escapes what ends a description: "#" begins a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "#", `\#`).Replace(Escape(s))
}

func tapBlock(b *strings.Builder, t *Test) {
	b.WriteString("  ---\n")
	fmt.Fprintf(b, "  severity: %s\n  kind: %s\n", quoteYAML(t.Status), quoteYAML(t.Kind))
	if t.File != "" {
		fmt.Fprintf(b, "  at:\n    file: %s\n    line: %d\n", quoteYAML(t.File), max(t.Line, 1))
	}
	if len(t.Findings) > 0 {
		b.WriteString("  findings:\n")
	}
	for _, f := range t.Findings {
		fmt.Fprintf(b, "    - rule: %s\n      message: %s\n", quoteYAML(f.Rule), quoteYAML(f.sentence()))
	}
	if t.Output != "" {
		fmt.Fprintf(b, "  output: %s\n", quoteYAML(t.Output))
	}
	b.WriteString("  ...\n")
}
