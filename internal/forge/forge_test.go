package forge_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-eventlog/extract"
	"github.com/google/go-eventlog/proto/state"
	"github.com/google/go-eventlog/register"
	"github.com/google/go-eventlog/tpmeventlog"
	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm-tools/server"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/internal/forge"
)

func nonce() []byte {
	n := sha256.Sum256([]byte("nonce of the forge's tests"))
	return n[:]
}

func mustAttest(t *testing.T, m forge.Machine) *forge.Evidence {
	t.Helper()
	e, err := m.Attest(nonce())
	if err != nil {
		t.Fatalf("Attest() error = %v", err)
	}
	return e
}

// honest lists machines that every verifier must accept.
func honest(keys *forge.Keys) map[string]forge.Machine {
	return map[string]forge.Machine{
		"zero":             {},
		"none":             {Keys: keys},
		"sev":              {Keys: keys, Technology: forge.AMDSEV},
		"sev-es":           {Keys: keys, Technology: forge.AMDSEVES},
		"snp":              {Keys: keys, Technology: forge.AMDSEVSNP},
		"tdx":              {Keys: keys, Technology: forge.IntelTDX},
		"ecc":              {Keys: keys, AK: forge.P256},
		"p384":             {Keys: keys, AK: forge.P384, AKHash: forge.SHA384},
		"sha384":           {Keys: keys, AKHash: forge.SHA384},
		"secure boot off":  {Keys: keys, Boot: forge.Boot{SecureBoot: forge.SecureBootOff}},
		"no secure boot":   {Keys: keys, Boot: forge.Boot{SecureBoot: forge.SecureBootAbsent}},
		"no dbx":           {Keys: keys, Boot: forge.Boot{NoDBX: true}},
		"owner's db":       {Keys: keys, Boot: forge.Boot{OwnerDB: true}},
		"owner's PK":       {Keys: keys, Boot: forge.Boot{OwnerPK: true}},
		"mok":              {Keys: keys, Boot: forge.Boot{ValidationDisabled: true}},
		"cos":              {Keys: keys, Technology: forge.AMDSEV, Container: forge.DefaultContainer()},
		"kernel stub":      {Keys: keys, Boot: forge.Boot{Loader: forge.KernelStub}},
		"no certificate":   {Keys: keys, NoCertificate: true},
		"sha256 bank only": {Keys: keys, Banks: []forge.Alg{forge.SHA256}},
	}
}

// oracle verifies with go-tpm-tools, by certificate and by pinned key.
func oracle(t *testing.T, e *forge.Evidence, loader server.Bootloader) *attest.MachineState {
	t.Helper()
	opts := server.VerifyOpts{Nonce: e.Nonce, TrustedAKs: []crypto.PublicKey{e.AK.Key()}, Loader: loader}
	state, err := server.VerifyAttestation(e.Attestation, opts)
	if err != nil {
		t.Fatalf("VerifyAttestation by pinned key: %v", err)
	}
	if len(e.Attestation.GetAkCert()) == 0 || e.Root == nil {
		return state
	}
	opts.TrustedAKs, opts.TrustedRootCerts = nil, []*x509.Certificate{e.Root}
	state, err = server.VerifyAttestation(e.Attestation, opts)
	if err != nil {
		t.Fatalf("VerifyAttestation by certificate: %v", err)
	}
	return state
}

func TestHonestMachinesAreAccepted(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("honest")
	for name, m := range honest(keys) {
		t.Run(name, func(t *testing.T) {
			e := mustAttest(t, m)
			loader := server.GRUB
			if m.Boot.Loader == forge.KernelStub {
				loader = server.UnsupportedLoader
			}
			state := oracle(t, e, loader)
			if got := state.GetPlatform().GetTechnology(); byte(got) != byte(m.Technology) {
				t.Errorf("technology = %v, want %v", got, m.Technology)
			}
			if got, want := state.GetSecureBoot().GetEnabled(), m.Boot.SecureBoot == forge.SecureBootOn; got != want {
				t.Errorf("secure boot = %v, want %v", got, want)
			}
			if got := state.GetPlatform().GetInstanceInfo(); !m.NoCertificate && got.GetInstanceId() != 6797026933021542085 {
				t.Errorf("instance = %v", got)
			}
			if got := state.GetLinuxKernel().GetCommandLine(); loader == server.GRUB && got != forge.DefaultCommandLine+"\x00" {
				t.Errorf("command line = %q, want %q", got, forge.DefaultCommandLine)
			}
		})
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	for _, m := range []forge.Machine{
		{}, {AK: forge.P256, Technology: forge.AMDSEVSNP, Container: forge.DefaultContainer()},
	} {
		first, second := mustAttest(t, m), mustAttest(t, m)
		for name, encode := range map[string]func(*forge.Evidence) ([]byte, error){
			"binary": (*forge.Evidence).Binary, "textproto": (*forge.Evidence).Textproto, "protojson": (*forge.Evidence).ProtoJSON,
		} {
			a, err := encode(first)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := encode(second); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s of two runs differs (error %v)", name, err)
			}
		}
		m.Keys = forge.NewKeys("another seed")
		if other := mustAttest(t, m); bytes.Equal(other.Attestation.GetAkPub(), first.Attestation.GetAkPub()) {
			t.Error("another seed gives the same key")
		}
	}
}

func TestEncodingsAgree(t *testing.T) {
	t.Parallel()
	e := mustAttest(t, forge.Machine{AK: forge.P256, Container: forge.DefaultContainer()})
	for name, codec := range map[string]struct {
		encode func() ([]byte, error)
		decode func([]byte, proto.Message) error
	}{
		"binary":    {e.Binary, proto.Unmarshal},
		"textproto": {e.Textproto, prototext.Unmarshal},
		"protojson": {e.ProtoJSON, protojson.Unmarshal},
	} {
		raw, err := codec.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got attest.Attestation
		if err := codec.decode(raw, &got); err != nil || !proto.Equal(&got, e.Attestation) {
			t.Errorf("%s does not decode to the message (error %v)", name, err)
		}
	}
}

func TestGoEventlogReplaysTheLog(t *testing.T) {
	t.Parallel()
	e := mustAttest(t, forge.Machine{AK: forge.P256, Technology: forge.AMDSEVSNP})
	for alg, hash := range map[forge.Alg]crypto.Hash{
		forge.SHA1: crypto.SHA1, forge.SHA256: crypto.SHA256, forge.SHA384: crypto.SHA384,
	} {
		bank := register.PCRBank{TCGHashAlgo: state.HashAlgo(alg)}
		for i, value := range e.PCRs[alg] {
			bank.PCRs = append(bank.PCRs, register.PCR{Index: int(i), Digest: value, DigestAlg: hash})
		}
		got, err := tpmeventlog.ReplayAndExtract(e.Attestation.GetEventLog(), bank, extract.Opts{Loader: extract.GRUB})
		if err != nil {
			t.Fatalf("ReplayAndExtract(%v) error = %v", hash, err)
		}
		if apps := len(got.GetEfi().GetApps()); apps != 2 {
			t.Errorf("%v: %d EFI applications, want shim and grub", hash, apps)
		}
		if dbx := len(got.GetSecureBoot().GetDbx().GetHashes()); dbx != 3 {
			t.Errorf("%v: %d hashes in dbx, want 3", hash, dbx)
		}
	}
}

func TestCheckquoteAcceptsTheTriple(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("tpm2_checkquote")
	if err != nil {
		t.Skipf("tpm2_checkquote is not installed: %v", err)
	}
	for name, m := range map[string]forge.Machine{"rsa": {}, "ecc": {AK: forge.P256}} {
		e := mustAttest(t, m)
		for _, bank := range forge.GCEBanks() {
			triple, err := e.Triple(bank)
			if err != nil {
				t.Fatal(err)
			}
			key, err := e.AK.PEM()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			files := map[string][]byte{"ak": key, "msg": triple.Message, "sig": triple.Signature, "pcrs": triple.PCRs}
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), tool, "-u", "ak", "-m", "msg", "-s", "sig", "-f", "pcrs",
				"-g", "sha256", "-q", hex.EncodeToString(e.Nonce))
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("tpm2_checkquote %s %#04x: %v\n%s", name, uint16(bank), err, out)
			}
		}
	}
}
