package server_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/challenge"
)

func byteReader(b []byte) io.Reader { return bytes.NewReader(b) }

// TestOptions: what is missing or contradicts itself is named, and nothing starts.
func TestOptions(t *testing.T) {
	w := newWorld(t)
	log, err := audit.Open(w.path("audit.log"), w.signer, audit.Options{Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, log)
	w.o.Audit = log
	if s, err := server.New(server.Options{}); err == nil || s != nil {
		t.Errorf("New of nothing = %v, %v", s, err)
	}
	for want, edit := range map[string]func(*server.Options){
		"no folder of secrets":          func(o *server.Options) { o.Secrets = "" },
		"no policy that decides":        func(o *server.Options) { o.Policy = "" },
		"whose signatures count":        func(o *server.Options) { o.Trust = nil },
		"no audit log":                  func(o *server.Options) { o.Audit = nil },
		"no log for operators":          func(o *server.Options) { o.Log = nil },
		"no clock":                      func(o *server.Options) { o.Now = nil },
		"no source of randomness":       func(o *server.Options) { o.Random = nil },
		"no address":                    func(o *server.Options) { o.Listen = "" },
		"no audience":                   func(o *server.Options) { o.Audience = "" },
		"no issuer":                     func(o *server.Options) { o.Issuer = "" },
		"5 characters":                  func(o *server.Options) { o.TokenNonce = "short" },
		"no certificate for TLS":        func(o *server.Options) { o.CertFile, o.KeyFile = "", "" },
		"belong together":               func(o *server.Options) { o.KeyFile = "" },
		"plain http is asked":           func(o *server.Options) { o.InsecureHTTP = true },
		"plain http on":                 func(o *server.Options) { o.InsecureHTTP, o.CertFile, o.KeyFile, o.Listen = true, "", "", "0.0.0.0:0" },
		`plain http on "localhost:0"`:   func(o *server.Options) { o.InsecureHTTP, o.CertFile, o.KeyFile, o.Listen = true, "", "", "localhost:0" },
		"client certificates need TLS":  func(o *server.Options) { o.InsecureHTTP, o.CertFile, o.KeyFile, o.ClientCAFile = true, "", "", "x" },
		"no authority for their":        func(o *server.Options) { o.ClientNames = []string{"a"} },
		"not on the loopback":           func(o *server.Options) { o.Admin = "0.0.0.0:0" },
		"not a host":                    func(o *server.Options) { o.Hosts = []string{"https://x"} },
		"a limit is negative":           func(o *server.Options) { o.Limits.Queue = -1 },
		"want a body":                   func(o *server.Options) { o.Limits.Body = 1 << 30 },
		"shadow":                        func(o *server.Options) { o.ShadowPolicy = w.path("none") },
		"keys for challenges outlast":   func(o *server.Options) { o.ChallengeKeys, o.UsedDir = make([]challenge.Key, 1), "" },
		"all zeros":                     func(o *server.Options) { o.ChallengeKeys = make([]challenge.Key, 1) },
		"forgotten with the process":    func(o *server.Options) { o.UsedDir = "" },
		"no such file or directory":     func(o *server.Options) { o.UsedDir = w.path("none") },
		"trust: nobody":                 func(o *server.Options) { o.Trust = func() (*evidence.Trust, error) { return nil, nil } },
		"opening the policy":            func(o *server.Options) { o.Policy, o.Config = w.path("none"), "" },
		"config: open":                  func(o *server.Options) { o.Config = w.path("none") },
		"listening":                     func(o *server.Options) { o.Listen = "127.0.0.1:x" },
		"challenges that last":          func(o *server.Options) { o.ChallengeLife = time.Hour },
		"certificate: open":             func(o *server.Options) { o.CertFile = w.path("none") },
		"it holds no certificate":       func(o *server.Options) { o.ClientCAFile = w.path("config.json") },
		"belongs to a policy, and none": func(o *server.Options) { o.ShadowConfig = "x" },
	} {
		o := w.o
		edit(&o)
		s, err := server.New(o)
		if err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, %v; want an error with %q", s, err, want)
		}
	}
	w.file("secrets/secrets.yaml", strings.Replace(secretsYAML, "db: {}", "db: {binding: [ak]}", 1))
	if _, err := server.New(w.o); err == nil || hint.Of(err) == "" || !strings.Contains(err.Error(), "binding ak") {
		t.Errorf("binding ak: %v", err)
	}
}

// TestReload: a good one counts at once, a bad one changes nothing and says why.
func TestReload(t *testing.T) {
	w := started(t, func(w *world) { w.o.Limits.Poll = 10 * time.Millisecond })
	if r := w.admin("/readyz"); r.status != 200 {
		t.Fatalf("readyz: %d %s", r.status, r.body)
	}
	w.file("config.json", `{"project_ids":["somebody-else"]}`)
	if err := w.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	w.denied("another project", w.get(w.token(nil)), 401)
	w.file("config.json", `{"project_ids":`)
	if err := w.srv.Reload(); err == nil {
		t.Fatal("a broken config was taken")
	}
	if r := w.admin("/readyz"); r.status != 503 || !strings.Contains(r.body, "config.json") {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	if r := w.admin("/healthz"); r.status != 200 {
		t.Errorf("healthz: %d", r.status)
	}
	w.denied("still another project", w.get(w.token(nil)), 401)
	for name, text := range map[string]string{"secrets/secrets.yaml": "x", "cert.pem": "x", "secrets/never/never.rego": "package attest\n"} {
		was := w.read(name)
		w.file(name, text)
		if err := w.srv.Reload(); err == nil {
			t.Errorf("a broken %s was taken", name)
		}
		w.file(name, was)
	}
	w.file("config.json", `{"project_ids":["`+forge.DefaultInstance().ProjectID+`"]}`)
	for w.admin("/readyz").status != 200 { // the files are looked at by themselves
		time.Sleep(5 * time.Millisecond)
	}
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("our project again: %d %s", r.status, r.body)
	}
	if m := w.admin("/metrics").body; !strings.Contains(m, "attestctl_reload_ok 1") || strings.Count(m, `attestctl_policy_info{`) != 2 {
		t.Errorf("metrics %s", m)
	}
}

// TestTLS: 1.3 only, HTTP/1.1 only, and another certificate after a reload.
func TestTLS(t *testing.T) {
	w := started(t)
	pool := w.ca.Pool()
	if c, err := tls.Dial("tcp", w.srv.Addr().String(), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12}); err == nil {
		closing(t, c)
		t.Error("TLS 1.2 was taken")
	}
	serial := func() string {
		c, err := tls.Dial("tcp", w.srv.Addr().String(), &tls.Config{RootCAs: pool, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer closing(t, c)
		if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("protocol %q", p)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	w.ca.serve(t, w.path("cert.pem"), w.path("key.pem"))
	if err := w.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if serial() == before {
		t.Error("the old certificate is shown")
	}
	cache := tls.NewLRUClientSessionCache(4)
	for range 2 { // a session that is taken up again would be under the old configuration
		c, err := tls.Dial("tcp", w.srv.Addr().String(), &tls.Config{RootCAs: pool, ClientSessionCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		put(t, c, "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		readAll(t, c)
		if c.ConnectionState().DidResume {
			t.Error("a session was taken up again")
		}
		closing(t, c)
	}
}

// TestClientCertificates: of the authority, with the name, after a reload of the new
// authority only.
func TestClientCertificates(t *testing.T) {
	w := started(t, func(w *world) {
		w.file("clients.pem", string(w.ca.PEM))
		w.o.ClientCAFile, w.o.ClientNames = w.path("clients.pem"), []string{"client.example"}
	})
	good := w.ca.issue(t, x509.ExtKeyUsageClientAuth, "client.example")
	token := w.token(nil)
	fails := func(what string, certs ...tls.Certificate) {
		t.Helper()
		w.client = w.ca.client(certs...)
		resp, err := w.client.Get(w.url("/"))
		if err != nil {
			return
		}
		defer closing(t, resp.Body)
		t.Errorf("%s: answered with %s", what, resp.Status)
	}
	fails("no certificate")
	fails("another name", w.ca.issue(t, x509.ExtKeyUsageClientAuth, "other.example"))
	fails("a server's", w.ca.issue(t, x509.ExtKeyUsageServerAuth, "client.example"))
	other := newAuthority(t)
	fails("another authority", other.issue(t, x509.ExtKeyUsageClientAuth, "client.example"))
	w.client = w.ca.client(good)
	if r := w.get(token); r.status != 200 {
		t.Errorf("with its certificate: %d %s", r.status, r.body)
	}
	w.file("clients.pem", string(other.PEM))
	if err := w.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	fails("an authority that is no longer trusted", good)

	// Without a list of names any certificate of the authority will do, and one is needed.
	w = started(t, func(w *world) {
		w.file("clients.pem", string(w.ca.PEM))
		w.o.ClientCAFile = w.path("clients.pem")
	})
	fails("no certificate at all")
	w.client = w.ca.client(w.ca.issue(t, x509.ExtKeyUsageClientAuth, "any.example"))
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("any name: %d %s", r.status, r.body)
	}
}

// TestNoAuditNoSecret: what cannot be written down does not leave.
func TestNoAuditNoSecret(t *testing.T) {
	w := started(t)
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	for what, r := range map[string]reply{"token": w.get(w.token(nil)), "denial": w.get("garbage.garbage.garbage"), "evidence": w.answer("/v1/secrets/db", text, &k, ev)} {
		if r.status != 500 || problemTitle(r) != "internal error" {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
		w.noCanary(what, r.body)
	}
}

// TestStoreFails: nothing is released, and no audit line says so.
func TestStoreFails(t *testing.T) {
	w := started(t)
	if err := os.Remove(filepath.Join(w.dir, "secrets/store/hello")); err != nil {
		t.Fatal(err)
	}
	if r := w.get(w.token(nil)); r.status != 500 || problemTitle(r) != "internal error" {
		t.Errorf("GET / = %d %s", r.status, r.body)
	}
	if r := w.records()[0]; r.Released || r.Outcome() != audit.Failed || r.Error != "store" {
		t.Errorf("audit %+v", r)
	}
}

// TestShadow: what the shadow policy says is logged and changes nothing.
func TestShadow(t *testing.T) {
	w := started(t, func(w *world) { w.o.ShadowPolicy = w.path("secrets/never") })
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("enforced: %d", r.status)
	}
	if m := w.admin("/metrics").body; !strings.Contains(m, `attestctl_shadow_decisions_total{agrees="false"} 1`) || !strings.Contains(m, `role="shadow"`) {
		t.Errorf("metrics %s", m)
	}
	r := w.records()[0]
	if r.Shadow == nil || r.Shadow.Allow || len(r.Shadow.Reasons) == 0 || !r.Released {
		t.Errorf("audit %+v", r)
	}
	if !strings.Contains(w.out.String(), "shadow policy decides differently") {
		t.Error("nobody is told")
	}
	loose := started(t, func(w *world) {
		w.o.ShadowPolicy, w.o.ShadowConfig = w.o.Policy, w.o.Config
		w.o.Policy, w.o.Config = w.path("secrets/never"), ""
	})
	loose.denied("allowed by the shadow alone", loose.get(loose.token(nil)), 401)
	if r := loose.records()[0]; r.Shadow == nil || !r.Shadow.Allow || r.Released || r.Result.Allow {
		t.Errorf("audit %+v", r)
	}
}

// TestDrain: a request under way is finished, and no other is taken.
func TestDrain(t *testing.T) {
	w := started(t)
	c := w.dial()
	// The server has begun to read the body when it asks for it.
	k := newClientKey(t)
	text, nonce := w.challenge("db", &k)
	ev := w.attest(nonce)
	put(t, c, "POST /v1/secrets/db HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nAttestctl-Challenge: "+text+
		"\r\nAttestctl-Key: "+k.header()+"\r\nExpect: 100-continue\r\nContent-Length: "+strconv.Itoa(len(ev))+"\r\n\r\n")
	buf := make([]byte, 64)
	if n, err := c.Read(buf); err != nil || !strings.Contains(string(buf[:n]), "100 Continue") {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	for { // until nobody listens
		d, err := net.Dial("tcp", w.srv.Addr().String())
		if err != nil {
			break
		}
		closing(t, d)
	}
	put(t, c, string(ev))
	answer := readAll(t, c)
	if !strings.Contains(answer, "HTTP/1.1 200 OK") || !strings.Contains(answer, "application/jose") {
		t.Errorf("answer %q", answer)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if r := w.records(); len(r) != 1 || !r[0].Released {
		t.Errorf("audit %+v", r)
	}
}
