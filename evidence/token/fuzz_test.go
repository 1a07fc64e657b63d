package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence/token"
)

// On error nothing is returned. On success the input is the one spelling of what
// was decoded, and nothing verifies but what was signed.
func FuzzParse(f *testing.F) {
	raw := good()
	seeds := map[string]bool{string(raw): true}
	f.Add(raw)
	f.Add(append(bytes.Clone(raw), "\r\n"...))
	f.Add(newPKI(f, nil).token())
	f.Add(mint("ES256", ecKey(), header("ES256", object{"kid": nil, "jwk": ecJWK(f, &ecKey().PublicKey, nil)}), earClaims()))
	f.Add([]byte(`{"payload":"e30","protected":"e30","signature":"AA"}`))
	want := googleWant(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		tok, err := token.Parse(in)
		if (err == nil) != (tok != nil) {
			t.Fatalf("Parse = %v, %v", tok, err)
		}
		if err != nil {
			return
		}
		line := strings.TrimSuffix(strings.TrimSuffix(string(in), "\n"), "\r")
		var again []string
		for s := range strings.SplitSeq(line, ".") {
			b, err := base64.RawURLEncoding.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, b64(b))
		}
		if strings.Join(again, ".") != line || len(again) != 3 {
			t.Error("accepts two encodings")
		}
		if v, steps := token.Appraise(tok, want); v != nil && !seeds[line] {
			t.Errorf("a token that nobody signed verifies: %v", steps)
		}
		if tok.DescribeUnverified()[0].Path != "verified" {
			t.Error("description is not labelled")
		}
	})
}

// What is loaded has only keys that can verify, each under its own name.
func FuzzJWKS(f *testing.F) {
	f.Add(jsonOf(object{"keys": []object{rsaJWK(&rsaKey().PublicKey, nil)}}))
	f.Add(jsonOf(object{"keys": []object{azureKey(f), ecJWK(f, &ecKey().PublicKey, object{"kid": "a", "alg": "ES256"})}}))
	f.Add(jsonOf(ecJWK(f, &ec384Key().PublicKey, object{"kid": nil})))
	f.Fuzz(func(t *testing.T, in []byte) {
		var keys []token.Key
		set, err := token.ParseJWKS(in)
		if (err == nil) != (set != nil) {
			t.Fatalf("ParseJWKS = %v, %v", set, err)
		}
		seen := map[string]bool{}
		for _, k := range set.Keys() {
			if k.ID == "" || seen[k.ID] {
				t.Errorf("kid %q is empty or there twice", k.ID)
			}
			seen[k.ID] = true
			keys = append(keys, k)
		}
		if err == nil && len(keys) == 0 {
			t.Error("a set without keys")
		}
		if k, err := token.ParseKey(in); err == nil {
			keys = append(keys, *k)
		} else if k != nil {
			t.Errorf("ParseKey = %v, %v", k, err)
		}
		for _, k := range keys {
			switch p := k.Public.(type) {
			case *rsa.PublicKey:
				if p.E != 65537 || p.N.BitLen() < 2048 || p.N.BitLen() > 8192 {
					t.Errorf("rsa key of %d bits, exponent %d", p.N.BitLen(), p.E)
				}
			case *ecdsa.PublicKey:
				if _, err := p.ECDH(); err != nil {
					t.Errorf("ec key: %v", err)
				}
			default:
				t.Errorf("key is a %T", k.Public)
			}
		}
	})
}

// A payload that is accepted means to encoding/json what it means here, and the
// typed claims are those of the payload.
func FuzzClaims(f *testing.F) {
	f.Add(jsonOf(googleClaims()))
	f.Add(jsonOf(with(googleClaims(), object{"aud": []string{mintAud}, "eat_nonce": []string{"a", "nonce-of-the-test"}})))
	f.Add([]byte(`{"a":[1,-0,1.5e3,"\u0041\ud83d\ude00\n",true,false,null,{}]}`))
	want := googleWant(f)
	head := jsonOf(header("RS256", nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		tok, err := token.Parse([]byte(b64(head) + "." + b64(payload) + ".AAAA"))
		if err != nil {
			return
		}
		if !json.Valid(payload) {
			t.Fatalf("accepts what is not json: %q", payload)
		}
		if diff := cmp.Diff(decodeJSON(t, payload), tok.UntrustedClaims()); diff != "" {
			t.Errorf("differs from encoding/json (-want +got):\n%s", diff)
		}
		tok = parse(t, mintRaw("RS256", rsaKey(), head, payload))
		v, steps := token.Appraise(tok, want)
		if v == nil {
			if failed, _ := failing(steps); len(failed) == 0 {
				t.Error("no result and no reason")
			}
			return
		}
		raw := v.Raw()
		if raw["iss"] != v.Claims.Issuer || raw["iss"] != token.GoogleIssuer {
			t.Errorf("iss is %v, claims say %q", raw["iss"], v.Claims.Issuer)
		}
		for name, got := range map[string]string{
			"sub": v.Claims.Subject, "hwmodel": v.Claims.HWModel, "swname": v.Claims.SWName, "dbgstat": v.Claims.DbgStat,
		} {
			if want, _ := raw[name].(string); want != got {
				t.Errorf("%s is %v, claims say %q", name, raw[name], got)
			}
		}
		if b, ok := raw["secboot"].(bool); ok != (v.Claims.SecBoot != nil) || ok && b != *v.Claims.SecBoot {
			t.Errorf("secboot is %v, claims say %v", raw["secboot"], v.Claims.SecBoot)
		}
	})
}
