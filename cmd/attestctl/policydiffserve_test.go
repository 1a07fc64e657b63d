//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/report"
)

// TestAuditDiffOfAServer: what a server decided, its policy decides again; another
// config shows as the decision that it changes.
func TestAuditDiffOfAServer(t *testing.T) {
	s := startServe(t)
	elsewhere := forge.DefaultInstance()
	elsewhere.ProjectID = "another-project"
	for name, c := range map[string]struct {
		token  forge.Token
		status int
	}{
		"allowed": {forge.Token{Audience: serveAudience, Nonces: []string{}}, http.StatusOK},
		"denied":  {forge.Token{Audience: serveAudience, Nonces: []string{}, Machine: &forge.Machine{Technology: forge.AMDSEV, Instance: elsewhere}}, http.StatusUnauthorized},
		"refused": {forge.Token{Audience: "https://other.example", Nonces: []string{}}, http.StatusUnauthorized},
	} {
		if got := s.get(s.url+"/", serveToken(t, c.token)); got.status != c.status {
			t.Errorf("%s: %d %q, want %d", name, got.status, got.body, c.status)
		}
	}
	s.end(syscall.SIGTERM)

	file := func(name string) string { return filepath.Join(s.dir, name) }
	log := []string{"--audit", file("audit.log"), "--key", file("audit.pub"), "builtin:codelab", "--config"}
	x := newSession()
	for _, engine := range []string{engineRego, engineWASM} {
		got := x.replayed(t, exitAccepted, append(log, file("config.json"), "--engine", engine, "--policy", "builtin:codelab")...)
		if got.Unchanged != 2 || got.Undecided != 1 || len(got.Changes) > 0 || !got.Signed || got.Unsigned != 0 {
			t.Errorf("%s: %+v, want 2 unchanged and 1 undecided", engine, got)
		}
	}
	// The digest by which the log names the policy is the one that its files have.
	digest := x.replayed(t, exitAccepted, append(log, file("config.json"))...).Digest
	if got := x.replayed(t, exitAccepted, append(log, file("config.json"), "--policy-digest", digest)...); got.Unchanged != 2 {
		t.Errorf("by digest: %+v, want 2 unchanged", got)
	}
	if err := os.WriteFile(file("next.json"), []byte(`{"project_ids":["another-project"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := x.replayed(t, exitFailed, append(log, file("next.json"))...)
	if got.Opened != 1 || got.Closed != 1 || len(got.Changes) != 2 {
		t.Fatalf("another config: %+v, want one opened, one closed", got)
	}
	first, second := got.Changes[0], got.Changes[1]
	if first.Kind != report.ChangeOpened || first.Outcome != "denied" || second.Outcome != "released" || second.Secret != "hello" {
		t.Errorf("changes %+v", got.Changes)
	}
	if x.run(append([]string{"policy", "diff"}, append(log, file("next.json"))...)...); !strings.HasPrefix(x.out.String(), "DENY -> ALLOW  ") || strings.Contains(x.out.String(), "canary") {
		t.Errorf("text %s", x.out.String())
	}
}
