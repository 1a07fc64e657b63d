package server_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/challenge"
)

// TestNonCanonicalReplay is row 11: a token is good once, however it is spelled.
func TestNonCanonicalReplay(t *testing.T) {
	w := started(t)
	token := w.token(nil)
	parts := strings.Split(token, ".")
	spellings := map[string]string{
		"padding":      token + "=",
		"std alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(token),
		"unused bits":  lastChar(parts[0]) + "." + parts[1] + "." + parts[2],
		"of signature": parts[0] + "." + parts[1] + "." + lastChar(parts[2]),
		"of payload":   parts[0] + "." + lastChar(parts[1]) + "." + parts[2],
		"a part more":  token + ".",
	}
	if r := w.get(token); r.status != 200 {
		t.Fatalf("first: %d", r.status)
	}
	w.denied("the same", w.get(token), 401)
	for what, s := range spellings {
		if s != token {
			w.denied(what, w.get(s), 401)
		}
	}
	for _, header := range []string{"bearer " + token, "Bearer  " + token, "Bearer\t" + token, "BEARER " + token, "Bearer " + token + ", Bearer " + token} {
		w.denied(header[:8], w.send("GET", "/", "", "Authorization", header), 401)
	}
	w.denied("in the body", w.send("POST", "/v1/secrets/hello", token+"\n", "Content-Type", octets), 403)
	w.denied("in the body, crlf", w.send("POST", "/v1/secrets/hello", token+"\r\n", "Content-Type", octets), 403)
	w.denied("at another route", w.send("POST", "/v1/secrets/hello", "", "Authorization", "Bearer "+token), 403)
}

// lastChar changes the last character, which may hold unused bits.
func lastChar(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[i^1])
}

// TestRelay is row 16, relay_without_channel_binding: evidence of a good machine in the
// hands of somebody else.
func TestRelay(t *testing.T) {
	w := started(t)
	victim, thief := newClientKey(t), newClientKey(t)
	text, nonce := w.challenge("db", &victim)
	ev := w.attest(nonce)
	w.denied("the thief's key on the victim's challenge", w.answer("/v1/secrets/db", text, &thief, ev), 403)
	own, _ := w.challenge("db", &thief)
	w.denied("the thief's challenge", w.answer("/v1/secrets/db", own, &thief, ev), 403)
	// The thief has the victim attest to a nonce that comes from the thief: the victim
	// computes it from the challenge and its own key, so it never is the thief's.
	thumb := victim.thumbprint(t)
	n := challenge.Nonce(own, thumb)
	w.denied("the thief's challenge, passed on", w.answer("/v1/secrets/db", own, &thief, w.attest(n[:])), 403)
	w.denied("no key", w.answer("/v1/secrets/db", text, nil, ev), 403)
	w.denied("another secret", w.answer("/v1/secrets/strict", text, &victim, ev), 403)
	if r := w.answer("/v1/secrets/db", text, &victim, ev); r.status != 200 {
		t.Errorf("the victim itself: %d %s", r.status, r.body)
	}
}

// TestReplay is row 17: the same evidence twice, after a restart, at a replica, and at
// many at once.
func TestReplay(t *testing.T) {
	var key challenge.Key
	if _, err := rand.Read(key[:]); err != nil {
		t.Fatal(err)
	}
	share := func(w *world) { w.o.ChallengeKeys = []challenge.Key{key} }
	w := started(t, share)
	replica := started(t, share, func(r *world) { r.o.UsedDir = w.o.UsedDir })
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev, token := w.attest(nonce), w.token(nil)

	var released atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			at := []*world{w, replica}[i%2]
			if at.answer("/v1/secrets/db", text, &k, ev).status == 200 {
				released.Add(1)
			}
		})
		all.Go(func() {
			at := []*world{w, replica}[i%2]
			if at.get(token).status == 200 {
				released.Add(100)
			}
		})
	}
	all.Wait()
	if n := released.Load(); n != 101 {
		t.Errorf("released %d times evidence, %d times a token; want once each", n%100, n/100)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.denied("evidence after a restart", w.answer("/v1/secrets/db", text, &k, ev), 403)
	w.denied("token after a restart", w.get(token), 401)
}

// TestRestartEndsChallenges: without shared keys no challenge outlives the process.
func TestRestartEndsChallenges(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.denied("after a restart", w.answer("/v1/secrets/db", text, &k, ev), 403)
}

// TestChallengeEnds: a challenge is over in time, and evidence older than the secret
// wants is refused before.
func TestChallengeEnds(t *testing.T) {
	w := started(t, func(w *world) { w.o.MaxAge = 2 * time.Minute })
	k := newClientKey(t)
	for _, wait := range []time.Duration{2*time.Minute + time.Second, 5 * time.Minute} {
		text, nonce := w.challenge("db", &k)
		ev := w.attest(nonce)
		w.clock.add(wait)
		w.denied(wait.String(), w.answer("/v1/secrets/db", text, &k, ev), 403)
	}
	r := w.records()
	if r[0].Failed[0] != "evidence.age" || r[1].Failed[0] != "challenge.fresh" {
		t.Errorf("audit %v, %v", r[0].Failed, r[1].Failed)
	}
}

// TestClientNonce: what a client calls fresh is not.
func TestClientNonce(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, _ := w.challenge("db", &k)
	w.denied("its own nonce", w.answer("/v1/secrets/db", text, &k, w.attest([]byte("a nonce of the client's own"))), 403)
	for _, bad := range []string{"", "x", text[:len(text)-1], text + "A", strings.ToUpper(text), "AQ" + text[2:]} {
		w.denied("challenge "+bad, w.answer("/v1/secrets/db", bad, &k, w.attest(make([]byte, 32))), 403)
	}
}

// TestDenialsAreEqual is the error oracle of row 40: whatever was wrong, the bytes are
// the same but for the ID of the request, and so are the headers but for the date.
func TestDenialsAreEqual(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	noSuch, noSuchNonce := w.challenge("no-such-secret", &k)
	strict, strictNonce := w.challenge("strict", &k)
	flipped := bytes.Clone(ev)
	flipped[len(flipped)/2] ^= 1
	post := map[string]reply{
		"no such secret":     w.answer("/v1/secrets/no-such-secret", noSuch, &k, w.attest(noSuchNonce)),
		"denied by a policy": w.answer("/v1/secrets/strict", strict, &k, w.attest(strictNonce)),
		"wrong nonce":        w.answer("/v1/secrets/db", text, &k, w.attest(make([]byte, 32))),
		"damaged":            w.answer("/v1/secrets/db", text, &k, flipped),
		"garbage":            w.answer("/v1/secrets/db", text, &k, []byte("garbage")),
		"no challenge":       w.send("POST", "/v1/secrets/db", string(ev), "Content-Type", octets),
		"a bad challenge":    w.answer("/v1/secrets/db", "x", &k, ev),
		"no key":             w.answer("/v1/secrets/db", text, nil, ev),
		"a bad token":        w.send("POST", "/v1/secrets/hello", "", "Authorization", "Bearer a.b.c"),
		"no token at all":    w.send("POST", "/v1/secrets/hello", "", "Authorization", "Basic a"),
	}
	used := w.answer("/v1/secrets/db", text, &k, ev)
	if used.status != 200 {
		t.Fatalf("positive twin: %d", used.status)
	}
	post["used"] = w.answer("/v1/secrets/db", text, &k, ev)
	same(t, post, 403)
	token := w.token(nil)
	if r := w.get(token); r.status != 200 {
		t.Fatalf("positive twin: %d", r.status)
	}
	same(t, map[string]reply{
		"used": w.get(token), "none": w.send("GET", "/", ""), "garbage": w.get("garbage"), "foreign": w.get(w.token(func(t *forge.Token) {
			t.Machine = &forge.Machine{Technology: forge.AMDSEV, Instance: forge.Instance{ProjectID: "somebody-else"}}
		})),
		"expired": w.get(w.token(func(t *forge.Token) { t.Issued = forge.Now().Add(-2 * time.Hour) })),
		"forged":  w.get(lastChar(token)),
	}, 401)
}

func same(t *testing.T, replies map[string]reply, status int) {
	t.Helper()
	var first string
	ids := map[string]bool{}
	for what, r := range replies {
		_, after, _ := strings.Cut(r.body, `"instance":"`)
		id, _, _ := strings.Cut(after, `"`)
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 || ids[id] {
			t.Errorf("%s: request id %q", what, id)
		}
		ids[id] = true
		r.header.Del("Date")
		var b bytes.Buffer
		fmt.Fprintln(&b, r.status)
		if err := r.header.Write(&b); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Replace(r.body, id, "ID", 1))
		if first == "" {
			first = b.String()
		}
		if r.status != status || b.String() != first {
			t.Errorf("%s\ngot  %s\nwant %s", what, b.String(), first)
		}
	}
}

// TestNoLeak is row 40: neither secret nor token, evidence, challenge or its key in what
// operators, the audit log, metrics and errors show, panics included.
func TestNoLeak(t *testing.T) {
	var key challenge.Key
	copy(key[:], "canary-key-of-challenges-32-byte")
	w := started(t, func(w *world) { w.o.ChallengeKeys = []challenge.Key{key} })
	k := newClientKey(t)
	token := w.token(nil)
	if r := w.get(token); r.status != 200 {
		t.Fatal(r.body)
	}
	w.get(token)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	w.answer("/v1/secrets/db", text, &k, ev)
	w.answer("/v1/secrets/db", text, &k, ev)
	w.answer("/v1/secrets/db", text, &k, []byte("canary-evidence"))
	w.get("canary-token")
	w.get("canary-token.canary-token.canary-token")
	w.send("POST", "/v1/secrets/db", "", "Authorization", "Bearer canary-x.canary-y.canary-z")
	w.send("POST", "/canary-path", "canary-body", "Content-Type", "canary/type")
	w.send("POST", "/v1/challenge", `{"secret":"canary-name","canary":1}`, "Content-Type", "application/json")
	w.random.set("canary-panic " + helloSecret)
	if r := w.get(w.token(nil)); r.status != 500 || problemTitle(r) != "internal error" {
		t.Errorf("a panic: %d %s", r.status, r.body)
	}
	w.random.set(nil)
	metrics := w.admin("/metrics").body
	w.records()
	seen := w.out.String() + metrics + w.read("audit.log") + server.Sprint(w.srv)
	w.noCanary("what is shown", seen)
	for what, s := range map[string]string{
		"token": token, "signature": strings.Split(token, ".")[2], "payload": strings.Split(token, ".")[1], "challenge": text, "key of the client": k.header(),
		"evidence": base64.StdEncoding.EncodeToString(ev)[:64], "evidence in hex": hex.EncodeToString(ev)[:64],
		"key in hex": hex.EncodeToString(key[:]), "secret in base64": base64.StdEncoding.EncodeToString([]byte(dbSecret))[:12],
	} {
		if strings.Contains(seen, s) {
			t.Errorf("what is shown holds the %s", what)
		}
	}
	for _, name := range []string{"hello", "strict", "nonced"} {
		if strings.Contains(metrics, `"`+name+`"`) {
			t.Errorf("metrics name the secret %s", name)
		}
	}
	if !strings.Contains(seen, "panic") || !strings.Contains(metrics, "attestctl_panics_total 1") || !strings.Contains(metrics, `attestctl_decisions_total{outcome="released"} 2`) {
		t.Errorf("metrics %s", metrics)
	}
}
