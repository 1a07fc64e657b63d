package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/policy"
)

// identified is a condition that says whose machine it is, which every policy
// below has so that it breaks one rule alone.
const identified = "\tinput.submods.gce.project_id == \"ours\"\n"

const titled = "# METADATA\n# title: A rule\n"

// lintable makes a policy of the body of allow and further rules.
func lintable(body, rest string) string {
	return "package attest\n\ndefault allow := false\n\n" + titled + "allow if {\n" + body + "}\n\n" + rest
}

func TestLint(t *testing.T) {
	const test = "package attest_test\n"
	good := lintable(identified, "")
	for _, c := range []struct{ id, name, bad, good string }{
		{"identity", "no identity", lintable("\tinput.hwmodel == \"GCP_AMD_SEV\"\n", ""), good},
		{"identity", "shape only", lintable("\tis_string(input.submods.gce.project_id)\n", ""), lintable("\tinput.tpm.ak.key_sha256 == data.config.key\n", "")},
		{
			"deny-only", "count of deny", lintable("\tcount(deny) == 0\n", titled+"deny contains \"x\" if not mine\n"+"\nmine if input.sub == \"x\"\n"),
			lintable(identified+"\tcount(deny) == 0\n", titled+"deny contains \"x\" if not input.sub == \"x\"\n"),
		},
		{"absent-passes", "not a claim", lintable(identified+"\tnot input.boot.uefi_debug\n", ""), lintable(identified+"\tinput.boot.uefi_debug == false\n", "")},
		{
			"absent-passes", "through a helper", lintable(identified+"\tnot debug\n", "debug if input.boot.uefi_debug == true\n"),
			lintable(identified+"\tno_debug\n", "no_debug if input.boot.uefi_debug == false\n"),
		},
		{
			"deny-on-absent", "!=", lintable(identified, titled+"deny contains \"x\" if input.swname != \"GCE\"\n"),
			lintable(identified, titled+"deny contains \"x\" if not input.swname == \"GCE\"\n"),
		},
		{
			"deny-on-absent", "bare", lintable(identified, titled+"deny contains \"x\" if input.boot.uefi_debug\n"),
			lintable(identified+"\tinput.boot.uefi_debug == false\n", titled+"deny contains \"x\" if input.boot.uefi_debug\n"),
		},
		{
			"untyped-comparison", ">=", lintable(identified+"\tinput.tpm.ak.bits >= 2048\n", ""),
			lintable(identified+"\tis_number(input.tpm.ak.bits)\n\tinput.tpm.ak.bits >= 2048\n", ""),
		},
		{
			"empty-every", "every", lintable(identified+"\tevery b in input.tpm.banks { b != \"sha1\" }\n", ""),
			lintable(identified+"\tcount(input.tpm.banks) > 0\n\tevery b in input.tpm.banks { b != \"sha1\" }\n", ""),
		},
		{
			"empty-every", "some", lintable(identified+"\tevery b in input.tpm.banks { b != \"sha1\" }\n", ""),
			lintable(identified+"\tsome _ in input.tpm.banks\n\tevery b in input.tpm.banks { b != \"sha1\" }\n", ""),
		},
		{
			"unanchored-regex", "regex", lintable(identified+"\tregex.match(`europe-.*`, input.submods.gce.zone)\n", ""),
			lintable(identified+"\tregex.match(`^europe-[a-z0-9-]+$`, input.submods.gce.zone)\n", ""),
		},
		{"project-prefix", "startswith", lintable("\tstartswith(input.submods.gce.project_id, \"ours-\")\n", ""), good},
		{
			"unknown-claim", "object.get", lintable(identified+"\tobject.get(input, [\"boot\", \"uefi_debgu\"], false) == false\n", ""),
			lintable(identified+"\tobject.get(input, [\"boot\", \"uefi_debug\"], false) == false\n", ""),
		},
		{
			"forgeable", "command line", lintable(identified+"\tinput.boot.kernel.command_line == \"x\"\n", ""),
			lintable(identified+"\tinput.boot.kernel.command_line == \"x\"\n\tinput.tpm.pcrs.sha256[\"8\"] in data.config.pcr8\n", ""),
		},
		{"metadata", "no title", strings.Replace(good, titled, "", 1), good},
	} {
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			bad := compiled(t, "p.rego", c.bad, "p_test.rego", test).Lint()
			i := slices.IndexFunc(bad, func(l policy.Lint) bool { return l.ID == c.id })
			if i < 0 {
				t.Fatalf("Lint = %v, want %s", bad, c.id)
			}
			if bad[i].File != "p.rego" || bad[i].Line == 0 || bad[i].Hint == "" || bad[i].Msg == "" {
				t.Errorf("%+v has no place, message or hint", bad[i])
			}
			for _, l := range compiled(t, "p.rego", c.good, "p_test.rego", test).Lint() {
				if l.ID == c.id {
					t.Errorf("the way round is found too: %v", l)
				}
			}
		})
	}
}

func TestLintTests(t *testing.T) {
	const text = "package attest\n\ndefault allow := false\n\n" + titled + "allow if input.sub == \"x\"\n"
	if got := compiled(t, "p.rego", text).Lint(); len(got) != 1 || got[0].ID != "tests" {
		t.Errorf("Lint without tests = %v", got)
	}
	if got := compiled(t, "p.rego", text, "p_test.rego", "package attest_test\n").Lint(); len(got) != 0 {
		t.Errorf("Lint = %v, want nothing", got)
	}
}

// With their config and without one, the policies that ship are clean.
func TestLintShipped(t *testing.T) {
	for _, ref := range policy.Builtins() {
		s, err := policy.Open(ref)
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range slices.Concat(p.Lint(), shipped(t, strings.TrimPrefix(ref, "builtin:")).Lint()) {
			t.Errorf("%s: %v", ref, l)
		}
	}
}

func TestLintIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range policy.Lints() {
		if l.ID == "" || l.Hint == "" || seen[l.ID] {
			t.Errorf("%+v: want an ID of its own and a hint", l)
		}
		seen[l.ID] = true
	}
}

// Functions that call each other with the parts of their argument must not keep
// a check busy for ever.
func TestLintEnds(t *testing.T) {
	text := strings.Builder{}
	text.WriteString("package attest\n\ndefault allow := false\n\nallow if f0(input.checks)\n\n")
	const depth = 40
	for i := range depth {
		fmt.Fprintf(&text, "f%d(x) if {\n\tf%d(x.a)\n\tf%d(x.b)\n}\n\n", i, i+1, i+1)
	}
	fmt.Fprintf(&text, "f%d(x) if x == \"y\"\n", depth)
	p := compiled(t, "p.rego", text.String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Lint()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Lint does not end")
	}
}
