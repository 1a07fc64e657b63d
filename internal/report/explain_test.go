package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// hostileWords is text that nobody may write to a terminal.
const hostileWords = "a\x1b[2J\u202e\nDENIED b"

func policyDocuments() map[string]Document {
	reading := policy.Reading{Claim: "boot[\"" + hostileWords + "\"]", Seen: json.RawMessage(`"\u001b[2J"`), Wanted: hostileWords}
	failing := policy.Clause{File: "p.rego", Line: 7, Text: hostileWords, Readings: []policy.Reading{reading}}
	failing.Because = []policy.Attempt{{Rule: hostileWords, File: "q.rego", Line: 9, Clauses: []policy.Clause{{Text: hostileWords, Unreached: true}, {Text: "x", Holds: true}}}}
	explanation := &Explanation{
		Explanation: policy.Explanation{
			Decision: policy.Deny("sha256:00", policy.Reason{Code: hostileWords, Msg: hostileWords}, policy.Reason{Code: "own", Msg: hostileWords}),
			Denials:  []policy.Denial{{Code: hostileWords, Msg: hostileWords, Title: hostileWords, File: "p.rego", Line: 5, Source: hostileWords, Readings: []policy.Reading{reading}}},
			Attempts: []policy.Attempt{{Rule: "attest.allow", File: "p.rego", Line: 6, Clauses: []policy.Clause{failing}}},
			Repair:   &policy.Repair{From: hostileWords, Changes: []policy.Change{{Claim: hostileWords, Wanted: json.RawMessage(`"\u202e"`)}}},
		},
		Policy: hostileWords, File: hostileWords,
	}
	mutation := &Mutation{
		Mutation: policy.Mutation{
			Mutants: 4, Killed: 3, NotRead: []string{`x["` + hostileWords + `"]`, `x["b"]`, "y"},
			Claims: []policy.MutatedClaim{
				{Claim: hostileWords, Mutants: 2, Killed: 1, Survivors: []policy.Survivor{
					{Mutation: "other", To: json.RawMessage(`"\u001b"`), Documents: []string{hostileWords, "b", "c", "d"}},
				}},
				{Claim: "killed", Mutants: 2, Killed: 2},
			},
		},
		Policy: hostileWords, Documents: []string{hostileWords}, Threshold: 80,
	}
	check := NewPolicyCheck([]CheckedPolicy{{
		Policy: hostileWords, Problems: []policy.Problem{{File: "p.rego", Line: 1, Column: 2, Msg: hostileWords, Hint: hostileWords}},
		Warnings: []policy.Lint{{ID: "identity", Msg: hostileWords, Hint: hostileWords}},
	}})
	conditions := NewConditions(hostileWords, "sha256:00", []policy.Condition{
		{Rule: "allow", File: "p.rego", Line: 3, Title: hostileWords, Ways: [][]string{{hostileWords}, {"b"}}, Helpers: []string{hostileWords}, Note: hostileWords},
		{Rule: "deny", Code: hostileWords, Never: true},
		{Rule: "deny", Always: true},
	})
	return map[string]Document{"explanation": explanation, "mutation": mutation, "check": check, "conditions": conditions}
}

// No document lets text from a policy or a claim reach a terminal as it is.
func TestPolicyDocumentsEscape(t *testing.T) {
	for name, d := range policyDocuments() {
		for _, format := range Formats() {
			var b bytes.Buffer
			if err := Write(&b, format, d, Style{Width: 100}); err != nil {
				continue // not every format has every document
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e") || strings.Contains(b.String(), "\nDENIED b") {
				t.Errorf("%s as %s holds what a terminal acts on: %q", name, format, b.String())
			}
			if format == "json" && !json.Valid(b.Bytes()) {
				t.Errorf("%s: not JSON: %s", name, b.String())
			}
		}
	}
}

func TestMutationFoldsWhatIsNotRead(t *testing.T) {
	got := strings.Join(folded([]string{"a", `p["0"]`, `p["1"]`, `q["0"]`, "z"}), " ")
	if want := `a p["0","1"] q["0"] z`; got != want {
		t.Errorf("folded = %s, want %s", got, want)
	}
}
