//go:build unix

package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/localtpm"
)

// attestAtTPM and attestWithLog name the TPM and the log of the program that attests.
const (
	attestAtTPM   = "ATTESTCTL_TEST_TPM"
	attestWithLog = "ATTESTCTL_TEST_LOG"
)

func attestAt(nonce string) ([]byte, error) {
	raw, err := hex.DecodeString(nonce)
	if err != nil {
		return nil, err
	}
	log, err := localtpm.ReadEventLog(os.Getenv(attestWithLog))
	if err != nil {
		return nil, err
	}
	return localtpm.TPM{Device: os.Getenv(attestAtTPM)}.Attest(context.Background(), raw, log)
}

// attestCommand is a command that attests at the machine.
func (m *vm) attestCommand(t *testing.T) string {
	t.Helper()
	t.Setenv(attestAtTPM, m.Socket)
	t.Setenv(attestWithLog, m.log)
	return attestCommand(t, "tpm", "{nonce}")
}

// ekCertificate is one of the machine's maker for an endorsement key.
func (m *vm) ekCertificate(tb testing.TB, algorithm string) []byte {
	tb.Helper()
	key := m.publicKey(tb, "ek", "--algo", algorithm)
	usage := x509.KeyUsageKeyEncipherment
	if _, ecc := key.(*ecdsa.PublicKey); ecc {
		usage = x509.KeyUsageKeyAgreement
	}
	return issueEK(tb, key, usage)
}

func issueEK(tb testing.TB, key crypto.PublicKey, usage x509.KeyUsage) []byte {
	tb.Helper()
	cert, err := newForgeCA(tb).Issue(&x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: forge.Now(), NotAfter: forge.Now().AddDate(10, 0, 0),
		KeyUsage: usage, BasicConstraintsValid: true,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}}, // tcg-kp-EKCertificate
	}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return cert.Raw
}

// putEKCertificate writes a certificate where the machine's maker would.
func (m *vm) putEKCertificate(t *testing.T, algorithm string, der []byte) {
	t.Helper()
	index := map[string]string{"ecc": "0x01c0000a", "rsa": "0x01c00002"}[algorithm]
	m.File(t, "cert", der)
	m.Tool(t, "tpm2_nvdefine", index, "-C", "o", "-s", big.NewInt(int64(len(der))).String(), "-a", "ownerwrite|ownerread|authread")
	m.Tool(t, "tpm2_nvwrite", index, "-C", "o", "-i", "cert")
}

// wrapTree is what a server needs to wrap for machines: it pins their attestation
// keys, and trusts the maker of their TPMs.
func wrapTree(t *testing.T, machines ...*vm) map[string][]byte {
	t.Helper()
	ca := newForgeCA(t)
	files := map[string][]byte{
		"trust/ek/roots/test.der": ca.Root.Raw, "trust/ek/intermediates/test.der": ca.Intermediate.Raw,
		"policy/attest.rego": []byte(bootedHere),
		"secrets/secrets.yaml": []byte("default: hello\nstores: {files: {dir: store}}\nsecrets:\n" +
			"  hello: {plaintext: true, binding: [], content_type: text/plain}\n  db: {binding: [ak]}\n  open: {path: db}\n"),
	}
	for i, m := range machines {
		files["trust/ak/pins/"+string(rune('a'+i))+".pub"] = m.key(t, "ak")
	}
	return files
}

// TestRequestWrapped: the endorsement key is certified in the TPM, in a file, or
// pinned; the evidence is of the TPM itself or of a command that uses it.
func TestRequestWrapped(t *testing.T) {
	m := bootVM(t)
	files := wrapTree(t, m)
	files["trust/ek/pins/m.pub"] = m.key(t, "ek", "--algo", "ecc")
	s := startTrusting(t, files)
	file := filepath.Join(t.TempDir(), "ek.der")
	if err := os.WriteFile(file, m.ekCertificate(t, "rsa"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrapped := func(args ...string) {
		t.Helper()
		if x := s.request(append([]string{"db", "--wrap", "tpm"}, args...)...); x.out.String() != dbSecret || x.err.Len() > 0 {
			t.Errorf("%q: prints %q and %q", args, x.out.String(), x.err.String())
		}
	}
	wrapped(m.flags()...) // pinned
	wrapped(m.flags("--ek-cert", file)...)
	wrapped("--tpm", m.Socket, "--ek-cert", file, "--attest-cmd", m.attestCommand(t))
	m.putEKCertificate(t, "rsa", m.ekCertificate(t, "rsa"))
	wrapped(m.flags()...)
	// A secret that does not demand it is wrapped too where that is asked for.
	if x := s.request(append([]string{"open", "--wrap", "tpm"}, m.flags()...)...); x.out.String() != dbSecret {
		t.Errorf("prints %q", x.out.String())
	}
	s.refuses(t, exitDenied, "the server answers 403 denied", append([]string{"db"}, m.flags()...)...)
	m.checkLeft(t)
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"released": "db", "refused": "evidence.bound"})
}

// TestRequestOtherTPM: what was wrapped for the endorsement key of one TPM and the
// attestation key of another, none of them opens. An endorsement key that nobody
// vouches for gets nothing.
func TestRequestOtherTPM(t *testing.T) {
	a, b := bootVM(t), bootVM(t)
	s := startTrusting(t, wrapTree(t, a, b))
	b.putEKCertificate(t, "ecc", b.ekCertificate(t, "ecc"))
	if x := s.request(append([]string{"db", "--wrap", "tpm"}, b.flags()...)...); x.out.String() != dbSecret {
		t.Errorf("by itself the TPM gets %q", x.out.String())
	}
	relayed := a.attestCommand(t)
	s.refuses(t, exitTool, "activating the credential", "db", "--wrap", "tpm", "--tpm", b.Socket, "--attest-cmd", relayed)
	s.refuses(t, exitDenied, "the server answers 403 denied", append([]string{"db", "--wrap", "tpm"}, a.flags()...)...)
	a.checkLeft(t)
	b.checkLeft(t)
	s.end(syscall.SIGTERM)
	s.checkAudit(map[string]string{"refused": "ek.trusted"})
}
