package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// policyCheckOf is a check with s wherever a policy or a file name could put it.
func policyCheckOf(s string) *PolicyCheck {
	return NewPolicyCheck([]CheckedPolicy{
		{
			Policy: s, Locate: func(file string) string { return "rego/" + file },
			Problems: []policy.Problem{{File: s + ".rego", Line: 7, Column: 3, Msg: s, Hint: s}, {Msg: s}},
			Warnings: []policy.Lint{
				{ID: "metadata", File: "a.rego", Line: 4, Column: 1, Msg: "a rule of deny without a title", Hint: s},
				{ID: "metadata", File: "a.rego", Line: 9, Column: 1, Msg: "a rule of deny without a title", Hint: s},
			},
		},
		{Policy: "builtin:x", Locate: func(file string) string { return "builtin:x/" + file }, Problems: []policy.Problem{{File: "x.rego", Line: 1, Column: 1, Msg: s}}},
	})
}

func encodeCheck(t *testing.T, format, s string) string {
	t.Helper()
	var out bytes.Buffer
	if err := WritePolicyCheck(&out, format, policyCheckOf(s), Style{}); err != nil {
		t.Fatalf("%s with %q: %v", format, s, err)
	}
	return out.String()
}

func TestPolicyCheckGitHub(t *testing.T) {
	const want = `::error file=rego/x.rego,line=7,col=3,title=x%3A policy.compile::x (x)
::error file=rego/,line=1,title=x%3A policy.compile::x
::warning file=rego/a.rego,line=4,col=1,title=x%3A metadata::a rule of deny without a title (x)
::warning file=rego/a.rego,line=9,col=1,title=x%3A metadata::a rule of deny without a title (x)
::error title=builtin%3Ax%3A policy.compile::x
attestctl policy check: FAIL: 3 errors, 2 warnings
`
	if got := encodeCheck(t, "github", "x"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPolicyCheckHostile(t *testing.T) {
	for _, s := range nasty {
		for _, format := range PolicyCheckFormats() {
			if got := encodeCheck(t, format, s); actsOnTerminal(got) {
				t.Errorf("%s with %q lets it through: %q", format, s, got)
			}
		}
		for line := range strings.Lines(encodeCheck(t, "github", s)) {
			if !strings.HasPrefix(line, "::error ") && !strings.HasPrefix(line, "::warning ") && !strings.HasPrefix(line, "attestctl policy check: ") {
				t.Errorf("%q makes a line of its own: %q", s, line)
			}
		}
	}
}

// TestPolicyCheckSARIF checks the schema, the levels and places, and that no two
// results have one fingerprint.
func TestPolicyCheckSARIF(t *testing.T) {
	schema := oasis(t)
	for _, s := range nasty {
		out := encodeCheck(t, "sarif", s)
		if err := fits(t, schema, out); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	var log sarifLog
	if err := json.Unmarshal([]byte(encodeCheck(t, "sarif", "x")), &log); err != nil {
		t.Fatal(err)
	}
	var levels, prints []string
	for _, r := range log.Runs[0].Results {
		levels = append(levels, r.Level)
		prints = append(prints, r.Fingerprints["attestctl/v1"])
	}
	if want := []string{"error", "error", "warning", "warning", "error"}; !slices.Equal(levels, want) {
		t.Errorf("levels %q, want %q", levels, want)
	}
	if at := log.Runs[0].Results[0].Locations[0].Physical; at == nil || at.Artifact.URI != "rego/x.rego" || at.Region != (sarifRegion{7, 3}) {
		t.Errorf("the first is at %+v", at)
	}
	if at := log.Runs[0].Results[4].Locations[0].Physical; at != nil {
		t.Errorf("a policy that ships is no file: %+v", at)
	}
	slices.Sort(prints)
	if len(slices.Compact(prints)) != len(levels) {
		t.Error("two results have one fingerprint")
	}
}
