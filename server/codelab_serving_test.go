package server_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
)

// The bugs of the codelab's server that have to do with how it serves.

// TestCodelabBug13PlainHTTP: secrets do not cross a network without TLS.
func TestCodelabBug13PlainHTTP(t *testing.T) {
	w := started(t)
	c := w.dialPlain()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", w.token(nil))
	answer := readAll(t, c)
	w.noCanary("plain http", answer)
	if strings.Contains(answer, " 200 ") {
		t.Errorf("answered %q", answer)
	}
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		o := w.o
		o.InsecureHTTP, o.CertFile, o.KeyFile, o.Listen = true, "", "", address
		if s, err := server.New(o); err == nil || s != nil {
			t.Errorf("New on %s without TLS = %v, %v", address, s, err)
		}
	}
}

// TestCodelabBug14LongBody: a body is as long as it says, and no longer than a MiB.
func TestCodelabBug14LongBody(t *testing.T) {
	w := started(t)
	w.refused("a GiB", w.raw("POST /v1/secrets/db HTTP/1.1\r\nHost: x\r\nContent-Type: "+octets+"\r\nContent-Length: 1073741824\r\n\r\n"), 413)
}

// TestCodelabBug14SlowClients: who does not finish a header or a body is cut off.
func TestCodelabBug14SlowClients(t *testing.T) {
	w := started(t, func(w *world) {
		w.o.Limits.ReadHeader, w.o.Limits.Read, w.o.Limits.Idle = 100*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	})
	for what, text := range map[string]string{
		"nothing":       "",
		"half a header": "GET / HTTP/1.1\r\nHost: x\r\nAuthor",
		"half a body":   "POST /v1/secrets/db HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\nabc",
		"idle":          "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c := w.dial()
		put(t, c, text)
		answer := readAll(t, c) // fails the test if nobody ends it
		w.noCanary(what, answer)
		if strings.Contains(answer, " 200 ") {
			t.Errorf("%s: %q", what, answer)
		}
	}
	readAll(t, w.dialPlain()) // no TLS at all
	if r := w.records(); len(r) != 0 {
		t.Errorf("something was decided: %+v", r)
	}
}

// TestCodelabBug14BusyPort: a server that cannot listen says so.
func TestCodelabBug14BusyPort(t *testing.T) {
	w := started(t)
	o := w.o
	o.Listen = w.srv.Addr().String()
	if s, err := server.New(o); err == nil || !strings.Contains(err.Error(), "listening") {
		t.Errorf("New = %v, %v", s, err)
	}
}

// TestCodelabBug15ErrorText: a client is told nothing, the audit log is.
func TestCodelabBug15ErrorText(t *testing.T) {
	w := started(t)
	r := w.get(w.token(func(t *forge.Token) { t.Audience = "https://other.example" }))
	if strings.Contains(r.body, "aud") || strings.Contains(r.body, "token") {
		t.Errorf("told %s", r.body)
	}
	if got := w.records(); len(got) != 1 || len(got[0].Failed) != 1 || got[0].Failed[0] != "token.audience" {
		t.Errorf("audit %+v", got)
	}
	for path, names := range map[string]string{"fmt": `^Print`, "log": `.`, "os": `^(Stdout|Stderr)$`} {
		for _, use := range uses(t, ".", path, regexp.MustCompile(names)) {
			t.Errorf("%s: what is to be said goes to Options.Log", use)
		}
	}
}

// TestCodelabBug16SecretInTheSource: the secret is a file, read for each release:
// another one counts at once, and without one there is nothing to give.
func TestCodelabBug16SecretInTheSource(t *testing.T) {
	w := started(t)
	gives := func(want string) {
		t.Helper()
		w.clock.add(time.Second)
		token := w.token(func(t *forge.Token) { t.Issued = w.clock.now() })
		if r := w.get(token); r.status != 200 || r.body != want {
			t.Errorf("%d %q, want %q", r.status, r.body, want)
		}
	}
	gives(helloSecret)
	w.file("secrets/store/hello", "canary-secret-of-today")
	gives("canary-secret-of-today")
	w.file("secrets/secrets.yaml", strings.Replace(secretsYAML, "default: hello", "default: other\n", 1)+"  other: {plaintext: true, binding: []}\n")
	w.file("secrets/store/other", "canary-secret-other")
	if err := w.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	gives("canary-secret-other")
	if err := os.Remove(w.path("secrets/store/other")); err != nil {
		t.Fatal(err)
	}
	if r := w.get(w.token(nil)); r.status != 500 || problemTitle(r) != "internal error" {
		t.Errorf("no secret: %d %s", r.status, r.body)
	}
}

// TestCodelabBug17SleepUntilNotBefore: a token that is not valid yet is denied, not
// waited for, and is as good as any when its time has come.
func TestCodelabBug17SleepUntilNotBefore(t *testing.T) {
	for _, use := range uses(t, ".", "time", regexp.MustCompile(`^(Sleep|After|AfterFunc|NewTimer|Tick)$`)) {
		if strings.HasPrefix(use, "audit/log.go:") && strings.HasSuffix(use, " time.NewTimer") {
			continue // a millisecond for company on the way to the disk, whatever a client sent
		}
		t.Errorf("%s: no client makes the server wait", use)
	}
	w := started(t)
	token := w.token(func(t *forge.Token) { t.Issued = forge.Now().Add(24 * time.Hour) })
	w.denied("from tomorrow", w.get(token), 401)
	w.denied("from tomorrow, and forged", w.get(lastChar(token)), 401)
	w.clock.add(24 * time.Hour)
	if r := w.get(token); r.status != 200 {
		t.Errorf("tomorrow: %d %s", r.status, r.body)
	}
}
