package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// survivors lists what a policy still allows, as "claim mutation".
func survivors(m *policy.Mutation) []string {
	found := map[string]bool{}
	for _, c := range m.Claims {
		for _, s := range c.Survivors {
			found[c.Claim+" "+s.Mutation] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// The holes of OPA.md 0.6: what a naive policy of rules that deny lets through.
func TestMutateFindsTheHolesOfANaivePolicy(t *testing.T) {
	p := compiled(t, "p.rego", `package attest

default allow := false

allow if {
	input.hwmodel == "GCP_AMD_SEV"
	count(deny) == 0
}

deny contains "secure boot" if input.secboot == false

deny contains "debug" if input.boot.uefi_debug

deny contains "dma" if input.boot.dma_protection_disabled != false

deny contains "old" if input.tpm.ak.bits < 2048
`)
	m, err := p.Mutate(t.Context(), map[string]policy.Input{"gce-sev": claimsOf(t, "gce-sev", nil)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := survivors(m)
	for _, want := range []string{
		"secboot remove", "secboot null", "secboot retype", "boot remove", "boot.uefi_debug remove",
		"boot.dma_protection_disabled remove", "tpm remove", "tpm.ak.bits remove", "tpm.ak.bits retype", "tpm.ak.bits off-by-one",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among the survivors %q", want, got)
		}
	}
	for _, denied := range []string{"hwmodel remove", "hwmodel other", "secboot flip"} {
		if slices.Contains(got, denied) {
			t.Errorf("%s survived, but the policy denies it", denied)
		}
	}
	if !slices.Contains(m.NotRead, "submods.gce.project_id") || slices.Contains(m.NotRead, "secboot") {
		t.Errorf("not read = %q", m.NotRead)
	}
	if score := m.Score(); score < 20 || score > 80 {
		t.Errorf("score = %d", score)
	}
}

// tolerated are the changes that the policies which ship allow on purpose.
var tolerated = map[string]string{
	"boot.secure_boot.dbx.hashes[0] remove": "which revocations there are is for those who update dbx",
	"boot.secure_boot.dbx.hashes[1] remove": "as above",
	"boot.secure_boot.dbx.hashes[2] remove": "as above",
	"boot.secure_boot.mok remove":           "shim measures it only when something is set, and the PCRs are complete",
	"boot.secure_boot.mok empty":            "as above",
	// A policy that pins PCR 4 reads which applications ran; fewer were vouched for all the same.
	"boot.efi_apps[0] remove": "fewer applications than are accepted",
	"boot.efi_apps[1] remove": "as above",
	"boot.efi_apps[2] remove": "as above",
	// Authorities are accepted one by one.
	"boot.secure_boot.authority[0] remove": "fewer keys vouched than are accepted",
	"boot.secure_boot.authority[1] remove": "as above",
	// The bank that is not pinned.
	"tpm.banks[0] remove": "SHA-1 decides nothing",
	"tpm.banks[0] null":   "as above", "tpm.banks[0] retype": "as above", "tpm.banks[0] other": "as above", "tpm.banks[0] empty": "as above",
	"tpm.banks[2] remove": "SHA-384 is not pinned",
	"tpm.banks[2] null":   "as above", "tpm.banks[2] retype": "as above", "tpm.banks[2] other": "as above", "tpm.banks[2] empty": "as above",
	"boot.kernel.command_line other":             "only one word of it is asked for; PCR 8 is pinned beside it",
	"submods.container.cmd_override[0] remove":   "nothing replaced is what all accept",
	"submods.container.cmd_override remove":      "nothing replaced is what all accept",
	"submods.container.cmd_override empty":       "as above",
	"submods.container.env_override remove":      "nothing set is what all accept",
	"submods.container.env_override empty":       "as above",
	"submods.container.env_override.MODE remove": "as above",
	// Raw evidence has no support attributes, which the rules on tokens read.
	"submods.confidential_space remove": "asked of tokens only",
	"submods.confidential_space null":   "as above", "submods.confidential_space retype": "as above", "submods.confidential_space empty": "as above",
}

// optional are claims that these configs do not ask about: measured-boot wants
// the project or the key, and confidential-space any root that the verifier has.
var optional = []string{"tpm.ak.key_sha256", "tpm.ak.certificate.root_sha256"}

func TestShippedPoliciesSurviveMutation(t *testing.T) {
	for name, fixture := range map[string]string{
		"codelab": "gce-sev", shippedCVM: "gce-sev", shippedBoot: "gce-sev", shippedSpace: "confidential-space",
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			m, err := shipped(t, name).Mutate(t.Context(), map[string]policy.Input{fixture: claimsOf(t, fixture, nil)},
				func(int, int) { calls++ })
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range survivors(m) {
				if tolerated[s] == "" && !slices.ContainsFunc(optional, func(claim string) bool { return strings.HasPrefix(s, claim+" ") }) {
					t.Errorf("%s is still allowed", s)
				}
			}
			if m.Mutants < 30 || calls < m.Mutants {
				t.Errorf("%d mutants, %d steps", m.Mutants, calls)
			}
		})
	}
}

// Everything that is not read is so: no value of it changes the decision. It is
// the test of how reads are found.
func TestMutateReadsAreSound(t *testing.T) {
	for name, fixture := range map[string]string{shippedCVM: "gce-sev", shippedBoot: "gce-sev", shippedSpace: "confidential-space"} {
		m, err := shipped(t, name).Mutate(t.Context(), map[string]policy.Input{fixture: claimsOf(t, fixture, nil)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, r := range shipped(t, name).Reads(claimsOf(t, fixture, nil)) {
			known[r.Claim()] = true
		}
		for _, c := range m.Claims {
			if c.Mutants == 1 && c.Claim != "input" && !known[c.Claim] {
				t.Errorf("%s: %s was not known to be read, but its absence is denied", name, c.Claim)
			}
		}
	}
}

func TestMutateNeedsWhatIsAllowed(t *testing.T) {
	_, err := shipped(t, "codelab").Mutate(t.Context(), map[string]policy.Input{"x": claimsOf(t, "gce-shielded", nil)}, nil)
	if err == nil {
		t.Error("Mutate took a document that the policy denies")
	}
}

func TestMergeMutations(t *testing.T) {
	one := &policy.Mutation{Mutants: 2, Killed: 1, Claims: []policy.MutatedClaim{{Claim: "a", Mutants: 2, Killed: 1}}, NotRead: []string{"z"}}
	got := policy.MergeMutations(one, one)
	if s := fmt.Sprint(got.Mutants, got.Killed, got.Claims, got.NotRead); s != "4 2 [{a 4 2 []}] [z]" {
		t.Errorf("MergeMutations = %s", s)
	}
}
