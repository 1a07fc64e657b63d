//go:build unix

package localtpm_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/client"
	"github.com/google/go-tpm/legacy/tpm2"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/localtpm"
	"github.com/attestctl/attestctl/internal/swtpm"
)

var nonce = bytes.Repeat([]byte{7}, 32)

// sha512Bank is what software TPMs have beside the banks of GCE's.
const sha512Bank forge.Alg = 0x000d

// booted is a software TPM with the measurements of a boot, and the log of it.
func booted(t *testing.T) (*swtpm.TPM, []byte) {
	t.Helper()
	s := swtpm.Start(t, "tpm2_pcrextend", "tpm2_getcap")
	m, err := forge.Machine{Technology: forge.AMDSEV, Banks: append(forge.GCEBanks(), sha512Bank)}.Attest(nonce)
	if err != nil {
		t.Fatal(err)
	}
	s.Boot(t, m.Attestation.GetEventLog())
	return s, m.Attestation.GetEventLog()
}

// checkLeft wants nothing to be loaded, and nothing kept that was not.
func checkLeft(t *testing.T, s *swtpm.TPM, kept ...string) {
	t.Helper()
	if loaded := s.Loaded(t); loaded != "" {
		t.Errorf("left behind in the TPM: %s", loaded)
	}
	if got := strings.Fields(s.Tool(t, "tpm2_getcap", "handles-persistent")); strings.Join(got, "") != strings.Join(kept, "") {
		t.Errorf("kept in the TPM: %q, want %q", got, kept)
	}
}

// putNV writes an index as the maker of a TPM does.
func putNV(t *testing.T, s *swtpm.TPM, index, attributes string, data []byte) {
	t.Helper()
	s.File(t, "nv", data)
	s.Tool(t, "tpm2_nvdefine", index, "-C", "o", "-s", big.NewInt(int64(len(data))).String(), "-a", attributes)
	s.Tool(t, "tpm2_nvwrite", index, "-C", "o", "-i", "nv")
}

const readable = "ownerwrite|ownerread|authread"

// putGCE makes a TPM one of Google's: a template of the attestation key.
func putGCE(t *testing.T, s *swtpm.TPM) {
	t.Helper()
	template, err := client.AKTemplateECC().Encode()
	if err != nil {
		t.Fatal(err)
	}
	putNV(t, s, "0x01c10003", readable, template)
}

// certificate is one for a key; who signs it is all the same here.
func certificate(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	ca, err := forge.NewCA(forge.NewKeys(forge.DefaultSeed), "localtpm")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: forge.Now(), NotAfter: forge.Now().AddDate(1, 0, 0),
	}, public)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Raw
}

func parsePublic(t *testing.T, raw []byte) *tpm.Public {
	t.Helper()
	p, err := tpm.ParsePublic(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keyOf(t *testing.T, raw []byte) crypto.PublicKey {
	t.Helper()
	key, err := parsePublic(t, raw).Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkixOf(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func akOf(t *testing.T, l localtpm.TPM) []byte {
	t.Helper()
	ak, err := l.AK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ak
}

func ekOf(t *testing.T, l localtpm.TPM, cert []byte) localtpm.EK {
	t.Helper()
	ek, err := l.EK(t.Context(), cert)
	if err != nil {
		t.Fatal(err)
	}
	return ek
}

// nameOf is a key's Name as the other library has it.
func nameOf(t *testing.T, public []byte) *tpm2.HashValue {
	t.Helper()
	p, err := tpm2.DecodePublic(public)
	if err != nil {
		t.Fatal(err)
	}
	name, err := p.Name()
	if err != nil {
		t.Fatal(err)
	}
	return name.Digest
}
