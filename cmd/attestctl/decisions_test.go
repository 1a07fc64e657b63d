package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/policy"
)

// committed are the cases of the project.
const committed = "../../fixtures"

// evidenceArgs is the command line that judges a case as its case.yaml says.
func evidenceArgs(c fixture.Case) []string {
	args := []string{filepath.Join(c.Dir, c.File), "--at", c.Spec.At.Format(time.RFC3339), "-o", "json"}
	if len(c.Spec.Nonce) > 0 && c.Spec.Token == nil {
		args = append(args, "--nonce", fmt.Sprintf("%x", []byte(c.Spec.Nonce)))
	}
	if t := c.Spec.Token; t != nil {
		for name, value := range map[string]string{
			"--issuer": t.Issuer, "--token-profile": t.Profile, "--audience": t.Audience, "--nonce": t.Nonce, "--without": strings.Join(t.Without, ","),
		} {
			if value != "" {
				args = append(args, name, value)
			}
		}
	}
	switch {
	case c.Spec.AKPub != "":
		args = append(args, "--ak-pub", filepath.Join(c.Dir, c.Spec.AKPub))
	case c.Spec.Trust != "" && c.Spec.Trust != fixture.EmbeddedTrust:
		args = append(args, "--trust", filepath.Join(c.Dir, c.Spec.Trust))
	}
	for name, value := range map[string][]byte{"--tee-nonce": c.Spec.TEENonce, "--report-data": c.Spec.ReportData, "--tee-extra": c.Spec.TEEExtra} {
		if value != nil {
			args = append(args, name, fmt.Sprintf("%x", value))
		}
	}
	if c.Spec.TEEBinding != "" {
		args = append(args, "--tee-binding", c.Spec.TEEBinding)
	}
	if c.Spec.VMPL != 0 {
		args = append(args, "--vmpl", fmt.Sprint(c.Spec.VMPL))
	}
	for _, name := range c.Spec.Insecure {
		args = append(args, "--"+name)
	}
	if len(c.Spec.RequirePCRs) > 0 {
		args = append(args, "--require-pcrs", strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Spec.RequirePCRs), " ", ","), "[]"))
	}
	return args
}

// TestDecisionsAreTheLibrarys wants of every accepted case that verify and policy
// eval print the very bytes that the library decides; each case asks another of
// its policies. Refused evidence gets no decision.
func TestDecisionsAreTheLibrarys(t *testing.T) {
	cases, err := fixture.Load(committed)
	if err != nil {
		t.Fatal(err)
	}
	allowed, denied, refused := 0, 0, 0
	for i, c := range cases {
		if testing.Short() && i%8 != 0 {
			continue // the whole is for a run without the race detector
		}
		ref, config := "builtin:codelab", ""
		if n := len(c.Spec.Policies); n > 0 {
			p := c.Spec.Policies[i%n]
			ref = c.PolicyRef(p.Policy)
			config = configFile(t, c, p.Config)
		}
		want := libraryDecision(t, c, ref, config)
		asked := append(evidenceArgs(c), "--policy", ref)
		if config != "" {
			asked = append(asked, "--config", config)
		}
		verified, code := printed(t, append([]string{"verify"}, asked...))
		if want == nil {
			refused++
			if verified["decision"] != nil || code != exitRefused {
				t.Errorf("%s: verify exits %d with the decision %s", c.Name, code, verified["decision"])
			}
			continue
		}
		if got := compact(t, verified["decision"]); got != string(want) {
			t.Errorf("%s, %s: verify\ngot  %s\nwant %s", c.Name, ref, got, want)
		}
		wantCode := map[bool]int{true: exitAccepted, false: exitDenied}[bytes.Contains(want, []byte(`"allow":true`))]
		if wantCode == exitAccepted {
			allowed++
		} else {
			denied++
		}
		evaluated, evalCode := printed(t, append([]string{"policy", "eval"}, asked...))
		got := fmt.Sprintf(`{"schema":%s,"allow":%s,"reasons":%s,"policy":%s}`,
			evaluated["schema"], evaluated["allow"], compact(t, evaluated["reasons"]), evaluated["policy"])
		if got != string(want) || code != wantCode || evalCode != wantCode {
			t.Errorf("%s, %s: policy eval exits %d, verify %d, want %d\ngot  %s\nwant %s", c.Name, ref, evalCode, code, wantCode, got, want)
		}
	}
	least := 20
	if testing.Short() {
		least = 10
	}
	if allowed < 5 || denied < 5 || refused < least {
		t.Errorf("%d allowed, %d denied, %d refused", allowed, denied, refused)
	}
}

// configFile returns the file of a config, which a case may also write out.
func configFile(t *testing.T, c fixture.Case, config any) string {
	t.Helper()
	switch config := config.(type) {
	case nil:
		return ""
	case string:
		return filepath.Join(c.Dir, config)
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// printed runs a command and decodes the JSON it prints.
func printed(t *testing.T, args []string) (doc map[string]json.RawMessage, code int) {
	t.Helper()
	s := newSession()
	code = s.run(args...)
	if s.out.Len() == 0 {
		return nil, code
	}
	if err := json.Unmarshal(s.out.Bytes(), &doc); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return doc, code
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	// the library escapes <, > and & as encoding/json does
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(b.String())
}

// libraryDecision decides with package policy alone; nil if the case has no
// claims.
func libraryDecision(t *testing.T, c fixture.Case, ref, config string) []byte {
	t.Helper()
	got, err := c.Run(t.Context(), func(_ context.Context, _ string, _ map[string]any, _ *claims.Claims, _ map[string]any) (json.RawMessage, error) {
		return json.RawMessage(`{"allow":false,"reasons":[]}`), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Claims == nil {
		return nil
	}
	s, err := policy.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	if config != "" {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.WithConfig(config, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := policy.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Topdown(policy.Limits{Deadline: testDeadline})
	if err != nil {
		t.Fatal(err)
	}
	in, err := policy.InputOf(got.Claims, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// smallPolicy writes a policy with a test, and returns its folder.
func smallPolicy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "p.rego", "package attest\n\ndefault allow := false\n\nallow if input.secboot\n")
	writeFile(t, dir, "p_test.rego", "package attest_test\n\nimport data.attest\n\ntest_on if attest.allow with input as {\"secboot\": true}\n")
	return dir
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWatch wants a second run after a change, and the end with the clock. A
// run that fails does not end it.
func TestWatch(t *testing.T) {
	s, dir := newSession(), smallPolicy(t)
	runs := 0
	ticks := make(chan time.Time)
	s.now = func() time.Time { return time.Time{} }
	s.stdout = writerFunc(func(p []byte) (int, error) {
		runs++
		go func() {
			if runs == 1 {
				writeFile(t, dir, "p.rego", "package attest\n\ndefault allow := false\n\nallow if input.secboot == false\n")
				ticks <- time.Time{}
				return
			}
			close(ticks)
		}()
		return s.out.Write(p)
	})
	w := &policyTest{
		sys: s.system, engines: []string{engineRego}, output: "text", watch: true,
		tick: func(time.Duration) <-chan time.Time { return ticks },
	}
	if err := w.main([]string{dir}); err != nil {
		t.Fatal(err)
	}
	if got := s.out.String(); runs != 2 || !strings.Contains(got, "\nPASS: 1 passed") || !strings.Contains(got, "\nFAIL: 0 passed, 1 failed") {
		t.Errorf("%d runs: %s", runs, got)
	}
	if got := s.err.String(); strings.Count(got, "waiting for a change") != 2 || !strings.Contains(got, "1 of 1 tests failed") {
		t.Errorf("stderr: %s", got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWaitForChange(t *testing.T) {
	dir := smallPolicy(t)
	before := snapshot([]string{dir})
	ticks := make(chan time.Time, 2)
	ticks <- time.Time{}
	close(ticks)
	if waitForChange(ticks, before, []string{dir}) {
		t.Error("nothing has changed")
	}
	for name, change := range map[string]func(){
		"new file": func() { writeFile(t, dir, "q.rego", "") },
		"contents": func() { writeFile(t, dir, "p.rego", "package attest\n") },
		"removed": func() {
			if err := os.Remove(filepath.Join(dir, "p.rego")); err != nil {
				t.Error(err)
			}
		},
	} {
		before := snapshot([]string{dir})
		change()
		ticks := make(chan time.Time, 1)
		ticks <- time.Time{}
		close(ticks)
		if !waitForChange(ticks, before, []string{dir}) {
			t.Errorf("%s: no change is seen", name)
		}
	}
}

// TestPolicyTestProgress: a bar on a terminal only, and on standard error.
func TestPolicyTestProgress(t *testing.T) {
	args := []string{"policy", "test", smallPolicy(t), "--fixtures", committed, "--run", "refused-22", "--engine", "rego"}
	s := newSession()
	if code := s.run(args...); code != exitAccepted || strings.Contains(s.err.String(), "\r") {
		t.Errorf("off a terminal: exit code %d, stderr %q", code, s.err.String())
	}
	s.columns = func(w io.Writer) int {
		if w == s.stderr {
			return 80
		}
		return 0
	}
	if code := s.run(args...); code != exitAccepted || !strings.Contains(s.err.String(), "\r") || strings.Contains(s.out.String(), "\r") {
		t.Errorf("on a terminal: exit code %d, stderr %q", code, s.err.String())
	}
}

// TestUnwrittenReportIsNoSuccess: a report that cannot be written is an error.
func TestUnwrittenReportIsNoSuccess(t *testing.T) {
	for _, format := range []string{"text", "json", "junit", "tap", "github", "sarif"} {
		s := newSession()
		s.stdout = brokenWriter{io.ErrShortWrite}
		if code := s.run("policy", "test", smallPolicy(t), "-o", format, "--engine", "rego"); code != exitTool {
			t.Errorf("%s: exit code %d, want %d", format, code, exitTool)
		}
	}
}
