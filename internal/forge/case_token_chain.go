package forge

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
)

// chained edits the templates of the token's certificates.
func chained(edit func(*TokenChain)) func(*Token) {
	return func(t *Token) { t.Edits.Chain = func(c *TokenChain) error { edit(c); return nil } }
}

// withList edits the list of certificates in the header.
func withList(edit func([]string) []string) func(*Token) {
	return func(t *Token) {
		t.Edits.Header = func(o *Object) error {
			value, _ := o.Get("x5c")
			list, ok := value.([]string)
			if !ok {
				return errors.New("the token carries no certificates")
			}
			o.Set("x5c", edit(slices.Clone(list)))
			return nil
		}
	}
}

// tokenChainCases: three certificates, each for what it is there for, under the
// root that is trusted.
func tokenChainCases() []Case {
	return inRow(5, "embedded_key_headers", "token.chain", of(Token{PKI: true},
		Case{Name: "x5c_of_a_foreign_root", mint: func(t *Token) { t.Authority = "foreign" }},
		Case{Name: "x5c_root_of_the_same_name", mint: chained(func(c *TokenChain) { c.Root.SerialNumber = c.Leaf.SerialNumber })},
		Case{Name: "x5c_leaf_is_an_authority", mint: chained(func(c *TokenChain) { c.Leaf.IsCA = true })},
		Case{Name: "x5c_leaf_for_certificates", mint: chained(func(c *TokenChain) { c.Leaf.KeyUsage = x509.KeyUsageCertSign })},
		Case{Name: "x5c_leaf_for_encryption", mint: chained(func(c *TokenChain) { c.Leaf.KeyUsage = x509.KeyUsageKeyEncipherment })},
		Case{Name: "x5c_leaf_for_servers", mint: chained(func(c *TokenChain) { c.Leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		Case{Name: "x5c_leaf_for_endorsement", mint: chained(func(c *TokenChain) {
			c.Leaf.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ekCertificate()}
		})},
		Case{Name: "x5c_leaf_expired", mint: chained(func(c *TokenChain) { c.Leaf.NotAfter = Now().AddDate(0, 0, -1) })},
		Case{Name: "x5c_leaf_of_tomorrow", mint: chained(func(c *TokenChain) { c.Leaf.NotBefore = Now().AddDate(0, 0, 1) })},
		Case{Name: "x5c_leaf_signed_with_sha384", mint: chained(func(c *TokenChain) { c.Leaf.SignatureAlgorithm = x509.SHA384WithRSA })},
		Case{Name: "x5c_intermediate_expired", mint: chained(func(c *TokenChain) { c.Intermediate.NotAfter = Now().AddDate(0, 0, -1) })},
		Case{Name: "x5c_intermediate_for_everything", mint: chained(func(c *TokenChain) { c.Intermediate.UnknownExtKeyUsage = nil })},
		Case{Name: "x5c_intermediate_for_servers", mint: chained(func(c *TokenChain) {
			c.Intermediate.UnknownExtKeyUsage, c.Intermediate.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})},
		Case{Name: "x5c_intermediate_no_authority", mint: chained(func(c *TokenChain) { c.Intermediate.IsCA, c.Intermediate.KeyUsage = false, 0 })},
		Case{Name: "x5c_intermediate_of_path_length", Want: "accepted: no certificate of an authority follows", mint: chained(func(c *TokenChain) {
			c.Intermediate.MaxPathLenZero = true
		})},
		Case{Name: "x5c_in_reverse", mint: withList(func(l []string) []string { slices.Reverse(l); return l }), Check: "token.chain"},
		Case{Name: "x5c_short_key", Check: "token.key", mint: chained(func(c *TokenChain) { c.LeafKey = RSA1024 })},
		Case{Name: "x5c_exponent_3", Check: "token.key", mint: chained(func(c *TokenChain) { c.LeafKey = RSA2048e3 })},
		Case{Name: "x5c_key_of_a_curve", Check: "token.key", mint: edits(
			chained(func(c *TokenChain) { c.LeafKey = P256 }),
			func(t *Token) { t.Edits.Signing = func(s *Signing) error { s.Algorithm = "ES256"; return nil } })},
		Case{Name: "x5c_of_two", Check: "token.key", mint: withList(func(l []string) []string { return l[:2] })},
		Case{Name: "x5c_of_one", Check: "token.key", mint: withList(func(l []string) []string { return l[:1] })},
		Case{Name: "x5c_of_none", Check: "token.key", mint: withList(func([]string) []string { return []string{} })},
		Case{Name: "x5c_root_twice", Check: "token.key", mint: withList(func(l []string) []string { return append(l, l[2]) })},
		Case{Name: "x5c_of_nine", Check: "token.form", mint: withList(func(l []string) []string { return slices.Concat(l, l, l) })},
		Case{Name: "x5c_in_base64url", Check: "token.key", mint: withList(func(l []string) []string { l[0] = "_" + l[0][1:]; return l })},
		Case{Name: "x5c_followed_by_bytes", Check: "token.key", mint: withList(func(l []string) []string { l[1] += "AAAA"; return l })},
	)...)
}

// foreignChainCases put the trusted root where it proves nothing.
func foreignChainCases(keys *Keys) []Case {
	foreign := func(list func(own, other *TokenPKI) []string) func(*Token) {
		return func(t *Token) {
			t.Authority = "foreign"
			t.Edits.Header = func(o *Object) error {
				own, err := NewTokenPKI(keys, "", Now())
				if err != nil {
					return err
				}
				other, err := NewTokenPKI(keys, "foreign", Now())
				if err == nil {
					o.Set("x5c", list(own, other))
				}
				return err
			}
		}
	}
	return inRow(5, "embedded_key_headers", "token.chain", of(Token{PKI: true},
		Case{Name: "x5c_with_the_root_at_the_end", mint: foreign(func(own, other *TokenPKI) []string {
			return X5C(other.Leaf, other.Intermediate, own.Root)
		})},
		Case{Name: "x5c_with_intermediate_and_root", mint: foreign(func(own, other *TokenPKI) []string {
			return X5C(other.Leaf, own.Intermediate, own.Root)
		})},
		Case{Name: "x5c_with_a_fourth", Check: "token.key", mint: foreign(func(own, other *TokenPKI) []string {
			return X5C(other.Leaf, other.Intermediate, other.Root, own.Root)
		})},
		Case{Name: "x5c_of_another_leaf", Check: "token.signature", mint: foreign(func(own, _ *TokenPKI) []string {
			return X5C(own.Leaf, own.Intermediate, own.Root)
		})},
	)...)
}

// tokenRevocationCases: with a list of the intermediate, the leaf must not be on
// it, and the list must be current.
func tokenRevocationCases(keys *Keys) []Case {
	listed := func(name string, days int, leaf bool) func(*Evidence) error {
		return func(e *Evidence) error {
			pki, err := NewTokenPKI(keys, name, Now())
			if err != nil {
				return err
			}
			var revoked []*x509.Certificate
			if leaf {
				revoked = append(revoked, pki.Leaf)
			}
			e.tokenTrust["token/crls/forge_token.crl"], err = pki.CRL(Now().AddDate(0, 0, days), revoked...)
			return err
		}
	}
	return inRow(5, "embedded_key_headers", "token.revocation", of(Token{PKI: true},
		Case{Name: "x5c_revoked", trust: listed("", 0, true)},
		Case{Name: "x5c_list_of_last_month", trust: listed("", -30, false)},
		Case{Name: "x5c_list_of_another", trust: listed("foreign", 0, false)},
		Case{Name: "x5c_not_revoked", Want: "accepted: token.revocation passes", trust: listed("", 0, false)},
	)...)
}
