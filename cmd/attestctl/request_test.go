//go:build unix

package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
)

// attestAs says in the environment that this process plays the program that attests.
const attestAs = "ATTESTCTL_TEST_ATTEST"

// TestAttestProgram is not a test but the program behind --attest-cmd and --token-cmd:
// its arguments are the nonce and, if there is one, the file to write to.
func TestAttestProgram(t *testing.T) {
	kind := os.Getenv(attestAs)
	if kind == "" || flag.NArg() == 0 {
		return
	}
	raw, err := attestFor(kind, flag.Arg(0))
	if err == nil && flag.NArg() > 1 {
		err = os.WriteFile(flag.Arg(1), raw, 0o600)
	} else if err == nil {
		_, err = os.Stdout.Write(raw)
	}
	if err != nil {
		t.Error(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func attestFor(kind, nonce string) ([]byte, error) {
	switch kind {
	case "token":
		e, err := forge.Token{Audience: serveAudience, Nonces: []string{nonce}}.Mint()
		if err != nil {
			return nil, err
		}
		return append(e.Raw, '\n'), nil
	case "nothing":
		return nil, nil
	case "tpm":
		return attestAt(nonce)
	case "stale":
		nonce = strings.Repeat("00", 32)
	}
	raw, err := hex.DecodeString(nonce)
	if err != nil {
		return nil, err
	}
	e, err := forge.Machine{Technology: forge.AMDSEV}.Attest(raw)
	if err != nil {
		return nil, err
	}
	return e.Binary()
}

// attestCommand is the command line of that program.
func attestCommand(t *testing.T, kind string, args ...string) string {
	t.Helper()
	t.Setenv(attestAs, kind)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "'" + self + "' -test.run=^TestAttestProgram$ " + strings.Join(args, " ")
}

// request asks the server for a secret.
func (s *served) request(args ...string) *session {
	s.Helper()
	x := newSession()
	if code := x.run(append([]string{"request", s.url, "--ca", s.ca.file}, args...)...); code != exitAccepted {
		s.Errorf("request %q: exit code %d: %s", args, code, x.err.String())
	}
	return x
}

// TestRequest goes from end to end: evidence, evidence in a file, a token; to
// standard output and to a file.
func TestRequest(t *testing.T) {
	s := startServe(t)
	if x := s.request("db", "--attest-cmd", attestCommand(t, "evidence", "{nonce}")); x.out.String() != dbSecret || x.err.Len() > 0 {
		t.Errorf("standard output %q and error %q, want the secret and nothing", x.out.String(), x.err.String())
	}
	file := filepath.Join(t.TempDir(), "secret")
	for _, args := range [][]string{
		{"db", "--out", file, "--attest-cmd", attestCommand(t, "evidence", "{nonce}", "{output}")},
		{"db", "--out", file, "--audience", serveAudience, "--token-cmd", attestCommand(t, "token", "{nonce}", "{output}", "{audience}")},
	} {
		t.Setenv(attestAs, map[bool]string{true: "token", false: "evidence"}[slices.Contains(args, "--token-cmd")])
		x := s.request(args...)
		if x.out.Len() > 0 || strings.Contains(x.err.String(), dbSecret) {
			t.Errorf("%q: prints %q and %q", args, x.out.String(), x.err.String())
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%q: %v, %v; want a file of mode 0600", args, info, err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != dbSecret {
			t.Errorf("%q: the file has %q, %v", args, data, err)
		}
		remove(t, file)
	}
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"released": "db"})
}

// TestRequestDenied: no secret is no output, and no file.
func TestRequestDenied(t *testing.T) {
	s := startServe(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	for _, c := range []struct {
		name, kind, secret, want string
		code                     int
	}{
		{"stale", "stale", "db", "the server answers 403 denied (request ", exitDenied},
		{"no such secret", "evidence", "other", "the server answers 403 denied (request ", exitDenied},
		{"no evidence", "nothing", "db", "made no evidence", exitTool},
	} {
		x := newSession()
		code := x.run("request", s.url, c.secret, "--ca", s.ca.file, "--out", file, "--attest-cmd", attestCommand(t, c.kind, "{nonce}"))
		if code != c.code || !strings.Contains(x.err.String(), c.want) || x.out.Len() > 0 {
			t.Errorf("%s: exit code %d, %s; want %d and %q", c.name, code, x.err.String(), c.code, c.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v, %v", c.name, left, err)
		}
	}
	x := newSession()
	if code := x.run("request", s.url, "db", "--attest-cmd", attestCommand(t, "evidence", "{nonce}")); code != exitTool || !strings.Contains(x.err.String(), "--ca FILE") {
		t.Errorf("without --ca: exit code %d, %s", code, x.err.String())
	}
	if code := x.run("request", s.url, "db", "--ca", s.ca.file, "--attest-cmd", "no-such-program-here {nonce}"); code != exitTool || !strings.Contains(x.err.String(), "running no-such-program-here") {
		t.Errorf("without the program: exit code %d, %s", code, x.err.String())
	}
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"refused": "tpm.quote.nonce", "error": "unknown"})
}

// hostileServer answers a request as a test says.
func hostileServer(t *testing.T, ca *testCA, challengeBody func(key []byte) string, secret http.HandlerFunc) *issuerServer {
	t.Helper()
	s := &issuerServer{ca: ca}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/challenge" {
			if _, err := io.Copy(io.Discard, r.Body); err != nil { // an early answer could get lost
				t.Errorf("evidence: %v", err)
			}
			secret(w, r)
			return
		}
		var asked struct{ Key json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Errorf("challenge: %v", err)
		}
		w.Header().Set("Content-Type", "application/json")
		write(w, challengeBody(asked.Key))
	}))
	s.TLS = serverTLS(t, ca)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// honest is a challenge with the nonce that belongs to it.
func honest(tb testing.TB) func(key []byte) string {
	tb.Helper()
	return func(key []byte) string {
		k, err := seal.ParseKey(key)
		if err != nil {
			tb.Error(err)
			return ""
		}
		text := strings.Repeat("A", challenge.TextSize)
		nonce := challenge.Nonce(text, k.Thumbprint())
		return `{"challenge":"` + text + `","nonce":"` + hex.EncodeToString(nonce[:]) + `","expires":1}`
	}
}

// TestRequestHostileServer: a server that lies gets no evidence, or its secret is not
// taken.
func TestRequestHostileServer(t *testing.T) {
	ca := newTestCA(t)
	never := func(http.ResponseWriter, *http.Request) { t.Error("evidence was sent") }
	given := func(text string) func([]byte) string { return func([]byte) string { return text } }
	text := strings.Repeat("A", challenge.TextSize)
	for name, c := range map[string]struct {
		challenge func([]byte) string
		secret    http.HandlerFunc
		want      string
	}{
		"another nonce": {given(`{"challenge":"` + text + `","nonce":"` + strings.Repeat("5f", 32) + `"}`), never, "not made of its challenge"},
		"no nonce":      {given(`{"challenge":"` + text + `"}`), never, "not made of its challenge"},
		"nonce twice":   {given(`{"challenge":"` + text + `","nonce":"a","nonce":"b"}`), never, "not a challenge"},
		"no challenge":  {given(`{}`), never, "not a challenge"},
		"no json":       {given(`hello`), never, "not a challenge"},
		"header":        {given(`{"challenge":"a\r\nb"}`), never, "not a challenge"},
		"endless":       {given(`{"a":"` + strings.Repeat("a", 1<<20) + `"}`), never, "answer is larger than 4 KiB"},
		"plaintext": {honest(t), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			write(w, dbSecret)
		}, "has the content type text/plain"},
		"sealed to another": {honest(t), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jose")
			write(w, sealedToAnother(t))
		}, "what the server sent for db"},
		"elsewhere": {honest(t), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.example/", http.StatusTemporaryRedirect)
		}, "the server answers 307"},
		"escapes": {honest(t), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTeapot)
			write(w, `{"title":"\u001b[2Jred"}`)
		}, `the server answers 418`},
	} {
		s, x := hostileServer(t, ca, c.challenge, c.secret), newSession()
		code := x.run("request", s.URL, "db", "--ca", ca.file, "--attest-cmd", attestCommand(t, "evidence", "{nonce}"))
		if code != exitTool || !strings.Contains(x.err.String(), c.want) || x.out.Len() > 0 || strings.ContainsAny(x.err.String(), "\x1b") {
			t.Errorf("%s: exit code %d, %q and %q; want %d and %q", name, code, x.out.String(), x.err.String(), exitTool, c.want)
		}
	}
}

func sealedToAnother(tb testing.TB) string {
	tb.Helper()
	_, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		tb.Fatal(err)
	}
	jwe, err := key.Seal([]byte(dbSecret), "")
	if err != nil {
		tb.Fatal(err)
	}
	return string(jwe)
}

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string // nil: refused
	}{
		{"", []string{}},
		{"  gotpm\tattest  --nonce {nonce} ", []string{"gotpm", "attest", "--nonce", "{nonce}"}},
		{`'a b' "c d" e' 'f "" g"'"`, []string{"a b", "c d", "e f", "", "g'"}},
		{`a\ b $HOME * ; |`, []string{`a\`, "b", "$HOME", "*", ";", "|"}},
		{"'open", nil},
		{`"open`, nil},
		{"a\nb", nil},
		{"a\x00b", nil},
	} {
		got, err := splitWords(c.text)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("splitWords(%q) = %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// TestRequestPlainHTTP goes over the loopback without TLS, and the WASM engine decides.
func TestRequestPlainHTTP(t *testing.T) {
	s := startServeWith(t, func(args []string) []string {
		at := slices.Index(args, "--tls-cert")
		return append(slices.Delete(args, at, at+4), "--insecure-http", "--engine", "wasm")
	})
	x := newSession()
	if code := x.run("request", s.url, "db", "--insecure-http", "--attest-cmd", attestCommand(t, "evidence", "{nonce}")); code != 0 || x.out.String() != dbSecret {
		t.Errorf("exit code %d: %s", code, x.err.String())
	}
	if !strings.Contains(s.errs.String(), "warning: --insecure-http") {
		t.Errorf("no warning: %s", s.errs)
	}
	s.end(syscall.SIGTERM)
}
