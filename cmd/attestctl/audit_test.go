package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/server/audit"
)

var auditStart = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// auditRecords differ in what a query can ask for.
var auditRecords = []audit.Record{
	{RequestID: "a1", Remote: "192.0.2.1", Route: "secret", Secret: "db", Verdict: "accepted", Result: audit.Result{Allow: true}, Released: true},
	{RequestID: "a2", Remote: "192.0.2.2", Route: "default", Secret: "hello", Verdict: "refused", Failed: []string{"token.audience"}},
	{
		RequestID: "a3", Remote: "192.0.2.1", Route: "default", Secret: "db", Verdict: "accepted", Policy: "builtin:codelab",
		Result: audit.Result{Reasons: []audit.Reason{{Code: "project_id", Msg: "of \x1b[2J another"}}},
		Shadow: &audit.Shadow{Policy: "next/", Allow: true},
	},
	{RequestID: "a4", Remote: "192.0.2.3", Route: "appraise", Verdict: "accepted", Result: audit.Result{Allow: true}},
	{RequestID: "a5", Remote: "192.0.2.3", Route: "secret", Secret: "db", Verdict: "accepted", Result: audit.Result{Allow: true}, Error: "store"},
}

// auditLog writes a log of them and returns it with the public key.
func auditLog(tb testing.TB) (file, public string) {
	tb.Helper()
	return auditLogOf(tb, auditRecords)
}

// auditLogOf writes a log of records, one a day.
func auditLogOf(tb testing.TB, records []audit.Record) (file, public string) {
	tb.Helper()
	dir, s := tb.TempDir(), newSession()
	file, public = filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.pub")
	if code := s.run("audit", "keygen", filepath.Join(dir, "audit.key")); code != 0 {
		tb.Fatalf("audit keygen: exit code %d: %s", code, s.err.String())
	}
	if err := os.WriteFile(public, s.out.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	key, err := readAuditKey(filepath.Join(dir, "audit.key"))
	if err != nil {
		tb.Fatal(err)
	}
	log, err := audit.Open(file, key, audit.Options{Now: func() time.Time { return auditStart }})
	if err != nil {
		tb.Fatal(err)
	}
	for i, r := range records {
		r.DecisionID, r.Time = r.RequestID, auditStart.AddDate(0, 0, i)
		if err := log.Append(tb.Context(), r); err != nil {
			tb.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		tb.Fatal(err)
	}
	return file, public
}

func TestAuditQuery(t *testing.T) {
	file, _ := auditLog(t)
	for _, c := range []struct{ args, want string }{
		{"", "a1 a2 a3 a4 a5"},
		{"--secret db", "a1 a3 a5"},
		{"--outcome released", "a1"},
		{"--outcome denied", "a3"},
		{"--outcome refused", "a2"},
		{"--outcome allowed", "a4"},
		{"--outcome error", "a5"},
		{"--since 2026-11-03", "a3 a4 a5"},
		{"--until 2026-11-03", "a1 a2"},
		{"--since 2026-11-02 --until 2026-11-04", "a2 a3"},
		{"--check token.audience", "a2"},
		{"--remote 192.0.2.3 --secret db", "a5"},
		{"--request a4", "a4"},
		{"--secret other", ""},
	} {
		s := newSession()
		args := append([]string{"audit", "query", file}, strings.Fields(c.args)...)
		if code := s.run(append(args, "-o", "json")...); code != 0 {
			t.Errorf("%s: exit code %d: %s", c.args, code, s.err.String())
		}
		var got []string
		for line := range strings.Lines(s.out.String()) {
			var r audit.Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Errorf("%s: %q: %v", c.args, line, err)
			}
			got = append(got, r.RequestID)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
		if s.run(args...); strings.Count(s.out.String(), "\n") != len(got) {
			t.Errorf("%s: text %q, want %d lines", c.args, s.out.String(), len(got))
		}
	}
}

// TestAuditLines: what JSON shows is the lines of the log.
func TestAuditLines(t *testing.T) {
	file, _ := auditLog(t)
	s := newSession()
	if code := s.run("audit", "show", file, "-o", "json"); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(s.out.String()) {
		if !bytes.Contains(data, []byte(line)) {
			t.Errorf("%q is not in the log", line)
		}
	}
}

func TestAuditShow(t *testing.T) {
	file, _ := auditLog(t)
	s := newSession()
	if code := s.run("audit", "show", file, "--request", "a3"); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	want := "decision 4       2026-11-03T00:00:00Z denied\n" +
		"  request        a3\n  route          default\n  secret         db\n  remote         192.0.2.1\n" +
		"  verdict        accepted\n  policy         builtin:codelab\n" +
		"  reason         \"project_id: of \\x1b[2J another\"\n" +
		"  shadow policy  next/ allows\n\n"
	if got := s.out.String(); got != want {
		t.Errorf("show prints\n%s\nwant\n%s", got, want)
	}
}

// TestAuditVerify finds the line that was changed, and another's key.
func TestAuditVerify(t *testing.T) {
	file, public := auditLog(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, other := auditLog(t)
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	for name, c := range map[string]struct {
		data []byte
		key  string
		code int
		want string
	}{
		"whole":       {whole, public, exitAccepted, "5\ncheckpoints"},
		"another key": {whole, other, exitRefused, "line 1"},
		"changed":     {bytes.Replace(whole, []byte(`"192.0.2.2"`), []byte(`"192.0.2.9"`), 1), public, exitRefused, "line 4"},
		"removed":     {bytes.Replace(whole, lines[2], nil, 1), public, exitRefused, "line 3"},
		"torn":        {whole[:len(whole)-9], public, exitAccepted, "torn"},
	} {
		s := newSession()
		s.stdin = bytes.NewReader(c.data)
		code := s.run("audit", "verify", "-", "--key", c.key)
		text := strings.Join(strings.Fields(s.out.String()), " ") + s.err.String()
		if code != c.code || !strings.Contains(text, strings.Join(strings.Fields(c.want), " ")) {
			t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, text, c.code, c.want)
		}
	}
	s := newSession()
	s.run("audit", "verify", file, "--key", public, "-o", "json")
	var d auditSummary
	if err := json.Unmarshal(s.out.Bytes(), &d); err != nil || d.Schema != schemaAudit || d.Records != 5 || !d.Signed || !d.Closed || d.Unsigned != 0 {
		t.Errorf("json %s: %v", s.out.String(), err)
	}
}
