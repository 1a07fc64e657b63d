package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence/token"
)

const googleURI = "https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@confidentialspace-sign.iam.gserviceaccount.com"

var fetchTime = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// saved is the saved form of a key set of one key, with changes.
func saved(changes object) []byte {
	return jsonOf(with(object{
		"issuer": token.GoogleIssuer, "jwks_uri": googleURI, "fetched_at": "2026-11-23T08:00:00Z", "etag": `W/"1"`,
		"keys": []object{rsaJWK(&rsaKey().PublicKey, nil)},
	}, changes))
}

func sameKeys(a, b *token.JWKS) bool { return reflect.DeepEqual(a.Keys(), b.Keys()) }

func TestParseKeySet(t *testing.T) {
	plain := genuine(t, "synddb-jwks.json")
	set, err := token.ParseKeySet(plain)
	if err != nil {
		t.Fatal(err)
	}
	if set.Issuer != "" || set.URI != "" || set.ETag != "" || !set.FetchedAt.IsZero() || !sameKeys(set.JWKS, syndJWKS(t)) {
		t.Errorf("ParseKeySet of a plain set = %+v, want its keys alone", set)
	}
	set, err = token.ParseKeySet(saved(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &token.KeySet{
		Issuer: token.GoogleIssuer, URI: googleURI, ETag: `W/"1"`, FetchedAt: fetchTime,
		JWKS: keySet(t, rsaJWK(&rsaKey().PublicKey, nil)),
	}
	if !reflect.DeepEqual(set, want) {
		t.Errorf("ParseKeySet = %+v, want %+v", set, want)
	}
	if set, err := token.ParseKeySet(saved(object{"jwks_uri": nil, "fetched_at": nil, "etag": nil})); err != nil || set.Issuer != token.GoogleIssuer {
		t.Errorf("ParseKeySet with an issuer alone = %+v, %v", set, err)
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("a", 1024)
	for _, c := range []struct {
		name    string
		changes object
		want    string
	}{
		{"issuer is a number", object{"issuer": 1}, "issuer is a number"},
		{"issuer is null", object{"issuer": json.RawMessage("null")}, "issuer is null"},
		{"issuer is a list", object{"issuer": []string{token.GoogleIssuer}}, "issuer is an array"},
		{"issuer is empty", object{"issuer": ""}, "issuer is empty"},
		{"issuer over http", object{"issuer": "http://example.com"}, "https"},
		{"issuer in capitals", object{"issuer": "HTTPS://example.com"}, "usual form"},
		{"issuer is no url", object{"issuer": "confidentialcomputing.googleapis.com"}, "https"},
		{"issuer without host", object{"issuer": "https://"}, "issuer"},
		{"issuer without host but port", object{"issuer": "https://:443"}, "host"},
		{"issuer without port but colon", object{"issuer": "https://example.com:"}, "host"},
		{"issuer is opaque", object{"issuer": "https:example.com"}, "https"},
		{"issuer with a query", object{"issuer": "https://example.com?a=b"}, "query"},
		{"issuer with an empty query", object{"issuer": "https://example.com?"}, "query"},
		{"issuer with a fragment", object{"issuer": "https://example.com#a"}, "fragment"},
		{"issuer with an empty fragment", object{"issuer": "https://example.com#"}, "issuer"},
		{"issuer with a user", object{"issuer": "https://confidentialcomputing.googleapis.com@evil.example"}, "user"},
		{"issuer with an empty user", object{"issuer": "https://@evil.example"}, "issuer"},
		{"issuer with a password", object{"issuer": "https://a:secret@evil.example"}, "user"},
		{"issuer with a homoglyph", object{"issuer": "https://gооgle.com"}, "printable"},
		{"issuer with a newline", object{"issuer": "https://example.com\n"}, "printable"},
		{"issuer with a nul", object{"issuer": "https://example.com\x00"}, "printable"},
		{"issuer with a backslash", object{"issuer": `https://example.com\..\x`}, "issuer"},
		{"issuer of a host in capitals", object{"issuer": "https://Example.com"}, "lower case"},
		{"issuer of a path for a host", object{"issuer": "https://.."}, "host"},
		{"issuer of a host with a dash", object{"issuer": "https://-x.example"}, "host"},
		{"issuer of an escaped host", object{"issuer": "https://a%2f..%2fb"}, "issuer"},
		{"issuer of an ipv6 address", object{"issuer": "https://[::1]"}, "host"},
		{"issuer is long", object{"issuer": long}, "1024"},
		{"host is long", object{"issuer": "https://" + strings.Repeat("a", 201)}, "host"},
		{"no issuer", object{"issuer": nil}, "no issuer"},
		{"no issuer but a time", object{"issuer": nil, "jwks_uri": nil, "etag": nil}, "no issuer"},
		{"issuer in another case", object{"issuer": nil, "Issuer": token.GoogleIssuer}, `written "issuer"`},
		{"issuer in two cases", object{"Issuer": token.GoogleIssuer}, "of one object"},
		{"etag in another case", object{"etag": nil, "ETag": `"1"`}, `written "etag"`},
		{"uri is an object", object{"jwks_uri": object{}}, "jwks_uri is an object"},
		{"uri is empty", object{"jwks_uri": ""}, "jwks_uri is empty"},
		{"uri over http", object{"jwks_uri": "http://example.com/certs"}, "https"},
		{"uri is a file", object{"jwks_uri": "file:///etc/passwd"}, "https"},
		{"uri with a user", object{"jwks_uri": "https://a@example.com/certs"}, "user"},
		{"uri with a fragment", object{"jwks_uri": "https://example.com/certs#a"}, "fragment"},
		{"time is a number", object{"fetched_at": 1764708636}, "fetched_at is a number"},
		{"time is empty", object{"fetched_at": ""}, "fetched_at is empty"},
		{"time is a date", object{"fetched_at": "2026-11-23"}, "fetched_at"},
		{"time in another zone", object{"fetched_at": "2026-11-23T09:00:00+01:00"}, "fetched_at"},
		{"time with a zero offset", object{"fetched_at": "2026-11-23T08:00:00+00:00"}, "fetched_at"},
		{"time with a fraction", object{"fetched_at": "2026-11-23T08:00:00.5Z"}, "fetched_at"},
		{"time in lower case", object{"fetched_at": "2026-11-23t08:00:00z"}, "fetched_at"},
		{"time with a space", object{"fetched_at": "2026-11-23T08:00:00Z "}, "fetched_at"},
		{"no such time", object{"fetched_at": "2026-02-30T08:00:00Z"}, "fetched_at"},
		{"time before all computers", object{"fetched_at": "0001-01-01T00:00:00Z"}, "fetched_at"},
		{"etag is a list", object{"etag": []string{"1"}}, "etag is an array"},
		{"etag is empty", object{"etag": ""}, "etag is empty"},
		{"etag with a header", object{"etag": "\"1\"\r\nX: y"}, "etag"},
		{"etag with an escape", object{"etag": "\"\x1b[2J\""}, "etag"},
		{"etag beyond ascii", object{"etag": "\"é\""}, "etag"},
		{"etag is long", object{"etag": strings.Repeat("a", 257)}, "etag"},
		{"no keys", object{"keys": nil}, "no array"},
		{"keys are none", object{"keys": []object{}}, "0 keys"},
		{"a symmetric key", object{"keys": []object{{"kty": "oct", "kid": "a", "k": "AAAA"}}}, "symmetric"},
	} {
		set, err := token.ParseKeySet(saved(c.changes))
		if err == nil || set != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: ParseKeySet = %+v, %v; want an error with %q", c.name, set, err, c.want)
		}
	}
	whole := string(saved(nil))
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "object"},
		{"an array", "[" + whole + "]", "object"},
		{"two documents", whole + whole, "after the object"},
		{"two issuers", `{"issuer":"https://evil.example",` + whole[1:], "of one object"},
		{"two issuers, one escaped", `{"iss\u0075er":"https://evil.example",` + whole[1:], "of one object"},
		{"two key lists", `{"keys":[],` + whole[1:], "of one object"},
		{"too long", whole + strings.Repeat(" ", token.MaxJWKS), "at most"},
	} {
		if set, err := token.ParseKeySet([]byte(c.in)); err == nil || set != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: ParseKeySet = %+v, %v; want an error with %q", c.name, set, err, c.want)
		}
	}
}

// TestNewKeySet reads back what is written, and what it kept is what was there.
func TestNewKeySet(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 31))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	pool := []object{
		rsaJWK(&rsaKey().PublicKey, nil), azureKey(t), ecJWK(t, &ecKey().PublicKey, object{"x5u": "<&>", "more": object{"b": 1.50, "a": []any{nil}}}),
		ecJWK(t, &ec384Key().PublicKey, object{"alg": "ES384"}), rsaJWK(&otherRSAKey().PublicKey, object{"alg": "PS384", "é": "\u2028"}),
	}
	for range 200 {
		var keys []object
		for i, n := range r.Perm(len(pool))[:1+r.IntN(len(pool))] {
			keys = append(keys, with(pool[n], object{"kid": fmt.Sprint("kid", i)}))
		}
		in := object{"keys": keys}
		if r.IntN(2) == 0 {
			in["issuer"], in["x"] = 5, "members of the server's own"
		}
		want := token.KeySet{
			Issuer: pick(token.GoogleIssuer, itaIssuer, maaIssuer, "https://localhost:8443/a/b", "https://example.com/"),
			URI:    pick("", googleURI, "https://example.com/certs?a=b&c=d", "https://127.0.0.1:1/"), ETag: pick("", `"a"`, `W/"<&>"`, "bare"),
			FetchedAt: time.Unix(r.Int64N(253402300800), 0).UTC(), JWKS: keySet(t, keys...),
		}
		out, err := token.NewKeySet(want.Issuer, want.URI, want.ETag, want.FetchedAt.Add(time.Duration(r.Int64N(int64(time.Second)))), jsonOf(in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := token.ParseKeySet(out)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Fatalf("ParseKeySet(NewKeySet(%+v)) = %+v, %v", want, got, err)
		}
		if diff := cmp.Diff(decodeJSON(t, jsonOf(in))["keys"], decodeJSON(t, out)["keys"]); diff != "" {
			t.Fatalf("the keys differ (-want +got):\n%s", diff)
		}
		if set, err := token.ParseJWKS(out); err != nil || !sameKeys(set, want.JWKS) {
			t.Fatalf("ParseJWKS of the saved form = %v, %v; want the keys", set, err)
		}
		if !bytes.HasPrefix(out, []byte("{\n  \"issuer\": ")) || !bytes.HasSuffix(out, []byte("\n}\n")) {
			t.Fatalf("saved form is %q, want it indented", out)
		}
	}
}

func TestNewKeySetRefuses(t *testing.T) {
	jwks := jsonOf(object{"keys": []object{rsaJWK(&rsaKey().PublicKey, nil)}})
	wide := jsonOf(object{"keys": []object{rsaJWK(&rsaKey().PublicKey, object{"x": [1][1][1][1][1][1][12000]int{}})}})
	for _, c := range []struct {
		name, issuer, uri, etag string
		at                      time.Time
		jwks                    []byte
		want                    string
	}{
		{"no issuer", "", googleURI, "", fetchTime, jwks, "issuer is empty"},
		{"issuer over http", "http://example.com", googleURI, "", fetchTime, jwks, "https"},
		{"uri over http", token.GoogleIssuer, "http://example.com", "", fetchTime, jwks, "https"},
		{"hostile etag", token.GoogleIssuer, googleURI, "a\r\nb", fetchTime, jwks, "etag"},
		{"etag that is not utf-8", token.GoogleIssuer, googleURI, "\xff", fetchTime, jwks, "etag"},
		{"no time", token.GoogleIssuer, googleURI, "", time.Time{}, jwks, "fetched_at"},
		{"late time", token.GoogleIssuer, googleURI, "", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), jwks, "fetched_at"},
		{"no keys", token.GoogleIssuer, googleURI, "", fetchTime, []byte("{}"), "no array"},
		{"not json", token.GoogleIssuer, googleURI, "", fetchTime, []byte("<html>"), "object"},
		{"too long when indented", token.GoogleIssuer, googleURI, "", fetchTime, wide, "at most"},
	} {
		out, err := token.NewKeySet(c.issuer, c.uri, c.etag, c.at, c.jwks)
		if err == nil || out != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: NewKeySet = %.80q, %v; want an error with %q", c.name, out, err, c.want)
		}
	}
}

func TestDiscovery(t *testing.T) {
	for issuer, want := range map[string]string{
		token.GoogleIssuer:       token.GoogleIssuer + "/.well-known/openid-configuration",
		"https://example.com/a/": "https://example.com/a/.well-known/openid-configuration",
		"http://example.com":     "", "": "", "https://a@b.example": "", "https://example.com?x": "",
	} {
		if got, err := token.DiscoveryURL(issuer); got != want || (err == nil) != (want != "") {
			t.Errorf("DiscoveryURL(%q) = %q, %v; want %q", issuer, got, err, want)
		}
	}
	document := genuine(t, "synddb-openid-configuration.json")
	if uri, err := token.ParseDiscovery(token.GoogleIssuer, document); err != nil || uri != googleURI {
		t.Errorf("ParseDiscovery = %q, %v; want %q", uri, err, googleURI)
	}
	for _, issuer := range []string{"", token.GoogleIssuer + "/", "https://Confidentialcomputing.googleapis.com", itaIssuer} {
		if uri, err := token.ParseDiscovery(issuer, document); uri != "" || !errors.Is(err, token.ErrOtherIssuer) {
			t.Errorf("ParseDiscovery(%q) = %q, %v; want %v", issuer, uri, err, token.ErrOtherIssuer)
		}
	}
	const good = `{"issuer":"https://a.example","jwks_uri":"https://b.example/x"}`
	for _, c := range []struct{ in, want string }{
		{`{"jwks_uri":"https://b.example/x"}`, "not the one"},
		{`{"issuer":"https://a.example"}`, "jwks_uri"},
		{`{"issuer":"https://a.example","jwks_uri":""}`, "jwks_uri"},
		{`{"issuer":"https://a.example","jwks_uri":["https://b.example/x"]}`, "jwks_uri is an array"},
		{`{"issuer":null,"jwks_uri":"https://b.example/x"}`, "issuer is null"},
		{`{"issuer":"https://a.example","jwks_uri":"https://u@b.example/x"}`, "user"},
		{`{"issuer":"https://a.example","jwks_uri":"//b.example/x"}`, "https"},
		{`{"jwks_uri":"https://evil.example",` + good[1:], "of one object"},
		{`{"JWKS_URI":"https://evil.example",` + good[1:], "of one object"},
		{good + good, "after the object"},
		{good + strings.Repeat(" ", token.MaxDiscovery), "at most"},
		{`<html>`, "object"},
	} {
		if uri, err := token.ParseDiscovery("https://a.example", []byte(c.in)); uri != "" || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseDiscovery(%.100q) = %q, %v; want an error with %q", c.in, uri, err, c.want)
		}
	}
}

// On error nothing is returned. On success other programs read the same keys, and
// saving them again changes nothing.
func FuzzParseKeySet(f *testing.F) {
	f.Add(saved(nil))
	f.Add(saved(object{"jwks_uri": nil, "fetched_at": nil, "etag": nil}))
	f.Add(jsonOf(object{"keys": []object{azureKey(f), ecJWK(f, &ecKey().PublicKey, object{"kid": "a", "alg": "ES256"})}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		set, err := token.ParseKeySet(in)
		if (err == nil) != (set != nil) {
			t.Fatalf("ParseKeySet = %v, %v", set, err)
		}
		if err != nil {
			return
		}
		if keys, err := token.ParseJWKS(in); err != nil || !sameKeys(keys, set.JWKS) {
			t.Fatalf("ParseJWKS = %v, %v; want the same keys", keys, err)
		}
		if set.Issuer == "" {
			if set.URI != "" || set.ETag != "" || !set.FetchedAt.IsZero() {
				t.Errorf("a plain set says where it is from: %+v", set)
			}
			set.Issuer = token.GoogleIssuer
		}
		if set.FetchedAt.IsZero() {
			set.FetchedAt = fetchTime
		}
		if len(in) > 4<<10 {
			return // indented it may be too long
		}
		out, err := token.NewKeySet(set.Issuer, set.URI, set.ETag, set.FetchedAt, in)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if again, err := token.ParseKeySet(out); err != nil || !reflect.DeepEqual(again, set) {
			t.Errorf("ParseKeySet(NewKeySet(%+v)) = %+v, %v", set, again, err)
		}
	})
}
