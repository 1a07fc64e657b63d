//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/testca"
)

// The secrets of the tests. No output may hold them, but where they are asked for.
const (
	helloSecret = "canary-secret-hello"
	dbSecret    = "canary-secret-db"
)

const serveAudience = "https://server.example"

// watched is standard error that can be waited for.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		select {
		case w.more <- struct{}{}:
		default:
		}
	}()
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// await returns the rest of the line behind a word, once it is written.
func (w *watched) await(ctx context.Context, word string) (string, bool) {
	for {
		if _, after, ok := strings.Cut(w.String(), word); ok {
			if line, _, whole := strings.Cut(after, "\n"); whole {
				return line, true
			}
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return "", false
		}
	}
}

// served is a server that the command serve runs in this process.
type served struct {
	testing.TB

	dir    string
	ca     *testCA
	errs   *watched
	url    string
	admin  string
	code   chan int
	client *http.Client
}

// serveTree lays out what a server needs.
func serveTree(tb testing.TB) (dir string, ca *testCA) {
	tb.Helper()
	dir, ca = tb.TempDir(), newTestCA(tb)
	token, err := forge.Token{Audience: serveAudience, Nonces: []string{}}.Mint()
	if err != nil {
		tb.Fatal(err)
	}
	machine, err := forge.Machine{Technology: forge.AMDSEV}.Attest(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	testca.Write(tb, ca.certify(tb, nil), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	files := map[string][]byte{
		"secrets/secrets.yaml": []byte("default: hello\nstores: {files: {dir: store}}\nsecrets:\n" +
			"  hello: {plaintext: true, binding: [], content_type: text/plain}\n  db: {}\n"),
		"secrets/store/hello": []byte(helloSecret),
		"secrets/store/db":    []byte(dbSecret),
		"config.json":         []byte(`{"project_ids":["` + forge.DefaultInstance().ProjectID + `"]}`),
	}
	for _, trust := range []map[string][]byte{token.TrustFiles(), machine.TrustFiles()} {
		for name, data := range trust {
			files["trust/"+name] = data
		}
	}
	if err := writeTree(dir, files); err != nil {
		tb.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "used"), 0o700); err != nil {
		tb.Fatal(err)
	}
	s := newSession()
	if code := s.run("audit", "keygen", filepath.Join(dir, "audit.key")); code != 0 {
		tb.Fatalf("audit keygen: exit code %d: %s", code, s.err.String())
	}
	if err := os.WriteFile(filepath.Join(dir, "audit.pub"), s.out.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir, ca
}

// serveArgs are the flags for what serveTree laid out.
func serveArgs(dir string) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"serve", "--policy", "builtin:codelab", "--config", file("config.json"), "--secrets", file("secrets"), "--trust", file("trust"),
		"--audience", serveAudience, "--used-dir", file("used"), "--audit", file("audit.log"), "--audit-key", file("audit.key"),
		"--tls-cert", file("cert.pem"), "--tls-key", file("key.pem"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
	}
}

// startServe runs the command and waits until it serves.
func startServe(t *testing.T) *served {
	t.Helper()
	return startServeWith(t, func(args []string) []string { return args })
}

// startServeWith edits the command line before.
func startServeWith(t *testing.T, edit func([]string) []string) *served {
	t.Helper()
	dir, ca := serveTree(t)
	return startServeIn(t, dir, ca, edit)
}

// startServeIn serves what is laid out, and what an earlier server left there.
func startServeIn(t *testing.T, dir string, ca *testCA, edit func([]string) []string) *served {
	t.Helper()
	s := &served{TB: t, dir: dir, ca: ca, errs: &watched{more: make(chan struct{}, 1)}, code: make(chan int, 1)}
	sys := serveSystem()
	sys.stdin, sys.stdout, sys.stderr = strings.NewReader(""), io.Discard, s.errs
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		s.code <- run(edit(serveArgs(dir)), sys)
		cancel()
	}()
	var ok bool
	if s.url, ok = s.errs.await(ctx, "serving on "); !ok {
		t.Fatalf("it does not serve: %s", s.errs)
	}
	s.admin, _ = s.errs.await(ctx, "admin on ")
	s.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13}}}
	t.Cleanup(func() {
		if s.code != nil {
			s.end(syscall.SIGTERM)
		}
	})
	return s
}

// serveSystem is one whose clock fits the forge's evidence.
func serveSystem() *system {
	sys := testSystem()
	sys.now = func() time.Time { return forge.Now().Add(time.Minute) }
	return sys
}

// end sends a signal, and wants the server to end in order.
func (s *served) end(sig syscall.Signal) {
	s.Helper()
	s.client.CloseIdleConnections()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		s.Fatal(err)
	}
	select {
	case code := <-s.code:
		if code != 0 {
			s.Errorf("exit code %d after %v, want 0: %s", code, sig, s.errs)
		}
	case <-time.After(time.Minute):
		s.Fatalf("it does not end after %v: %s", sig, s.errs)
	}
	s.code = nil
	if strings.Contains(s.errs.String(), "canary") {
		s.Errorf("standard error holds a secret: %s", s.errs)
	}
}

// answered is an answer that was read.
type answered struct {
	status    int
	challenge string // WWW-Authenticate
	body      string
}

// get makes the codelab's request.
func (s *served) get(url, token string) answered {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return s.do(req)
}

func (s *served) do(req *http.Request) answered {
	s.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		s.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), string(body)}
}

func serveToken(tb testing.TB, t forge.Token) string {
	tb.Helper()
	e, err := t.Mint()
	if err != nil {
		tb.Fatal(err)
	}
	return string(e.Raw)
}

// TestServeCodelab is the codelab's flow: one command, one request, and what a token
// gets that is wrong or over.
func TestServeCodelab(t *testing.T) {
	s := startServe(t)
	good := serveToken(t, forge.Token{Audience: serveAudience, Nonces: []string{}})
	if got := s.get(s.url+"/", good); got.status != http.StatusOK || got.body != helloSecret {
		t.Errorf("a good token: %d %q, want the secret", got.status, got.body)
	}
	for name, token := range map[string]string{
		"used":    good,
		"wrong":   serveToken(t, forge.Token{Audience: "https://other.example", Nonces: []string{}}),
		"expired": serveToken(t, forge.Token{Audience: serveAudience, Nonces: []string{}, Issued: forge.Now().Add(-2 * time.Hour)}),
		"none":    "",
	} {
		got := s.get(s.url+"/", token)
		if got.status != http.StatusUnauthorized || !strings.Contains(got.body, `"title":"denied"`) || got.challenge != "Bearer" {
			t.Errorf("%s: %d %q, want 401 and the denial", name, got.status, got.body)
		}
	}
	if got := s.get(s.admin+"/readyz", ""); got.status != http.StatusOK {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"released": " hello ", "refused": "token.audience"})
}

// checkAudit proves the log and wants a line with each outcome.
func (s *served) checkAudit(want map[string]string) {
	s.Helper()
	file, x := filepath.Join(s.dir, "audit.log"), newSession()
	if code := x.run("audit", "verify", file, "--key", filepath.Join(s.dir, "audit.pub")); code != 0 || !strings.Contains(x.out.String(), "closed by the server") {
		s.Errorf("audit verify: exit code %d: %s%s", code, x.out.String(), x.err.String())
	}
	for outcome, word := range want {
		if code := x.run("audit", "query", file, "--outcome", outcome); code != 0 || !strings.Contains(x.out.String(), word) {
			s.Errorf("audit query --outcome %s: exit code %d, want %q in: %s%s", outcome, code, word, x.out.String(), x.err.String())
		}
	}
	data, err := os.ReadFile(file)
	if err != nil || bytes.Contains(data, []byte("canary")) {
		s.Errorf("the log holds a secret, or %v", err)
	}
}

// TestServeReload changes a file and asks by signal, and SIGINT ends the server.
func TestServeReload(t *testing.T) {
	s := startServe(t)
	config := filepath.Join(s.dir, "secrets", "secrets.yaml")
	was, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		config, logged string
		ready          int
	}{
		{"secrets: [", "reload refused", http.StatusServiceUnavailable},
		{string(was), "msg=reloaded", http.StatusOK},
	} {
		if err := os.WriteFile(config, []byte(step.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, ok := s.errs.await(ctx, step.logged); !ok {
			t.Errorf("no word of %q: %s", step.logged, s.errs)
		}
		cancel()
		if got := s.get(s.admin+"/readyz", ""); got.status != step.ready {
			t.Errorf("readyz: %d %s, want %d", got.status, got.body, step.ready)
		}
	}
	s.end(syscall.SIGINT)
}

// TestServeFiles: what cannot be used ends the command before it serves.
func TestServeFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		change func(tb testing.TB, name string)
		want   string
	}{
		"audit key that others read": {"audit.key", readable, "others than its owner"},
		"audit key that is a link":   {"audit.key", linked, "is a link"},
		"audit key that is none":     {"audit.key", overwrite, "not an Ed25519 key"},
		"no audit key":               {"audit.key", remove, "--audit-key"},
		"audit log that is none":     {"audit.log", overwrite, "--audit "},
		"secret that others read":    {"secrets/store/db", readable, "secrets: "},
		"certificate that is none":   {"cert.pem", overwrite, "tls: "},
		"trust that is none":         {"trust", remove, "--trust"},
	} {
		dir, _ := serveTree(t)
		c.change(t, filepath.Join(dir, c.file))
		s := newSession()
		if code := s.run(serveArgs(dir)...); code != exitTool || !strings.Contains(s.err.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, s.err.String(), exitTool, c.want)
		}
		if strings.Contains(s.err.String(), "serving on") {
			t.Errorf("%s: it serves", name)
		}
	}
}

func readable(tb testing.TB, name string) {
	tb.Helper()
	if err := os.Chmod(name, 0o644); err != nil {
		tb.Fatal(err)
	}
}

// linked puts a file elsewhere and a link in its place.
func linked(tb testing.TB, name string) {
	tb.Helper()
	if err := errors.Join(os.Rename(name, name+".real"), os.Symlink(filepath.Base(name)+".real", name)); err != nil {
		tb.Fatal(err)
	}
}

func overwrite(tb testing.TB, name string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte("nothing of the kind"), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func remove(tb testing.TB, name string) {
	tb.Helper()
	if err := os.RemoveAll(name); err != nil {
		tb.Fatal(err)
	}
}

// serverTLS is the configuration of a server with a certificate of the authority.
func serverTLS(tb testing.TB, ca *testCA) *tls.Config {
	tb.Helper()
	return &tls.Config{Certificates: []tls.Certificate{ca.certify(tb, nil)}, MinVersion: tls.VersionTLS13}
}
