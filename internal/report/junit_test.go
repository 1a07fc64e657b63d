package report

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const junitSchema = "testdata/junit.xsd"

// xmllint tells whether files fit the schema of JUnit XML, and if not why.
func xmllint(t *testing.T, files ...string) (bool, string) {
	t.Helper()
	args := append([]string{"--noout", "--nonet", "--schema", junitSchema}, files...)
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput()
	return err == nil, string(out)
}

func needXMLLint(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed (Debian package libxml2-utils)")
	}
}

// TestJUnitSchema validates what is written, with whatever evidence could put
// into it, against the schema in testdata.
func TestJUnitSchema(t *testing.T) {
	needXMLLint(t)
	dir := t.TempDir()
	files := []string{filepath.Join("testdata", "policytest.junit")}
	for i, s := range nasty {
		path := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(path, []byte(encodeTest(t, "junit", s)), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	if fits, why := xmllint(t, files...); !fits {
		t.Error(why)
	}
}

// TestJUnitSchemaRefuses keeps the schema from letting everything pass.
func TestJUnitSchemaRefuses(t *testing.T) {
	needXMLLint(t)
	good := encodeTest(t, "junit", "plain")
	path := filepath.Join(t.TempDir(), "report.xml")
	for _, tc := range []struct{ name, old, changed string }{
		{"unchanged", "", ""},
		{"no name of the run", ` name="attestctl policy test"`, ""},
		{"no count", ` failures="3"`, ""},
		{"negative count", ` failures="3"`, ` failures="-3"`},
		{"count of another kind", ` failures="3"`, ` failures="three"`},
		{"time with an exponent", ` time="1.500"`, ` time="1.5e0"`},
		{"no class", ` classname="fixture"`, ""},
		{"unknown attribute", ` classname="fixture"`, ` classname="fixture" group="x"`},
		{"unknown element", "<system-out>", "<output/><system-out>"},
		{"two outcomes", "<failure ", `<skipped/><failure `},
		{"outcome behind the output", "</system-out>", `</system-out><failure type="x" message="x"/>`},
		{"problem without message", ` message="plain"`, ""},
		{"suite twice", `<testsuite name="fixtures"`, `<testsuite name="plain"`},
		{"another root", "testsuites", "testruns"},
		{"character that XML has not", "<system-out>", "<system-out>\x01"},
	} {
		text := strings.ReplaceAll(good, tc.old, tc.changed)
		if tc.old == "" {
			text = good
		} else if text == good {
			t.Errorf("%s: %q is not in what is written", tc.name, tc.old)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if fits, why := xmllint(t, path); fits != (tc.old == "") {
			t.Errorf("%s: fits = %v\n%s", tc.name, fits, why)
		}
	}
}

// TestJUnitCounts compares what the attributes count with what is there, which a
// schema cannot, by reading the XML back.
func TestJUnitCounts(t *testing.T) {
	for _, s := range nasty {
		var doc junitSuites
		if err := xml.Unmarshal([]byte(encodeTest(t, "junit", s)), &doc); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		tests, failures, errors, skipped := 0, 0, 0, 0
		for _, suite := range doc.Suites {
			got := junitSuite{Name: suite.Name, Time: suite.Time, Cases: suite.Cases, Tests: len(suite.Cases)}
			for _, c := range suite.Cases {
				got.Failures += present(c.Failure)
				got.Errors += present(c.Error)
				got.Skipped += present(c.Skipped)
			}
			if got.Tests != suite.Tests || got.Failures != suite.Failures || got.Errors != suite.Errors || got.Skipped != suite.Skipped {
				t.Errorf("%q: suite %q says %d tests, %d failures, %d errors, %d skipped", s, suite.Name, suite.Tests, suite.Failures, suite.Errors, suite.Skipped)
			}
			tests, failures, errors, skipped = tests+got.Tests, failures+got.Failures, errors+got.Errors, skipped+got.Skipped
		}
		if tests != 7 || failures != 3 || errors != 1 || skipped != 1 || doc.Tests != 7 || doc.Failures != 3 || doc.Errors != 1 {
			t.Errorf("%q: %d tests, %d failures, %d errors, %d skipped; the run says %d, %d, %d",
				s, tests, failures, errors, skipped, doc.Tests, doc.Failures, doc.Errors)
		}
	}
}

func present[T any](p *T) int {
	if p == nil {
		return 0
	}
	return 1
}
