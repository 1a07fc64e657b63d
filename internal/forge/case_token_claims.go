package forge

import (
	"encoding/json"
	"strings"
	"time"
)

func audienceCases() []Case {
	aud := func(value any) func(*Token) { return setting("aud", value) }
	return inRow(6, "aud_missing_other_array", "token.audience",
		Case{Name: "missing", mint: without("aud")},
		Case{Name: "other", mint: aud("https://other.example")},
		Case{Name: "prefix", mint: aud(DefaultAudience[:len(DefaultAudience)-1])},
		Case{Name: "longer", mint: aud(DefaultAudience + "/x")},
		Case{Name: "slash", mint: aud(DefaultAudience + "/")},
		Case{Name: "upper_case", mint: aud(strings.ToUpper(DefaultAudience))},
		Case{Name: "space", mint: aud(DefaultAudience + " ")},
		Case{Name: "empty", mint: aud("")},
		Case{Name: "empty_array", mint: aud([]string{})},
		Case{Name: "others", mint: aud([]string{"https://a.example", "https://b.example"})},
		Case{Name: "ours_and_another", mint: aud([]string{DefaultAudience, "https://other.example"})},
		Case{Name: "another_and_ours", mint: aud([]string{"https://other.example", DefaultAudience})},
		Case{Name: "null", mint: aud(null())},
		Case{Name: "number", mint: aud(1)},
		Case{Name: "array_with_a_number", mint: aud([]any{DefaultAudience, 1})},
		Case{Name: "nested_array", mint: aud([][]string{{DefaultAudience}})},
		Case{Name: "object", mint: aud(&Object{{DefaultAudience, true}})},
		Case{Name: "array_of_one", Want: "accepted: aud is the one audience", mint: aud([]string{DefaultAudience})},
	)
}

func issuerCases() []Case {
	iss := func(value any) func(*Token) { return setting("iss", value) }
	return inRow(7, "iss_variants", "token.issuer",
		Case{Name: "missing", mint: without("iss")},
		Case{Name: "slash", mint: iss(GoogleIssuer + "/")},
		Case{Name: "http", mint: iss("http" + strings.TrimPrefix(GoogleIssuer, "https"))},
		Case{Name: "upper_case", mint: iss(strings.ToUpper(GoogleIssuer))},
		Case{Name: "userinfo", mint: iss(GoogleIssuer + "@attacker.example")},
		Case{Name: "port", mint: iss(GoogleIssuer + ":443")},
		Case{Name: "subdomain", mint: iss(GoogleIssuer + ".attacker.example")},
		Case{Name: "homoglyph", mint: iss(strings.Replace(GoogleIssuer, "o", "\u043e", 1))},
		Case{Name: "zero_width", mint: iss(GoogleIssuer + "\u200b")},
		Case{Name: "staging", mint: iss("https://staging-confidentialcomputing.sandbox.googleapis.com")},
		Case{Name: "another_issuer", mint: iss(intelIssuer)},
		Case{Name: "empty", mint: iss("")},
		Case{Name: "null", mint: iss(null())},
		Case{Name: "number", mint: iss(1)},
		Case{Name: "array", mint: iss([]string{GoogleIssuer})},
		Case{Name: "another_tenant", token: &Token{Profile: AzureProfile}, mint: iss("https://other.weu.attest.azure.net")},
	)
}

// timeCases are relative to when honest tokens are issued, a minute before they
// are verified.
func timeCases() []Case {
	at := func(d time.Duration) int64 { return Now().Add(d).Unix() }
	number := func(s string) json.Number { return json.Number(s) }
	times := func(iat, nbf, exp time.Duration) func(*Token) {
		return claiming(func(o *Object) { o.Set("iat", at(iat)); o.Set("nbf", at(nbf)); o.Set("exp", at(exp)) })
	}
	return inRow(8, "exp_missing_string_huge_past", "token.time",
		Case{Name: "missing", mint: without("exp")},
		Case{Name: "string", mint: setting("exp", "1767229200")},
		Case{Name: "float", mint: setting("exp", number("1767229200.5"))},
		Case{Name: "exponent", mint: setting("exp", number("1767229200e0"))},
		Case{Name: "huge", mint: setting("exp", number("1e30"))},
		Case{Name: "beyond_64_bits", mint: setting("exp", number("9223372036854775808"))},
		Case{Name: "beyond_dates", mint: setting("exp", int64(253402300800))},
		Case{Name: "negative", mint: setting("exp", -1)},
		Case{Name: "null", mint: setting("exp", null())},
		Case{Name: "true", mint: setting("exp", true)},
		Case{Name: "array", mint: setting("exp", []int64{at(time.Hour)})},
		Case{Name: "in_ten_years", mint: setting("exp", Now().AddDate(10, 0, 0).Unix())},
		Case{Name: "after_a_day_and_a_second", mint: setting("exp", at(24*time.Hour+time.Second))},
		Case{Name: "past", mint: times(-2*time.Hour, -2*time.Hour, -time.Hour)},
		Case{Name: "half_a_minute_past", mint: setting("exp", at(30*time.Second))},
		Case{Name: "iat_missing", mint: without("iat")},
		Case{Name: "iat_string", mint: setting("iat", "1767225600")},
		Case{Name: "iat_in_an_hour", mint: times(time.Hour, 0, 2*time.Hour)},
		Case{Name: "iat_after_exp", mint: times(80*time.Second, 0, 70*time.Second)},
		Case{Name: "iat_negative", mint: setting("iat", -1)},
		Case{Name: "nbf_missing", mint: without("nbf")},
		Case{Name: "nbf_string", mint: setting("nbf", "1767225600")},
		Case{Name: "nbf_in_an_hour", mint: setting("nbf", at(time.Hour))},
		Case{Name: "nbf_after_exp", mint: setting("nbf", at(2*time.Hour))},
		Case{Name: "a_little_past", Want: "accepted: clocks differ by 30 seconds", mint: setting("exp", at(31*time.Second))},
		Case{Name: "a_little_early", Want: "accepted: clocks differ by 30 seconds", mint: times(90*time.Second, 90*time.Second, time.Hour)},
		Case{Name: "nbf_older_than_iat", Want: "accepted: nbf is an hour before iat", mint: setting("nbf", at(-time.Hour))},
		Case{Name: "after_a_day", Want: "accepted: no token is for longer", mint: setting("exp", at(24*time.Hour))},
	)
}

// nonceShapeCases: the expected nonce is one of the list that the claim is,
// wherever it stands.
func nonceShapeCases() []Case {
	nonce := tokenNonce(NewKeys(DefaultSeed))
	is := func(value any) func(*Token) { return setting("eat_nonce", value) }
	others := []string{"nonce-number-1", "nonce-number-2", "nonce-number-3", "nonce-number-4", "nonce-number-5"}
	return inRow(13, "nonce_shapes", "token.nonce",
		Case{Name: "string", Want: "accepted: eat_nonce is the one nonce", mint: is(nonce)},
		Case{Name: "array_of_one", Want: "accepted: eat_nonce is the one nonce", mint: is([]string{nonce})},
		Case{Name: "first_of_two", Want: "accepted: eat_nonce has both nonces", mint: is([]string{nonce, others[0]})},
		Case{Name: "last_of_six", Want: "accepted: eat_nonce has six nonces", mint: is(append(others[:5:5], nonce))},
		Case{Name: "missing", mint: without("eat_nonce")},
		Case{Name: "other", mint: is(others[0])},
		Case{Name: "others", mint: is(others)},
		Case{Name: "longer", mint: is(nonce + "x")},
		Case{Name: "shorter", mint: is(nonce[1:])},
		Case{Name: "upper_case", mint: is(strings.ToUpper(nonce))},
		Case{Name: "joined", mint: is(nonce + "," + others[0])},
		Case{Name: "zero_width", mint: is(nonce + "\u200b")},
		Case{Name: "empty", mint: is("")},
		Case{Name: "empty_array", mint: is([]string{})},
		Case{Name: "null", mint: is(null())},
		Case{Name: "number", mint: is(1)},
		Case{Name: "object", mint: is(&Object{{"nonce", nonce}})},
		Case{Name: "member_name", mint: is(&Object{{nonce, true}})},
		Case{Name: "nested_array", mint: is([][]string{{nonce}})},
		Case{Name: "array_with_a_number", mint: is([]any{nonce, 1})},
		Case{Name: "claim_of_another_name", mint: claiming(func(o *Object) { o.Delete("eat_nonce"); o.Set("nonce", nonce) })},
	)
}

// debugImageCases are genuine, and what a policy must deny.
func debugImageCases() []Case {
	debug := *space().Machine
	debug.Boot.CommandLine = strings.Replace(HardenedCommandLine, "hardened=true", "hardened=false", 1)
	support := func(list ...string) func(*Token) {
		return claiming(func(o *Object) { o.Child("submods").Child("confidential_space").Set("support_attributes", list) })
	}
	return inRow(14, "debug_image_token", "token.claims", of(space(),
		Case{Name: "debug_image", Want: "accepted: dbgstat is enabled", mint: func(t *Token) { t.Machine = &debug }},
		Case{Name: "claim_absent", Want: "accepted: no dbgstat", mint: without("dbgstat")},
		Case{Name: "enabled", Want: "accepted: dbgstat is enabled", mint: setting("dbgstat", "enabled")},
		Case{Name: "enable", Want: "accepted: dbgstat is enable", mint: setting("dbgstat", "enable")},
		Case{Name: "disabled", Want: "accepted: dbgstat is disabled", mint: setting("dbgstat", "disabled")},
		Case{Name: "upper_case", Want: "accepted: dbgstat is DISABLED-SINCE-BOOT", mint: setting("dbgstat", "DISABLED-SINCE-BOOT")},
		Case{Name: "empty", Want: "accepted: no dbgstat", mint: setting("dbgstat", "")},
		Case{Name: "array", mint: setting("dbgstat", []string{"disabled-since-boot"})},
		Case{Name: "boolean", mint: setting("dbgstat", false)},
		Case{Name: "null", mint: setting("dbgstat", null())},
		Case{Name: "not_supported", Want: "accepted: no support_attributes", mint: claiming(func(o *Object) {
			o.Child("submods").Child("confidential_space").Delete("support_attributes")
		})},
		Case{Name: "experimental", Want: "accepted: support_attributes is EXPERIMENTAL", mint: support("EXPERIMENTAL")},
		Case{Name: "unstable", Want: "accepted: support_attributes is UNSTABLE", mint: support("UNSTABLE")},
	)...)
}
