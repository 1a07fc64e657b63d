package server_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
)

// The bugs of the codelab's server, a test or two for each, by number. What they have
// in common is that the request that opened its secret, or ended it, gets the denial
// here. Those of keys and of serving have files of their own.

// set edits one claim of a token.
func set(name string, value any) func(*forge.Token) {
	return func(t *forge.Token) {
		t.Edits.Claims = func(o *forge.Object) error { o.Set(name, value); return nil }
	}
}

// TestCodelabBug01MissingReturn: an error ends the request, with a body and without
// the secret, whatever went wrong.
func TestCodelabBug01MissingReturn(t *testing.T) {
	w := started(t)
	for what, r := range map[string]reply{
		"no header":     w.send("GET", "/", ""),
		"no token":      w.send("GET", "/", "", "Authorization", "Bearer "),
		"basic":         w.send("GET", "/", "", "Authorization", "Basic YTpi"),
		"expired token": w.get(w.token(func(t *forge.Token) { t.Issued = forge.Now().Add(-2 * time.Hour) })),
	} {
		w.denied(what, r, 401)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"} {
		r := w.send(method, "/", "", "Authorization", "Bearer "+w.token(nil))
		w.noCanary(method, r.body)
		if r.status != 405 || r.header.Get("Allow") != "GET" {
			t.Errorf("%s: %d, allow %q", method, r.status, r.header.Get("Allow"))
		}
	}
}

// TestCodelabBug02NilToken: what is no token is denied, not a panic.
func TestCodelabBug02NilToken(t *testing.T) {
	w := started(t)
	for _, token := range []string{"garbage", "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA", "eyJhbGciOiJSUzI1NiJ9.bnVsbA.AA"} {
		w.denied(fmt.Sprintf("%q", token), w.get(token), 401)
	}
	if strings.Contains(w.out.String(), "panic") {
		t.Error("something panicked")
	}
}

// TestCodelabBug03NoAudience: a token for somebody else.
func TestCodelabBug03NoAudience(t *testing.T) {
	w := started(t)
	w.denied("other", w.get(w.token(func(t *forge.Token) { t.Audience = "https://other.example" })), 401)
	w.denied("both", w.get(w.token(set("aud", []string{audience, "https://other.example"}))), 401)
}

// TestCodelabBug04NoIssuer: a token of somebody else, under a key that is trusted.
func TestCodelabBug04NoIssuer(t *testing.T) {
	w := started(t)
	w.denied("other", w.get(w.token(set("iss", "https://accounts.example"))), 401)
}

// TestCodelabBug05NoExpiry: a token that is good for ever, also where it need not be
// written down until its end.
func TestCodelabBug05NoExpiry(t *testing.T) {
	w := started(t)
	for _, claim := range []string{"exp", "nbf", "iat"} {
		token := w.token(func(t *forge.Token) {
			t.Edits.Claims = func(o *forge.Object) error { o.Delete(claim); return nil }
		})
		w.denied(claim, w.get(token), 401)
		w.denied(claim+", to be used again", w.send("POST", "/v1/secrets/again", "", "Authorization", "Bearer "+token), 403)
	}
}

// TestCodelabBug06AnyAlgorithm: the algorithm is the profile's, not the header's.
func TestCodelabBug06AnyAlgorithm(t *testing.T) {
	w := started(t)
	for _, alg := range []string{"none", "HS256", "RS384", "RS512", "PS256", "ES256"} {
		token := w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set("alg", alg); return nil }
		})
		w.denied(alg, w.get(token), 401)
	}
	for _, alg := range []string{"RS384", "PS384"} { // the second is that of another issuer
		w.denied("signed with "+alg, w.get(w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set("alg", alg); return nil }
			t.Edits.Signing = func(s *forge.Signing) error { s.Algorithm = alg; return nil }
		})), 401)
	}
}

// TestCodelabBug07Replay: a stolen token is good once, and one that answers no challenge
// opens nothing that wants one.
func TestCodelabBug07Replay(t *testing.T) {
	w := started(t)
	token := w.token(nil)
	if r := w.get(token); r.status != 200 {
		t.Fatalf("first: %d", r.status)
	}
	w.denied("second", w.get(token), 401)
	w.denied("with a nonce that nobody asked for", w.get(w.token(func(t *forge.Token) { t.Nonces = []string{"0123456789abcdef"} })), 401)
}

// TestLongToken: a token that lasts a day, of an issuer whose clock is ahead, is good
// once, however late it comes and whatever was used since.
func TestLongToken(t *testing.T) {
	w := started(t)
	issued := w.clock.now().Add(30 * time.Second)
	mint := func(subject string) string {
		return w.token(func(k *forge.Token) {
			k.Issued = issued
			k.Edits.Claims = func(o *forge.Object) error {
				o.Set("exp", issued.Add(24*time.Hour).Unix())
				o.Set("jti", subject)
				return nil
			}
		})
	}
	early, late := mint("early"), mint("late")
	if r := w.get(early); r.status != 200 {
		t.Fatalf("a token of a day: %d %s", r.status, r.body)
	}
	w.clock.add(24*time.Hour + 59*time.Second) // within what a verifier bears with
	if r := w.get(late); r.status != 200 {
		t.Errorf("at its end: %d %s", r.status, r.body)
	}
	w.denied("used a day ago", w.get(early), 401)
	w.denied("used", w.get(late), 401)
}

// TestCodelabBug08AnyMachine is row 15, foreign_genuine_vm: a genuine machine of
// somebody else.
func TestCodelabBug08AnyMachine(t *testing.T) {
	w := started(t)
	theirs := forge.DefaultInstance()
	theirs.ProjectID = "somebody-else"
	w.denied("other project", w.get(w.token(func(t *forge.Token) {
		t.Machine = &forge.Machine{Technology: forge.AMDSEV, Instance: theirs}
	})), 401)
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("our own: %d", r.status)
	}
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	e, err := forge.Machine{Technology: forge.AMDSEV, Instance: theirs}.Attest(nonce)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	w.denied("other project, quoted", w.answer("/v1/secrets/db", text, &k, raw), 403)
	for _, i := range []int{0, 2} {
		if got := w.records()[i].Outcome(); got != "denied" {
			t.Errorf("audit line %d: %s %q", i, got, w.records()[i].Failed)
		}
	}
}

// TestCodelabBug08WhichOfOurs: the policy that ships for more than a tutorial also knows
// one instance from another, and takes SEV-SNP, which the codelab's rule shuts out.
func TestCodelabBug08WhichOfOurs(t *testing.T) {
	config, err := os.ReadFile("../fixtures/config/gce-cvm-token.json")
	if err != nil {
		t.Fatal(err)
	}
	w := started(t, func(w *world) {
		w.file("config.json", string(config))
		w.o.Policy = "builtin:gce-cvm"
	})
	of := func(technology forge.Technology, boot forge.SecureBoot, edit func(*forge.Instance)) string {
		i := forge.DefaultInstance()
		edit(&i)
		return w.token(func(t *forge.Token) {
			t.Machine = &forge.Machine{Technology: technology, Instance: i, Boot: forge.Boot{SecureBoot: boot}}
		})
	}
	ours := func(*forge.Instance) {}
	for _, technology := range []forge.Technology{forge.AMDSEV, forge.AMDSEVSNP} {
		if r := w.get(of(technology, forge.SecureBootOn, ours)); r.status != 200 {
			t.Errorf("%v: %d %s", technology, r.status, r.body)
		}
	}
	w.denied("no confidential machine", w.get(of(forge.NoTechnology, forge.SecureBootOn, ours)), 401)
	w.denied("another instance", w.get(of(forge.AMDSEV, forge.SecureBootOn, func(i *forge.Instance) { i.ID++ })), 401)
	w.denied("another zone", w.get(of(forge.AMDSEV, forge.SecureBootOn, func(i *forge.Instance) { i.Zone = "us-east1-b" })), 401)
	w.denied("no secure boot", w.get(of(forge.AMDSEV, forge.SecureBootOff, ours)), 401)
	w.denied("debugging", w.get(w.token(set("dbgstat", "enabled"))), 401)
}
