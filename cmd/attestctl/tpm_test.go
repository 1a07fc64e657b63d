//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"io"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// TestTPMKeys: the keys of a kind that was asked for, each with its attributes; no
// binary to a terminal.
func TestTPMKeys(t *testing.T) {
	m := bootVM(t)
	for _, c := range []struct {
		args     []string
		decrypts bool
		rsa      bool
	}{
		{args: []string{"ak"}},
		{args: []string{"ak", "--ak", "own", "--algo", "rsa"}, rsa: true},
		{args: []string{"ek"}, decrypts: true},
		{args: []string{"ek", "--algo", "rsa"}, decrypts: true, rsa: true},
	} {
		p, err := tpm.ParseSizedPublic(m.key(t, c.args...))
		if err != nil {
			t.Fatalf("%q: %v", c.args, err)
		}
		if got := p.Attributes&tpm.Decrypt != 0; got != c.decrypts || (p.Type == tpm.AlgRSA) != c.rsa {
			t.Errorf("%q: a key of type %v with %v", c.args, p.Type, p.Attributes.Names())
		}
		key, err := p.Key()
		if err != nil {
			t.Fatal(err)
		}
		equal := false
		switch key := key.(type) {
		case *ecdsa.PublicKey:
			equal = key.Equal(m.publicKey(t, c.args...))
		case *rsa.PublicKey:
			equal = key.Equal(m.publicKey(t, c.args...))
		}
		if !equal {
			t.Errorf("%q: --pem prints another key", c.args)
		}
	}
	x := newSession()
	x.columns = func(io.Writer) int { return 80 }
	if code := x.run("tpm", "ak", "--tpm", m.Socket); code != exitUsage || x.out.Len() > 0 {
		t.Errorf("to a terminal: exit code %d and %d bytes, want %d and none", code, x.out.Len(), exitUsage)
	}
	if code := x.run("tpm", "ak", "--tpm", m.Socket, "--pem"); code != 0 {
		t.Errorf("PEM to a terminal: exit code %d: %s", code, x.err.String())
	}
	m.checkLeft(t)
}
