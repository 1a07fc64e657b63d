package forge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// payloadOf decodes the second segment of a compact token; nil where there is
// none.
func payloadOf(compact []byte) []byte {
	segments := bytes.Split(compact, []byte("."))
	if len(segments) != 3 {
		return nil
	}
	out, err := base64.RawURLEncoding.DecodeString(string(segments[1]))
	if err != nil {
		return nil
	}
	return out
}

// first puts members before all others, so that they come first to whoever takes
// the first of two; last is for whoever takes the last.
func first(members string) func(*Token) {
	return encoding(func(b []byte) []byte { return append([]byte("{"+members+","), b[1:]...) })
}

func last(members string) func(*Token) {
	return encoding(func(b []byte) []byte { return append(bytes.Clone(b[:len(b)-1]), ","+members+"}"...) })
}

// duplicateCases: two readers of one token must see one value.
func duplicateCases() []Case {
	twice := func(name string, value any) func(*Token) {
		return heading(func(o *Object) { *o = append(*o, Member{name, value}) })
	}
	return inRow(9, "dup_and_case_variant_claims", "token.form",
		Case{Name: "hwmodel_first", mint: first(`"hwmodel":"GCP_INTEL_TDX"`)},
		Case{Name: "hwmodel_last", mint: last(`"hwmodel":"GCP_INTEL_TDX"`)},
		Case{Name: "aud_first", mint: first(`"aud":"https://other.example"`)},
		Case{Name: "aud_last", mint: last(`"aud":"https://other.example"`)},
		Case{Name: "same_value", mint: last(`"oemid":11129`)},
		Case{Name: "exp", mint: last(`"exp":4102444800`)},
		Case{Name: "eat_nonce", mint: last(`"eat_nonce":"nonce-of-another"`)},
		Case{Name: "escaped_name", mint: last(`"hw\u006dodel":"GCP_INTEL_TDX"`)},
		Case{Name: "upper_case", mint: last(`"HWMODEL":"GCP_INTEL_TDX"`)},
		Case{Name: "capital", mint: last(`"Aud":"https://other.example"`)},
		Case{Name: "folded_by_unicode", mint: last(`"i\u017fs":"https://other.example"`)},
		Case{Name: "kelvin_sign", mint: last(`"e\u212a":1,"ek":2`)},
		Case{Name: "at_depth", mint: last(`"x":[{"y":{"z":1,"z":2}}]`)},
		Case{Name: "submods", mint: last(`"submods":{}`)},
		Case{Name: "in_submods", mint: claiming(func(o *Object) {
			gce := o.Child("submods").Child("gce")
			*gce = append(*gce, Member{"project_id", "another-project"})
		})},
		Case{Name: "in_submods_upper_case", mint: claiming(func(o *Object) {
			gce := o.Child("submods").Child("gce")
			*gce = append(*gce, Member{"Project_ID", "another-project"})
		})},
		Case{Name: "in_an_environment", token: new(space()), mint: claiming(func(o *Object) {
			env := o.Child("submods").Child("container").Child("env")
			*env = append(*env, Member{"PATH", "/evil"})
		})},
		Case{Name: "header_alg", mint: twice("alg", "none")},
		Case{Name: "header_kid", mint: twice("kid", strings.Repeat("0", 40))},
		Case{Name: "header_in_upper_case", mint: twice("KID", strings.Repeat("0", 40))},
		Case{Name: "environment_in_two_cases", token: new(space()), Want: "accepted: the container's env has both names", mint: claiming(func(o *Object) {
			env := o.Child("submods").Child("container").Child("env")
			env.Set("HTTP_PROXY", "a")
			env.Set("http_proxy", "b")
		})},
	)
}

// tokenBombCases cost more to read than they are worth.
func tokenBombCases() []Case {
	return inRow(0, "token_bombs", "token.form",
		Case{Name: "too_long", mint: setting("x", strings.Repeat("a", 64<<10))},
		Case{Name: "mebibytes", mint: setting("x", strings.Repeat("a", 2<<20))},
		Case{Name: "deep", mint: last(`"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000))},
		Case{Name: "deep_objects", mint: last(`"x":` + strings.Repeat(`{"y":`, 99) + "1" + strings.Repeat("}", 99))},
		Case{Name: "many_members", mint: claiming(func(o *Object) {
			for i := range 300 {
				o.Set("claim-"+string(rune('a'+i/26))+string(rune('a'+i%26)), i)
			}
		})},
		Case{Name: "many_values", mint: last(`"x":[` + strings.Repeat("1,", 20000) + "1]")},
		Case{Name: "long_number", mint: last(`"x":` + strings.Repeat("1", 400))},
		Case{Name: "huge_exponent", mint: last(`"x":1e999999`)},
		Case{Name: "two_objects", mint: encoding(func(b []byte) []byte { return append(bytes.Clone(b), "{}"...) })},
		Case{Name: "array", mint: encoding(func(b []byte) []byte { return append(append([]byte("["), b...), ']') })},
		Case{Name: "bom", mint: encoding(func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) })},
		Case{Name: "utf16", mint: encoding(func(b []byte) []byte { return append([]byte("\xff\xfe"), ucs2(string(b))...) })},
		Case{Name: "not_utf8", mint: last("\"x\":\"\xff\"")},
		Case{Name: "half_a_surrogate_pair", mint: last(`"x":"\ud800"`)},
		Case{Name: "empty", mint: encoding(func([]byte) []byte { return nil })},
	)
}

// lookalikeCases are other strings that look like the right one.
func lookalikeCases() []Case {
	composed := of(Token{Audience: "https://caf\u00e9.example"},
		Case{Name: "aud_decomposed", Check: "token.audience", mint: setting("aud", "https://cafe\u0301.example")},
	)
	return inRow(0, "unicode_lookalikes", "token.claims", append(composed,
		Case{Name: "aud_zero_width", Check: "token.audience", mint: setting("aud", "https://ver\u200bifier.example")},
		Case{Name: "aud_homoglyph", Check: "token.audience", mint: setting("aud", strings.Replace(DefaultAudience, "e", "\u0435", 1))},
		Case{Name: "project_zero_width", mint: claiming(func(o *Object) {
			o.Child("submods").Child("gce").Set("project_id", "attestctl\u200b-forge")
		})},
		Case{Name: "project_homoglyph", mint: claiming(func(o *Object) {
			o.Child("submods").Child("gce").Set("project_id", "\u0430ttestctl-forge")
		})},
	)...)
}

// subjectCases: sub and submods.gce name one instance.
func subjectCases() []Case {
	gce := func(name, value string) func(*Token) {
		return claiming(func(o *Object) { o.Child("submods").Child("gce").Set(name, value) })
	}
	i := DefaultInstance()
	i.Name = "another-vm"
	return inRow(0, "sub_of_another_instance", "token.claims",
		Case{Name: "sub", mint: setting("sub", i.url())},
		Case{Name: "project", mint: gce("project_id", "another-project")},
		Case{Name: "zone", mint: gce("zone", "us-central1-a")},
		Case{Name: "instance_name", mint: gce("instance_name", "another-vm")},
		Case{Name: "no_instance_name", mint: claiming(func(o *Object) { o.Child("submods").Child("gce").Delete("instance_name") })},
		Case{Name: "number", mint: setting("sub", 1)},
		Case{Name: "another_shape", Want: "accepted: sub names no instance", mint: setting("sub", "someone")},
		Case{Name: "no_gce", Want: "accepted: no submods.gce", mint: setting("submods", &Object{})},
	)
}

// claimTypeCases: a claim of another type is an error, never an absent one.
func claimTypeCases() []Case {
	in := func(value any, path ...string) func(*Token) {
		return claiming(func(o *Object) {
			for _, name := range path[:len(path)-1] {
				o = o.Child(name)
			}
			o.Set(path[len(path)-1], value)
		})
	}
	return inRow(0, "claim_of_another_type", "token.claims", of(space(),
		Case{Name: "secboot_string", mint: in("true", "secboot")},
		Case{Name: "secboot_null", mint: in(null(), "secboot")},
		Case{Name: "hwmodel_array", mint: in([]string{"GCP_AMD_SEV"}, "hwmodel")},
		Case{Name: "swname_object", mint: in(&Object{}, "swname")},
		Case{Name: "swversion_string", mint: in("250800", "swversion")},
		Case{Name: "oemid_string", mint: in("11129", "oemid")},
		Case{Name: "oemid_float", mint: in(json.Number("11129.5"), "oemid")},
		Case{Name: "attester_tcb_string", mint: in("INTEL", "attester_tcb")},
		Case{Name: "service_accounts_string", mint: in("a@b.example", "google_service_accounts")},
		Case{Name: "submods_array", mint: in([]string{}, "submods")},
		Case{Name: "container_null", mint: in(null(), "submods", "container")},
		Case{Name: "project_number_number", mint: in(424242424242, "submods", "gce", "project_number")},
		Case{Name: "env_of_numbers", mint: in(&Object{{"A", 1}}, "submods", "container", "env")},
		Case{Name: "args_string", mint: in("/workload", "submods", "container", "args")},
		Case{Name: "support_attributes_string", mint: in("STABLE", "submods", "confidential_space", "support_attributes")},
		Case{Name: "memory_string", mint: in("false", "submods", "confidential_space", "monitoring_enabled", "memory")},
		Case{Name: "image_signatures_of_strings", mint: in([]string{"x"}, "submods", "container", "image_signatures")},
		Case{Name: "unknown_claim", Want: "accepted: token.future_claim is the string 9007199254740993", mint: in(json.Number("9007199254740993"), "future_claim")},
		Case{Name: "nulls_of_2023", Want: "accepted: no env_override", mint: claiming(func(o *Object) {
			o.Child("submods").Child("container").Set("env_override", nil)
			o.Child("submods").Child("container").Set("cmd_override", nil)
		})},
	)...)
}
