package policy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

const someTests = `package attest_test

import data.attest

test_sev if attest.allow with input as {"hwmodel": "GCP_AMD_SEV"}

test_wrong if {
	decided := attest.allow with input as {"hwmodel": "other"}
	decided == true
}

test_table[name] if {
	some name, c in {
		"sev": {"hw": "GCP_AMD_SEV", "want": true},
		"tdx \u202e": {"hw": "INTEL_TDX", "want": true},
		"none": {"hw": "", "want": false},
	}
	got := attest.allow with input as {"hwmodel": c.hw}
	got == c.want
}

test_empty[name] if {
	some name, c in {}
	c == name
}

test_error if to_number("x") == 1

test_big if {
	print("seen")
	count(numbers.range(1, 1000000)) > 0
}

todo_test_later if false
`

func TestRunTests(t *testing.T) {
	p := compiled(t, "p.rego", sev, "p_test.rego", someTests)
	c := policy.NewCoverage()
	results, err := p.RunTests(t.Context(), policy.TestOptions{Coverage: c})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]policy.TestResult{}
	for _, r := range results {
		got[r.Name] = r
	}
	for _, tc := range []struct {
		name   string
		status policy.TestStatus
		words  string
		line   int
	}{
		{"attest_test.test_sev", policy.TestPass, "", 5},
		{"attest_test.test_wrong", policy.TestFail, "line 9: `decided == true` is not true: false, and true", 7},
		{`attest_test.test_table["sev"]`, policy.TestPass, "", 12},
		{`attest_test.test_table["none"]`, policy.TestPass, "", 12},
		{`attest_test.test_table["tdx \u202e"]`, policy.TestFail, "line 19: `got == c.want` is not true", 12},
		{"attest_test.test_empty", policy.TestFail, "no cases", 22},
		{"attest_test.test_error", policy.TestError, "to_number", 27},
		{"attest_test.test_big", policy.TestError, "larger than a policy may make", 29},
		{"attest_test.todo_test_later", policy.TestSkip, "", 34},
	} {
		r, ok := got[tc.name]
		if !ok || r.Status != tc.status || !strings.Contains(r.Msg, tc.words) || r.Line != tc.line || r.File != "p_test.rego" {
			t.Errorf("%s = %v %+v, want %v with %q at line %d", tc.name, r.Status, r, tc.status, tc.words, tc.line)
		}
	}
	if len(results) != 9 {
		t.Errorf("%d results: %+v", len(results), results)
	}
	if out := got["attest_test.test_big"].Output; out != "seen" {
		t.Errorf("output %q", out)
	}
}

func TestRunTestsFilter(t *testing.T) {
	p := compiled(t, "p.rego", sev, "p_test.rego", someTests)
	for expr, want := range map[string]int{"test_table$": 3, "^attest_test": 9, "nothing": 0, `test_(sev|wrong)`: 2} {
		results, err := p.RunTests(t.Context(), policy.TestOptions{Run: regexp.MustCompile(expr)})
		if err != nil || len(results) != want {
			t.Errorf("%q: %d results, %v, want %d", expr, len(results), err, want)
		}
	}
}

func TestRunTestsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"adds to": "package attest\n\nallow if true\n",
		"lookup":  "package attest_test\n\ntest_x if http.send({})\n",
		"var y":   "package attest_test\n\ntest_x if y\n",
	} {
		p := compiled(t, "p.rego", sev, "p_test.rego", text)
		results, err := p.RunTests(t.Context(), policy.TestOptions{})
		if err == nil || results != nil {
			t.Errorf("%s: RunTests() = %v, %v", name, results, err)
		}
	}
}

func TestCoverage(t *testing.T) {
	text := head + `allow if {
	input.hwmodel == "GCP_AMD_SEV"
	secure
}

secure if input.secboot

never if input.hwmodel == "INTEL_TDX"

deny contains {"code": "tdx", "msg": "TDX"} if never
`
	p := compiled(t, "p.rego", text)
	c := policy.NewCoverage()
	e, err := p.Recorder(c, policy.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		f := c.Report(p)[0]
		var rules []string
		for _, r := range f.Rules {
			rules = append(rules, fmt.Sprint(r.Line, r.Covered))
		}
		if got := fmt.Sprint(f.File, f.Covered, f.Lines, f.Missing, rules); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check("p.rego0 7 [3 5 6 7 10 12 14] [3 false 5 false 10 false 12 false 14 false]")
	d, err := e.Decide(t.Context(), input(t, claimsSEV))
	if err != nil || d.Allow {
		t.Fatal(d, err)
	}
	check("p.rego3 7 [5 10 12 14] [3 true 5 false 10 false 12 false 14 false]")
}
