package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/audit"
)

// The secrets of the tests. No output may hold any of these words.
const (
	helloSecret  = "canary-secret-hello"
	dbSecret     = "canary-secret-db"
	noncedSecret = "canary-secret-nonced"
	strictSecret = "canary-secret-strict"
)

const secretsYAML = `
default: hello
stores: {files: {dir: store}}
secrets:
  hello: {plaintext: true, binding: [], content_type: text/plain}
  again: {plaintext: true, binding: [], reuse: true, path: hello}
  young: {plaintext: true, binding: [], reuse: true, path: hello, max_age: 30s}
  db: {}
  nonced: {plaintext: true, binding: [nonce]}
  strict: {policy: never}
`

const audience = "https://server.example"

// world is a server with all that it rests on.
type world struct {
	testing.TB

	dir      string
	trust    map[string][]byte
	clock    *clock
	random   *source
	out      *lockedBuffer // what operators see
	log      *audit.Log
	signer   ed25519.PrivateKey
	verifier ed25519.PublicKey
	o        server.Options
	ca       *authority

	srv    *server.Server
	client *http.Client
	stop   func() error
}

// clock tells the time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// source is randomness that panics or fails when told to.
type source struct {
	mu     sync.Mutex
	panics any
	err    error // of reads of 32 bytes, which are keys
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *source) set(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.panics = v
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panics != nil {
		panic(s.panics)
	}
	if s.err != nil && len(p) == 32 {
		return 0, s.err
	}
	return rand.Read(p)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld lays everything out and starts nothing.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{TB: tb, dir: tb.TempDir(), trust: map[string][]byte{}, clock: &clock{t: forge.Now().Add(time.Minute)}, out: &lockedBuffer{}, random: &source{}, ca: newAuthority(tb)}
	if err := os.Chmod(w.dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	w.file("secrets/secrets.yaml", secretsYAML)
	w.file("secrets/store/hello", helloSecret)
	w.file("secrets/store/db", dbSecret)
	w.file("secrets/store/nonced", noncedSecret)
	w.file("secrets/store/strict", strictSecret)
	w.file("secrets/never/never.rego", "package attest\n\ndefault allow := false\n\nallow if input.hwmodel == \"INTEL_TDX\"\n")
	w.file("config.json", `{"project_ids":["`+forge.DefaultInstance().ProjectID+`"]}`)
	w.folder("used")
	w.ca.serve(tb, w.path("cert.pem"), w.path("key.pem"))
	var err error
	if w.verifier, w.signer, err = ed25519.GenerateKey(rand.Reader); err != nil {
		tb.Fatal(err)
	}
	w.o = server.Options{
		Secrets: w.path("secrets"), Policy: "builtin:codelab", Config: w.path("config.json"), Appraise: true,
		Trust:    func() (*evidence.Trust, error) { return loadTrust(w.trust) },
		Audience: audience, Issuer: evidence.GoogleIssuer, UsedDir: w.path("used"),
		Log: slog.New(slog.NewTextHandler(w.out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: w.clock.now, Random: w.random,
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", CertFile: w.path("cert.pem"), KeyFile: w.path("key.pem"),
		Limits: server.Limits{Burst: 10_000, Poll: -1},
	}
	w.token(nil) // its keys are trusted
	w.attest([]byte("sixteen bytes of nonce"))
	return w
}

// started is a world that serves.
func started(tb testing.TB, edits ...func(*world)) *world {
	tb.Helper()
	w := newWorld(tb)
	for _, edit := range edits {
		edit(w)
	}
	w.start()
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) folder(name string) {
	w.Helper()
	if err := os.MkdirAll(w.path(name), 0o700); err != nil {
		w.Fatal(err)
	}
}

func (w *world) file(name, text string) {
	w.Helper()
	w.folder(filepath.Dir(name))
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}

// admin asks the admin listener.
func (w *world) admin(path string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.srv.AdminAddr().String()+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer closing(w, resp.Body)
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(data)}
}

func loadTrust(files map[string][]byte) (*evidence.Trust, error) {
	dir := fstest.MapFS{}
	for name, data := range files {
		dir[name] = &fstest.MapFile{Data: data}
	}
	return evidence.LoadTrust(dir)
}

func (w *world) start() {
	w.Helper()
	var err error
	if w.log, err = audit.Open(w.path("audit.log"), w.signer, audit.Options{Now: w.clock.now}); err != nil {
		w.Fatal(err)
	}
	w.o.Audit = w.log
	if w.srv, err = server.New(w.o); err != nil {
		closing(w, w.log)
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.srv.Run(ctx) }()
	w.client = w.ca.client()
	w.stop = sync.OnceValue(func() error {
		w.client.CloseIdleConnections()
		cancel()
		err := <-done
		if c := w.srv.Close(); err == nil {
			err = c
		}
		if c := w.log.Close(); err == nil {
			err = c
		}
		return err
	})
	w.Cleanup(func() {
		if err := w.stop(); err != nil && !w.Failed() {
			w.Errorf("the server ends with %v", err)
		}
	})
}

func (w *world) url(path string) string {
	scheme := "https"
	if w.o.InsecureHTTP {
		scheme = "http"
	}
	return scheme + "://" + w.srv.Addr().String() + path
}

// token mints a token for this server, without a nonce unless edited.
func (w *world) token(edit func(*forge.Token)) string {
	w.Helper()
	t := forge.Token{Audience: audience, Nonces: []string{}}
	if edit != nil {
		edit(&t)
	}
	e, err := t.Mint()
	if err != nil {
		w.Fatal(err)
	}
	if len(w.trust) == 0 {
		maps.Copy(w.trust, e.TrustFiles())
	}
	return string(e.Raw)
}

// attest takes evidence of the machine that the policy allows.
func (w *world) attest(nonce []byte) []byte {
	w.Helper()
	e, err := forge.Machine{Technology: forge.AMDSEV}.Attest(nonce)
	if err != nil {
		w.Fatal(err)
	}
	maps.Copy(w.trust, e.TrustFiles())
	raw, err := e.Binary()
	if err != nil {
		w.Fatal(err)
	}
	return raw
}

// reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request with headers in pairs.
func (w *world) send(method, path, body string, headers ...string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url(path), strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	defer closing(w, resp.Body)
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, string(data)}
}

// get is the codelab's request.
func (w *world) get(token string) reply {
	w.Helper()
	return w.send("GET", "/", "", "Authorization", "Bearer "+token)
}

const octets = "application/octet-stream"

// records reads the audit log of a server that has ended, and proves its chain.
func (w *world) records() []audit.Record {
	w.Helper()
	if err := w.stop(); err != nil {
		w.Fatal(err)
	}
	data, err := os.ReadFile(w.path("audit.log"))
	if err != nil {
		w.Fatal(err)
	}
	if _, err := audit.Verify(bytes.NewReader(data), w.verifier); err != nil {
		w.Fatal(err)
	}
	var list []audit.Record
	for r, err := range audit.Read(bytes.NewReader(data)) {
		if err != nil {
			w.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// denied wants the one denial of a route.
func (w *world) denied(what string, r reply, status int) {
	w.Helper()
	if r.status != status || problemTitle(r) != "denied" || r.header.Get("Content-Type") != "application/problem+json" {
		w.Errorf("%s: %d %s, want the denial with %d", what, r.status, r.body, status)
	}
	w.noCanary(what, r.body)
}

func problemTitle(r reply) string {
	var p struct{ Title string }
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		return ""
	}
	return p.Title
}

func (w *world) noCanary(what, text string) {
	w.Helper()
	if strings.Contains(text, "canary") {
		w.Errorf("%s: it holds a secret: %.200q", what, text)
	}
}
