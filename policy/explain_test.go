package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// shipped compiles a policy that ships, with the config of its own tests.
func shipped(tb testing.TB, name string) *policy.Policy {
	tb.Helper()
	s, err := policy.Open("builtin:" + name)
	if err != nil {
		tb.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join("../rego", name, "testdata/config.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if s, err = s.WithConfig("config.json", string(config)); err != nil {
		tb.Fatal(err)
	}
	p, err := policy.Compile(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// claimsOf returns the claims that a fixture proves, changed where asked for.
func claimsOf(tb testing.TB, name string, change func(map[string]any)) policy.Input {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("../fixtures", name, "want.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var want struct {
		Claims map[string]any `json:"claims"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(want.Claims)
	}
	out, err := json.Marshal(want.Claims)
	if err != nil {
		tb.Fatal(err)
	}
	return input(tb, string(out))
}

// put sets a claim by its path; nil removes it.
func put(path string, value any) func(map[string]any) {
	return func(doc map[string]any) {
		parts := strings.Split(path, ".")
		for _, p := range parts[:len(parts)-1] {
			doc, _ = doc[p].(map[string]any)
		}
		if value == nil {
			delete(doc, parts[len(parts)-1])
		} else {
			doc[parts[len(parts)-1]] = value
		}
	}
}

const (
	shippedCVM, shippedSpace, shippedBoot = "gce-cvm", "confidential-space", "measured-boot"
	shippedSNP, shippedTDX                = "sev-snp", "tdx"
)

func TestExplainShippedPolicies(t *testing.T) {
	const other = "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"
	for _, c := range []struct {
		policy, code string
		path         string // of the claim that is changed
		value        any
		claim, seen  string // what the reading says
		wanted       string
	}{
		{"codelab", "hardware", "hwmodel", "GCP_INTEL_TDX", "hwmodel", `"GCP_INTEL_TDX"`, `"GCP_AMD_SEV"`},
		{"codelab", "software", "swname", nil, "swname", "", `"GCE"`},
		{"codelab", "project", "submods.gce.project_id", "x", "submods.gce.project_id", `"x"`, `"attestctl-forge"`},
		{shippedCVM, "ak-trust", "tpm.ak.trust", "pinned", "tpm.ak.trust", `"pinned"`, `"certificate"`},
		{shippedCVM, "ak-root", "tpm.ak.certificate.root_sha256", other, "tpm.ak.certificate.root_sha256", `"` + other + `"`, "fe0b99d5"},
		{shippedCVM, "software", "swname", "CONFIDENTIAL_SPACE", "swname", `"CONFIDENTIAL_SPACE"`, `"GCE"`},
		{shippedCVM, "project", "submods.gce.project_id", "x", "submods.gce.project_id", `"x"`, `"attestctl-forge"`},
		{shippedCVM, "zone", "submods.gce.zone", "us-a", "submods.gce.zone", `"us-a"`, `"europe-west4-b"`},
		{shippedCVM, "instance", "submods.gce.instance_id", "1", "submods.gce.instance_id", `"1"`, `"6797026933021542085"`},
		{shippedCVM, "hardware", "hwmodel", nil, "hwmodel", "", `"GCP_AMD_SEV"`},
		{shippedCVM, "boot-incomplete", "boot.complete", false, "boot.complete", "false", "true"},
		{shippedCVM, "firmware-debug", "boot.uefi_debug", true, "boot.uefi_debug", "true", "false"},
		{shippedCVM, "dma-protection", "boot.dma_protection_disabled", nil, "boot.dma_protection_disabled", "", "false"},
		{shippedCVM, "secure-boot", "boot.secure_boot.enabled", false, "boot.secure_boot.enabled", "false", "true"},
		{shippedCVM, "secure-boot-pk", "boot.secure_boot.pk", nil, "boot.secure_boot.pk.certificates", "", "a list"},
		{shippedCVM, "secure-boot-dbx", "boot.secure_boot.dbx", nil, "boot.secure_boot.dbx.hashes", "", "a list"},
		{shippedCVM, "shim-validation", "boot.secure_boot.mok.validation_disabled", true, "boot.secure_boot.mok.validation_disabled", "true", "false"},
		{shippedSpace, "image", "submods.container.image_digest", nil, "submods.container.image_digest", "", "sha256:a1b0135e"},
		{shippedSpace, "restart-policy", "submods.container.restart_policy", "Always", "submods.container.restart_policy", `"Always"`, `"Never"`},
		{shippedBoot, "pcr-value", "tpm.pcrs.sha256.4", other, `tpm.pcrs.sha256["4"]`, `"` + other + `"`, "be694679"},
	} {
		t.Run(c.policy+"/"+c.code, func(t *testing.T) {
			fixture := map[string]string{shippedSpace: "confidential-space"}[c.policy]
			if fixture == "" {
				fixture = "gce-sev"
			}
			p := shipped(t, c.policy)
			x, err := p.Explain(t.Context(), claimsOf(t, fixture, put(c.path, c.value)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(x.Denials) != len(x.Decision.Reasons) {
				t.Errorf("%d denials for the reasons %v", len(x.Denials), x.Decision.Reasons)
			}
			i := slices.IndexFunc(x.Denials, func(d policy.Denial) bool { return d.Code == c.code })
			if i < 0 {
				t.Fatalf("reasons are %v, want %s", x.Decision.Reasons, c.code)
			}
			d := x.Denials[i]
			if d.Line == 0 || d.Title == "" || !strings.HasPrefix(d.Source, "deny contains") {
				t.Errorf("denial = %s:%d %q %q, want the place, title and line of a rule", d.File, d.Line, d.Title, d.Source)
			}
			if !slices.ContainsFunc(d.Readings, func(r policy.Reading) bool {
				return r.Claim == c.claim && string(r.Seen) == c.seen && strings.Contains(r.Wanted, c.wanted)
			}) {
				out, _ := json.Marshal(d.Readings)
				t.Errorf("readings = %s\nwant %s, seen %s, wanted %s", out, c.claim, c.seen, c.wanted)
			}
			if len(x.Attempts) == 0 || !anyFails(x.Attempts) {
				t.Error("no condition of allow fails")
			}
		})
	}
}

func anyFails(list []policy.Attempt) bool {
	return slices.ContainsFunc(list, func(a policy.Attempt) bool {
		return slices.ContainsFunc(a.Clauses, func(c policy.Clause) bool { return !c.Holds })
	})
}

func TestExplainAllowed(t *testing.T) {
	x, err := shipped(t, shippedCVM).Explain(t.Context(), claimsOf(t, "gce-sev", nil), nil)
	if err != nil || !x.Decision.Allow || x.Denials != nil || x.Attempts != nil || x.Repair != nil {
		t.Errorf("Explain = %+v, %v, want an allowed decision and nothing to explain", x, err)
	}
}

func TestExplainRepair(t *testing.T) {
	good := map[string]policy.Input{"gce-sev": claimsOf(t, "gce-sev", nil)}
	bad := claimsOf(t, "gce-sev", func(doc map[string]any) {
		put("submods.gce.zone", "us-central1-a")(doc)
		put("boot.secure_boot.enabled", false)(doc)
		put("boot.kernel.command_line", "x")(doc) // nobody reads it
	})
	for name, allowed := range map[string]map[string]policy.Input{"gce-sev": good, "": nil} {
		x, err := shipped(t, shippedCVM).Explain(t.Context(), bad, allowed)
		if err != nil {
			t.Fatal(err)
		}
		if x.Repair == nil || x.Repair.From != name {
			t.Fatalf("Repair = %+v, want one from %q", x.Repair, name)
		}
		got, _ := json.Marshal(x.Repair.Changes)
		want := `[{"claim":"boot.secure_boot.enabled","seen":false,"wanted":true},` +
			`{"claim":"submods.gce.zone","seen":"us-central1-a","wanted":"europe-west4-b"}]`
		if string(got) != want {
			t.Errorf("from %q: changes = %s, want %s", name, got, want)
		}
	}
}

// What an expression needs of an earlier one that fails cannot be asked.
func TestExplainClauses(t *testing.T) {
	p := compiled(t, "p.rego", `package attest

default allow := false

allow if {
	some app in input.boot.efi_apps
	app.digest == "aa"
	input.hwmodel in {"GCP_AMD_SEV", "GCP_INTEL_TDX"}
	not input.boot.uefi_debug
}

deny contains "debug" if input.boot.uefi_debug
`)
	x, err := p.Explain(t.Context(), input(t, `{"schema":"attestctl.claims/v1","format":"x","verified_at":1,"checks":{},"hwmodel":"GCP_AMD_SEV"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range x.Attempts[0].Clauses {
		word := map[bool]string{true: "holds", false: "fails"}[c.Holds]
		if c.Unreached {
			word = "unreached"
		}
		got = append(got, word+": "+c.Text)
	}
	want := []string{
		"fails: some app in input.boot.efi_apps", `unreached: app.digest == "aa"`,
		`holds: input.hwmodel in {"GCP_AMD_SEV", "GCP_INTEL_TDX"}`, "holds: not input.boot.uefi_debug",
	}
	if !slices.Equal(got, want) {
		t.Errorf("clauses = %q, want %q", got, want)
	}
	if len(x.Denials) != 0 {
		t.Errorf("denials = %v, want none", x.Denials)
	}
}
