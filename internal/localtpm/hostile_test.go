//go:build unix

package localtpm_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/localtpm"
)

// TestNoTPM: whatever is no TPM is an error that says what to do.
func TestNoTPM(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ device, want, hint string }{
		"nothing there":  {filepath.Join(dir, "none"), "no TPM: ", "vTPM"},
		"folder":         {dir, "neither a device nor a socket", "--tpm"},
		"file":           {file, "neither a device nor a socket", "--tpm"},
		"another device": {os.DevNull, "no TPM 2.0 answers", "--tpm"},
		"dead socket":    {deadSocket(t), "no TPM 2.0 answers: ", "--tpm"},
		"closed at once": {answering(t, nil), "no TPM 2.0 answers: ", "--tpm"},
		"zeros":          {answering(t, make([]byte, 10)), "", ""},
		"noise":          {answering(t, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")), "no TPM 2.0 answers", "--tpm"},
		"no properties":  {answering(t, []byte("\x80\x01\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00")), "cannot be read", "--tpm"},
		"huge length":    {answering(t, []byte("\x80\x01\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x06\xff\xff\xff\xff")), "", ""},
	} {
		l := localtpm.TPM{Device: c.device}
		for _, err := range []error{
			second(l.AK(t.Context())), second(l.Attest(t.Context(), nonce, nonce)), second(l.EK(t.Context(), nil)),
		} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
				t.Errorf("%s: %v (%s), want %q (%q)", name, err, hint.Of(err), c.want, c.hint)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// deadSocket is one that nobody listens on.
func deadSocket(t *testing.T) string {
	t.Helper()
	l := listen(t)
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// answering is a socket that gives everybody the same answer.
func answering(t *testing.T, answer []byte) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(answer)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T) *net.UnixListener {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "tpm"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	})
	return l
}

// TestSilentTPM: one that never answers is not waited for longer than it may take.
func TestSilentTPM(t *testing.T) {
	l := listen(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		if c, err := l.Accept(); err == nil {
			t.Cleanup(func() { _ = c.Close() })
			_, _ = c.Read(make([]byte, 1)) // it was asked
		}
		cancel(enough)
	}()
	if _, err := (localtpm.TPM{Device: l.Addr().String()}).AK(ctx); !errors.Is(err, enough) {
		t.Errorf("AK = %v, want the end of waiting", err)
	}
}

// TestRefusingTPM: what a TPM refuses for a reason that its user can change.
func TestRefusingTPM(t *testing.T) {
	s, log := booted(t)
	l := localtpm.TPM{Device: s.Socket}
	for range 3 {
		s.Tool(t, "tpm2_createprimary", "-C", "o", "-c", "key.ctx", "-Q")
	}
	if err := second(l.Attest(t.Context(), nonce, log)); err == nil || !strings.Contains(hint.Of(err), "tpm2_flushcontext") {
		t.Errorf("a full TPM: %v (%s)", err, hint.Of(err))
	}
	s.Tool(t, "tpm2_flushcontext", "-t")
	s.Tool(t, "tpm2_changeauth", "-c", "owner", "secret")
	if err := second(l.Attest(t.Context(), nonce, log)); err == nil || !strings.Contains(hint.Of(err), "password") {
		t.Errorf("a hierarchy with a password: %v (%s)", err, hint.Of(err))
	}
	checkLeft(t, s)
}

// TestReadEventLog: only what can be a log is read.
func TestReadEventLog(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		size int
		want string
	}{
		"one":   {1, ""},
		"most":  {localtpm.MaxEvidence, ""},
		"more":  {localtpm.MaxEvidence + 1, "is larger than 1 MiB"},
		"empty": {0, "is empty"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, make([]byte, c.size), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := localtpm.ReadEventLog(file)
		if c.want == "" && (err != nil || len(log) != c.size) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d bytes, %v; want %d or %q", name, len(log), err, c.size, c.want)
		}
	}
	for _, name := range []string{dir, filepath.Join(dir, "none")} {
		if _, err := localtpm.ReadEventLog(name); err == nil || !strings.HasPrefix(err.Error(), "event log: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A log that fits where the evidence with it does not.
	s, _ := booted(t)
	if err := second(localtpm.TPM{Device: s.Socket}.Attest(t.Context(), nonce, make([]byte, localtpm.MaxEvidence))); err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("the largest log: %v", err)
	}
}
