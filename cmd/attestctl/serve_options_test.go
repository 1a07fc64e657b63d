//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/testca"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
)

// TestServeClientCertificates: with --client-ca and --client-name nobody else is let
// in, whatever evidence they have.
func TestServeClientCertificates(t *testing.T) {
	dir, ca := serveTree(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	named := func(authority *testCA, name string) []string {
		cert := authority.Issue(t, func(c *x509.Certificate) { c.DNSNames = []string{name} })
		testca.Write(t, cert, file("client.pem"), file("client.key"))
		return []string{"--client-cert", file("client.pem"), "--client-key", file("client.key")}
	}
	s := startServeIn(t, dir, ca, func(args []string) []string {
		return append(args, "--client-ca", ca.file, "--client-name", "vm.example", "--client-name", "other.example")
	})
	ask := func(args ...string) (int, *session) {
		x := newSession()
		return x.run(append([]string{"request", s.url, "db", "--ca", ca.file, "--attest-cmd", attestCommand(t, "evidence", "{nonce}")}, args...)...), x
	}
	for name, args := range map[string][]string{"no certificate": nil, "another name": named(ca, "vm.example.com"), "another authority": named(newTestCA(t), "vm.example")} {
		if code, x := ask(args...); code == exitAccepted || x.out.Len() > 0 {
			t.Errorf("%s: exit code %d, %q", name, code, x.out.String())
		}
	}
	if code, x := ask(named(ca, "vm.example")...); code != exitAccepted || x.out.String() != dbSecret {
		t.Errorf("its certificate: exit code %d, %q %s", code, x.out.String(), x.err.String())
	}
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"released": " db "})
}

// TestServeShadowPolicy: what --shadow-policy says is on record, and counts for nothing.
func TestServeShadowPolicy(t *testing.T) {
	dir, ca := serveTree(t)
	if err := os.WriteFile(filepath.Join(dir, "shadow.json"), []byte(`{"project_ids":["somebody-else"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServeIn(t, dir, ca, func(args []string) []string {
		return append(args, "--shadow-policy", "builtin:codelab", "--shadow-config", filepath.Join(dir, "shadow.json"))
	})
	token := serveToken(t, forge.Token{Audience: serveAudience, Nonces: []string{}})
	if got := s.get(s.url+"/", token); got.status != 200 || got.body != helloSecret {
		t.Errorf("%d %q, want the secret", got.status, got.body)
	}
	s.end(syscall.SIGTERM)
	if !strings.Contains(s.errs.String(), "the shadow policy decides differently") {
		t.Errorf("no word of the shadow policy: %s", s.errs)
	}
	data, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil || !strings.Contains(string(data), `"shadow":{"policy":"builtin:codelab"`) || !strings.Contains(string(data), `"code":"project"`) {
		t.Errorf("the log has no shadow: %s, %v", data, err)
	}
}

// TestServeChallengeKeys: a challenge outlasts a restart with --challenge-keys, and is
// good once even so.
func TestServeChallengeKeys(t *testing.T) {
	dir, ca := serveTree(t)
	keys := filepath.Join(dir, "challenge.keys")
	if err := os.WriteFile(keys, []byte(strings.Repeat("5f", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shared := func(args []string) []string { return append(args, "--challenge-keys", keys) }
	var asked exchange
	for _, step := range []struct {
		name  string
		flags func([]string) []string
		act   func(*served)
	}{
		{"challenge", shared, func(s *served) { asked = s.challenge("db") }},
		{"keys of its own", func(args []string) []string { return args }, func(s *served) { s.answer(asked, 403) }},
		{"answer", shared, func(s *served) { s.answer(asked, 200) }},
		{"again", shared, func(s *served) { s.answer(asked, 403) }},
	} {
		t.Run(step.name, func(t *testing.T) {
			s := startServeIn(t, dir, ca, step.flags)
			step.act(s)
			s.end(syscall.SIGTERM)
		})
	}
}

// exchange is a challenge, and what answers it.
type exchange struct {
	text, jwk string // of the challenge; the key in base64url
	evidence  []byte
}

// challenge takes a challenge, and has a machine answer it.
func (s *served) challenge(name string) exchange {
	s.Helper()
	_, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		s.Fatal(err)
	}
	resp := s.post("/v1/challenge", []byte(`{"secret":"`+name+`","key":`+string(jwk)+`}`), "Content-Type", "application/json")
	text, _, err := parseChallenge([]byte(resp.body))
	if err != nil {
		s.Fatalf("%d %s: %v", resp.status, resp.body, err)
	}
	nonce := challenge.Nonce(text, key.Thumbprint())
	e, err := forge.Machine{Technology: forge.AMDSEV}.Attest(nonce[:])
	if err != nil {
		s.Fatal(err)
	}
	raw, err := e.Binary()
	if err != nil {
		s.Fatal(err)
	}
	return exchange{text, base64.RawURLEncoding.EncodeToString(jwk), raw}
}

// answer wants the status for the answer.
func (s *served) answer(x exchange, status int) {
	s.Helper()
	got := s.post("/v1/secrets/db", x.evidence, "Content-Type", "application/octet-stream", "Attestctl-Challenge", x.text, "Attestctl-Key", x.jwk)
	if got.status != status {
		s.Errorf("%d %s, want %d", got.status, got.body, status)
	}
}

func (s *served) post(path string, body []byte, headers ...string) answered {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.do(req)
}
