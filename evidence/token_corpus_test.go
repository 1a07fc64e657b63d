package evidence_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
)

const (
	oakNonce   = "a nonce between 10 and 74 characters"
	flareNonce = "ddc4a47a2e998f5fd3e9b87fd3aa89b3176308a27f851dbb705d849c3d55248c"
	synddAud   = "https://synddb-sequencer.example.com"
)

// realToken is a token of the corpus with what it was made for, and the checks
// that must fail; none means that it is genuine.
type realToken struct {
	id, file string
	want     evidence.TokenExpect
	at       string
	failing  []string
}

// google expects a token of Google's.
func google(aud, nonce string) evidence.TokenExpect {
	x := evidence.TokenExpect{Issuer: evidence.GoogleIssuer, Audience: aud, Nonce: nonce}
	if nonce == "" {
		x.Without = []string{"nonce"}
	}
	return x
}

func ofIssuer(issuer string) evidence.TokenExpect {
	return evidence.TokenExpect{Issuer: issuer, Without: []string{"nonce", "audience"}}
}

const today = "2026-11-23T12:00:00Z"

// realTokens are the tokens of the corpus with the verdicts of its manifest.
func realTokens() []realToken {
	ear := evidence.TokenExpect{Profile: "ear", Without: []string{"issuer", "audience", "nonce"}}
	return []realToken{
		{"f-synddb-token0", "synddb-token0.jwt", google(synddAud, ""), "2025-12-02T20:51:00Z", nil},
		{"f-synddb-token0", "synddb-token0.jwt", google(synddAud, ""), today, []string{"token.time"}},
		{"f-synddb-token0", "synddb-token0.jwt", google("https://other.example", ""), "2025-12-02T20:51:00Z", []string{"token.audience"}},
		{"f-oak-pki-valid", "oak-pki-valid.jwt", google("https://echo.oak.dev", oakNonce), "2025-06-23T14:23:00Z", nil},
		{"f-oak-pki-valid", "oak-pki-valid.jwt", google("https://echo.oak.dev", oakNonce), today, []string{"token.chain", "token.time"}},
		{"f-oak-pki-valid", "oak-pki-valid.jwt", google("https://echo.oak.dev", ""), "2025-06-23T14:23:00Z", []string{"token.nonce"}},
		{"f-oak-pki-invalid", "oak-pki-invalid-signature.jwt", google("https://echo.oak.dev", oakNonce), "2025-06-23T14:23:00Z", []string{"token.signature"}},
		{
			"f-oak-selfsigned-valid", "oak-selfsigned-minimal.jwt", google("https://echo.oak.dev", "5c87f751c1b2f41af55df1fbe5ba3335f7a0840ef7e2779006999303c6627f45"),
			"2025-07-01T00:00:00Z",
			[]string{"token.key", "token.time", "token.issuer", "token.audience"},
		},
		{"f-flare-pki-2", "flare-pki-2.jwt", google("https://sts.google.com", flareNonce), "2025-02-17T10:40:00Z", nil},
		{"f-flare-pki-2", "flare-pki-2.jwt", google("https://sts.google.com", flareNonce), today, []string{"token.chain", "token.time"}},
		{
			"f-salrashid-envoy", "salrashid-selfissued.jwt", google("https://some_audience", "othernonce"), "2023-10-22T00:00:00Z",
			[]string{"token.key", "token.time", "token.issuer"}, // it lives for a year
		},
		{"f-maa-msft-snp", "maa-sevsnp-2025.jwt", ofIssuer("https://sharedweu.weu.test.attest.azure.net"), "2025-04-08T05:00:00Z", []string{"token.key"}},
		{"f-eigenx-ita", "eigenx-ita-gcp-tdx.jwt", evidence.TokenExpect{
			Issuer: "https://portal.trustauthority.intel.com", Audience: "EigenX KMS", Nonce: "9ccb652b39639ed816c8860b33e45f2abf7880eee25db7fd0e3b6be78de53cb3",
		}, "2025-10-24T21:43:00Z", []string{"token.key"}},
		{
			"f-ear-veraison-1", "ear-veraison-1.jwt", ear, "2022-10-18T11:10:00Z", nil,
		},
		{"f-ear-veraison-1", "ear-veraison-1.jwt", ear, today, []string{"token.time"}},
		{
			"f-ear-trustee", "ear-trustee-2025.jwt", ear, "2025-07-09T11:06:00Z", []string{"token.signature"}, // by a key of its own header
		},
	}
}

// tokenTrust has every key there is: Google's saved set and root, and the one
// key of the EARs.
func tokenTrust(tb testing.TB) *evidence.Trust {
	tb.Helper()
	trust, err := embeddedTrust(tb).WithJWKS(evidence.GoogleIssuer, corpus.Read(tb, "f-jwt/synddb-jwks.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if trust, err = trust.WithTokenKey(corpus.Read(tb, "f-jwt/ear-pkey.jwk.json")); err != nil {
		tb.Fatal(err)
	}
	return trust
}

// TestRealTokens gives the genuine tokens of the corpus the verdicts of its
// manifest, and refuses the others by the check that says why.
func TestRealTokens(t *testing.T) {
	trust := tokenTrust(t)
	for _, c := range realTokens() {
		t.Run(c.id+" "+c.at, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			data := corpus.Read(t, "f-jwt/"+c.file)
			res, err := verify(data, trust, evidence.Expect{Now: at, Token: c.want})
			var failing []string
			for _, f := range res.Failures() {
				failing = append(failing, f.ID)
			}
			if !slices.Equal(failing, c.failing) {
				t.Errorf("failing %v, want %v", failing, c.failing)
			}
			if (err == nil) != (len(c.failing) == 0) || (res.Claims == nil) != (err != nil) || res.Format != "jwt" {
				t.Errorf("verdict %v of format %s, claims %t, error %v", res.Verdict, res.Format, res.Claims != nil, err)
			}
			if err == nil {
				checkTokenClaims(t, res)
			}
		})
	}
}

// checkTokenClaims: of a token alone nothing is claimed that only raw evidence
// proves, and the check of every part that there is not is skipped.
func checkTokenClaims(t *testing.T, res *evidence.Result) {
	t.Helper()
	c := res.Claims
	if c.TPM != nil || c.Boot != nil || c.TEE != nil || len(c.Token) == 0 || c.Iat == nil {
		t.Errorf("tpm %t, boot %t, tee %t beside a token of %d claims", c.TPM != nil, c.Boot != nil, c.TEE != nil, len(c.Token))
	}
	for id, status := range c.Checks {
		part, _, _ := strings.Cut(id, ".")
		if ofToken := part == "token" || part == "format"; !ofToken && status != "skip" {
			t.Errorf("%s is %s for a token", id, status)
		}
	}
	if c.Iss != evidence.GoogleIssuer {
		return
	}
	if c.HWModel != "GCP_AMD_SEV" || c.SWName != "CONFIDENTIAL_SPACE" || c.DbgStat != "enabled" || len(c.Aud) != 1 ||
		c.Submods == nil || c.Submods.Container == nil || c.Submods.Container.ImageDigest == "" || c.OEMID == nil || *c.OEMID != 11129 {
		t.Errorf("claims %+v", c)
	}
	if res.ValidUntil.IsZero() || res.ValidUntil.Unix() > *c.Exp {
		t.Errorf("valid until %v, the token ends at %d", res.ValidUntil, *c.Exp)
	}
}

// TestRealTokenAltered flips one character in each part of genuine tokens.
func TestRealTokenAltered(t *testing.T) {
	trust := tokenTrust(t)
	for _, c := range realTokens() {
		if len(c.failing) != 0 {
			continue
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		raw := strings.TrimSpace(string(corpus.Read(t, "f-jwt/"+c.file)))
		if _, err := verify([]byte(raw+"\n"), trust, evidence.Expect{Now: at, Token: c.want}); err != nil {
			t.Errorf("%s with a line end: %v", c.id, err)
		}
		for i := 7; i < len(raw); i += len(raw) / 40 {
			altered := []byte(raw)
			if altered[i] == '.' {
				continue
			}
			altered[i] = map[bool]byte{true: 'B', false: 'A'}[altered[i] == 'A']
			if res, err := verify(altered, trust, evidence.Expect{Now: at, Token: c.want}); err == nil || res.Claims != nil {
				t.Errorf("%s with character %d altered is accepted", c.id, i)
			}
		}
	}
}

// TestTokenNeedsTrust: no key is trusted by default, but the root that is built in.
func TestTokenNeedsTrust(t *testing.T) {
	for _, c := range realTokens() {
		if len(c.failing) != 0 {
			continue
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		data, want := corpus.Read(t, "f-jwt/"+c.file), evidence.Expect{Now: at, Token: c.want}
		if res, err := verify(data, nil, want); err == nil || res.Claims != nil {
			t.Errorf("%s is accepted without trust", c.id)
		}
		res, err := verify(data, embeddedTrust(t), want)
		if pki := strings.Contains(c.file, "pki"); (err == nil) != pki {
			t.Errorf("%s under the embedded trust: %v, %v", c.id, res.Verdict, err)
		}
		if res, err := verify(data, tokenTrust(t), evidence.Expect{Now: at}); err == nil || res.Claims != nil {
			t.Errorf("%s is accepted without an expectation", c.id)
		}
	}
}
