//go:build unix

package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/swtpm"
)

// vm is a machine with a software TPM that has booted.
type vm struct {
	*swtpm.TPM

	log string // the file with its boot event log
}

// bootVM boots as the forge's machines do, in the banks that software TPMs have.
func bootVM(t *testing.T) *vm {
	t.Helper()
	m := &vm{swtpm.Start(t, "tpm2_pcrextend", "tpm2_getcap"), filepath.Join(t.TempDir(), "log")}
	banks := append(forge.GCEBanks(), 0x000d) // SHA-512
	e, err := forge.Machine{Technology: forge.AMDSEV, Banks: banks}.Attest(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	m.Boot(t, e.Attestation.GetEventLog())
	if err := os.WriteFile(m.log, e.Attestation.GetEventLog(), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// flags of request for evidence of the machine.
func (m *vm) flags(more ...string) []string {
	return append([]string{"--tpm", m.Socket, "--event-log", m.log}, more...)
}

// key is what the command tpm prints.
func (m *vm) key(tb testing.TB, args ...string) []byte {
	tb.Helper()
	x := newSession()
	if code := x.run(append(append([]string{"tpm"}, args...), "--tpm", m.Socket)...); code != 0 {
		tb.Fatalf("tpm %q: exit code %d: %s", args, code, x.err.String())
	}
	return x.out.Bytes()
}

func (m *vm) publicKey(tb testing.TB, args ...string) crypto.PublicKey {
	tb.Helper()
	block, _ := pem.Decode(m.key(tb, append(args, "--pem")...))
	if block == nil {
		tb.Fatalf("tpm %q prints no PEM", args)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// checkLeft wants nothing to be loaded.
func (m *vm) checkLeft(t *testing.T) {
	t.Helper()
	if loaded := m.Loaded(t); loaded != "" {
		t.Errorf("left behind in the TPM: %s", loaded)
	}
}

// startTrusting starts a server with more files, under the folder of its arguments.
// Without a policy among them it has that of the other tests.
func startTrusting(t *testing.T, files map[string][]byte) *served {
	t.Helper()
	return startServeWith(t, func(args []string) []string {
		dir := filepath.Dir(args[slices.Index(args, "--trust")+1])
		if err := writeTree(dir, files); err != nil {
			t.Error(err)
		}
		if at := slices.Index(args, "--policy"); files["policy/attest.rego"] != nil {
			args[at+1] = filepath.Join(dir, "policy")
			at = slices.Index(args, "--config")
			args = slices.Delete(args, at, at+2)
		}
		return args
	})
}

// bootedHere allows machines whose key somebody pinned: those say nothing of a project.
const bootedHere = "package attest\n\ndefault allow := false\n\nallow if input.boot.technology == \"AMD_SEV\"\n"

// TestRequestTPM: the TPM's own key, which the server pins, of each algorithm.
func TestRequestTPM(t *testing.T) {
	m := bootVM(t)
	s := startTrusting(t, map[string][]byte{
		"trust/ak/pins/ecc.pub": m.key(t, "ak"), "trust/ak/pins/rsa.pem": m.key(t, "ak", "--algo", "rsa", "--pem"),
		"policy/attest.rego": []byte(bootedHere),
	})
	for _, args := range [][]string{{}, {"--ak", "own"}, {"--algo", "rsa"}} {
		if x := s.request(append([]string{"db"}, m.flags(args...)...)...); x.out.String() != dbSecret || x.err.Len() > 0 {
			t.Errorf("%q: prints %q and %q", args, x.out.String(), x.err.String())
		}
	}
	m.checkLeft(t)
	other := bootVM(t)
	s.refuses(t, exitDenied, "the server answers 403 denied", append([]string{"db"}, other.flags()...)...)
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"released": "db", "refused": "tpm.ak.chain"})
}

// refuses wants an error and no secret, on standard output or in a file.
func (s *served) refuses(t *testing.T, want int, words string, args ...string) {
	t.Helper()
	dir, x := t.TempDir(), newSession()
	code := x.run(append([]string{"request", s.url, "--ca", s.ca.file, "--out", filepath.Join(dir, "secret")}, args...)...)
	if code != want || !strings.Contains(x.err.String(), words) || x.out.Len() > 0 || strings.Contains(x.err.String(), "canary") {
		t.Errorf("%q: exit code %d, %q and %q; want %d and %q", args, code, x.out.String(), x.err.String(), want, words)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%q: left behind %v, %v", args, left, err)
	}
}

// TestRequestCertifiedTPM: a key with a certificate of Google's kind, in a file.
func TestRequestCertifiedTPM(t *testing.T) {
	m := bootVM(t)
	cert, intermediate := akCertificate(t, m.publicKey(t, "ak"))
	s := startTrusting(t, map[string][]byte{"trust/ak/intermediates/test.der": intermediate})
	dir := t.TempDir()
	files := map[string][]byte{"ak.der": cert, "ak.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), "none": []byte("none")}
	if err := writeTree(dir, files); err != nil {
		t.Fatal(err)
	}
	with := func(name string, more ...string) []string {
		return append(append([]string{"db"}, m.flags("--ak-cert", filepath.Join(dir, name))...), more...)
	}
	for _, name := range []string{"ak.der", "ak.pem"} {
		if x := s.request(with(name)...); x.out.String() != dbSecret {
			t.Errorf("%s: prints %q", name, x.out.String())
		}
	}
	s.refuses(t, exitDenied, "the server answers 403 denied", append([]string{"db"}, m.flags()...)...)
	s.refuses(t, exitTool, "certificate of the attestation key", with("ak.der", "--algo", "rsa")...)
	s.refuses(t, exitTool, "not a certificate", with("none")...)
	s.refuses(t, exitTool, "none-here", with("none-here")...)
	m.checkLeft(t)
	s.end(syscall.SIGTERM)
}

// akCertificate certifies a key as the forge certifies those of its machines.
func akCertificate(tb testing.TB, key crypto.PublicKey) (leaf, intermediate []byte) {
	tb.Helper()
	e, err := forge.Machine{Technology: forge.AMDSEV}.Attest(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	template, err := x509.ParseCertificate(e.Attestation.GetAkCert())
	if err != nil {
		tb.Fatal(err)
	}
	for _, x := range template.Extensions {
		if x.Id.Equal(forge.InstanceOID()) {
			template.ExtraExtensions = append(template.ExtraExtensions, x)
		}
	}
	ca := newForgeCA(tb)
	cert, err := ca.Issue(template, key)
	if err != nil {
		tb.Fatal(err)
	}
	return cert.Raw, ca.Intermediate.Raw
}

func newForgeCA(tb testing.TB) *forge.CA {
	tb.Helper()
	ca, err := forge.NewCA(forge.NewKeys(forge.DefaultSeed), "forge")
	if err != nil {
		tb.Fatal(err)
	}
	return ca
}

// TestRequestWithoutTPM: no server hears of a request that no TPM can back.
func TestRequestWithoutTPM(t *testing.T) {
	s := hostileServer(t, newTestCA(t), func([]byte) string {
		t.Error("a challenge was asked for")
		return ""
	}, func(http.ResponseWriter, *http.Request) { t.Error("evidence was sent") })
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing there":   {[]string{"--tpm", filepath.Join(dir, "none")}, "error: no TPM: "},
		"folder":          {[]string{"--tpm", dir}, "neither a device nor a socket"},
		"file":            {[]string{"--tpm", file, "--wrap", "tpm"}, "neither a device nor a socket"},
		"another device":  {[]string{"--tpm", os.DevNull}, "no TPM 2.0 answers"},
		"wrap, no TPM":    {[]string{"--tpm", filepath.Join(dir, "none"), "--wrap", "tpm", "--attest-cmd", "a {nonce}"}, "error: no TPM: "},
		"wrap, no EK":     {[]string{"--ek-cert", filepath.Join(dir, "none"), "--wrap", "tpm", "--attest-cmd", "a {nonce}"}, "--ek-cert "},
		"wrap, no key":    {[]string{"--ek-cert", file, "--wrap", "tpm", "--attest-cmd", "a {nonce}"}, "not a certificate"},
		"certificate too": {[]string{"--ak-cert", file}, "not a certificate"},
	} {
		x := newSession()
		code := x.run(append([]string{"request", s.URL, "db", "--ca", s.ca.file}, c.args...)...)
		if code != exitTool || !strings.Contains(x.err.String(), c.want) || x.out.Len() > 0 {
			t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, x.err.String(), exitTool, c.want)
		}
		if !strings.Contains(c.want, "--ek-cert") && !strings.Contains(x.err.String(), "hint: ") {
			t.Errorf("%s: no word of what to do: %s", name, x.err.String())
		}
	}
	m := bootVM(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no log":        {[]string{"--tpm", m.Socket, "--event-log", filepath.Join(dir, "none")}, "--event-log"},
		"folder as log": {[]string{"--tpm", m.Socket, "--event-log", dir}, "event log: "},
		"no template":   {m.flags("--ak", "gce"), "no template of Google Compute Engine"},
	} {
		x := newSession()
		if code := x.run(append([]string{"request", s.URL, "db", "--ca", s.ca.file}, c.args...)...); code != exitTool || !strings.Contains(x.err.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, x.err.String(), exitTool, c.want)
		}
	}
}
