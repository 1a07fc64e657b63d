package rego_test

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/rego"
)

// spaceToken is what a token of a Confidential Space workload proves. That of a
// plain machine has less.
const spaceToken = `{
	"schema": "attestctl.claims/v1", "nonce_source": "expected", "format": "jwt", "verified_at": 1767225600,
	"checks": {"token.signature": "pass", "tpm.quote.signature[sha256]": "skip"},
	"iss": "https://confidentialcomputing.googleapis.com", "aud": ["https://secrets.example"],
	"sub": "https://www.googleapis.com/compute/v1/projects/attestctl-forge/zones/europe-west4-b/instances/forged-vm",
	"iat": 1767225000, "nbf": 1767225000, "exp": 1767228600, "eat_nonce": ["0123456789abcdef"],
	"hwmodel": "GCP_AMD_SEV", "swname": "CONFIDENTIAL_SPACE", "swversion": ["250800"], "secboot": true,
	"dbgstat": "disabled-since-boot", "oemid": 11129,
	"google_service_accounts": ["424242424242-compute@developer.gserviceaccount.com"],
	"submods": {
		"gce": {"zone": "europe-west4-b", "project_id": "attestctl-forge", "project_number": "424242424242",
			"instance_name": "forged-vm", "instance_id": "6797026933021542085"},
		"confidential_space": {"support_attributes": ["LATEST", "STABLE", "USABLE"], "monitoring_enabled": {"memory": false}},
		"container": {"image_reference": "registry.example/workload:latest", "restart_policy": "Never",
			"image_digest": "sha256:a1b0135e6b83e3cbb3a2ed8532f4ae1aedb6d3ad2e2fc1f4c8fadb2befadae85",
			"image_id": "sha256:93b967e5b91b2bdc45720f8f269afd2f42735dec97845e4e9c8f4fe042badbb5",
			"args": ["/workload", "--serve"], "cmd_override": ["--verbose"], "env_override": {"MODE": "test"}}
	},
	"token": {"iss": "https://confidentialcomputing.googleapis.com", "aud": "https://secrets.example", "hwmodel": "GCP_AMD_SEV"}
}`

// tokenOf is a token for a policy to decide over.
func tokenOf(t *testing.T, name string) policy.Input {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(spaceToken), &claims); err != nil {
		t.Fatal(err)
	}
	if name != "confidential-space" {
		claims["swname"] = "GCE"
		delete(claims, "dbgstat")
		submods, _ := claims["submods"].(map[string]any)
		maps.DeleteFunc(submods, func(k string, _ any) bool { return k != "gce" })
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	in, err := policy.ParseInput(raw)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// configured compiles a policy with one of its examples.
func configured(t *testing.T, name, example string) *policy.Policy {
	t.Helper()
	s, err := policy.Open("builtin:" + name)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.WithConfig("config.json", read(t, path.Join(name, "testdata", example))); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTokens has both engines decide over a token by every policy: the examples
// for tokens accept it, and so does what asks for nothing but the common claims.
func TestTokens(t *testing.T) {
	accept := []string{"codelab/testdata/config.json", "confidential-space/testdata/token.json", "gce-cvm/testdata/token.json"}
	for _, name := range rego.Names() {
		for _, example := range globs(t, rego.FS, name+"/testdata/*.json") {
			for engine, d := range decisions(t, configured(t, name, path.Base(example)), tokenOf(t, name)) {
				switch allow := slices.Contains(accept, example); {
				case d.Allow != allow:
					t.Errorf("%s with %s: allow = %v for %v", engine, example, d.Allow, d.Reasons)
				case !allow && (len(d.Reasons) != 1 || d.Reasons[0].Code != "token"):
					t.Errorf("%s with %s: the reasons are %v, want token alone", engine, example, d.Reasons)
				}
			}
		}
	}
}

func decisions(t *testing.T, p *policy.Policy, in policy.Input) map[string]policy.Decision {
	t.Helper()
	topdown, err := p.Topdown(policy.Limits{Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := p.WASM(policy.Limits{Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := wasm.Close(); err != nil {
			t.Error(err)
		}
	})
	list := map[string]policy.Decision{}
	for name, e := range map[string]policy.Engine{"topdown": topdown, "wasm": wasm} {
		if list[name], err = e.Decide(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// toleratedOfTokens are the changes that a token may suffer and still be
// allowed.
var toleratedOfTokens = []string{
	"submods.confidential_space.support_attributes[0] ", // the others still hold
	"submods.confidential_space.support_attributes[2] ",
	"submods.container.cmd_override remove", // nothing replaced is what all accept
	"submods.container.cmd_override empty",
	"submods.container.cmd_override[0] remove",
	"submods.container.env_override remove",
	"submods.container.env_override empty",
	"submods.container.env_override.MODE remove",
}

// TestTokensSurviveMutation changes every claim of a token that is allowed.
func TestTokensSurviveMutation(t *testing.T) {
	for _, name := range []string{"gce-cvm", "confidential-space"} {
		m, err := configured(t, name, "token.json").Mutate(t.Context(), map[string]policy.Input{name: tokenOf(t, name)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Claims {
			for _, s := range c.Survivors {
				change := c.Claim + " " + s.Mutation
				if !slices.ContainsFunc(toleratedOfTokens, func(p string) bool { return strings.HasPrefix(change, p) }) {
					t.Errorf("%s: %s is still allowed", name, change)
				}
			}
		}
		for _, claim := range []string{"iss", "oemid", "secboot", "token.iss", "google_service_accounts[*]"} {
			if slices.Contains(m.NotRead, claim) {
				t.Errorf("%s does not read %s", name, claim)
			}
		}
		if m.Mutants < 100 {
			t.Errorf("%s: %d mutants", name, m.Mutants)
		}
	}
}
