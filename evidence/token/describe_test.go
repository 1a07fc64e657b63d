package token_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

func described(t *testing.T, raw []byte) []token.Field {
	t.Helper()
	list := parse(t, raw).DescribeUnverified()
	if list[0] != (token.Field{Path: "verified", Value: "no: nothing here has been checked"}) {
		t.Errorf("first field = %v, want the label", list[0])
	}
	return list
}

func TestDescribe(t *testing.T) {
	oak := described(t, genuine(t, "oak-pki-valid.jwt"))
	for _, want := range []token.Field{
		{Path: "header.alg", Value: "RS256"},
		{Path: "header.kid", Value: "2Ssf_M3oeNfWhYguTpKEs1lrMZNOWP6muiYLENXtC4k"},
		{Path: "header.x5c[2].subject", Value: "CN=Confidential Space Root CA,OU=Google Cloud,O=Google LLC,L=Mountain View,ST=California,C=US"},
		{Path: "header.x5c[2].not_after", Value: "2034-01-16T22:10:49Z"},
		{Path: "claims.iat", Value: "1750688551 (2025-06-23T14:22:31Z)"},
		{Path: "claims.oemid", Value: "11129"},
		{Path: "claims.secboot", Value: "true"},
		{Path: "claims.swversion[0]", Value: "250301"},
		{Path: "claims.submods.gce.zone", Value: "us-west1-b"},
		{Path: "profile", Value: token.Google},
	} {
		if !slices.Contains(oak, want) {
			t.Errorf("description lacks %v", want)
		}
	}
	if slices.ContainsFunc(oak, func(f token.Field) bool { return f.Path == "note" }) {
		t.Errorf("a genuine token has notes: %v", oak)
	}
}

func TestDescribeNotes(t *testing.T) {
	bad := header("PS384", object{"jku": "https://evil.example", "x5c": []string{"AAAA"}})
	list := described(t, mint("PS384", rsaKey(), bad, with(googleClaims(), object{"exp": mintIat - 1, "secboot": "yes", "sub": "\x1b[2J", "n": rawJSON("null")})))
	var notes []string
	for _, f := range list {
		if f.Path == "note" {
			notes = append(notes, f.Value)
		}
		if strings.ContainsRune(f.Value, '\x1b') {
			t.Errorf("%s reaches the terminal unescaped", f.Path)
		}
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{`member "jku"`, `algorithm is "PS384"`, "exp is before iat", "secboot is a string", "1 certificates"} {
		if !strings.Contains(all, want) {
			t.Errorf("notes lack %q:\n%s", want, all)
		}
	}
	if !slices.Contains(list, token.Field{Path: "header.jku", Value: "present, and never used"}) {
		t.Error("jku is not described")
	}
	if got := described(t, mintGoogle(object{"iss": "x"})); !slices.ContainsFunc(got, func(f token.Field) bool {
		return f.Path == "note" && strings.Contains(f.Value, token.ErrUnknownIssuer.Error())
	}) {
		t.Errorf("unknown issuer is not noted: %v", got)
	}
}

// TestNotesAt: a person sees at once whether a token still counts.
func TestNotesAt(t *testing.T) {
	claims := with(googleClaims(), nil)
	tok := parse(t, mint("RS256", rsaKey(), header("RS256", nil), claims))
	exp := time.Unix(mintIat+3600, 0)
	for name, c := range map[string]struct {
		at   time.Time
		want []string
	}{
		"valid":   {exp.Add(-90 * time.Second), []string{"ends in 1m30s"}},
		"its end": {exp, []string{"expired 0s ago"}},
		"later":   {exp.Add(72 * time.Hour), []string{"expired 3 days ago"}},
		"early":   {time.Unix(mintIat-60, 0), []string{"issued in the future, in 1m0s", "ends in 1h1m0s"}},
	} {
		var got []string
		for _, f := range tok.NotesAt(c.at) {
			got = append(got, f.Value)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: NotesAt = %q, want %q", name, got, c.want)
		}
	}
	odd := parse(t, mint("RS256", rsaKey(), header("RS256", nil), with(claims, object{"exp": "soon"})))
	if got := odd.NotesAt(exp); got != nil {
		t.Errorf("NotesAt of a token without a date = %v", got)
	}
}
