package forge

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// jsonForm rewrites a compact token as a JSON serialization of JWS, made by the
// caller of its three segments. The error of encoding strings cannot happen.
func jsonForm(build func(header, payload, signature string) *Object) func(*Token) {
	return compacting(func(raw []byte) []byte {
		s := bytes.Split(raw, []byte("."))
		out, err := encodeJSON(build(string(s[0]), string(s[1]), string(s[2])))
		if err != nil {
			return nil
		}
		return out
	})
}

// jsonFormCases are the two JSON serializations (RFC 7515 7.2). The claims that
// stand outside are what a lenient reader takes for those that are signed.
func jsonFormCases() []Case {
	outer := func(names ...string) func(header, payload, signature string) *Object {
		return func(header, payload, signature string) *Object {
			claims, err := googleClaims(Token{}.orDefault())
			if err != nil {
				return nil
			}
			claims.strip()
			for _, name := range names {
				claims.Delete(name)
			}
			claims.Set("hwmodel", "GCP_INTEL_TDX")
			claims.Set("protected", header)
			claims.Set("payload", payload)
			claims.Set("signature", signature)
			return claims
		}
	}
	stale := claiming(func(o *Object) {
		o.Set("aud", "https://other.example")
		o.Set("iat", Now().Add(-48*time.Hour).Unix())
		o.Set("nbf", Now().Add(-48*time.Hour).Unix())
		o.Set("exp", Now().Add(-47*time.Hour).Unix())
	})
	behind := func(prefix string) func(*Token) {
		return func(t *Token) {
			jsonForm(outer())(t)
			form := t.Edits.Compact
			t.Edits.Compact = func(b []byte) ([]byte, error) {
				out, err := form(b)
				return append([]byte(prefix), out...), err
			}
		}
	}
	plain := func(header, payload, signature string) *Object {
		return &Object{{"protected", header}, {"payload", payload}, {"signature", signature}}
	}
	return slices.Concat(
		inRow(1, "jws_flattened_outer_claims", "token.form",
			Case{Name: "outer_claims", mint: jsonForm(outer())},
			Case{Name: "over_a_stale_token", mint: edits(stale, jsonForm(outer()))},
			Case{Name: "without_aud", mint: jsonForm(outer("aud"))},
			Case{Name: "without_claims", mint: jsonForm(plain)},
			Case{Name: "behind_a_space", mint: behind(" ")},
			Case{Name: "behind_a_line_end", mint: behind("\r\n\n")},
			Case{Name: "behind_a_bom", mint: behind("\xef\xbb\xbf")},
			Case{Name: "claims_alone", mint: compacting(func(b []byte) []byte { return payloadOf(b) })},
		),
		inRow(2, "jws_general_multi_sig", "token.form",
			Case{Name: "good_and_bad", mint: jsonForm(general(true, false))},
			Case{Name: "bad_and_good", mint: jsonForm(general(false, true))},
			Case{Name: "good_twice", mint: jsonForm(general(true, true))},
			Case{Name: "good_alone", mint: jsonForm(general(true))},
			Case{Name: "no_signatures", mint: jsonForm(general())},
		))
}

// general has one signature for each of good, true or of zeros.
func general(good ...bool) func(header, payload, signature string) *Object {
	return func(header, payload, signature string) *Object {
		list := []*Object{}
		for _, ok := range good {
			s := signature
			if !ok {
				s = base64url(make([]byte, 256))
			}
			list = append(list, &Object{{"protected", header}, {"signature", s}})
		}
		return &Object{{"payload", payload}, {"signatures", list}}
	}
}

// algorithmCases: a token that is not signed, or with an algorithm that no
// profile has, whatever is behind the second point.
func algorithmCases() []Case {
	unsigned := func(alg string) func(*Token) {
		return signed(alg, func(s *Signing) { s.Algorithm = "none" })
	}
	named := func(alg string) func(*Token) { return settingHeader("alg", alg) }
	with := func(alg string) func(*Token) { return signed(alg, func(s *Signing) { s.Algorithm = alg }) }
	return inRow(3, "alg_none_and_case_variants", "token.algorithm",
		Case{Name: "none", Check: "token.form", mint: unsigned("none")},
		Case{Name: "None", Check: "token.form", mint: unsigned("None")},
		Case{Name: "NONE", Check: "token.form", mint: unsigned("NONE")},
		Case{Name: "nOnE", Check: "token.form", mint: unsigned("nOnE")},
		Case{Name: "empty", Check: "token.form", mint: unsigned("")},
		Case{Name: "missing", Check: "token.form", mint: heading(func(o *Object) { o.Delete("alg") })},
		Case{Name: "null", Check: "token.form", mint: settingHeader("alg", null())},
		Case{Name: "array", Check: "token.form", mint: settingHeader("alg", []string{"RS256", "none"})},
		Case{Name: "none_and_a_nul", Check: "token.form", mint: named("none\x00")},
		Case{Name: "true_name_unsigned", Check: "token.form", mint: unsigned("RS256")},
		Case{Name: "none_signed", mint: named("none")},
		Case{Name: "None_signed", mint: named("None")},
		Case{Name: "NONE_signed", mint: named("NONE")},
		Case{Name: "nOnE_signed", mint: named("nOnE")},
		Case{Name: "empty_signed", Check: "token.form", mint: named("")},
		Case{Name: "rs256_in_lower_case", mint: named("rs256")},
		Case{Name: "rs384", mint: with("RS384")},
		Case{Name: "rs512", mint: with("RS512")},
		Case{Name: "ps256", mint: with("PS256")},
		Case{Name: "ps384", mint: with("PS384")},
		Case{Name: "es256", mint: named("ES256")},
		Case{Name: "rs256_is_rs512", Check: "token.signature", mint: signed("RS256", func(s *Signing) { s.Algorithm = "RS512" })},
		Case{Name: "rs256_is_ps256", Check: "token.signature", mint: signed("RS256", func(s *Signing) { s.Algorithm = "PS256" })},
	)
}

// spellingCases are one token in another spelling, which is another string and
// would be another use.
func spellingCases() []Case {
	add := func(prefix, suffix string) func(*Token) {
		return compacting(func(b []byte) []byte { return slices.Concat([]byte(prefix), b, []byte(suffix)) })
	}
	inside := func(old, replacement string, n int) func(*Token) {
		return compacting(func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(replacement), n) })
	}
	return inRow(11, "noncanonical_base64_replay", "token.form",
		Case{Name: "unused_bits", mint: compacting(unusedBits)},
		Case{Name: "padding", mint: add("", "==")},
		Case{Name: "padded_header", mint: inside(".", "=.", 1)},
		Case{Name: "two_line_ends", mint: add("", "\n\n")},
		Case{Name: "carriage_return", mint: add("", "\r")},
		Case{Name: "line_end_inside", mint: inside(".", "\n.", 1)},
		Case{Name: "line_end_in_the_signature", mint: compacting(func(b []byte) []byte { return slices.Insert(bytes.Clone(b), len(b)-4, '\n') })},
		Case{Name: "standard_alphabet", mint: inside("_", "/", -1)},
		Case{Name: "space_before", mint: add(" ", "")},
		Case{Name: "space_behind", mint: add("", " ")},
		Case{Name: "bearer", mint: add("Bearer ", "")},
		Case{Name: "bom", mint: add("\xef\xbb\xbf", "")},
		Case{Name: "empty_segment_behind", mint: add("", ".")},
		Case{Name: "quoted", mint: add(`"`, `"`)},
		Case{Name: "line_end", Want: "accepted: it is the end of a line", mint: add("", "\n")},
		Case{Name: "line_end_of_dos", Want: "accepted: it is the end of a line", mint: add("", "\r\n")},
	)
}

// unusedBits sets a bit of the last character that no byte comes from.
func unusedBits(raw []byte) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	out := bytes.Clone(raw)
	last := &out[len(out)-1]
	*last = alphabet[bytes.IndexByte([]byte(alphabet), *last)^1]
	return out
}

// encryptedCases: nothing here decrypts (RFC 7516).
func encryptedCases() []Case {
	return inRow(0, "jwe_instead_of_jws", "token.form",
		Case{Name: "five_segments", mint: compacting(func(b []byte) []byte { return append(bytes.Clone(b), ".AAAA.AAAA"...) })},
		Case{Name: "enc", mint: settingHeader("enc", "A256GCM")},
		Case{Name: "zip", mint: settingHeader("zip", "DEF")},
		Case{Name: "p2c", mint: heading(func(o *Object) {
			o.Set("alg", "PBES2-HS256+A128KW")
			o.Set("p2c", json.Number("2147483647"))
		})},
		Case{Name: "json", mint: jsonForm(func(header, payload, signature string) *Object {
			return &Object{{"protected", header}, {"ciphertext", payload}, {"tag", signature}}
		})},
	)
}
