package attestctl_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	console  = regexp.MustCompile("(?ms)(^<!-- session [a-z]+ -->\n)?^```console\n.*?^```$")
	commands = regexp.MustCompile("(?ms)^<!-- ([a-z]+) command -->\n```sh\n(.*?)^```$")
)

// TestReadmeTranscripts runs every command of the transcripts, but for those of
// sessions, and compares what it prints; -update writes it there.
func TestReadmeTranscripts(t *testing.T) {
	if testing.Short() {
		t.Skip("the commands of the README run without the race detector anyway")
	}
	needShell(t)
	build(t)
	for _, page := range []string{"README.md", "docs/codelab.md"} {
		ran := 0
		compareTranscripts(t, page, func(text []byte) []byte {
			return console.ReplaceAllFunc(text, func(block []byte) []byte {
				if bytes.HasPrefix(block, []byte("<!-- session ")) {
					return block
				}
				var out bytes.Buffer
				out.WriteString("```console\n")
				for line := range strings.Lines(string(block)) {
					if command, ok := strings.CutPrefix(line, "$ "); ok {
						ran++
						out.WriteString(line)
						output, _ := shell(t, command)
						out.Write(output)
					}
				}
				out.WriteString("```")
				return out.Bytes()
			})
		})
		if ran < 3 {
			t.Errorf("%s has %d transcripts, want three or more", page, ran)
		}
	}
}

// compareTranscripts compares a page with itself after its commands were run, or
// writes that where -update asks for it.
func compareTranscripts(t *testing.T, page string, run func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got := run(text)
	if *update {
		if err := os.WriteFile(page, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), string(got)); diff != "" {
		t.Errorf("transcripts are out of date (-%s +now): go test . -run TestReadmeTranscripts -update\n%s", page, diff)
	}
}

// TestReadmeCommands runs the README's commands as they stand there, but for
// the one that runs the tests, which the gate must run instead.
func TestReadmeCommands(t *testing.T) {
	needShell(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, m := range commands.FindAllStringSubmatch(string(readme), -1) {
		seen[m[1]] = m[2]
	}
	for _, name := range []string{"verify", "google"} {
		out, code := shell(t, seen[name])
		if code != 0 || !strings.HasSuffix(string(out), "\nACCEPTED\n") {
			t.Errorf("the %s command ends with %d and prints\n%s", name, code, out)
		}
	}
	if seen["test"] != "go test ./...\n" {
		t.Errorf("the README's test command is %q", seen["test"])
	}
	gate, err := os.ReadFile(filepath.Join(".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(gate), "<!-- test command -->") {
		t.Error(".ci/run does not take its test command from the README")
	}
}

func needShell(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the README's commands are for a POSIX shell")
	}
}

// build puts attestctl on the PATH.
func build(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "./cmd/attestctl").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// shell runs a command as a user would and returns what both streams say.
func shell(t *testing.T, command string) ([]byte, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}
