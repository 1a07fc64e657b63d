package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/policy"
)

func TestConditions(t *testing.T) {
	names := []string{"codelab", shippedCVM, shippedSpace, shippedBoot, shippedSNP, shippedTDX}
	if testing.Short() {
		names = names[:2]
	}
	for _, name := range names {
		p := shipped(t, name)
		var first []byte
		for range 3 { // the order is that of the policy, every time
			list, err := policy.ConditionsWithin(t.Context(), p, time.Minute) // this is not about speed
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(list, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if first != nil && string(got) != string(first) {
				t.Fatalf("%s: two runs differ:\n%s\n%s", name, first, got)
			}
			first = got
			for _, c := range list {
				if !c.Reduced {
					t.Errorf("%s:%d is not reduced: %s", c.File, c.Line, c.Note)
				}
			}
			if name != "codelab" {
				break
			}
		}
		if name != "codelab" {
			continue
		}
		golden := filepath.Join("testdata", "conditions", name+".json")
		if *update {
			if err := os.WriteFile(golden, first, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(first) != string(want) {
			t.Errorf("%s: conditions are\n%s\nwant\n%s", name, first, want)
		}
	}
}

// A policy that only counts its denials demands nothing that could be printed.
func TestConditionsOfDenyOnly(t *testing.T) {
	p := compiled(t, "p.rego", `package attest

default allow := false

allow if count(deny) == 0

deny contains "x" if not input.swname == "GCE"

deny contains "always" if 1 == 1

deny contains "never" if 1 == 2
`)
	list, err := p.Conditions(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("Conditions = %v, %v", list, err)
	}
	if allow := list[0]; allow.Reduced || allow.Note == "" || len(allow.Ways) != 1 || allow.Ways[0][0] != "count(deny) == 0" {
		t.Errorf("allow = %+v, want it as written and why", allow)
	}
	if !list[2].Always || !list[3].Never {
		t.Errorf("always = %+v, never = %+v", list[2], list[3])
	}
}

// A rule that takes too long without claims, or too much memory, is given as
// written, and says why: whether OPA is stopped inside of a function, which it takes
// for undefined, or not.
func TestConditionsStopped(t *testing.T) {
	if policy.PartialDeadline > time.Second {
		t.Errorf("Conditions gives each rule %v, want at most a second", policy.PartialDeadline)
	}
	long := `r := numbers.range(1, 3000); count([1 | some a in r; some b in r; a == b + 20000]) == 0`
	for _, tc := range []struct {
		body   string
		within time.Duration
		want   string
	}{
		{long, 0, "the time limit of 0s was reached"},
		{long, time.Millisecond, "the time limit of 1ms was reached"},
		{long, time.Minute, "the memory limit was reached"},
		{bombs["range"], time.Minute, "the memory limit was reached"},
	} {
		p := compiled(t, "p.rego", head+"allow if {\n"+tc.body+"\n}\n")
		list, err := policy.ConditionsWithin(t.Context(), p, tc.within)
		if err != nil || len(list) != 1 {
			t.Fatalf("Conditions = %v, %v", list, err)
		}
		if c := list[0]; c.Reduced || c.Never || !strings.Contains(c.Note, "cannot evaluate it without claims: ") || !strings.Contains(c.Note, tc.want) {
			t.Errorf("%s within %v: condition = %+v, want the rule as written, and %q", tc.body, tc.within, c, tc.want)
		}
	}
}
