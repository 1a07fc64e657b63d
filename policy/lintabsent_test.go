package policy_test

import (
	"slices"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// A rule of deny that needs a claim only for its message, or in an argument of
// what it negates, denies nothing where the claim is absent. The interpreter is
// asked whether it is so, and the warning must say the same.
func TestLintDenyOnAbsent(t *testing.T) {
	const off = "\tnot input.secboot\n"
	for name, rules := range map[string]struct{ bad, good string }{
		"assignment": {
			"deny contains m if {\n" + off + "\tm := sprintf(\"off %s\", [input.swname])\n}\n",
			"deny contains m if {\n" + off + "\tm := sprintf(\"off %s\", [object.get(input, \"swname\", \"absent\")])\n}\n",
		},
		"later assignment": {
			"deny contains m if {\n" + off + "\tn := input.swname\n\tm := concat(\" \", [\"off\", n])\n}\n",
			"deny contains m if {\n" + off + "\tn := object.get(input, [\"swname\"], \"absent\")\n\tm := concat(\" \", [\"off\", n])\n}\n",
		},
		"head": {
			"deny contains {\"code\": \"x\", \"msg\": input.swname} if {\n" + off + "}\n",
			"deny contains {\"code\": \"x\", \"msg\": object.get(input, \"swname\", \"absent\")} if {\n" + off + "}\n",
		},
		"call in the head": {
			"deny contains sprintf(\"off %v\", [input.swname]) if {\n" + off + "}\n",
			"deny contains data.attestctl.message.wants([\"swname\"], \"x\") if {\n" + off + "}\n",
		},
		"argument of a helper": {
			"deny contains told(input.swname) if {\n" + off + "}\n\ntold(x) := sprintf(\"off %v\", [x])\n",
			"deny contains told if {\n" + off + "}\n\ndefault told := \"off\"\n\ntold := sprintf(\"off %v\", [input.swname])\n",
		},
		"inside a helper": {
			"deny contains told(input) if {\n" + off + "}\n\ntold(x) := sprintf(\"off %v\", [x.swname])\n",
			"deny contains told(input) if {\n" + off + "}\n\ntold(x) := x.swname if x.swname\n\nelse := \"off\"\n",
		},
		"value of a helper": {
			"deny contains m if {\n" + off + "\tm := told\n}\n\ntold := input.swname\n",
			"deny contains m if {\n" + off + "\tm := told\n}\n\ndefault told := \"off\"\n\ntold := input.swname\n",
		},
		"object.get of a part": {
			"deny contains m if {\n" + off + "\tm := sprintf(\"%v\", [object.get(input.boot, \"bank\", \"absent\")])\n}\n",
			"deny contains m if {\n" + off + "\tm := sprintf(\"%v\", [object.get(input, [\"boot\", \"bank\"], \"absent\")])\n}\n",
		},
		"negated function": {
			"deny contains \"x\" if not good(input.swname)\n\ngood(x) if x == \"GCE\"\n",
			"deny contains \"x\" if not _good\n\n_good if input.swname == \"GCE\"\n",
		},
		"negated membership": {
			"deny contains \"x\" if not input.swname in {\"GCE\"}\n",
			"deny contains \"x\" if not _good\n\n_good if input.swname in {\"GCE\"}\n",
		},
		"negated builtin": {
			"deny contains \"x\" if not startswith(input.swname, \"G\")\n",
			"deny contains \"x\" if not _good\n\n_good if startswith(input.swname, \"G\")\n",
		},
		"negated index": {
			"deny contains \"x\" if not data.config.names[input.swname]\n",
			"deny contains \"x\" if not _good\n\n_good if data.config.names[input.swname]\n",
		},
		"a default that decides": {
			"deny contains \"x\" if {\n\tx := seen\n\tx != \"GCE\"\n}\n\ndefault seen := \"GCE\"\n\nseen := input.swname\n",
			"deny contains \"x\" if not seen == \"GCE\"\n\nseen := input.swname\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				text  string
				wrong bool
			}{{rules.bad, true}, {rules.good, false}} {
				p := compiled(t, "p.rego", lintable("\tinput.sub == \"ours\"\n", titled+c.text), "p_test.rego", "package attest_test\n")
				if allow := decideAbsent(t, p); allow != c.wrong {
					t.Errorf("without the claim allow = %v, want %v:\n%s", allow, c.wrong, c.text)
				}
				i := slices.IndexFunc(p.Lint(), func(l policy.Lint) bool { return l.ID == "deny-on-absent" })
				if found := i >= 0; found != c.wrong {
					t.Errorf("Lint = %v, found = %v, want %v:\n%s", p.Lint(), found, c.wrong, c.text)
				} else if found && p.Lint()[i].Hint == "" {
					t.Error("no way round")
				}
			}
		})
	}
}

// decideAbsent decides over claims that hold neither swname nor boot.
func decideAbsent(t *testing.T, p *policy.Policy) bool {
	t.Helper()
	const claims = `{"schema":"attestctl.claims/v1","format":"tpm2-quote","verified_at":1700000000,"checks":{},"sub":"ours"}`
	d, err := engine(t, p, policy.Limits{}).Decide(t.Context(), input(t, claims))
	if err != nil {
		t.Fatal(err)
	}
	return d.Allow
}

// A claim that every body of allow demands may be absent in a rule of deny; one
// that only some of them demand may not.
func TestLintDemandedEverywhere(t *testing.T) {
	const deny = titled + "deny contains \"x\" if input.swname != \"GCE\"\n"
	const other = titled + "allow if input.sub == \"x\"\n\n"
	for _, c := range []struct {
		text string
		want bool
	}{
		{lintable(identified+"\tinput.swname\n", deny), false},
		{lintable(identified+"\tinput.swname\n", other+deny), true},
		{lintable(identified+"\tknown(input.swname)\n", "known(x) if is_string(x)\n\n"+deny), false},
	} {
		found := slices.ContainsFunc(compiled(t, "p.rego", c.text).Lint(), func(l policy.Lint) bool { return l.ID == "deny-on-absent" })
		if found != c.want {
			t.Errorf("found = %v, want %v:\n%s", found, c.want, c.text)
		}
	}
}

// What an argument of a negated call reads has to be there before the call.
func TestLintNegatedArgument(t *testing.T) {
	text := lintable(identified+"\tnot debug(input.boot.uefi_debug)\n", "debug(x) if x == true\n")
	for _, l := range compiled(t, "p.rego", text).Lint() {
		if l.ID == "absent-passes" {
			t.Errorf("%v: allow is undefined where the argument is absent", l)
		}
	}
}
