package main

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
)

// session runs command lines in this process.
type session struct {
	*system

	out, err bytes.Buffer
}

func newSession() *session {
	s := &session{system: testSystem()}
	s.stdin, s.stdout, s.stderr = strings.NewReader(""), &s.out, &s.err
	return s
}

func (s *session) run(args ...string) int {
	s.out.Reset()
	s.err.Reset()
	return run(args, s.system)
}

func evidenceDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeEvidence(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

var mintedHex = strings.Repeat("5f", 32)

func TestPanicIsOneLine(t *testing.T) {
	s := newSession()
	s.columns = func(io.Writer) int { panic("boom\n\x1b[2J") }
	if code := s.run("version"); code != exitTool {
		t.Errorf("exit code %d, want %d", code, exitTool)
	}
	want := "attestctl: error: internal error: boom\\n\\x1b[2J\n"
	if got := s.err.String(); !strings.HasPrefix(got, want) || strings.Contains(got, "goroutine") {
		t.Errorf("stderr is %q, want %q and a hint", got, want)
	}
	if s.out.Len() > 0 {
		t.Errorf("stdout is %q, want nothing", s.out.String())
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestUnwrittenResultIsNoSuccess holds for every command that prints a result.
func TestUnwrittenResultIsNoSuccess(t *testing.T) {
	dir := evidenceDir(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"verify", file("minted.pb"), "--nonce", mintedHex, "--ak-pub", file("ak.pub")},
		{"verify", file("minted.pb"), file("minted.pb"), "--nonce", mintedHex, "--ak-pub", file("ak.pub")},
		{"inspect", file("minted.pb")},
		{"replay", file("boot.log")},
		{"trust", "list"},
		{"trust", "export", t.TempDir()},
		{"checks"},
		{"version"},
	} {
		for _, format := range []string{"text", "json", "yaml"} {
			s := newSession()
			s.stdout = brokenWriter{errors.New("no space left")}
			if args[0] != "trust" || args[1] != "export" {
				args = append(slices.Clone(args), "-o", format)
			} else if format != "text" {
				continue
			}
			if code := s.run(args...); code != exitTool || !strings.Contains(s.err.String(), "no space left") {
				t.Errorf("%q: exit code %d, stderr %q; want %d and the reason", args, code, s.err.String(), exitTool)
			}
		}
	}
}

type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

func TestEndlessInput(t *testing.T) {
	for _, args := range [][]string{
		{"verify", "-", "--nonce", mintedHex},
		{"inspect", "-"},
		{"replay", "-"},
		{"replay", "-", "--allow-padding"},
	} {
		s, endless := newSession(), &counter{}
		s.stdin = endless
		if code := s.run(args...); code != exitRefused || !strings.Contains(s.err.String(), "larger than 4 MiB") {
			t.Errorf("%q: exit code %d, stderr %q; want %d and the limit", args, code, s.err.String(), exitRefused)
		}
		if endless.n > 2*evidence.MaxSize {
			t.Errorf("%q read %d bytes, the limit is %d", args, endless.n, evidence.MaxSize)
		}
	}
}

func TestColorOnlyOnATerminal(t *testing.T) {
	for _, test := range []struct {
		name    string
		columns int
		env     map[string]string
		want    bool
	}{
		{"terminal", 80, map[string]string{"TERM": "xterm"}, true},
		{"pipe", 0, map[string]string{"TERM": "xterm"}, false},
		{"NO_COLOR", 80, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{"dumb", 80, map[string]string{"TERM": "dumb"}, false},
		{"no TERM", 80, nil, false},
	} {
		s := newSession()
		s.columns = func(io.Writer) int { return test.columns }
		s.getenv = func(name string) string { return test.env[name] }
		s.run("trust", "list")
		if got := strings.Contains(s.out.String(), "\x1b["); got != test.want {
			t.Errorf("%s: colour %t, want %t", test.name, got, test.want)
		}
	}
}

func TestProgress(t *testing.T) {
	dir := evidenceDir(t)
	args := []string{"verify", filepath.Join(dir, "minted.pb"), filepath.Join(dir, "empty.dat"), "--nonce", mintedHex, "--ak-pub", filepath.Join(dir, "ak.pub")}
	s := newSession()
	if s.run(args...); strings.Contains(s.err.String(), "\r") {
		t.Errorf("progress off a terminal: %q", s.err.String())
	}
	quiet := s.out.String()
	s.columns = func(w io.Writer) int {
		if w == s.stderr {
			return 80
		}
		return 0
	}
	if s.run(args...); !strings.Contains(s.err.String(), "verifying") {
		t.Errorf("no progress on a terminal: %q", s.err.String())
	}
	if s.out.String() != quiet {
		t.Errorf("progress changes the results:\n%s\nwant\n%s", s.out.String(), quiet)
	}
}

// TestEveryCommandExplainsItself wants help that a stranger can act on.
func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if c.Short == "" || c.Long == "" || c.Args == nil || c.RunE == nil {
			t.Errorf("%s: want a short and a long text, arguments and something to run", c.CommandPath())
		}
		if !strings.HasPrefix(c.Example, "  attestctl ") {
			t.Errorf("%s: example is %q, want one that starts with the command", c.CommandPath(), c.Example)
		}
		s := newSession()
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := s.run(args...); code != 0 || !strings.Contains(s.out.String(), "Examples:") {
			t.Errorf("%q: exit code %d and\n%s", args, code, s.out.String())
		}
		for line := range strings.Lines(s.out.String()) {
			if len(line) > 121 {
				t.Errorf("%s: help has a line of %d characters: %q", c.CommandPath(), len(line), line)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(newSession().system))
}

// TestOffline reads what our packages import: none of them can open a socket by
// itself, but the files of token fetch-keys, serve and request. That no dependency
// does is what the denied dialer of testSystem is for.
func TestOffline(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{range .Imports}}{{$.ImportPath}} {{.}}{{"\n"}}{{end}}`,
		"../../evidence/...", "../../replay/...", "../../internal/appraise", "../../internal/report").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "crypto/x509") {
		t.Fatalf("go list gives no imports: %q", out)
	}
	online := func(imported string) bool {
		return imported == "net" || imported == "net/http" || imported == "net/rpc" || imported == "os/exec" || imported == "crypto/tls"
	}
	for line := range strings.Lines(string(out)) {
		if pkg, imported, _ := strings.Cut(strings.TrimSpace(line), " "); online(imported) {
			t.Errorf("%s imports %s", pkg, imported)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		mayBeOnline := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if strings.HasSuffix(name, "_test.go") || slices.ContainsFunc([]string{"tokenfetch", "serve", "request"}, mayBeOnline) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Imports {
			if online(strings.Trim(s.Path.Value, `"`)) {
				t.Errorf("%s imports %s", name, s.Path.Value)
			}
		}
	}
}

// TestNoSocket asks the kernel: no command makes a network system call.
func TestNoSocket(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	dir := evidenceDir(t)
	binary := filepath.Join(dir, "attestctl")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	files, err := tokenFiles()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeTree(dir, files); err != nil {
		t.Fatal(err)
	}
	const token = " --trust trust --audience https://verifier.example --at 2026-01-01T00:01:00Z"
	for _, args := range []string{
		"verify token.jwt --nonce nonce-of-the-script" + token, "verify pki.jwt --nonce nonce-of-the-script" + token,
		"verify log.json --without nonce" + token, "inspect token.jwt", "token fetch-keys --help",
		"verify gce.pb --nonce 9009 --insecure-short-nonce", "inspect gce.pb", "replay gce.pb --quote gce.pb",
		"trust list", "trust export anchors", "checks", "version", "completion bash",
	} {
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command(strace, append([]string{"-f", "-e", "trace=network,execve", "-o", trace, binary}, strings.Fields(args)...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		calls, readErr := os.ReadFile(trace)
		if readErr != nil || !strings.Contains(string(calls), "execve(") {
			t.Skipf("strace does not work here: %v\n%s", err, out)
		}
		if err != nil || strings.Contains(string(calls), "socket(") || strings.Contains(string(calls), "connect(") {
			t.Errorf("%s: %v, want success without network calls:\n%s\n%s", args, err, out, calls)
		}
	}
}

// TestExportRoundTrip exports the embedded anchors and reads them back.
func TestExportRoundTrip(t *testing.T) {
	s, dir := newSession(), filepath.Join(t.TempDir(), "a", "b")
	if code := s.run("trust", "export", dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	want, err := evidence.EmbeddedTrust()
	if err != nil {
		t.Fatal(err)
	}
	got, err := evidence.LoadTrust(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	key := func(a evidence.TrustFile) string { return a.Path + " " + a.SHA256() }
	var wants, gots []string
	for _, a := range want.Anchors() {
		wants = append(wants, key(a))
	}
	for _, a := range got.Anchors() {
		gots = append(gots, key(a))
		info, err := os.Stat(filepath.Join(dir, a.Path))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o022 != 0 {
			t.Errorf("%s has mode %v, want it writable by its owner only", a.Path, mode)
		}
	}
	if !slices.Equal(gots, wants) || len(wants) == 0 {
		t.Errorf("read back %q, want %q", gots, wants)
	}
}
