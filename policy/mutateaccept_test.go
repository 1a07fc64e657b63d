package policy_test

import (
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

func TestParseAcceptedRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"claim": "a", "reason": "b"}`:                            "not a list",
		`["a"]`:                                                    "entry 1: not an object",
		`[{"claim": "a"}]`:                                         "no reason why a may survive",
		`[{"claim": "a", "reason": " "}]`:                          "no reason",
		`[{"reason": "b"}]`:                                        "no claim",
		`[{"claim": "a", "reason": 1}]`:                            "reason is not a string",
		`[{"claim": "a", "reason": "b", "mutatoin": "x"}]`:         `no field "mutatoin"`,
		`[{"claim": "a", "reason": "b", "mutation": "x"}]`:         `no mutation "x"`,
		`[{"claim": "a", "reason": "b"}, {"claim": "", "x": "y"}]`: "entry 2",
		`[{"claim": "a", "claim": "b", "reason": "c"}]`:            "claim",
	} {
		if list, err := policy.ParseAccepted("a.json", text); err == nil || list != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAccepted(%s) = %v, %v, want %q", text, list, err, want)
		}
	}
	if _, err := policy.ParseAccepted("a.txt", "[]"); err == nil {
		t.Error("a name that tells no format is accepted")
	}
}

func TestAccept(t *testing.T) {
	list, err := policy.ParseAccepted("a.yaml", `
- {claim: "tpm.banks[*]", mutation: retype, reason: lists are looked into}
- {claim: secboot, reason: tested elsewhere}
- {claim: "tpm.banks", reason: only the list itself}
- {claim: swname, mutation: empty, reason: another change}
`)
	if err != nil {
		t.Fatal(err)
	}
	m := &policy.Mutation{Mutants: 20, Killed: 10, Claims: []policy.MutatedClaim{
		{Claim: "tpm.banks[0]", Survivors: []policy.Survivor{
			{Mutation: "retype", Documents: []string{"a", "b"}}, {Mutation: "remove", Documents: []string{"a"}},
		}},
		{Claim: "tpm.banks[10]", Survivors: []policy.Survivor{{Mutation: "retype", Documents: []string{"a"}}}},
		{Claim: "secboot", Survivors: []policy.Survivor{{Mutation: "null", Documents: []string{"a"}}}},
		{Claim: "secboot.x", Survivors: []policy.Survivor{{Mutation: "null", Documents: []string{"a"}}}},
		{Claim: "swname", Survivors: []policy.Survivor{{Mutation: "other", Documents: []string{"a", "b", "c", "d"}}}},
	}}
	unused := m.Accept(list)
	if len(unused) != 2 || unused[0].Claim != "tpm.banks" || unused[1].String() != "swname empty" {
		t.Errorf("unused = %v, want tpm.banks and swname empty", unused)
	}
	if m.Accepted != 4 || m.Score() != 62 { // 10 of 16
		t.Errorf("accepted %d, score %d; want 4 and 62", m.Accepted, m.Score())
	}
	if got := m.Claims[0].Survivors; got[0].Accepted != "lists are looked into" || got[1].Accepted != "" {
		t.Errorf("tpm.banks[0]: %+v", got)
	}
	if m.Claims[3].Survivors[0].Accepted != "" || m.Claims[4].Survivors[0].Accepted != "" {
		t.Error("what no entry names is accepted")
	}
}

// TestMutationsAreAll: every change that is made has its kind on the list.
func TestMutationsAreAll(t *testing.T) {
	p := compiled(t, "p.rego", "package attest\n\ndefault allow := false\n\nallow if is_object(input)\n\nallow if input.swname == \"never\"\n")
	m, err := p.Mutate(t.Context(), map[string]policy.Input{"gce-sev": claimsOf(t, "gce-sev", nil)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Claims {
		for _, s := range c.Survivors {
			if _, err := policy.ParseAccepted("a.json", `[{"claim": "x", "reason": "y", "mutation": "`+s.Mutation+`"}]`); err != nil {
				t.Errorf("%s: %v", c.Claim, err)
			}
		}
	}
}
