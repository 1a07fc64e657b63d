package attestctl_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sessionBlocks are the blocks of the README that one shell runs in turn, in an empty
// folder: those under the same name. Of a block of sh the output is not shown.
var sessionBlocks = regexp.MustCompile("(?ms)^<!-- session ([a-z]+) -->\n```(sh|console)\n(.*?)^```$")

// elided is what differs from run to run, and stands as … in a transcript: the ID of
// a request, the date of an answer, the time of a decision, and the digest of the
// audit log's last line.
var elided = regexp.MustCompile(`(?m)^(\{"type":"about:blank".*"instance":")[0-9a-f]{32}("\})$` +
	`|^(Date: )[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$` +
	`|^(\d+  )\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(  (?:released|refused|denied)  )` +
	`|^(last line    \d+ )[0-9a-f]{64}$`)

// TestReadmeTranscriptsSessions runs the README's sessions and compares what they
// show; -update writes it there.
func TestReadmeTranscriptsSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("the commands of the README run without the race detector anyway")
	}
	needShell(t)
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the README's sessions are not run: %v", err)
		}
	}
	build(t)
	ran := 0
	compareTranscripts(t, "README.md", func(page []byte) []byte {
		sessions := map[string]*session{}
		return sessionBlocks.ReplaceAllFunc(page, func(block []byte) []byte {
			m := sessionBlocks.FindSubmatch(block)
			id, kind, body := string(m[1]), string(m[2]), string(m[3])
			if sessions[id] == nil {
				ran++
				sessions[id] = newSession(t)
			}
			s := sessions[id]
			if kind == "console" {
				return fmt.Appendf(nil, "<!-- session %s -->\n```console\n%s```", id, s.transcript(body))
			}
			if out := s.run(body); s.code != 0 {
				t.Errorf("a block of the session %s ends with %d and prints\n%s", id, s.code, out)
			}
			return block
		})
	})
	if ran == 0 {
		t.Error("the README has no session")
	}
}

// session is a shell that is given one command at a time.
type session struct {
	testing.TB

	port   string // what 8443 stands for
	in     io.Writer
	out    *bufio.Reader // of all commands
	server *bufio.Reader // standard error of what runs in the background
	code   int           // of the last command
}

// endOfCommand is what the shell says behind each command.
const endOfCommand = "-- end of command "

// newSession starts a shell in an empty folder. What it leaves in the background
// ends with it.
func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{TB: t, port: freePort(t)}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh") // its end is that of its input
	cmd.Dir = t.TempDir()
	// curl draws its progress where the output is no terminal, unless told otherwise.
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte("silent\nshow-error\nnoproxy = *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CURL_HOME="+home, "HOME="+home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, outEnd := pipe(t)
	server, serverEnd := pipe(t)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = outEnd, outEnd, []*os.File{serverEnd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{outEnd, serverEnd} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.in, s.out, s.server = in, bufio.NewReader(out), bufio.NewReader(server)
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("the shell ends with %v", err)
		}
	})
	s.run("trap '[ -z \"$!\" ] || kill $! 2> /dev/null; wait; exit 0' EXIT")
	return s
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, w
}

// freePort is a port that nobody listens on: 8443 may be taken where tests run.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if c := l.Close(); err != nil || c != nil {
		t.Fatal(err, c)
	}
	return port
}

// transcript runs the commands of a block, which begin with a dollar sign and go on
// where a line ends with a backslash, and shows what they say.
func (s *session) transcript(block string) string {
	s.Helper()
	var b strings.Builder
	command := ""
	for line := range strings.Lines(block) {
		first, found := strings.CutPrefix(line, "$ ")
		switch {
		case found:
			command = first
		case command != "":
			command += line
		default:
			continue // what was shown the last time
		}
		b.WriteString(line)
		if strings.HasSuffix(command, "\\\n") {
			continue
		}
		b.WriteString(s.show(command))
		command = ""
	}
	return b.String()
}

// show runs a command and returns what a page shows of it. What runs in the
// background is shown until it serves; what it logs later is not.
func (s *session) show(command string) string {
	s.Helper()
	at, background := strings.CutSuffix(command, "&\n")
	if !background {
		out := strings.ReplaceAll(s.run(command), "\r\n", "\n")
		return elided.ReplaceAllString(out, "$1$3$4$6…$2$5")
	}
	s.run(at + "2>&3 3>&- &\nexec 3>&-") // so that its end is seen, too
	return s.until(s.server, "serving on ")
}

// run gives the shell a command and returns what is said until it has ended.
func (s *session) run(command string) string {
	s.Helper()
	command = strings.ReplaceAll(command, "8443", s.port)
	if _, err := fmt.Fprintf(s.in, "%s\necho \"\n%s$?\"\n", strings.TrimSuffix(command, "\n"), endOfCommand); err != nil {
		s.Fatalf("%s: %v", command, err)
	}
	out := s.until(s.out, endOfCommand)
	i := strings.LastIndex(out, "\n"+endOfCommand)
	code, err := strconv.Atoi(strings.TrimSpace(out[i+1+len(endOfCommand):]))
	if err != nil {
		s.Fatalf("%s: %v", command, err)
	}
	s.code = code
	return out[:i]
}

// until reads the lines up to the one that begins with a word.
func (s *session) until(r *bufio.Reader, word string) string {
	s.Helper()
	var b bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		b.WriteString(strings.ReplaceAll(line, s.port, "8443"))
		if err != nil {
			s.Fatalf("no line begins with %q: %v\n%s", word, err, b.String())
		}
		if strings.HasPrefix(line, word) {
			return b.String()
		}
	}
}
