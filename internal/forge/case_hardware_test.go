package forge_test

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
)

// hardwareChecks are the identifiers that rows 31 to 35 are decided by.
var hardwareChecks = []string{
	"format.strict", "tee.present", "tee.binding",
	"snp.report", "snp.chain", "snp.signature", "snp.tcb", "snp.policy", "snp.vmpl", "snp.revocation",
	"tdx.chain", "tdx.signature", "tdx.attributes", "tdx.collateral", "tdx.rtmr",
}

func TestHardwareCasesAreNamedAndPlaced(t *testing.T) {
	t.Parallel()
	names, rows, checks := map[string]bool{}, map[int]bool{}, map[string]bool{}
	for _, c := range forge.HardwareCases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		if (c.Check == "") == (c.Want == "") {
			t.Errorf("%s: check %q and want %q, one of them has to be there", c.Name, c.Check, c.Want)
		}
		names[c.Name], rows[c.Row], checks[c.Check] = true, true, true
	}
	delete(checks, "")
	if got, want := slices.Sorted(maps.Keys(rows)), []int{31, 32, 33, 34, 35}; !slices.Equal(got, want) {
		t.Errorf("rows = %v, want %v", got, want)
	}
	if got, want := slices.Sorted(maps.Keys(checks)), slices.Sorted(slices.Values(hardwareChecks)); !slices.Equal(got, want) {
		t.Errorf("checks = %v, want each of %v", got, want)
	}
}

// TestHardwareCasesHaveGenuineTwins verifies the report of each twin, and wants
// the case to be another thing that is minted alike twice.
func TestHardwareCasesHaveGenuineTwins(t *testing.T) {
	t.Parallel()
	again := forge.HardwareCases()
	seen := map[string]bool{} // many cases have the same twin
	for i, c := range forge.HardwareCases() {
		t.Run(c.Name, func(t *testing.T) {
			twin, err := c.Twin()
			if err != nil {
				t.Fatalf("Twin() error = %v", err)
			}
			if raw := mustBinary(t, twin); !seen[raw] {
				seen[raw] = true
				verifyHardware(t, twin)
			}
			e, err := c.Build()
			if err != nil {
				t.Fatalf("Build() error = %v", err)
			}
			same, err := again[i].Build()
			if err != nil {
				t.Fatal(err)
			}
			if mustBinary(t, e) != mustBinary(t, same) || !reflect.DeepEqual(e.TrustFiles(), same.TrustFiles()) {
				t.Error("two builds differ")
			}
			if c.Check != "" && mustBinary(t, e) == mustBinary(t, twin) && bytes.Equal(e.Nonce, twin.Nonce) &&
				reflect.DeepEqual(e.TrustFiles(), twin.TrustFiles()) {
				t.Error("the case is its own twin")
			}
		})
	}
}

// Building a case must leave the machine that its twin is made of.
func TestTwinsAreNotTouched(t *testing.T) {
	t.Parallel()
	for _, c := range forge.HardwareCases() {
		if c.Row != 33 {
			continue
		}
		before, err := c.Twin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Build(); err != nil {
			t.Fatal(err)
		}
		if after, err := c.Twin(); err != nil || mustBinary(t, after) != mustBinary(t, before) {
			t.Errorf("%s: the twin changed (error %v)", c.Name, err)
		}
	}
}
