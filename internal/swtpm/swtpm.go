// Package swtpm starts software TPMs for tests: processes of a program that shares no
// line with this project.
package swtpm

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/replay"
)

// TPM is a running software TPM.
type TPM struct {
	Socket string // where it answers
	dir    string
}

// Start starts a TPM that has just been switched on. It ends with the test, which is
// skipped where the program or the tools named are not installed.
func Start(tb testing.TB, tools ...string) *TPM {
	tb.Helper()
	for _, tool := range append([]string{"swtpm"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Skipf("%s is not installed (Debian packages swtpm and tpm2-tools)", tool)
		}
	}
	dir, err := os.MkdirTemp("", "swtpm") //nolint:usetesting // the path of a socket is short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &TPM{Socket: filepath.Join(dir, "tpm"), dir: dir}
	cmd := exec.CommandContext(tb.Context(), "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,fd=3", "--ctrl", "type=unixio,fd=4", "--flags", "not-need-init,startup-clear")
	// It inherits sockets that already listen: whoever connects before it is ready waits.
	cmd.ExtraFiles = []*os.File{listen(tb, s.Socket), listen(tb, s.Socket+".ctrl")}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("swtpm: %s", &out)
		}
	})
	return s
}

func listen(tb testing.TB, path string) *os.File {
	tb.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		tb.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return f
}

// Tool runs one of the tpm2-tools in a folder of the TPM's own and returns what it
// prints.
func (s *TPM) Tool(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TPM2TOOLS_TCTI=swtpm:path="+s.Socket)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// File writes a file into that folder.
func (s *TPM) File(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Read reads a file out of it.
func (s *TPM) Read(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// Boot measures the events of a log as a firmware would.
func (s *TPM) Boot(tb testing.TB, raw []byte) {
	tb.Helper()
	log, err := replay.ParseLog(raw, replay.LogOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	var args []string
	for i := range log.Events {
		e := &log.Events[i]
		if e.UntrustedType().String() == "EV_NO_ACTION" {
			continue
		}
		var digests []string
		for _, a := range log.Algs() {
			digests = append(digests, fmt.Sprintf("%v=%x", a, e.Digest(a)))
		}
		args = append(args, fmt.Sprintf("%d:%s", e.PCR, strings.Join(digests, ",")))
		if len(args) == 8 {
			s.Tool(tb, "tpm2_pcrextend", args...)
			args = nil
		}
	}
	if len(args) > 0 {
		s.Tool(tb, "tpm2_pcrextend", args...)
	}
}

// Loaded returns the handles of transient keys and of sessions that are loaded.
func (s *TPM) Loaded(tb testing.TB) string {
	tb.Helper()
	var all []string
	for _, kind := range []string{"handles-transient", "handles-loaded-session", "handles-saved-session"} {
		all = append(all, s.Tool(tb, "tpm2_getcap", kind))
	}
	return strings.TrimSpace(strings.Join(all, ""))
}
