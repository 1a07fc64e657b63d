package policy_test

import (
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/policy"
)

func TestParseInput(t *testing.T) {
	in := input(t, " {\"verified_at\": 1,\n\"schema\":\"attestctl.claims\\/v1\",\"format\":\"\\u0001é\\ud83d\\ude00\",\"checks\":{\"b\":\"pass\",\"a\":\"fail\"},\"request\":{\"n\":7}}\n")
	const want = `{"checks":{"a":"fail","b":"pass"},"format":"\u0001é😀","request":{"n":7},"schema":"attestctl.claims/v1","verified_at":1}`
	if got := string(in.Bytes()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// with puts a member into the claims.
func with(member string) string { return strings.Replace(claimsSEV, "{", "{"+member+",", 1) }

func TestParseInputRefuses(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"nothing", "", "not JSON"},
		{"null", "null", "want object"},
		{"empty", "{}", "missing properties"},
		{"list", "[]", "want object"},
		{"trailing value", claimsSEV + "{}", "after top-level value"},
		{"trailing NUL", claimsSEV + "\x00", "not JSON"},
		{"byte order mark", "\ufeff" + claimsSEV, "byte order mark"},
		{"not UTF-8", with("\"request\":{\"a\":\"\xff\"}"), "not UTF-8"},
		{"raw control character", with("\"request\":{\"a\":\"\x01\"}"), "not JSON"},
		{"lone high surrogate", with(`"request":{"a":"\ud800"}`), "lone surrogate"},
		{"lone low surrogate", with(`"request":{"a":"\udc00"}`), "lone surrogate"},
		{"surrogates in the wrong order", with(`"request":{"a":"\udc00\ud800"}`), "lone surrogate"},
		{"two high surrogates", with(`"request":{"a":"\ud800\ud800"}`), "lone surrogate"},
		{"surrogate in a key", with(`"request":{"\ud800":1}`), "lone surrogate"},
		{"key twice", with(`"request":{"a":1,"a":1}`), `/request: the key "a" stands twice`},
		{"key twice by escape", with(`"request":{"a":1,"\u0061":1}`), "stands twice"},
		{"claim twice", with(`"hwmodel":"GCP_INTEL_TDX"`), "stands twice"},
		{"fraction", with(`"request":{"a":1.5}`), "/request/a: 1.5 is not an integer"},
		{"exponent", with(`"request":{"a":1e2}`), "not an integer"},
		{"negative zero", with(`"request":{"a":-0}`), "not an integer"},
		{"beyond 64 bits", with(`"request":{"a":9223372036854775808}`), "not an integer of 64 bits"},
		{"number bomb", with(`"request":{"a":1e999999999}`), "not an integer"},
		{"long number", with(`"request":{"a":` + strings.Repeat("9", 1<<20) + `}`), "not an integer"},
		{"deep", with(`"request":{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`), "deeper than 64"},
		{"deeper", strings.Repeat("[", 1<<20), "not JSON"},
		{"large", strings.Repeat(" ", 4<<20) + claimsSEV, "the limit is 4194304"},
		{"unknown claim", with(`"az_snp_vtpm":{}`), "az_snp_vtpm"},
		{"unknown claim below", with(`"tpm":{"x":1}`), "/tpm"},
		{"wrong type", with(`"secboot":"true"`), "/secboot: got string, want boolean"},
		{"null claim", with(`"secboot":null`), "/secboot: got null"},
		{"request of a string", with(`"request":"x"`), "/request"},
		{"wrong schema", strings.Replace(claimsSEV, "claims/v1", "claims/v2", 1), "/schema"},
		{"unknown value", strings.Replace(claimsSEV, "GCP_AMD_SEV", "GCP_AMD_SEVX", 1), "/hwmodel"},
	} {
		in, err := policy.ParseInput([]byte(tc.raw))
		wantError(t, tc.name, err, tc.want)
		if in.Bytes() != nil {
			t.Errorf("%s: an input beside the error", tc.name)
		}
	}
}

func TestInputOf(t *testing.T) {
	if in, err := policy.InputOf(nil, nil); err == nil || in.Bytes() != nil {
		t.Error("InputOf(nil) is an input")
	}
	c := &claims.Claims{Schema: claims.Schema, Format: "x", VerifiedAt: 1 << 60, Checks: map[string]string{"a": "pass"}}
	in, err := policy.InputOf(c, map[string]any{"secret": "s"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"checks":{"a":"pass"},"format":"x","request":{"secret":"s"},"schema":"attestctl.claims/v1","verified_at":1152921504606846976}`
	if got := string(in.Bytes()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if again := input(t, want); string(again.Bytes()) != want {
		t.Errorf("ParseInput of it = %s", again.Bytes())
	}
}
