package server_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/seal"
)

// TestCodelab is the codelab's request: the token's secret, once.
func TestCodelab(t *testing.T) {
	w := started(t)
	token := w.token(nil)
	r := w.get(token)
	if r.status != 200 || r.body != helloSecret || r.header.Get("Content-Type") != "text/plain" {
		t.Fatalf("GET / = %d %q %v\n%s", r.status, r.body, r.header, w.out)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Server") != "" {
		t.Errorf("headers %v", r.header)
	}
	again := w.get(token)
	w.denied("a second time", again, 401)
	if again.header.Get("WWW-Authenticate") != "Bearer" || again.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", again.header)
	}
	records := w.records()
	if len(records) != 2 || records[0].Outcome() != audit.Released || records[1].Outcome() != audit.Refused {
		t.Fatalf("audit %+v", records)
	}
	if got := records[1].Failed; len(got) != 1 || got[0] != "challenge.unused" {
		t.Errorf("failed %q", got)
	}
	if records[0].Secret != "hello" || records[0].PolicyDigest == "" || !strings.Contains(string(records[0].Input), `"remote":"127.0.0.1"`) {
		t.Errorf("audit %+v", records[0])
	}
}

// TestChallengeFlow takes a secret for evidence of a machine, encrypted to the key.
func TestChallengeFlow(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	r := w.answer("/v1/secrets/db", text, &k, ev)
	if r.status != 200 || r.header.Get("Content-Type") != "application/jose" {
		t.Fatalf("POST = %d %s\n%s", r.status, r.body, w.out)
	}
	w.noCanary("the answer", r.body)
	plain, err := seal.Open(k.priv, []byte(r.body))
	if err != nil || string(plain) != dbSecret {
		t.Fatalf("Open = %q, %v", plain, err)
	}
	w.denied("replay", w.answer("/v1/secrets/db", text, &k, ev), 403)
}

// TestChallengeWithToken: the nonce of a token is that of the challenge in hex.
func TestChallengeWithToken(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	token := w.token(func(t *forge.Token) { t.Nonces = []string{hex.EncodeToString(nonce)} })
	r := w.send("POST", "/v1/secrets/db", "", "Authorization", "Bearer "+token, "Attestctl-Challenge", text, "Attestctl-Key", k.header())
	if r.status != 200 {
		t.Fatalf("POST = %d %s\n%s", r.status, r.body, w.out)
	}
	text, nonce = w.challenge("nonced", nil)
	token = w.token(func(t *forge.Token) { t.Nonces = []string{hex.EncodeToString(nonce)} })
	r = w.answer("/v1/secrets/nonced", text, nil, []byte(token))
	if r.status != 200 || r.body != noncedSecret {
		t.Fatalf("POST = %d %s\n%s", r.status, r.body, w.out)
	}
}

// TestBareToken: a secret that wants no challenge takes a token alone, as header or as
// body, and again where that is allowed.
func TestBareToken(t *testing.T) {
	w := started(t)
	token := w.token(nil)
	for range 2 {
		if r := w.send("POST", "/v1/secrets/again", "", "Authorization", "Bearer "+token); r.status != 200 || r.body != helloSecret {
			t.Errorf("POST = %d %s", r.status, r.body)
		}
	}
	if r := w.send("POST", "/v1/secrets/again", token+"\n", "Content-Type", "application/jwt"); r.status != 200 {
		t.Errorf("in the body: %d %s", r.status, r.body)
	}
	w.denied("a secret for a key", w.send("POST", "/v1/secrets/db", "", "Authorization", "Bearer "+token), 403)
	w.denied("a secret for a challenge", w.send("POST", "/v1/secrets/nonced", "", "Authorization", "Bearer "+token), 403)
	k := newClientKey(t)
	w.denied("a key without a challenge", w.send("POST", "/v1/secrets/again", "", "Authorization", "Bearer "+token, "Attestctl-Key", k.header()), 403)
	w.denied("too old", w.send("POST", "/v1/secrets/young", "", "Authorization", "Bearer "+token), 403)
	w.denied("quote without a challenge", w.send("POST", "/v1/secrets/again", string(w.attest(make([]byte, 32))), "Content-Type", octets), 403)
}

// TestAppraise gives the decision document, for a challenge and no secret.
func TestAppraise(t *testing.T) {
	w := started(t)
	text, nonce := w.challenge("", nil)
	ev := w.attest(nonce)
	r := w.answer("/v1/appraise", text, nil, ev)
	var d struct {
		Schema string
		Allow  bool
	}
	if err := json.Unmarshal([]byte(r.body), &d); err != nil || r.status != 200 || !d.Allow || d.Schema != "attestctl.decision/v1" {
		t.Errorf("POST = %d %s", r.status, r.body)
	}
	w.denied("replay", w.answer("/v1/appraise", text, nil, ev), 403)
	w.denied("no challenge", w.send("POST", "/v1/appraise", string(ev), "Content-Type", octets), 403)
	text, nonce = w.challenge("db", nil)
	w.denied("challenge of a secret", w.answer("/v1/appraise", text, nil, w.attest(nonce)), 403)
	if r := w.send("POST", "/v1/appraise", string(ev), "Content-Type", octets, "Attestctl-Nonce", "00"); r.status != 400 {
		t.Errorf("a nonce of one's own: %d %s", r.status, r.body)
	}
	off := started(t, func(w *world) { w.o.Appraise = false })
	if r := off.send("POST", "/v1/appraise", "x", "Content-Type", octets); r.status != 404 {
		t.Errorf("off: %d %s", r.status, r.body)
	}
}

// TestOwnPolicy: a secret's own policy decides, not the server's.
func TestOwnPolicy(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("strict", &k)
	w.denied("its own policy", w.answer("/v1/secrets/strict", text, &k, w.attest(nonce)), 403)
	r := w.records()[0]
	if r.Outcome() != audit.Denied || r.Policy != w.path("secrets/never") || r.Result.Reasons[0].Code != "policy.not-allowed" {
		t.Errorf("audit %+v", r)
	}
}
