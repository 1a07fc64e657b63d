package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/policy"
)

var update = flag.Bool("update", false, "rewrite testdata/policytest.*")

func denied(s string) *Result {
	r := accepted(s)
	d := policy.Deny("sha256:00", policy.Reason{Code: s, Msg: s}, policy.Reason{Code: "zone", Msg: s})
	d.Detail = s
	r.Decision, r.Policy = &d, s
	return r
}

func policyDiff(s string) *PolicyDiff {
	d := &PolicyDiff{Schema: SchemaPolicyDiff, Old: s, New: s, Cases: 3, Changes: []DecisionChange{}}
	no, yes := policy.Deny("sha256:00", policy.Reason{Code: s, Msg: s}), policy.Decision{Allow: true}
	d.Add(DecisionChange{Case: "z" + s, Title: s, Before: yes, After: no})
	d.Add(DecisionChange{Case: "a" + s, Title: s, Before: no, After: policy.Deny("", policy.Reason{Code: "b", Msg: s})})
	d.Add(DecisionChange{Case: s, Title: s, Before: no, After: yes})
	d.Add(DecisionChange{Case: "same" + s, Title: s, Before: no, After: no})
	d.Sort()
	return d
}

func TestPolicyDiffOrder(t *testing.T) {
	d := policyDiff("x")
	var kinds []string
	for _, c := range d.Changes {
		kinds = append(kinds, c.Kind)
	}
	if want := []string{ChangeOpened, ChangeClosed, ChangeReasons}; !slices.Equal(kinds, want) || d.Opened+d.Closed+d.Reasons != 3 {
		t.Errorf("changes %q, want %q", kinds, want)
	}
}

// policyTest is a run with s wherever evidence, a policy or a file name could
// put it.
func policyTest(s string) *PolicyTest {
	r := &PolicyTest{Engines: []string{"rego", "wasm"}, Policies: []string{s}, Seconds: 1.5, Tests: []Test{
		{Suite: s, Kind: "rego", Name: "attest_test.test_a", Status: TestPassed, File: s, Line: 3, Output: s, Seconds: 0.001},
		{
			Suite: s, Kind: "rego", Name: s, Status: TestFailed, File: s, Line: 7, Output: s,
			Findings: []Finding{{Rule: "rego.test", Message: s}},
		},
		{Suite: s, Kind: "policy", Name: "compile", Status: TestError, Findings: []Finding{{Rule: "policy.compile", Message: s, File: s, Line: 2, Hint: s}}},
		{Suite: s, Kind: "rego", Name: s, Status: TestSkipped, Findings: []Finding{{Rule: "rego.test", Message: s}}},
		{
			Suite: "fixtures", Kind: "fixture", Name: s, Status: TestFailed, File: "fixtures/a b/want.json", Line: 1, Decisions: 3,
			Findings: []Finding{{Rule: "tpm.quote.nonce", Message: "checks.tpm.quote.nonce: want pass, got fail"}, {Rule: s, Message: "claims.x: " + s + " -> " + s}},
		},
		{Suite: "fixtures", Kind: "fixture", Name: "new", Status: TestUpdated, Findings: []Finding{{Rule: "claims", Message: s}}},
		{Suite: "builtin:x", Kind: "rego", Name: "failed without a word", Status: TestFailed, File: "builtin:x/x_test.rego", Line: 4},
	}, Coverage: []PolicyCoverage{{Policy: s, Percent: 50, Files: []policy.FileCoverage{{
		File: s, Covered: 2, Lines: 4, Missing: []int{5, 6}, Rules: []policy.RuleCoverage{{Rule: s, Line: 5, Missing: []int{5, 6}}},
	}}}}}
	r.Finish()
	return r
}

func encodeTest(t *testing.T, format, s string) string {
	t.Helper()
	var out bytes.Buffer
	if err := WritePolicyTest(&out, format, policyTest(s), Style{}); err != nil {
		t.Fatalf("%s with %q: %v", format, s, err)
	}
	return out.String()
}

// nasty means something to one of the formats.
var nasty = append([]string{
	"plain", "a::error file=x::b", "::stop-commands::x", "100%0A", "a,b:c", "]]>", "<failure>&amp;", `"quoted"`, "not ok 1 - x", "# TODO x", `\`, "...", "---",
	"Bail out!", "'; a: b", "../../etc/passwd", "a\n::error::b", "a\nBail out!", "a\r\nb", "",
}, hostile...)

// TestPolicyTestGolden compares every format with a file in testdata.
func TestPolicyTestGolden(t *testing.T) {
	const s = "::error::%0A,<b>&\"]]># \x1b[2J\u202e\x00\xff\nok 9"
	for _, format := range PolicyTestFormats() {
		got := encodeTest(t, format, s)
		path := filepath.Join("testdata", "policytest."+format)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: -update rewrites it\n%s", format, diff)
		}
	}
}

func TestPolicyTestHostile(t *testing.T) {
	for _, s := range nasty {
		for _, format := range PolicyTestFormats() {
			if got := encodeTest(t, format, s); actsOnTerminal(got) {
				t.Errorf("%s with %q lets it through: %q", format, s, got)
			}
		}
	}
}

func TestPolicyTestJSON(t *testing.T) {
	var got struct {
		Schema  string
		Passed  bool
		Summary map[string]int
		Tests   []map[string]any
	}
	if err := json.Unmarshal([]byte(encodeTest(t, "json", "x")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"tests": 7, "passed": 1, "failed": 3, "errors": 1, "skipped": 1, "updated": 1, "cases": 2, "decisions": 3}
	if got.Schema != SchemaPolicyTest || got.Passed || !cmp.Equal(got.Summary, want) || len(got.Tests) != 7 {
		t.Errorf("got %+v", got)
	}
}

// TestNothingTestedIsNoPass: a run without a test that passed has not passed.
func TestNothingTestedIsNoPass(t *testing.T) {
	for _, statuses := range [][]string{nil, {TestSkipped}, {TestPassed, ""}, {TestPassed, "unknown"}, {TestPassed, TestError}} {
		r := &PolicyTest{}
		for _, s := range statuses {
			r.Tests = append(r.Tests, Test{Status: s})
		}
		if r.Finish(); r.Passed {
			t.Errorf("%q has passed", statuses)
		}
	}
}

// tapLine matches the lines of TAP 14 that are written here.
var tapLine = regexp.MustCompile(`^(TAP version 14|1\.\.7|(not )?ok \d+ - ([^#\\]|\\.)*( # SKIP .*)?|  .*)$`)

func TestTAP(t *testing.T) {
	for _, s := range nasty {
		got := encodeTest(t, "tap", s)
		plain, block := map[string]int{}, ""
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if !tapLine.MatchString(line) {
				t.Errorf("%q: line %q", s, line)
			}
			word, _, _ := strings.Cut(line, " ")
			plain[word]++
			switch line {
			case "  ---":
				block = "x: y\n"
			case "  ...":
				var v any
				if err := yaml.Unmarshal([]byte(block), &v); err != nil {
					t.Errorf("%q: the block is no YAML: %v\n%s", s, err, block)
				}
			default:
				block += strings.TrimPrefix(line, "  ") + "\n"
			}
		}
		if plain["ok"] != 3 || plain["not"] != 4 {
			t.Errorf("%q: lines %v", s, plain)
		}
	}
}

// githubLine is how the runner reads a command: properties end at the first
// "::" after the name.
var githubLine = regexp.MustCompile(`^::(error|warning) ((?:file|line|title)=[^,:]*(?:,(?:file|line|title)=[^,:]*)*)::(.*)$`)

func TestGitHub(t *testing.T) {
	unescape := strings.NewReplacer("%0A", "\n", "%0D", "\r", "%3A", ":", "%2C", ",", "%25", "%")
	for _, s := range nasty {
		all := strings.Split(strings.TrimSuffix(encodeTest(t, "github", s), "\n"), "\n")
		if len(all) != 5 || !strings.HasPrefix(all[4], "attestctl policy test: FAIL: ") {
			t.Errorf("%q: %d lines %q", s, len(all), all)
			continue
		}
		for _, line := range all[:4] {
			if githubLine.FindString(line) != line {
				t.Errorf("%q: line %q", s, line)
			}
		}
		m := githubLine.FindStringSubmatch(all[2])
		escaped := strings.ReplaceAll(Escape(strings.ReplaceAll(s, "\n", "¶")), "¶", "\n")
		if m == nil || !strings.Contains(unescape.Replace(m[2]), "title=fixtures: "+Escape(s)) ||
			!strings.Contains(unescape.Replace(m[3]), "got fail\nclaims.x: "+escaped) {
			t.Errorf("%q: %q", s, all[2])
		}
	}
}

func TestPolicyTestFormats(t *testing.T) {
	var out bytes.Buffer
	if err := WritePolicyTest(&out, "xml", &PolicyTest{}, Style{}); err == nil || out.Len() > 0 {
		t.Error("an unknown format was written")
	}
}
