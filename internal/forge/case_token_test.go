package forge_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/forge"
)

// expectation is what the demand of forged evidence and its trust files ask for.
func expectation(tb testing.TB, e *forge.Evidence) token.Expect {
	tb.Helper()
	d := e.Token
	want := token.Expect{
		Issuer: d.Issuer, Profile: d.Profile, Audience: d.Audience, Nonce: d.Nonce, Now: e.Now,
		NoIssuer:   slices.Contains(d.Without, "issuer"),
		NoAudience: slices.Contains(d.Without, "audience"),
		NoNonce:    slices.Contains(d.Without, "nonce"),
		Keys:       token.Keys{Issuer: d.Issuer},
	}
	if d.Key != nil {
		key, err := token.ParseKey(d.Key)
		if err != nil {
			tb.Fatal(err)
		}
		want.Keys.Key = key
	}
	for name, data := range e.TrustFiles() {
		trust(tb, &want, name, data)
	}
	return want
}

func trust(tb testing.TB, want *token.Expect, name string, data []byte) {
	tb.Helper()
	var err error
	switch folder := name[:strings.LastIndexByte(name, '/')]; folder {
	case "token/keys":
		var saved struct{ Issuer string }
		if err := json.Unmarshal(data, &saved); err != nil {
			tb.Fatal(err)
		}
		if saved.Issuer == want.Issuer {
			want.Keys.JWKS, err = token.ParseJWKS(data)
		}
	case "token/roots":
		block, _ := pem.Decode(data)
		root, parseErr := x509.ParseCertificate(block.Bytes)
		if parseErr != nil {
			tb.Fatal(parseErr)
		}
		want.Keys.Roots, err = token.NewRoots([]*x509.Certificate{root})
	case "token/crls":
		list, parseErr := token.ParseCRL(data)
		want.Keys.CRLs, err = append(want.Keys.CRLs, list), parseErr
	default:
		tb.Errorf("trust file %s is for nothing that a token rests on", name)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// failedSteps returns the checks that a token fails, apart from those that an
// earlier failure leaves out.
func failedSteps(tb testing.TB, e *forge.Evidence) []string {
	tb.Helper()
	parsed, err := token.Parse(e.Raw)
	switch {
	case errors.Is(err, token.ErrAlgorithm):
		return []string{token.StepAlgorithm}
	case err != nil:
		return []string{token.StepForm}
	}
	var failed []string
	_, steps := token.Appraise(parsed, expectation(tb, e))
	for _, s := range steps {
		if s.Status == token.Fail {
			failed = append(failed, s.ID)
		}
	}
	return failed
}

func TestTokenCasesAreNamedAndPlaced(t *testing.T) {
	t.Parallel()
	names, rows, checks := map[string]bool{}, map[int]string{}, map[string]bool{}
	for _, c := range forge.TokenCases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		if (c.Check == "") == (c.Want == "") {
			t.Errorf("%s: check %q and want %q, one of them has to be there", c.Name, c.Check, c.Want)
		}
		row, _, _ := strings.Cut(c.Name, "/")
		if c.Row != 0 && rows[c.Row] != "" && rows[c.Row] != row {
			t.Errorf("row %d is called %q and %q", c.Row, rows[c.Row], row)
		}
		names[c.Name], rows[c.Row], checks[c.Check] = true, row, true
	}
	if got, want := slices.Sorted(maps.Keys(rows)), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14}; !slices.Equal(got, want) {
		t.Errorf("rows = %v, want %v", got, want)
	}
	for _, name := range []string{
		"hs256_with_rsa_public_key/pem", "hs256_with_rsa_public_key/der", "hs256_with_rsa_public_key/n", "hs256_with_rsa_public_key/jwk",
		"embedded_key_headers/jwk", "embedded_key_headers/jku", "embedded_key_headers/x5u", "embedded_key_headers/x5c",
	} {
		if !names[name] {
			t.Errorf("no case is called %q", name)
		}
	}
	for _, id := range []string{
		token.StepForm, token.StepAlgorithm, token.StepKey, token.StepChain, token.StepRevocation, token.StepSignature,
		token.StepTime, token.StepIssuer, token.StepAudience, token.StepNonce, token.StepClaims,
	} {
		if !checks[id] {
			t.Errorf("no case fails %s", id)
		}
	}
}

// Each case fails its check alone, or is accepted, and each twin is accepted.
func TestTokenCasesBreakOneThing(t *testing.T) {
	t.Parallel()
	again := forge.TokenCases()
	seen := map[string]bool{} // many cases have the same twin
	for i, c := range forge.TokenCases() {
		t.Run(c.Name, func(t *testing.T) {
			twin, err := c.Twin()
			if err != nil {
				t.Fatalf("Twin() error = %v", err)
			}
			if raw := string(twin.Raw); !seen[raw] {
				seen[raw] = true
				if failed := failedSteps(t, twin); len(failed) != 0 {
					t.Errorf("the twin fails %v", failed)
				}
			}
			e, err := c.Build()
			if err != nil {
				t.Fatalf("Build() error = %v", err)
			}
			got := slices.DeleteFunc(failedSteps(t, e), func(id string) bool { return slices.Contains(c.Also, id) })
			var want []string
			if c.Check != "" {
				want = []string{c.Check}
			}
			if !slices.Equal(got, want) {
				t.Errorf("failed checks = %v, want %v", got, want)
			}
			if c.Check != "" && bytes.Equal(e.Raw, twin.Raw) && reflect.DeepEqual(e.TrustFiles(), twin.TrustFiles()) {
				t.Error("the case is its own twin")
			}
			same, err := again[i].Build()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(e.Raw, same.Raw) || !reflect.DeepEqual(e.Token, same.Token) || !reflect.DeepEqual(e.TrustFiles(), same.TrustFiles()) {
				t.Error("two builds differ")
			}
			if after, err := c.Twin(); err != nil || !bytes.Equal(after.Raw, twin.Raw) {
				t.Errorf("building the case changed the twin (error %v)", err)
			}
		})
	}
}
