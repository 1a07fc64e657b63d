package forge

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
)

// symmetricCases: the public key, which everybody has, as the secret of an HMAC.
func symmetricCases(keys *Keys) []Case {
	var cases []Case
	for _, secret := range publicSecrets(keys) {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			name := secret.name
			if alg != "HS256" {
				name += "_" + strings.ToLower(alg)
			}
			cases = append(cases, Case{Name: name, mint: signed(alg, func(s *Signing) { s.Algorithm, s.Secret = alg, secret.bytes })})
		}
		cases = append(cases,
			Case{Name: secret.name + "_in_lower_case", mint: signed("hs256", func(s *Signing) { s.Algorithm, s.Secret = "HS256", secret.bytes })},
			Case{
				Name: secret.name + "_named_rs256", Check: "token.signature",
				mint: signed("RS256", func(s *Signing) { s.Algorithm, s.Secret = "HS256", secret.bytes }),
			})
	}
	return inRow(4, "hs256_with_rsa_public_key", "token.algorithm", cases...)
}

type publicSecret struct {
	name  string
	bytes []byte
}

// publicSecrets are the spellings of the issuer's public key. None can fail for
// an RSA key of the forge; without one there are no cases, which a test sees.
func publicSecrets(keys *Keys) []publicSecret {
	key, err := keys.tokenKey(GoogleProfile)
	if err != nil {
		return nil
	}
	public, isRSA := key.Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	jwk, err2 := googleJWK(keys, "google")
	if err != nil || err2 != nil || !isRSA {
		return nil
	}
	text, err := encodeJSON(jwk)
	if err != nil {
		return nil
	}
	return []publicSecret{
		{"pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})},
		{"der", der},
		{"n", public.N.Bytes()},
		{"jwk", text},
	}
}

// own signs with a key of another and puts into the header what would verify it.
func own(keys *Keys, edit func(*Object, *TokenPKI) error) func(*Token) {
	return func(t *Token) {
		other := "foreign"
		t.Edits.Header = func(o *Object) error {
			pki, err := NewTokenPKI(keys, other, Now())
			if err != nil {
				return err
			}
			return edit(o, pki)
		}
		t.Edits.Signing = func(s *Signing) error {
			pki, err := NewTokenPKI(keys, other, Now())
			if err == nil {
				s.Key = pki.key
			}
			return err
		}
	}
}

func ownMember(keys *Keys, name string, value any) func(*Token) {
	return own(keys, func(o *Object, _ *TokenPKI) error { o.Set(name, value); return nil })
}

// embeddedKeyCases: the key comes from the token, or from where the token says.
func embeddedKeyCases(keys *Keys) []Case {
	const evil = "https://attacker.attestctl-forge.example/certs"
	jwk := func(o *Object, pki *TokenPKI) error {
		key, err := publicJWK(pki.Leaf.PublicKey)
		o.Set("jwk", key)
		return err
	}
	chain := func(o *Object, pki *TokenPKI) error {
		o.Set("x5c", X5C(pki.Leaf, pki.Intermediate, pki.Root))
		return nil
	}
	otherEC := func(t *Token) {
		key := func() (*Signing, error) {
			k, err := keys.Key("token foreign ear", P256)
			return &Signing{Key: k}, err
		}
		t.Edits.Header = func(o *Object) error {
			s, err := key()
			if err != nil {
				return err
			}
			public, err := publicJWK(s.Key.Public())
			o.Set("jwk", public)
			return err
		}
		t.Edits.Signing = func(s *Signing) error {
			k, err := key()
			if err == nil {
				s.Key = k.Key
			}
			return err
		}
	}
	return inRow(5, "embedded_key_headers", "token.form",
		Case{Name: "jwk", mint: own(keys, jwk)},
		Case{Name: "jku", mint: ownMember(keys, "jku", evil)},
		Case{Name: "x5u", mint: ownMember(keys, "x5u", evil)},
		Case{Name: "x5c", Check: "token.chain", mint: own(keys, chain)},
		Case{Name: "x5c_self_signed", Check: "token.key", mint: own(keys, func(o *Object, pki *TokenPKI) error {
			o.Set("x5c", X5C(pki.Root))
			return nil
		})},
		Case{Name: "x5t", mint: ownMember(keys, "x5t", "AAAA")},
		Case{Name: "x5t_s256", mint: ownMember(keys, "x5t#S256", "AAAA")},
		Case{Name: "none_of_them", Check: "token.signature", mint: own(keys, func(*Object, *TokenPKI) error { return nil })},
		Case{Name: "jku_of_a_true_token", mint: settingHeader("jku", evil)},
		Case{Name: "jku_where_tokens_have_it", Check: "token.signature", token: &Token{Profile: AzureProfile}, mint: ownMember(keys, "jku", evil)},
		Case{
			Name: "jku_of_another", Want: "accepted: nothing is fetched from it",
			token: &Token{Profile: AzureProfile}, mint: settingHeader("jku", evil),
		},
		Case{Name: "jwk_where_tokens_have_it", Check: "token.signature", token: &Token{Profile: TrusteeEAR}, mint: otherEC},
	)
}

// criticalCases: extensions that a reader must understand, or else refuse.
func criticalCases() []Case {
	return inRow(10, "crit_and_b64_false", "token.form",
		Case{Name: "crit", mint: settingHeader("crit", []string{"x"})},
		Case{Name: "crit_of_a_member", mint: heading(func(o *Object) { o.Set("crit", []string{"x"}); o.Set("x", true) })},
		Case{Name: "crit_empty", mint: settingHeader("crit", []string{})},
		Case{Name: "crit_twice", mint: heading(func(o *Object) { *o = append(*o, Member{"crit", []string{"x"}}, Member{"crit", []string{}}) })},
		Case{Name: "crit_and_b64_false", mint: heading(func(o *Object) { o.Set("crit", []string{"b64"}); o.Set("b64", false) })},
		Case{Name: "b64_false", mint: settingHeader("b64", false)},
		Case{Name: "b64_true", mint: settingHeader("b64", true)},
		Case{Name: "unknown_member", mint: settingHeader("x", true)},
	)
}

// typeCases: another class of token of the same issuer (RFC 8725 3.11).
func typeCases() []Case {
	return inRow(0, "typ_and_cty", "token.form",
		Case{Name: "access_token", mint: settingHeader("typ", "at+jwt")},
		Case{Name: "security_event", mint: settingHeader("typ", "secevent+jwt")},
		Case{Name: "jose", mint: settingHeader("typ", "JOSE")},
		Case{Name: "empty_typ", mint: settingHeader("typ", "")},
		Case{Name: "typ_is_a_number", mint: settingHeader("typ", 1)},
		Case{Name: "nested", mint: settingHeader("cty", "JWT")},
		Case{Name: "no_typ", Want: "accepted: typ is optional", mint: heading(func(o *Object) { o.Delete("typ") })},
	)
}

// keyIDCases: kid picks one key of the issuer or none, and is no path or query.
func keyIDCases(keys *Keys) []Case {
	kid := func(value any) func(*Token) { return settingHeader("kid", value) }
	inSet := func(old, replacement string) func(*Evidence) error {
		return func(e *Evidence) error {
			for path, data := range e.tokenTrust {
				e.tokenTrust[path] = bytes.ReplaceAll(data, []byte(old), []byte(replacement))
			}
			return nil
		}
	}
	return slices.Concat(
		inRow(0, "kid_injection", "token.form",
			Case{Name: "path", mint: kid("../../etc/passwd")},
			Case{Name: "sql", mint: kid("' OR 1=1 --")},
			Case{Name: "nul", mint: kid(hexKid("google", 20)(keys) + "\x00")},
			Case{Name: "empty", mint: kid("")},
			Case{Name: "long", mint: kid(strings.Repeat("a", 257))},
			Case{Name: "mebibyte", mint: kid(strings.Repeat("a", 1<<20))},
			Case{Name: "number", mint: kid(1)},
			Case{Name: "null", mint: kid(null())},
			Case{Name: "array", mint: kid([]string{hexKid("google", 20)(keys)})},
			Case{Name: "unknown", Check: "token.key", mint: kid(strings.Repeat("0", 40))},
			Case{Name: "upper_case", Check: "token.key", mint: kid(strings.ToUpper(hexKid("google", 20)(keys)))},
			Case{Name: "prefix", Check: "token.key", mint: kid(hexKid("google", 20)(keys)[:39])},
			Case{Name: "missing", Check: "token.key", mint: heading(func(o *Object) { o.Delete("kid") })},
			Case{Name: "of_the_next_key", Check: "token.signature", mint: kid(hexKid("google next", 20)(keys))},
		),
		inRow(0, "key_of_the_issuer", "token.key",
			Case{Name: "without_algorithm", trust: inSet(`"alg": "RS256",`, "")},
			Case{Name: "of_another_issuer", trust: inSet(GoogleIssuer, intelIssuer)},
			Case{Name: "for_another_algorithm", token: &Token{Profile: IntelProfile}, trust: inSet("PS384", "RS256")},
			Case{Name: "none", trust: func(e *Evidence) error { clear(e.tokenTrust); return nil }},
		))
}
