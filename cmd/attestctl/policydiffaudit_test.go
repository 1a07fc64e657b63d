package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/audit"
)

// claimsOf is a claims document that says little.
func claimsOf(format string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"schema":"attestctl.claims/v1","format":%q,"verified_at":1,"checks":{},"request":{"remote":"192.0.2.1","secret":"db"}}`, format))
}

// decidedRecord is one that a policy decided; no codes is a permission.
func decidedRecord(id, format string, codes ...string) audit.Record {
	r := audit.Record{
		RequestID: id, Remote: "192.0.2.1", Route: "secret", Secret: "db", Verdict: "accepted", Policy: "old/", PolicyDigest: "sha256:old",
		Result: audit.Result{Allow: len(codes) == 0}, Input: claimsOf(format),
	}
	for _, code := range codes {
		r.Result.Reasons = append(r.Result.Reasons, audit.Reason{Code: code, Msg: "of " + format})
	}
	return r
}

// onlyGood is a policy that allows the formats good and fine alone.
func onlyGood(tb testing.TB) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	text := `package attest

default allow := false

allow if count(deny) == 0

deny contains {"code": "format", "msg": sprintf("of %s", [input.format])} if not input.format in {"good", "fine"}
`
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// replayed runs the command over a log and returns the document.
func (s *session) replayed(tb testing.TB, want int, args ...string) report.AuditDiff {
	tb.Helper()
	if code := s.run(append([]string{"policy", "diff", "-o", "json"}, args...)...); code != want {
		tb.Fatalf("%q: exit code %d, want %d: %s", args, code, want, s.err.String())
	}
	var d struct {
		report.AuditDiff

		Changes []struct {
			Seq             uint64
			Kind, Policy    string
			RequestID       string `json:"request_id"`
			Before, After   struct{ Allow bool }
			Secret, Outcome string
		}
	}
	if err := json.Unmarshal(s.out.Bytes(), &d); err != nil {
		tb.Fatalf("%s: %v", s.out.String(), err)
	}
	for _, c := range d.Changes {
		change := report.AuditChange{Seq: c.Seq, Kind: c.Kind, Policy: c.Policy, RequestID: c.RequestID, Secret: c.Secret, Outcome: c.Outcome}
		change.Before.Allow, change.After.Allow = c.Before.Allow, c.After.Allow
		d.AuditDiff.Changes = append(d.AuditDiff.Changes, change)
	}
	return d.AuditDiff
}

// mixed is a log of all that a replay tells apart.
func mixed() []audit.Record {
	other := decidedRecord("own", "good")
	other.Policy, other.PolicyDigest = "own/", "sha256:own"
	withheld := decidedRecord("withheld", "good")
	withheld.Input, withheld.InputDigest = nil, "sha256:00"
	older := decidedRecord("older", "good")
	older.Input = json.RawMessage(`{"schema":"attestctl.claims/v0","format":"good"}`)
	failed := decidedRecord("failed", "good")
	failed.Result.Allow, failed.Error = false, "internal" // the engine failed: an input and no decision
	return []audit.Record{
		decidedRecord("reasons", "bad", "old"),
		decidedRecord("closed", "bad"),
		decidedRecord("same", "good"),
		decidedRecord("opened", "good", "old"),
		decidedRecord("denied", "bad", "format"),
		{RequestID: "refused", Verdict: "refused", Failed: []string{"token.audience"}, Policy: "old/", PolicyDigest: "sha256:old"},
		failed, other, withheld, older,
		decidedRecord("opened2", "fine", "old", "older"),
	}
}

// TestAuditDiff: what opens comes first, and nothing is left out without a word.
func TestAuditDiff(t *testing.T) {
	file, public := auditLogOf(t, mixed())
	p, s := onlyGood(t), newSession()
	got := s.replayed(t, exitFailed, "--audit", file, "--key", public, p)
	want := report.AuditDiff{
		Schema: report.SchemaAuditDiff, Log: file, New: p, Digest: got.Digest, Seq: 13, Signed: true, Decisions: 11,
		Undecided: 2, Withheld: 1, Unreadable: 1, Replayed: 7, Unchanged: 3, Opened: 2, Closed: 1, Reasons: 1,
	}
	var order []string
	for _, c := range got.Changes {
		order = append(order, fmt.Sprintf("%d %s: %s", c.Seq, c.RequestID, c.Kind))
	}
	if want := []string{"5 opened: opened", "12 opened2: opened", "3 closed: closed", "2 reasons: reasons"}; !slices.Equal(order, want) {
		t.Errorf("changes %q, want %q", order, want)
	}
	if got.Changes = nil; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("document %+v, want %+v", got, want)
	}
	for _, word := range []string{"line 11: the input: the claims:", "2 of 7 decisions were denied and are now allowed"} {
		if !strings.Contains(s.err.String(), word) {
			t.Errorf("standard error %q, want %q", s.err.String(), word)
		}
	}
	// What cannot be decided again is no success, whatever is accepted.
	if s.replayed(t, exitFailed, "--audit", file, "--key", public, p, "--exit-zero"); !strings.Contains(s.err.String(), "1 decision could not be made again") {
		t.Errorf("standard error %q", s.err.String())
	}
}

func TestAuditDiffConditions(t *testing.T) {
	file, public := auditLogOf(t, mixed())
	p, s := onlyGood(t), newSession()
	for _, c := range []struct {
		args                                 string
		code                                 int
		replayed, unselected, others, opened int
	}{
		{"--until 2026-11-04", exitAccepted, 3, 8, 0, 0},
		{"--since 2026-11-04 --until 2026-11-05", exitFailed, 1, 10, 0, 1},
		{"--since 2026-11-04 --until 2026-11-05 --exit-zero", exitAccepted, 1, 10, 0, 1},
		{"--request closed", exitAccepted, 1, 10, 0, 0},
		{"--outcome allowed --until 2026-11-09", exitAccepted, 3, 8, 0, 0},
		{"--policy own/", exitAccepted, 1, 0, 10, 0},
		{"--policy-digest sha256:own --engine both", exitAccepted, 1, 0, 10, 0},
		{"--policy own/ --policy-digest sha256:old", exitTool, 0, 0, 11, 0},
		{"--secret other", exitTool, 0, 11, 0, 0},
		{"--check token.audience", exitTool, 0, 10, 0, 0},
	} {
		got := s.replayed(t, c.code, append([]string{"--audit", file, "--key", public, p}, strings.Fields(c.args)...)...)
		if got.Replayed != c.replayed || got.Unselected != c.unselected || got.Others != c.others || got.Opened != c.opened {
			t.Errorf("%s: %+v, want %+v", c.args, got, c)
		}
		sum := got.Replayed + got.Undecided + got.Others + got.Withheld + got.Unreadable + got.Unselected
		if sum != got.Decisions || got.Unchanged+got.Opened+got.Closed+got.Reasons != got.Replayed {
			t.Errorf("%s: %+v does not add up", c.args, got)
		}
	}
}

// TestAuditDiffBroken: of a log that does not hold together nothing is printed.
func TestAuditDiffBroken(t *testing.T) {
	file, public := auditLogOf(t, []audit.Record{decidedRecord("a", "good"), decidedRecord("b", "bad", "old"), decidedRecord("c", "good")})
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, other := auditLog(t)
	p := onlyGood(t)
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	replace := func(from, to string) []byte { return bytes.Replace(whole, []byte(from), []byte(to), 1) }
	for name, c := range map[string]struct {
		data []byte
		key  string
		code int
		want string
	}{
		"whole":                     {whole, public, exitAccepted, ""},
		"another key":               {whole, other, exitRefused, "line 1"},
		"changed decision":          {replace(`"allow":false`, `"allow":true`), public, exitRefused, "line 4"},
		"changed without a key":     {replace(`"allow":false`, `"allow":true`), "", exitRefused, "line 4"},
		"signature without a key":   {replace(`"event":"close"`, `"event":"periodic"`), "", exitRefused, "line 5: a checkpoint with a bad signature"},
		"input against its digest":  {replace(`"format":"bad"`, `"format":"bid"`), public, exitRefused, "line 3: not in the encoding"},
		"digest against its input":  {replace(`"input_digest":"sha256:`, `"input_digest":"sha256:0`), public, exitRefused, "line 2: not in the encoding"},
		"removed line":              {bytes.Replace(whole, lines[2], nil, 1), public, exitRefused, "line 3"},
		"line cut in the middle":    {bytes.Replace(whole, lines[2][len(lines[2])/2:], []byte("\n"), 1), public, exitRefused, "line 3"},
		"line without its end":      {bytes.Replace(whole, lines[2][len(lines[2])/2:], nil, 1), public, exitRefused, "line 3"},
		"huge line":                 {slices.Concat(whole, bytes.Repeat([]byte{'x'}, 17<<20)), public, exitRefused, "line 6: a line of more than"},
		"a log that is written":     {whole[:len(whole)-9], public, exitAccepted, ""},
		"a log with nothing signed": {bytes.Join(lines[:4], nil), public, exitAccepted, ""},
		"only a start":              {lines[0], public, exitTool, "no decision of the log was made again"},
		"empty":                     {nil, public, exitRefused, "holds no line"},
		"no log":                    {[]byte("{}\n"), "", exitRefused, "line 1"},
	} {
		s := newSession()
		s.stdin = bytes.NewReader(c.data)
		args := []string{"policy", "diff", "--audit", "-", p}
		if c.key != "" {
			args = append(args, "--key", c.key)
		}
		code := s.run(args...)
		if code != c.code || !strings.Contains(s.err.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, s.err.String(), c.code, c.want)
		}
		if code == exitRefused && s.out.Len() > 0 {
			t.Errorf("%s: it prints %s", name, s.out.String())
		}
		if warned := strings.Contains(s.err.String(), "warning: without --key"); warned != (c.key == "") {
			t.Errorf("%s: standard error %q", name, s.err.String())
		}
	}
}

// TestAuditDiffUnsigned: what no checkpoint covers yet is counted.
func TestAuditDiffUnsigned(t *testing.T) {
	file, public := auditLogOf(t, []audit.Record{decidedRecord("a", "good"), decidedRecord("b", "good")})
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newSession()
	s.stdin = bytes.NewReader(whole[:len(whole)-9])
	if code := s.run("policy", "diff", "--audit", "-", "--key", public, onlyGood(t)); code != exitAccepted || !strings.Contains(s.out.String(), "\n    2 behind the last checkpoint") {
		t.Errorf("exit code %d: %s%s", code, s.out.String(), s.err.String())
	}
}

// TestAuditDiffProgress: a terminal is shown how far it is, unless that is the end;
// the result is the same.
func TestAuditDiffProgress(t *testing.T) {
	file, public := auditLogOf(t, []audit.Record{decidedRecord("a", "good")})
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, s := onlyGood(t), newSession()
	s.columns = func(w io.Writer) int {
		if w == s.stderr {
			return 80
		}
		return 0
	}
	for _, name := range []string{file, stdinName} {
		s.stdin = bytes.NewReader(whole)
		if code := s.run("policy", "diff", "--audit", name, "--key", public, p); code != exitAccepted || !strings.Contains(s.out.String(), "1 unchanged") {
			t.Errorf("%s: exit code %d: %s", name, code, s.out.String())
		}
		if shown := strings.Contains(s.err.String(), "reading"); shown != (name == stdinName) || strings.Contains(s.err.String(), "error") {
			t.Errorf("%s: standard error %q", name, s.err.String())
		}
	}
}

// TestAuditDiffUsage: flags of a log are for a log.
func TestAuditDiffUsage(t *testing.T) {
	p := onlyGood(t)
	for _, args := range []string{
		"--audit log", "--audit log P Q", "--audit log P --fixtures x", "--audit - P --key -", "--audit - P --config -",
		"P Q --key k", "P Q --secret db", "P Q --since 2026-01-01", "P Q --policy x", "P Q --policy-digest x", "P Q --outcome denied",
		"P Q --until 1", "--audit= P", "--audit log P --key=", "P Q --check x", "P Q --remote x", "P Q --request x",
	} {
		s := newSession()
		if code := s.run(append([]string{"policy", "diff"}, strings.Fields(strings.NewReplacer("P", p, "Q", p).Replace(args))...)...); code != exitUsage {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, exitUsage, s.err.String())
		}
	}
	s := newSession()
	if code := s.run("policy", "diff", "--audit", "none.log", p); code != exitTool {
		t.Errorf("no file: exit code %d: %s", code, s.err.String())
	}
	if code := s.run("policy", "diff", "--audit", "none.log", "--key", "none.pub", p); code != exitTool || !strings.Contains(s.err.String(), "--key none.pub") {
		t.Errorf("no key: exit code %d: %s", code, s.err.String())
	}
}

// asked counts what it is asked.
type asked struct{ n int }

func (a *asked) Decide(context.Context, policy.Input) (policy.Decision, error) {
	a.n++
	return policy.Deny("", policy.Reason{Code: "c", Msg: "\xff" + strings.Repeat("x", 1<<20)}), nil
}

// TestDeciderRemembers an input that comes again, and forgets in time.
func TestDeciderRemembers(t *testing.T) {
	e := &asked{}
	d := decider{engine: e}
	ask := func(digest string) policy.Decision {
		t.Helper()
		got, err := d.decide(t.Context(), digest, claimsOf("x"))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if first, again := ask("a"), ask("a"); e.n != 1 || !slices.Equal(first.Reasons, again.Reasons) {
		t.Errorf("asked %d times for one input", e.n)
	}
	for i := range 3 * maxKnownBytes >> 20 {
		if ask(fmt.Sprint(i)); d.bytes > maxKnownBytes {
			t.Fatalf("remembers %d bytes", d.bytes)
		}
	}
	if ask("a"); e.n != 1+3*maxKnownBytes>>20+1 {
		t.Errorf("asked %d times: nothing was forgotten", e.n)
	}
	if msg := ask("a").Reasons[0].Msg; !strings.HasPrefix(msg, "\ufffdx") {
		t.Errorf("reason %.10q is not as a log has it", msg)
	}
}
