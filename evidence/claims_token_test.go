package evidence

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/token"
)

// TestExactNumbers: only integers that every engine reads alike stay numbers, at any
// depth; all others keep their digits.
func TestExactNumbers(t *testing.T) {
	for digits, number := range map[string]bool{
		"0": true, "1": true, "-1": true, "9007199254740992": true, "-9007199254740992": true,
		"9007199254740993": false, "-9007199254740993": false, "18446744073709551615": false, "99999999999999999999": false,
		"1.5": false, "1.0": false, "1e3": false, "1E3": false, "-0": false,
	} {
		n := json.Number(digits)
		var want any = digits
		if number {
			want = n
		}
		in := map[string]any{"a": n, "b": []any{"x", []any{n}}, "c": map[string]any{"d": n, "e": []any{map[string]any{"f": n}}}, "g": true, "h": nil}
		all := map[string]any{"a": want, "b": []any{"x", []any{want}}, "c": map[string]any{"d": want, "e": []any{map[string]any{"f": want}}}, "g": true, "h": nil}
		if got := exactNumbers(in); !reflect.DeepEqual(got, all) {
			t.Errorf("exactNumbers(%s) = %#v, want %#v", digits, got, all)
		}
		if in["a"] != n || !reflect.DeepEqual(in["b"], []any{"x", []any{n}}) {
			t.Errorf("exactNumbers(%s) has changed its argument: %#v", digits, in)
		}
	}
}

// TestTokenClaims: a token adds what raw evidence beside it has not proven, and of the
// common claims only values that are known today.
func TestTokenClaims(t *testing.T) {
	yes, no := true, false
	oemid, other := int64(11129), int64(1)
	said := token.Claims{
		Subject: "said", HWModel: "GCP_INTEL_TDX", SWName: "GCE", SecBoot: &yes, OEMID: &oemid,
		Submods: &token.Submods{GCE: &token.GCE{Zone: "said"}, Container: &token.Container{ImageDigest: "said"}},
	}
	s := &verification{verified: &token.Verified{Claims: said}}
	alone := new(claims.Claims)
	s.tokenClaims(alone)
	if alone.Sub != "said" || alone.HWModel != "GCP_INTEL_TDX" || alone.SWName != "GCE" || *alone.SecBoot != yes || *alone.OEMID != oemid ||
		alone.Submods.GCE.Zone != "said" || alone.Submods.Container.ImageDigest != "said" {
		t.Errorf("of a token alone: %+v", alone)
	}
	proven := &claims.Claims{
		Sub: "proven", HWModel: "GCP_AMD_SEV", SWName: "CONFIDENTIAL_SPACE", SecBoot: &no, OEMID: &other,
		Submods: &claims.Submods{GCE: &claims.GCE{Zone: "proven"}},
	}
	s.tokenClaims(proven)
	if proven.Sub != "proven" || proven.HWModel != "GCP_AMD_SEV" || proven.SWName != "CONFIDENTIAL_SPACE" || *proven.SecBoot != no || *proven.OEMID != other ||
		proven.Submods.GCE.Zone != "proven" || proven.Submods.Container.ImageDigest != "said" {
		t.Errorf("beside raw evidence: %+v", proven)
	}
	for _, c := range []struct{ hwmodel, swname string }{
		{"GCP_AMD_SEV ", "gce"}, {"gcp_amd_sev", "GCE\x00"}, {"GCP_NEXT", "NEXT"}, {"", ""},
	} {
		got := new(claims.Claims)
		(&verification{verified: &token.Verified{Claims: token.Claims{HWModel: c.hwmodel, SWName: c.swname}}}).tokenClaims(got)
		if got.HWModel != "" || got.SWName != "" {
			t.Errorf("%q and %q become %q and %q", c.hwmodel, c.swname, got.HWModel, got.SWName)
		}
	}
	none := new(claims.Claims)
	new(verification).tokenClaims(none)
	if !reflect.DeepEqual(none, new(claims.Claims)) {
		t.Errorf("of no verified token: %+v", none)
	}
}
