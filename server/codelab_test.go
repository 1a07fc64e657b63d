package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
)

// The bugs of the codelab's server, one test each. What they have in common is that
// the request that opened its secret gets the denial here.

// set edits one claim of a token.
func set(name string, value any) func(*forge.Token) {
	return func(t *forge.Token) {
		t.Edits.Claims = func(o *forge.Object) error { o.Set(name, value); return nil }
	}
}

// TestCodelabErrorWithoutReturn: an error ends the request, with a body and without
// the secret, whatever went wrong.
func TestCodelabErrorWithoutReturn(t *testing.T) {
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

// TestCodelabNilToken: what is no token is denied, not a panic.
func TestCodelabNilToken(t *testing.T) {
	w := started(t)
	for _, token := range []string{"garbage", "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA", "eyJhbGciOiJSUzI1NiJ9.bnVsbA.AA"} {
		w.denied(fmt.Sprintf("%q", token), w.get(token), 401)
	}
	if strings.Contains(w.out.String(), "panic") {
		t.Error("something panicked")
	}
}

// TestCodelabAudience: a token for somebody else.
func TestCodelabAudience(t *testing.T) {
	w := started(t)
	w.denied("other", w.get(w.token(func(t *forge.Token) { t.Audience = "https://other.example" })), 401)
	w.denied("both", w.get(w.token(set("aud", []string{audience, "https://other.example"}))), 401)
}

// TestCodelabIssuer: a token of somebody else, under a key that is trusted.
func TestCodelabIssuer(t *testing.T) {
	w := started(t)
	w.denied("other", w.get(w.token(set("iss", "https://accounts.example"))), 401)
}

// TestCodelabNoExpiry: a token that is good for ever.
func TestCodelabNoExpiry(t *testing.T) {
	w := started(t)
	for _, claim := range []string{"exp", "nbf", "iat"} {
		w.denied(claim, w.get(w.token(func(t *forge.Token) {
			t.Edits.Claims = func(o *forge.Object) error { o.Delete(claim); return nil }
		})), 401)
	}
}

// TestCodelabAlgorithm: the algorithm is the profile's, not the header's.
func TestCodelabAlgorithm(t *testing.T) {
	w := started(t)
	for _, alg := range []string{"none", "HS256", "RS384", "RS512", "PS256", "ES256"} {
		token := w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set("alg", alg); return nil }
		})
		w.denied(alg, w.get(token), 401)
	}
	w.denied("signed with SHA-384", w.get(w.token(func(t *forge.Token) {
		t.Edits.Header = func(o *forge.Object) error { o.Set("alg", "RS384"); return nil }
		t.Edits.Signing = func(s *forge.Signing) error { s.Algorithm = "RS384"; return nil }
	})), 401)
}

// TestCodelabReplay: a stolen token is good once, and one that answers no challenge
// opens nothing that wants one.
func TestCodelabReplay(t *testing.T) {
	w := started(t)
	token := w.token(nil)
	if r := w.get(token); r.status != 200 {
		t.Fatalf("first: %d", r.status)
	}
	w.denied("second", w.get(token), 401)
	w.denied("with a nonce that nobody asked for", w.get(w.token(func(t *forge.Token) { t.Nonces = []string{"0123456789abcdef"} })), 401)
}

// TestCodelabForeignMachine is row 15, foreign_genuine_vm: a genuine machine of
// somebody else.
func TestCodelabForeignMachine(t *testing.T) {
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

// TestCodelabFetchesNothing: the keys are those that were loaded; no request makes the
// server ask anybody. Bugs 9 to 11.
func TestCodelabFetchesNothing(t *testing.T) {
	w := started(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, l)
	asked := make(chan struct{}, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			closing(t, c)
			asked <- struct{}{}
		}
	}()
	for _, name := range []string{"jku", "x5u"} {
		w.denied(name, w.get(w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set(name, "https://"+l.Addr().String()); return nil }
		})), 401)
	}
	w.denied("issuer", w.get(w.token(set("iss", "https://"+l.Addr().String()))), 401)
	select {
	case <-asked:
		t.Error("the server asked somebody")
	default:
	}
}

// TestCodelabKeySet is bug 12: a key set with a key twice is not loaded at all.
func TestCodelabKeySet(t *testing.T) {
	w := newWorld(t)
	for name, data := range w.trust {
		if !strings.HasPrefix(name, "token/keys/") {
			continue
		}
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(data, &set); err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, set.Keys[0])
		twice, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		w.trust[name] = twice
	}
	if _, err := server.LoadSnapshot(w.o); err == nil || !strings.HasPrefix(err.Error(), "trust: ") {
		t.Errorf("LoadSnapshot = %v, want the key set refused", err)
	}
}

// TestCodelabPlainHTTP: secrets do not cross a network without TLS.
func TestCodelabPlainHTTP(t *testing.T) {
	w := started(t)
	c := w.dialPlain()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", w.token(nil))
	answer := readAll(t, c)
	w.noCanary("plain http", answer)
	if strings.Contains(answer, " 200 ") {
		t.Errorf("answered %q", answer)
	}
}

// TestCodelabBusyPort: a server that cannot listen says so.
func TestCodelabBusyPort(t *testing.T) {
	w := started(t)
	o := w.o
	o.Listen = w.srv.Addr().String()
	if s, err := server.New(o); err == nil || !strings.Contains(err.Error(), "listening") {
		t.Errorf("New = %v, %v", s, err)
	}
}

// TestCodelabErrorText is bug 15: a client is told nothing, the audit log is.
func TestCodelabErrorText(t *testing.T) {
	w := started(t)
	r := w.get(w.token(func(t *forge.Token) { t.Audience = "https://other.example" }))
	if strings.Contains(r.body, "aud") || strings.Contains(r.body, "token") {
		t.Errorf("told %s", r.body)
	}
	if got := w.records(); len(got) != 1 || len(got[0].Failed) != 1 || got[0].Failed[0] != "token.audience" {
		t.Errorf("audit %+v", got)
	}
}

// TestCodelabSleep is bug 17: a token that is not valid yet is denied, not waited for.
func TestCodelabSleep(t *testing.T) {
	w := started(t)
	w.denied("from tomorrow", w.get(w.token(func(t *forge.Token) { t.Issued = forge.Now().Add(24 * time.Hour) })), 401)
}

// TestCodelabKeyID is bug 18: a token without a usable kid is denied.
func TestCodelabKeyID(t *testing.T) {
	w := started(t)
	for name, kid := range map[string]any{"number": 7, "null": nil, "empty": "", "other": "other", "list": []string{"a"}} {
		w.denied(name, w.get(w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set("kid", kid); return nil }
		})), 401)
	}
	w.denied("absent", w.get(w.token(func(t *forge.Token) {
		t.Edits.Header = func(o *forge.Object) error { o.Delete("kid"); return nil }
	})), 401)
}
