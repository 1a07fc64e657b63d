package server_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/server"
)

// The hostile requests of row 39, http_hostile. Clients that send nothing more are
// among the bugs of the codelab, number 14.

// dial opens a raw connection through TLS.
func (w *world) dial() net.Conn {
	w.Helper()
	c, err := tls.Dial("tcp", w.srv.Addr().String(), &tls.Config{RootCAs: w.ca.Pool(), MinVersion: tls.VersionTLS13})
	if err != nil {
		w.Fatal(err)
	}
	return w.limited(c)
}

// dialPlain opens a raw connection without TLS.
func (w *world) dialPlain() net.Conn {
	w.Helper()
	c, err := net.Dial("tcp", w.srv.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	return w.limited(c)
}

// limited bounds what the test waits for; that is no limit of the server.
func (w *world) limited(c net.Conn) net.Conn {
	w.Helper()
	w.Cleanup(func() { closing(w, c) })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.Fatal(err)
	}
	return c
}

// closing closes what may be closed already.
func closing(tb testing.TB, c io.Closer) {
	tb.Helper()
	if err := c.Close(); err != nil {
		tb.Logf("closing: %v", err)
	}
}

// put writes what the other end may not want.
func put(tb testing.TB, c net.Conn, text string) {
	tb.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		tb.Logf("writing: %v", err)
	}
}

// readAll reads until the other end closes.
func readAll(tb testing.TB, c net.Conn) string {
	tb.Helper()
	data, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		tb.Errorf("the connection stays open: %q", data)
	}
	return string(data)
}

// raw sends bytes and returns the first answer.
func (w *world) raw(text string) reply {
	w.Helper()
	c := w.dial()
	go put(w, c, text)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer closing(w, resp.Body)
	data, _ := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(data)}
}

// refused wants a status of the class 4xx and no secret.
func (w *world) refused(what string, r reply, status int) {
	w.Helper()
	if r.status != status {
		w.Errorf("%s: %d %s, want %d", what, r.status, r.body, status)
	}
	w.noCanary(what, r.body)
}

func TestTraversal(t *testing.T) {
	w := started(t)
	w.file("secrets/store/.hidden", "canary-hidden")
	auth := "Bearer " + w.token(nil)
	for _, path := range []string{
		"..", "../hello", "..%2fhello", "%2e%2e%2fstore%2fhello", "%2e%2e", "hello%00", "hello%2f", "hello/", "/hello", `..\hello`, "..%5chello",
		".hidden", "HELLO", "héllo", "%68ello", "hello.", "hello?x", "hello;x", "hello%20", "．．/hello", strings.Repeat("a", 65), "", "hello#x",
	} {
		r := w.raw("POST /v1/secrets/" + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + auth + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		w.refused(path, r, 400)
	}
	for _, target := range []string{"//", "/./", "/../", "/?", "/?a=b", "https://" + w.srv.Addr().String() + "/", "*", "/%2e"} {
		r := w.raw("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + auth + "\r\nConnection: close\r\n\r\n")
		if r.status != 400 && r.status != 404 {
			t.Errorf("GET %s: %d", target, r.status)
		}
		w.noCanary(target, r.body)
	}
	if r := w.send("GET", "/", "", "Authorization", auth); r.status != 200 {
		t.Errorf("positive twin: %d %s", r.status, r.body)
	}
}

func TestSmuggling(t *testing.T) {
	w := started(t)
	auth := "Authorization: Bearer " + w.token(nil) + "\r\n"
	post := "POST /v1/secrets/hello HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
	for what, c := range map[string]struct {
		text   string
		status int
	}{
		"chunks":                     {post + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 411},
		"chunks and a length":        {post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\na\r\n0\r\n\r\n", 400},
		"a length and chunks":        {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 400},
		"another encoding":           {post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"identity":                   {post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na", 400},
		"two lengths":                {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"the same length twice":      {post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
		"a list of lengths":          {post + "Content-Length: 1, 1\r\n\r\na", 400},
		"a signed length":            {post + "Content-Length: +1\r\n\r\na", 400},
		"two tokens":                 {"GET / HTTP/1.1\r\nHost: x\r\n" + auth + auth + "\r\n", 400},
		"two hosts":                  {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + auth + "\r\n", 400},
		"no host":                    {"GET / HTTP/1.1\r\n" + auth + "\r\n", 400},
		"HTTP/1.0":                   {"GET / HTTP/1.0\r\n" + auth + "\r\n", 505},
		"bare line feeds":            {"GET / HTTP/1.1\nHost: x\n" + strings.TrimRight(auth, "\r\n") + "\n\n", 400},
		"one bare line feed":         {"GET / HTTP/1.1\r\nHost: x\nX: y\r\n" + auth + "\r\n", 400},
		"a folded header":            {"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n" + auth + "\r\n", 400},
		"a space before the colon":   {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n" + auth + "\r\n", 400},
		"a body where there is none": {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + auth + "\r\nabc", 400},
		"upgrade":                    {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + auth + "\r\n", 400},
		"a trailer":                  {post + "Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n", 411},
		"an expectation":             {post + "Expect: secret\r\nContent-Length: 1\r\n\r\na", 417},
		"connect":                    {"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"HTTP/2 preface":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		"options of all":             {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"two challenges":             {post + "Attestctl-Challenge: a\r\nAttestctl-Challenge: b\r\nContent-Length: 1\r\n\r\na", 400},
	} {
		r := w.raw(c.text)
		w.refused(what, r, c.status)
	}
	if r := w.raw("GET / HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n"); r.status != 200 {
		t.Errorf("positive twin: %d %s", r.status, r.body)
	}
}

// TestPipelined: what follows a body is the next request, and no part of the body is.
func TestPipelined(t *testing.T) {
	w := started(t)
	inner := "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.token(nil) + "\r\n\r\n"
	c := w.dial()
	fmt.Fprintf(c, "POST /v1/secrets/db HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%sGET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", octets, len(inner), inner)
	all := readAll(t, c)
	w.noCanary("the answers", all)
	if strings.Count(all, "HTTP/1.1 403") != 1 || strings.Count(all, "HTTP/1.1 404") != 1 {
		t.Errorf("answers %q", all)
	}
}

func TestBombs(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, _ := w.challenge("db", &k)
	head := "POST /v1/secrets/db HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nAttestctl-Challenge: " + text + "\r\n"
	w.refused("1 GiB announced", w.raw(head+"Content-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n"), 413)
	w.refused("more than an int64", w.raw(head+"Content-Length: 99999999999999999999\r\n\r\n"), 400)
	w.refused("encoded", w.raw(head+"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"), 415)
	w.refused("twice", w.raw(head+"Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"), 400)
	w.refused("a form", w.send("POST", "/v1/secrets/db", "a=b", "Content-Type", "application/x-www-form-urlencoded"), 415)
	w.refused("text", w.send("POST", "/v1/secrets/db", "a", "Content-Type", "text/plain"), 415)
	w.refused("a challenge by a form", w.send("POST", "/v1/challenge", `{"secret":"db"}`, "Content-Type", "text/plain"), 415)
	w.refused("nothing", w.send("POST", "/v1/secrets/db", "", "Content-Type", octets), 400)
	w.refused("a long header", w.raw("GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 64<<10)+"\r\n\r\n"), 431)
	w.refused("many headers", w.raw("GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X: a\r\n", 20_000)+"\r\n"), 431)
	w.denied("a long token", w.get(strings.Repeat("a", 10<<10)+"."+strings.Repeat("b", 10<<10)+".c"), 401)
	w.denied("1 MiB", w.send("POST", "/v1/secrets/db", strings.Repeat("a", 1<<20), "Content-Type", octets, "Attestctl-Challenge", text), 403)
	w.refused("1 MiB and a byte", w.send("POST", "/v1/secrets/db", strings.Repeat("a", 1<<20+1), "Content-Type", octets), 413)

	// A gigabyte that is sent nevertheless: the connection ends long before.
	c := w.dial()
	put(t, c, head+"Content-Length: 1073741824\r\n\r\n")
	sent, chunk := 0, make([]byte, 64<<10)
	for sent < 1<<30 {
		n, err := c.Write(chunk)
		sent += n
		if err != nil {
			break
		}
	}
	if sent > 64<<20 {
		t.Errorf("%d MiB were taken", sent>>20)
	}
}

func TestBrowsers(t *testing.T) {
	w := started(t)
	token := "Bearer " + w.token(nil)
	for what, h := range map[string][]string{
		"origin":      {"Origin", "https://evil.example"},
		"null origin": {"Origin", "null"},
		"cross-site":  {"Sec-Fetch-Site", "cross-site"},
		"same site":   {"Sec-Fetch-Site", "same-site"},
	} {
		r := w.send("GET", "/", "", append(h, "Authorization", token)...)
		w.refused(what, r, 400)
		if r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", what, r.header)
		}
	}
	named := started(t, func(w *world) { w.o.Hosts = []string{"server.example"} })
	token = "Bearer " + named.token(nil)
	named.refused("another host", named.send("GET", "/", "", "Authorization", token, "Host", "evil.example"), 421)
	if r := named.send("GET", "/", "", "Authorization", token, "Host", "Server.Example"); r.status != 200 {
		t.Errorf("its own host: %d %s", r.status, r.body)
	}
	local := started(t, func(w *world) { w.o.InsecureHTTP, w.o.CertFile, w.o.KeyFile = true, "", "" })
	token = "Bearer " + local.token(nil)
	local.refused("a name that leads here", local.send("GET", "/", "", "Authorization", token, "Host", "evil.example"), 421)
	if r := local.send("GET", "/", "", "Authorization", token); r.status != 200 {
		t.Errorf("by address: %d %s", r.status, r.body)
	}
}

// TestForwardedFor: what a client says of its address counts for nothing.
func TestForwardedFor(t *testing.T) {
	w := started(t)
	w.send("GET", "/", "", "Authorization", "Bearer "+w.token(nil), "X-Forwarded-For", "192.0.2.1", "Forwarded", "for=192.0.2.1", "X-Real-Ip", "192.0.2.1")
	for _, r := range w.records() {
		if r.Remote != "127.0.0.1" || strings.Contains(string(r.Input), "192.0.2.1") {
			t.Errorf("audit %+v", r)
		}
	}
}

func TestRate(t *testing.T) {
	w := started(t, func(w *world) { w.o.Limits = server.Limits{Rate: 1, Burst: 3, Poll: -1} })
	for range 3 {
		if r := w.send("GET", "/none", ""); r.status != 404 {
			t.Errorf("within the burst: %d", r.status)
		}
	}
	r := w.get(w.token(nil))
	w.refused("beyond", r, 429)
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", r.header)
	}
	w.clock.add(time.Second)
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("a second later: %d", r.status)
	}
	w.refused("and beyond again", w.get(w.token(nil)), 429)
}

func TestConnections(t *testing.T) {
	w := started(t, func(w *world) { w.o.Limits.PerClient = 2 })
	w.dial()
	w.dial()
	if got := readAll(t, w.dialPlain()); got != "" {
		t.Errorf("the third connection: %q", got)
	}
	if !strings.Contains(w.admin("/metrics").body, `attestctl_shed_total{limit="connections"} 1`) {
		t.Error("not counted")
	}
}
