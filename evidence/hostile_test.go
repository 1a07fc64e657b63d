package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

var forgeTrust = evidence.ForgeTrust

func verifyForged(tb testing.TB, e *forge.Evidence) (*evidence.Result, error) {
	tb.Helper()
	data, err := e.Binary()
	if err != nil {
		tb.Fatal(err)
	}
	return verify(data, forgeTrust(tb, e), forgeExpect(e))
}

// forgeExpect is what the verifier of forged evidence expects.
func forgeExpect(e *forge.Evidence) evidence.Expect {
	want := evidence.Expect{Nonce: e.Nonce, Now: e.Now}
	if t := e.Token; t != nil {
		want.Token = evidence.TokenExpect{Issuer: t.Issuer, Profile: t.Profile, Audience: t.Audience, Nonce: t.Nonce, Without: t.Without}
	}
	return want
}

// TestHostileCases runs the forge's catalogue: each case must be decided as it
// says, by the check that it says, and its twin without the defect accepted.
func TestHostileCases(t *testing.T) {
	rows := map[int]int{}
	for i, c := range slices.Concat(forge.TokenCases(), forge.Cases(), forge.HardwareCases()) {
		rows[c.Row]++
		if testing.Short() && i%3 != 0 {
			continue // the whole is for a run without the race detector
		}
		t.Run(c.Name, func(t *testing.T) {
			e, err := c.Build()
			if err != nil {
				t.Fatal(err)
			}
			res, err := verifyForged(t, e)
			checkCase(t, c, res, err)
			twin, err := c.Twin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifyForged(t, twin); err != nil {
				t.Errorf("the twin without the defect was refused: %v", err)
			}
		})
	}
	for row := 1; row <= 35; row++ {
		elsewhere := row == 12 || row >= 15 && row <= 17 || row == 27 // TestHostileKeySets, the server, TestEventRetyped
		if rows[row] == 0 && !elsewhere {
			t.Errorf("row %d of the acceptance table has no case", row)
		}
	}
}

func checkCase(t *testing.T, c forge.Case, res *evidence.Result, err error) {
	t.Helper()
	if (err == nil) != (res.Claims != nil) || len(res.Checks) < len(evidence.Checks) {
		t.Fatalf("error %v beside claims %t and %d checks", err, res.Claims != nil, len(res.Checks))
	}
	if err == nil && c.Forged != "" {
		checkForged(t, c, res)
		return
	}
	if c.Check == "" {
		if err != nil {
			t.Fatalf("refused: %v, want accepted with %s", err, c.Want)
		}
		if want, ok := acceptedClaims[c.Name]; ok {
			checkClaims(t, res, want)
		} else if c.Row == 30 {
			t.Errorf("the case is accepted and no claim of it is looked at")
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted, want %s to fail", c.Check)
	}
	if strings.Contains(err.Error(), "internal error") {
		t.Errorf("a panic was caught: %v", err)
	}
	failed := map[string]bool{}
	for _, f := range res.Failures() {
		id, _, _ := strings.Cut(f.ID, "[")
		failed[id] = true
		if id != c.Check && !slices.Contains(c.Also, id) {
			t.Errorf("%s failed too: %s", f.ID, f.Detail)
		}
	}
	if !failed[c.Check] {
		t.Errorf("%s did not fail, these did: %v", c.Check, res.Failures())
	}
}

// checkForged: a claim that shows the forged text must stand below one that is
// listed as forgeable.
func checkForged(t *testing.T, c forge.Case, res *evidence.Result) {
	t.Helper()
	for p, v := range leaves(t, res.Claims) {
		if !strings.Contains(v, c.Forged) || strings.HasPrefix(p, "boot.forgeable") {
			continue
		}
		if !slices.ContainsFunc(res.Claims.Boot.Forgeable, func(f string) bool { return p == f || strings.HasPrefix(p, f+".") }) {
			t.Errorf("claim %s shows the forged %q and is not listed as forgeable", p, c.Forged)
		}
	}
}

// acceptedClaims says what the claims of accepted cases must show: a value, or
// absent.
var acceptedClaims = map[string]map[string]string{
	"secureboot_semantics/no_dbx": {
		"secboot": "true", "boot.secure_boot.enabled": "true", "boot.secure_boot.dbx.hashes.0": absent,
		"boot.secure_boot.db.certificates.0.type": "x509",
	},
	"secureboot_semantics/owners_db": {
		"secboot": "true", "boot.secure_boot.db.certificates.1.type": "x509", "boot.secure_boot.db.certificates.2.type": absent,
	},
	"secureboot_semantics/mok_validation_disabled": {
		"secboot": "true", "boot.secure_boot.mok.validation_disabled": "true",
	},
	"secureboot_semantics/off": {
		"secboot": "false", "boot.secure_boot.enabled": "false",
	},
	"secureboot_semantics/no_variables": {
		"secboot": absent, "boot.secure_boot.enabled": absent, "boot.secure_boot.db.certificates.0.type": absent,
	},
	"log_emptied_or_pcr_stripped/ima_in_pcr_10": {
		"boot.unexplained_pcrs.0": "10", "boot.unexplained_pcrs.1": absent, "boot.complete": "true",
	},
}

const absent = "(absent)"

func checkClaims(t *testing.T, res *evidence.Result, want map[string]string) {
	t.Helper()
	got := leaves(t, res.Claims)
	for p, w := range want {
		g, ok := got[p]
		if !ok {
			g = absent
		}
		if g != w {
			t.Errorf("claim %s = %s, want %s", p, g, w)
		}
	}
}
