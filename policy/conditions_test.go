package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestConditions(t *testing.T) {
	for _, name := range []string{"codelab", shippedCVM, shippedSpace, shippedBoot, shippedSNP, shippedTDX} {
		p := shipped(t, name)
		var first []byte
		for range 3 { // the order is that of the policy, every time
			list, err := p.Conditions(t.Context())
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
