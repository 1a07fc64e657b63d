package token_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence/token"
)

// checkOnly appraises raw and wants it verified, or exactly one step failed with
// the words.
func checkOnly(t *testing.T, name string, raw []byte, want token.Expect, step, words string) {
	t.Helper()
	v, steps := token.Appraise(parse(t, raw), want)
	failed, _ := failing(steps)
	if words == "" {
		if v == nil || len(failed) != 0 {
			t.Errorf("%s: failed %v, want nothing: %v", name, failed, steps)
		}
		return
	}
	if v != nil || !slices.Equal(failed, []string{step}) {
		t.Errorf("%s: failed %v, want %s alone", name, failed, step)
	}
	_, err := token.Verify(parse(t, raw), want)
	if err == nil || !strings.HasPrefix(err.Error(), step+": ") || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: Verify = %v, want %s with %q", name, err, step, words)
	}
}

func mintGoogle(changes object) []byte {
	return mint("RS256", rsaKey(), header("RS256", nil), with(googleClaims(), changes))
}

func earClaims() object {
	return object{"iat": mintIat, "eat_profile": "tag:x", "submods": object{"cpu": object{}}}
}

func earWant(tb testing.TB) token.Expect {
	tb.Helper()
	k, err := token.ParseKey(jsonOf(ecJWK(tb, &ecKey().PublicKey, object{"kid": nil})))
	if err != nil {
		tb.Fatal(err)
	}
	return ear(k, mintTime)
}

// Each change of a claim is refused by the one step that it concerns.
func TestClaimRows(t *testing.T) {
	huge := "9223372036854775808"
	for _, c := range []struct {
		name    string
		changes object
		step    string
		words   string // empty: verified
	}{
		{"as it is", nil, "", ""},
		{"JW-09 no exp", object{"exp": nil}, token.StepTime, "exp is missing"},
		{"JW-42 no iat", object{"iat": nil}, token.StepTime, "iat is missing"},
		{"no nbf", object{"nbf": nil}, token.StepTime, "nbf is missing"},
		{"JW-09 ten years", object{"exp": mintIat + 315360000}, token.StepTime, "at most 24h"},
		{"24 hours", object{"exp": mintIat + 86400}, "", ""},
		{"a second more", object{"exp": mintIat + 86401}, token.StepTime, "at most 24h"},
		{"JW-27 exp is a string", object{"exp": "1764712236"}, token.StepTime, "exp is a string"},
		{"JW-27 exp is a float", object{"exp": 1764712236.5}, token.StepTime, "not an integer"},
		{"JW-27 exp is 1e30", object{"exp": 1e30}, token.StepTime, "not an integer"},
		{"JW-27 exp is 2^63", object{"exp": rawJSON(huge)}, token.StepTime, "not an integer"},
		{"JW-27 exp has an exponent", object{"exp": rawJSON("1764712236e0")}, token.StepTime, "not an integer"},
		{"JW-27 exp is past any date", object{"exp": 253402300800}, token.StepTime, "out of range"},
		{"JW-27 exp is null", object{"exp": rawJSON("null")}, token.StepTime, "exp is null"},
		{"JW-27 iat is negative", object{"iat": -1}, token.StepTime, "out of range"},
		{"JW-27 nbf is a string", object{"nbf": "1"}, token.StepTime, "nbf is a string"},
		{"JW-42 iat after exp", object{"iat": mintIat + 60, "nbf": mintIat + 60, "exp": mintIat + 59}, token.StepTime, "exp is before"},
		{"exp before iat", object{"nbf": mintIat - 3600, "exp": mintIat - 1}, token.StepTime, "exp is before"},
		{"nbf after exp", object{"nbf": mintIat + 3601}, token.StepTime, "exp is before"},
		{"JW-28 iat in an hour", object{"iat": mintIat + 3600}, token.StepTime, "not valid yet"},
		{"JW-28 nbf in an hour", object{"nbf": mintIat + 3600}, token.StepTime, "not valid yet"},
		{"older nbf", object{"nbf": mintIat - 3600}, "", ""},
		{"JW-08 no iss", object{"iss": nil}, token.StepIssuer, "iss is missing"},
		{"JW-08 slash", object{"iss": token.GoogleIssuer + "/"}, token.StepIssuer, "issuer is"},
		{"JW-08 http", object{"iss": "http" + token.GoogleIssuer[5:]}, token.StepIssuer, "issuer is"},
		{"JW-08 upper case", object{"iss": strings.ToUpper(token.GoogleIssuer)}, token.StepIssuer, "issuer is"},
		{"JW-08 user", object{"iss": token.GoogleIssuer + "@evil.example"}, token.StepIssuer, "issuer is"},
		{"JW-08 homoglyph", object{"iss": strings.Replace(token.GoogleIssuer, "o", "о", 1)}, token.StepIssuer, `\u043e`},
		{"JW-08 other", object{"iss": itaIssuer}, token.StepIssuer, "issuer is"},
		{"JW-60 iss is an array", object{"iss": []string{token.GoogleIssuer}}, token.StepIssuer, "an array"},
		{"JW-60 iss is null", object{"iss": rawJSON("null")}, token.StepIssuer, "null"},
		{"JW-07 no aud", object{"aud": nil}, token.StepAudience, "aud is missing"},
		{"JW-07 other", object{"aud": "https://other.example"}, token.StepAudience, "not for the audience"},
		{"JW-07 prefix", object{"aud": mintAud + "/x"}, token.StepAudience, "not for the audience"},
		{"JW-07 case", object{"aud": strings.ToUpper(mintAud)}, token.StepAudience, "not for the audience"},
		{"JW-07 empty", object{"aud": ""}, token.StepAudience, "not for the audience"},
		{"JW-07 empty array", object{"aud": []string{}}, token.StepAudience, "not for the audience"},
		{"JW-07 array of one", object{"aud": []string{mintAud}}, "", ""},
		{"JW-07 other and ours", object{"aud": []string{"x", mintAud}}, token.StepAudience, "2 audiences"},
		{"JW-60 aud is null", object{"aud": rawJSON("null")}, token.StepAudience, "null"},
		{"JW-60 aud of numbers", object{"aud": []any{mintAud, 1}}, token.StepAudience, "a number"},
		{"JW-29 no nonce", object{"eat_nonce": nil}, token.StepNonce, "missing"},
		{"JW-29 other", object{"eat_nonce": "other-nonce"}, token.StepNonce, "not among the 1"},
		{"JW-29 substring", object{"eat_nonce": "xnonce-of-the-testx"}, token.StepNonce, "not among"},
		{"JW-29 one of an array", object{"eat_nonce": []string{"a", "nonce-of-the-test", "b"}}, "", ""},
		{"JW-29 none of an array", object{"eat_nonce": []string{"a", "b"}}, token.StepNonce, "not among the 2"},
		{"JW-29 number", object{"eat_nonce": 1}, token.StepNonce, "a number"},
		{"JW-29 object", object{"eat_nonce": object{"a": "nonce-of-the-test"}}, token.StepNonce, "an object"},
		{"JW-29 mixed array", object{"eat_nonce": []any{"nonce-of-the-test", 1}}, token.StepNonce, "a number"},
		{"JW-41 sub of another instance", object{"sub": "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/j"}, token.StepClaims, "another instance"},
		{"sub of another shape", object{"sub": "x"}, "", ""},
		{"secboot is a string", object{"secboot": "true"}, token.StepClaims, "secboot is a string, want a boolean"},
		{"hwmodel is an array", object{"hwmodel": []string{"GCP_AMD_SEV"}}, token.StepClaims, "hwmodel is an array"},
		{"hwmodel is null", object{"hwmodel": rawJSON("null")}, token.StepClaims, "hwmodel is null"},
		{"swversion is a string", object{"swversion": "1"}, token.StepClaims, "swversion is a string"},
		{"dbgstat is a boolean", object{"dbgstat": false}, token.StepClaims, "dbgstat is a boolean"},
		{"oemid is a float", object{"oemid": 1.5}, token.StepClaims, "oemid is not an integer"},
		{"submods is an array", object{"submods": []string{}}, token.StepClaims, "submods is an array"},
		{"env of numbers", object{"submods": object{"container": object{"env": object{"A": 1}}}}, token.StepClaims, "submods.container.env holds a number"},
		{"memory is a string", object{"submods": object{"confidential_space": object{"monitoring_enabled": object{"memory": "no"}}}}, token.StepClaims, "memory is a string"},
		{"image signature is a string", object{"submods": object{"container": object{"image_signatures": []string{"x"}}}}, token.StepClaims, "image_signatures holds a string"},
		{"tdx is a string", object{"tdx": "UpToDate"}, token.StepClaims, "tdx is a string"},
		{"nulls of 2023", object{"submods": object{"container": object{"env_override": rawJSON("null"), "cmd_override": rawJSON("null")}}}, "", ""},
	} {
		checkOnly(t, c.name, mintGoogle(c.changes), googleWant(t), c.step, c.words)
	}
}

// rawJSON is JSON that is minted as it is.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// What the caller expects decides, and what it does not say accepts nothing.
func TestExpectations(t *testing.T) {
	raw := good()
	for _, c := range []struct {
		name   string
		change func(*token.Expect)
		step   string
		words  string
	}{
		{"no audience", func(e *token.Expect) { e.Audience = "" }, token.StepAudience, "no audience"},
		{"audience and none", func(e *token.Expect) { e.NoAudience = true }, token.StepAudience, "not both"},
		{"none of google", func(e *token.Expect) { e.Audience, e.NoAudience = "", true }, token.StepAudience, "always name"},
		{"no nonce", func(e *token.Expect) { e.Nonce = "" }, token.StepNonce, "no nonce"},
		{"nonce and none", func(e *token.Expect) { e.NoNonce = true }, token.StepNonce, "not both"},
		{"none, and there is one", func(e *token.Expect) { e.Nonce, e.NoNonce = "", true }, token.StepNonce, "carries a nonce"},
		{"no time", func(e *token.Expect) { e.Now = time.Time{} }, token.StepTime, "no time"},
		{"30 seconds early", func(e *token.Expect) { e.Now = time.Unix(mintIat-30, 0) }, "", ""},
		{"31 seconds early", func(e *token.Expect) { e.Now = time.Unix(mintIat-31, 0) }, token.StepTime, "not valid yet"},
		{"29 seconds late", func(e *token.Expect) { e.Now = time.Unix(mintIat+3629, 0) }, "", ""},
		{"30 seconds late", func(e *token.Expect) { e.Now = time.Unix(mintIat+3630, 0) }, token.StepTime, "expired"},
		{"the profile by name", func(e *token.Expect) { e.Profile = token.Google }, "", ""},
		{"no issuer", func(e *token.Expect) { e.NoIssuer = true }, token.StepIssuer, "want none"},
		{"not the issuer", func(e *token.Expect) { e.Issuer, e.Keys.Issuer = "", "" }, token.StepIssuer, "no profile"},
		{"staging", func(e *token.Expect) { e.Issuer = "https://staging-confidentialcomputing.sandbox.googleapis.com" }, token.StepIssuer, "no profile"},
		{"other profile", func(e *token.Expect) { e.Profile = token.AzureMAA }, token.StepIssuer, "not one of profile"},
		{"unknown profile", func(e *token.Expect) { e.Profile = "x" }, token.StepIssuer, "not one of profile"},
		{"google as ear", func(e *token.Expect) { e.Profile = token.EAR }, token.StepIssuer, "has the profile google"},
	} {
		want := googleWant(t)
		c.change(&want)
		checkOnly(t, c.name, raw, want, c.step, c.words)
	}
	want := googleWant(t)
	want.SharedAudience = true
	checkOnly(t, "shared audience", mintGoogle(object{"aud": []string{"x", mintAud}}), want, "", "")
	checkOnly(t, "shared by others", mintGoogle(object{"aud": []string{"x", "y"}}), want, token.StepAudience, "not for")
	want = googleWant(t)
	want.Nonce, want.NoNonce = "", true
	checkOnly(t, "no nonce at all", mintGoogle(object{"eat_nonce": nil}), want, "", "")
	_, steps := token.Appraise(parse(t, raw), token.Expect{})
	if failed, notRun := failing(steps); len(failed)+len(notRun) != len(steps) || len(failed) != 1 {
		t.Errorf("the zero Expect: %v, want nothing passed", steps)
	}
	if _, err := token.Verify(nil, googleWant(t)); err == nil || !strings.HasPrefix(err.Error(), token.StepForm) {
		t.Errorf("Verify(nil) = %v, want an error of %s", err, token.StepForm)
	}
}

// Nothing of one issuer is accepted under another, though the key is the same.
func TestIssuersApart(t *testing.T) {
	k := keySet(t, rsaJWK(&rsaKey().PublicKey, nil))
	issuers := []string{token.GoogleIssuer, itaIssuer, "https://portal.eu.trustauthority.intel.com", "https://a.attest.azure.net", "https://b.attest.azure.net"}
	for _, is := range issuers {
		raw := mintGoogle(object{"iss": is, "nonce": "nonce-of-the-test"})
		for _, asked := range issuers {
			want := foreign(asked, mintAud, "nonce-of-the-test", mintTime, k)
			words := ""
			if is != asked {
				words = "issuer is"
			}
			checkOnly(t, is+" as "+asked, raw, want, token.StepIssuer, words)
		}
	}
}

func TestEAR(t *testing.T) {
	named := earWant(t)
	named.Issuer, named.NoIssuer, named.Keys.Issuer = "https://veraison.example", false, "https://veraison.example"
	two := named
	two.Keys.Key, two.Keys.JWKS = nil, keySet(t, ecJWK(t, &ecKey().PublicKey, nil))
	other := named
	other.Keys.Key = &token.Key{ID: "other", Public: named.Keys.Key.Public}
	both := two
	both.Keys.Key = named.Keys.Key
	neither := named
	neither.Issuer, neither.Keys.Issuer = "", ""
	sign := func(alg string, changes object) []byte {
		return mint(alg, ecKey(), header(alg, object{"kid": nil}), with(earClaims(), changes))
	}
	iss := object{"iss": "https://veraison.example"}
	for _, c := range []struct {
		name  string
		raw   []byte
		want  token.Expect
		step  string
		words string
	}{
		{"no issuer", sign("ES256", nil), earWant(t), "", ""},
		{"an issuer, want none", sign("ES256", iss), earWant(t), token.StepIssuer, "want none"},
		{"issuer", sign("ES256", iss), named, "", ""},
		{"no issuer, want one", sign("ES256", nil), named, token.StepIssuer, "missing"},
		{"neither said", sign("ES256", nil), neither, token.StepIssuer, "not both"},
		{"key set", mint("ES256", ecKey(), header("ES256", nil), with(earClaims(), iss)), two, "", ""},
		{"key of another kid", mint("ES256", ecKey(), header("ES256", nil), with(earClaims(), iss)), other, token.StepKey, "no such key"},
		{"key of another kid, token of none", sign("ES256", iss), other, "", ""},
		{"key set and key", sign("ES256", iss), both, token.StepKey, "only one"},
		{"exp", sign("ES256", object{"exp": mintIat + 300}), earWant(t), "", ""},
		{"expired", sign("ES256", object{"exp": mintIat + 10}), earWant(t), token.StepTime, "expired"},
		{"an audience, want none", sign("ES256", object{"aud": "x"}), earWant(t), token.StepAudience, "want one for none"},
		{"p-256 key named es384", sign("ES384", nil), earWant(t), token.StepKey, "not for the algorithm"},
	} {
		checkOnly(t, c.name, c.raw, c.want, c.step, c.words)
	}
	late := earWant(t)
	late.Now = time.Unix(mintIat, 0).Add(24*time.Hour + token.Skew)
	checkOnly(t, "a day without exp", sign("ES256", nil), late, token.StepTime, "expired")
}

func TestProfileFor(t *testing.T) {
	for issuer, want := range map[string]string{
		token.GoogleIssuer: token.Google,
		itaIssuer:          token.IntelTrustAuthority,
		"https://portal.eu.trustauthority.intel.com":  token.IntelTrustAuthority,
		"https://sharedweu.weu.test.attest.azure.net": token.AzureMAA,
		"": "", "https://": "", token.GoogleIssuer + "/": "", "https://attest.azure.net": "", "https://.attest.azure.net": "",
		"http://a.attest.azure.net": "", "https://a.attest.azure.net/": "", "https://a.attest.azure.net:443": "", "https://A.attest.azure.net": "",
		"https://evil.example/.attest.azure.net": "", "https://u@a.attest.azure.net": "", "https://a.attest.azure.net.evil.example": "",
		"https://a..attest.azure.net": "", "https://portal.ap.trustauthority.intel.com": "",
	} {
		p, err := token.ProfileFor(issuer)
		if p.Name != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, token.ErrUnknownIssuer) {
			t.Errorf("ProfileFor(%q) = %q, %v, want %q", issuer, p.Name, err, want)
		}
	}
	p, err := token.ProfileFor(token.GoogleIssuer)
	if err != nil {
		t.Fatal(err)
	}
	p.Algorithms[0] = "none"
	if p, err = token.ProfileFor(token.GoogleIssuer); err != nil || p.Algorithms[0] != "RS256" {
		t.Error("a change of the returned profile changes the table")
	}
}

func TestClaims(t *testing.T) {
	v, err := token.Verify(parse(t, good()), googleWant(t))
	if err != nil {
		t.Fatal(err)
	}
	yes, no, oem, nbf, exp := true, false, int64(11129), int64(mintIat), int64(mintIat+3600)
	want := token.Claims{
		Issuer: token.GoogleIssuer, Audience: []string{mintAud}, IssuedAt: mintIat, NotBefore: &nbf, Expires: &exp,
		Subject:  "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i",
		EATNonce: []string{"nonce-of-the-test"}, EATProfile: "https://profile.example",
		HWModel: "GCP_INTEL_TDX", SWName: "CONFIDENTIAL_SPACE", SWVersion: []string{"250800"}, SecBoot: &yes,
		DbgStat: "disabled-since-boot", OEMID: &oem, AttesterTCB: []string{"INTEL"},
		GoogleServiceAccounts: []string{"a@p.iam.gserviceaccount.com"},
		TDX:                   &token.TDX{GCPAttesterTCBStatus: "UpToDate", GCPAttesterTCBDate: "2024-03-13T00:00:00Z"},
		Submods: &token.Submods{
			GCE:               &token.GCE{Zone: "z", ProjectID: "p", ProjectNumber: "1", InstanceName: "i", InstanceID: "9007199254740993"},
			ConfidentialSpace: &token.ConfidentialSpace{SupportAttributes: []string{"LATEST", "STABLE", "USABLE"}, MonitoringMemory: &no},
			NVIDIAGPU:         &token.NVIDIAGPU{CCMode: "ON"},
			Container: &token.Container{
				ImageReference: "r", ImageDigest: "sha256:00", ImageID: "sha256:01", RestartPolicy: "Never", Args: []string{"a"},
				Env: map[string]string{"HTTP_PROXY": "1", "http_proxy": "2"}, EnvOverride: map[string]string{"K": "V"}, CmdOverride: []string{"c"},
				ImageSignatures: []token.ImageSignature{{KeyID: "k", Signature: "s", Algorithm: "ECDSA_P256_SHA256"}},
			},
		},
	}
	if diff := cmp.Diff(want, v.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(v.Raw()["new_claim"]); got != "9007199254740993" {
		t.Errorf("unknown claim = %s, want all its digits", got)
	}
	if v.KeyID != mintKid || v.Algorithm != "RS256" || v.ValidUntil.Unix() != exp || v.Chain != nil {
		t.Errorf("Verified = %+v", v)
	}
}

// The steps are always the same and in the same order.
func TestSteps(t *testing.T) {
	want := []string{
		"token.form", "token.algorithm", "token.key", "token.chain", "token.revocation", "token.signature",
		"token.time", "token.issuer", "token.audience", "token.nonce", "token.claims",
	}
	for _, e := range []token.Expect{googleWant(t), {}, earWant(t)} {
		var ids []string
		_, steps := token.Appraise(parse(t, good()), e)
		for _, s := range steps {
			ids = append(ids, s.ID)
			if (s.Status == token.Fail) != (s.Err != nil) || (s.Status == token.Skip || s.Status == token.NotRun) != (s.Detail != "") {
				t.Errorf("step %+v does not say why", s)
			}
		}
		if !slices.Equal(ids, want) {
			t.Errorf("steps = %v, want %v", ids, want)
		}
	}
}
