package token_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/token"
)

// good is the positive twin of every case below.
func good() []byte { return mint("RS256", rsaKey(), header("RS256", nil), googleClaims()) }

func TestParse(t *testing.T) {
	raw := good()
	for name, in := range map[string][]byte{"plain": raw, "LF": append(bytes.Clone(raw), '\n'), "CRLF": append(bytes.Clone(raw), "\r\n"...)} {
		tok, err := token.Parse(in)
		if err != nil {
			t.Errorf("%s: Parse = %v, want nil", name, err)
			continue
		}
		if _, err := token.Verify(tok, googleWant(t)); err != nil {
			t.Errorf("%s: Verify = %v, want nil", name, err)
		}
		if tok.UntrustedAlgorithm() != "RS256" || tok.UntrustedKeyID() != mintKid || tok.UntrustedIssuer() != token.GoogleIssuer {
			t.Errorf("%s: Untrusted = %q %q %q", name, tok.UntrustedAlgorithm(), tok.UntrustedKeyID(), tok.UntrustedIssuer())
		}
	}
	clone := bytes.Clone(raw)
	tok := parse(t, clone)
	clear(clone)
	if _, err := token.Verify(tok, googleWant(t)); err != nil {
		t.Errorf("Verify after the input was overwritten = %v, want nil", err)
	}
}

// Tokens that no library may ever see. Every one carries a true signature over
// what a lenient reader would take for its content.
func TestParseRefuses(t *testing.T) {
	raw := good()
	part := bytes.Split(raw, []byte("."))
	flattened := jsonOf(with(googleClaims(), object{"protected": string(part[0]), "payload": string(part[1]), "signature": string(part[2])}))
	general := jsonOf(object{"payload": string(part[1]), "signatures": []object{
		{"protected": string(part[0]), "signature": "AAAA"},
		{"protected": string(part[0]), "signature": string(part[2])},
	}})
	claims := jsonOf(googleClaims())
	h := jsonOf(header("RS256", nil))
	signed := func(header, payload string) []byte {
		return mintRaw("RS256", rsaKey(), []byte(header), []byte(payload))
	}
	payload := func(extra string) []byte { return signed(string(h), extra+string(claims[1:])) }
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"JW-01 flattened json", flattened, "json serialization"},
		{"JW-01 after white space", append([]byte(" \n"), flattened...), "json serialization"},
		{"JW-01 after a bom", append([]byte("\xef\xbb\xbf"), flattened...), "json serialization"},
		{"JW-43 general json", general, "json serialization"},
		{"bare claims", claims, "json serialization"},
		{"JW-22 jwe", append(bytes.Clone(raw), ".AAAA.AAAA"...), "five segments"},
		{"two segments", bytes.Join(part[:2], []byte(".")), "2 segments"},
		{"no input", nil, "1 segments"},
		{"empty header", bytes.Join([][]byte{nil, part[1], part[2]}, []byte(".")), "header is empty"},
		{"empty payload", bytes.Join([][]byte{part[0], nil, part[2]}, []byte(".")), "payload is empty"},
		{"empty signature", bytes.Join([][]byte{part[0], part[1], nil}, []byte(".")), "signature is empty"},
		{"JW-34 too long", append(bytes.Clone(raw), bytes.Repeat([]byte("A"), token.MaxSize)...), "at most 65536"},
		{"JW-26 padding", append(bytes.Clone(raw), "=="...), "canonical"},
		{"JW-26 two line ends", append(bytes.Clone(raw), "\n\n"...), "line end"},
		{"JW-26 line end inside", bytes.Replace(raw, []byte("."), []byte("\n."), 1), "line end"},
		{"JW-26 standard alphabet", bytes.ReplaceAll(raw, part[2][:1], []byte("+")), "canonical"},
		{"JW-26 trailing bits", trailingBits(raw), "canonical"},
		{"JW-44 white space before", append([]byte(" "), raw...), "canonical"},
		{"JW-44 bearer", append([]byte("Bearer "), raw...), "canonical"},
		{"JW-24 alg twice", signed(`{"alg":"none",`+string(h[1:]), string(claims)), `members "alg" and "alg"`},
		{"JW-24 kid in two cases", signed(`{"KID":"x",`+string(h[1:]), string(claims)), `members "KID" and "kid"`},
		{"JW-23 aud twice", payload(`{"aud":"x",`), `members "aud" and "aud"`},
		{"JW-23 escaped name", payload(`{"hw\u006dodel":"x",`), `members "hwmodel" and "hwmodel"`},
		{"JW-25 other case", payload(`{"HWMODEL":"x",`), `members "HWMODEL" and "hwmodel"`},
		{"JW-25 folded by unicode", payload(`{"iſs":"x",`), `members "i\u017fs" and "iss"`},
		{"JW-23 at depth", payload(`{"a":[{"b":{"c":1,"c":2}}],`), `members "c" and "c"`},
		{"duplicate in env", payload(`{"a":{"env":{"P":"1","P":"2"}},`), `members "P" and "P"`},
		{"claims are an array", signed(string(h), `[`+string(claims)+`]`), "not a json object"},
		{"two objects", signed(string(h), string(claims)+string(claims)), "after the object"},
		{"payload with bom", signed(string(h), "\xef\xbb\xbf"+string(claims)), "not a json object"},
		{"payload not utf-8", payload("{\"a\":\"\xff\","), "utf-8"},
		{"half a surrogate pair", payload(`{"a":"\ud800",`), "surrogate"},
		{"line end in a string", payload("{\"a\":\"x\n\","), "not a json string"},
		{"line end after an escape", payload("{\"a\":\"\\t\n\","), "not a json string"},
		{"JW-34 deep", payload(`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `,`), "levels"},
		{"huge exponent", payload(`{"a":1e99999,`), "number"},
		{"long number", payload(`{"a":` + strings.Repeat("1", 40) + `,`), "number"},
		{"leading zero", payload(`{"a":01,`), "number"},
	} {
		tok, err := token.Parse(c.raw)
		if err == nil || tok != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Parse = %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// trailingBits sets the bits of the last character that no byte comes from.
func trailingBits(raw []byte) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bad := bytes.Clone(raw)
	last := &bad[len(bad)-1]
	*last = alphabet[strings.IndexByte(alphabet, *last)^1]
	return bad
}

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name   string
		header any
		want   string // empty: accepted
	}{
		{"as google", header("RS256", nil), ""},
		{"no typ", header("RS256", object{"typ": nil}), ""},
		{"no kid", header("RS256", object{"kid": nil}), ""},
		{"kid of azure", header("RS256", object{"kid": "jNolL7YTrRkDIukgm3on/fz5uMi9kjxhfUBTh6Or8No="}), ""},
		{"jku, never used", header("RS256", object{"jku": "https://evil.example"}), ""},
		{"JW-03 none", header("none", nil), "no signature"},
		{"JW-03 nOnE", header("nOnE", nil), "no signature"},
		{"JW-03 empty", header("", nil), "no alg"},
		{"JW-03 missing", header("", object{"alg": nil}), "no alg"},
		{"alg is a number", object{"alg": 1}, "alg is a number"},
		{"alg is no name", header("RS256\x00", nil), "not the name"},
		{"JW-20 crit", header("RS256", object{"crit": []string{"x"}}), "critical"},
		{"JW-20 empty crit", header("RS256", object{"crit": []string{}}), "critical"},
		{"JW-21 b64", header("RS256", object{"b64": false}), "unencoded"},
		{"JW-05 x5u", header("RS256", object{"x5u": "https://evil.example"}), "never fetched"},
		{"JW-22 enc", header("RS256", object{"enc": "A128GCM"}), "encrypted"},
		{"JW-22 zip", header("RS256", object{"zip": "DEF"}), "encrypted"},
		{"JW-35 cty", header("RS256", object{"cty": "JWT"}), `unknown member "cty"`},
		{"x5t", header("RS256", object{"x5t": "AAAA"}), `unknown member "x5t"`},
		{"JW-35 typ", header("RS256", object{"typ": "at+jwt"}), "want \"JWT\""},
		{"JW-35 empty typ", header("RS256", object{"typ": ""}), "want \"JWT\""},
		{"JW-33 path", header("RS256", object{"kid": "../../etc/passwd"}), "kid"},
		{"JW-33 sql", header("RS256", object{"kid": "' OR 1=1"}), "kid"},
		{"JW-33 nul", header("RS256", object{"kid": "a\x00"}), "kid"},
		{"JW-33 empty", header("RS256", object{"kid": ""}), "kid"},
		{"JW-33 long", header("RS256", object{"kid": strings.Repeat("a", 257)}), "kid"},
		{"JW-33 number", header("RS256", object{"kid": 1}), "kid is a number"},
		{"x5c is a string", header("RS256", object{"x5c": "AAAA"}), "x5c is a string"},
		{"x5c of numbers", header("RS256", object{"x5c": []int{1}}), "x5c holds a number"},
		{"x5c of many", header("RS256", object{"x5c": make([]string, 9)}), "9 certificates"},
		{"jku is an object", header("RS256", object{"jku": object{}}), "jku is an object"},
		{"jwk is a string", header("RS256", object{"jwk": "x"}), "jwk is a string"},
	} {
		_, err := token.Parse(mint("RS256", rsaKey(), c.header, googleClaims()))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: Parse = %v, want %q", c.name, err, c.want)
		}
	}
}

// JW-04: the public key as the secret of an HMAC, in every spelling of the key,
// under its own name and under the name of the expected algorithm.
func TestHMACWithPublicKey(t *testing.T) {
	public := &rsaKey().PublicKey
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "der": der,
		"modulus": public.N.Bytes(), "jwk": jsonOf(rsaJWK(public, nil)),
	}
	for name, secret := range secrets {
		for _, alg := range []string{"HS256", "HS384", "HS512", "hs256", "RS256"} {
			input := b64(jsonOf(header(alg, nil))) + "." + b64(jsonOf(googleClaims()))
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			tok, err := token.Parse([]byte(input + "." + b64(mac.Sum(nil))))
			if alg != "RS256" {
				if !errors.Is(err, token.ErrAlgorithm) {
					t.Errorf("%s as secret of %s: Parse = %v, want %v", name, alg, err, token.ErrAlgorithm)
				}
				continue
			}
			if _, err := token.Verify(tok, googleWant(t)); !errors.Is(err, token.ErrSignature) {
				t.Errorf("%s as secret of an hmac named RS256: Verify = %v, want %v", name, err, token.ErrSignature)
			}
		}
	}
}

// Every algorithm outside the profile's list ends at token.algorithm, before a
// key is looked up, though the signature is a true one.
func TestAlgorithm(t *testing.T) {
	for alg, key := range map[string]crypto.Signer{
		"RS384": rsaKey(), "PS384": rsaKey(), "ES256": ecKey(), "ES384": ec384Key(), "RS1": rsaKey(), "rs256": rsaKey(), "EdDSA": rsaKey(),
	} {
		_, steps := token.Appraise(parse(t, mint(alg, key, header(alg, nil), googleClaims())), googleWant(t))
		failed, notRun := failing(steps)
		if fmt.Sprint(failed) != "[token.algorithm]" || fmt.Sprint(notRun) != "[token.key token.chain token.revocation token.signature]" {
			t.Errorf("%s: failed %v, not run %v", alg, failed, notRun)
		}
	}
}

// A signature of one algorithm is none of another: the header's alg decides
// nothing beyond what the profile and the key allow.
func TestAlgorithmConfusion(t *testing.T) {
	want := foreign(itaIssuer, mintAud, "nonce-of-the-test", mintTime, nil)
	claims := with(googleClaims(), object{"iss": itaIssuer})
	for _, c := range []struct {
		signed, named, key string
		failed             string
	}{
		{"PS384", "PS384", "PS384", "[]"},
		{"RS256", "RS256", "RS256", "[]"},
		{"PS384", "PS384", "RS256", "[token.key]"},
		{"RS256", "PS384", "PS384", "[token.signature]"},
		{"PS384", "RS256", "RS256", "[token.signature]"},
	} {
		want.Keys.JWKS = keySet(t, rsaJWK(&rsaKey().PublicKey, object{"alg": c.key}))
		_, steps := token.Appraise(parse(t, mint(c.signed, rsaKey(), header(c.named, nil), claims)), want)
		if failed, _ := failing(steps); fmt.Sprint(failed) != c.failed {
			t.Errorf("signed with %s, named %s, key for %s: failed %v, want %s", c.signed, c.named, c.key, failed, c.failed)
		}
	}
}

// Errors never carry the token or key material.
func TestErrorsAreDiscreet(t *testing.T) {
	const canary = "canarycanarycanarycanarycanarycanary"
	secret := jsonOf(object{"keys": []object{rsaJWK(&rsaKey().PublicKey, object{"d": canary})}})
	if _, err := token.ParseJWKS(secret); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("ParseJWKS of a private key = %v", err)
	}
	raw := mint("RS256", otherRSAKey(), header("RS256", nil), with(googleClaims(), object{"eat_nonce": canary}))
	_, steps := token.Appraise(parse(t, raw), googleWant(t))
	for _, s := range steps {
		if s.Err != nil && (strings.Contains(s.Err.Error(), canary) || bytes.Contains(raw, []byte(s.Err.Error()))) {
			t.Errorf("%s: %v", s.ID, s.Err)
		}
	}
}
