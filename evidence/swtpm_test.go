package evidence_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	tpmpb "github.com/google/go-tpm-tools/proto/tpm"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/swtpm"
)

// softTPM is a software TPM and the tpm2-tools that talk to it: a TPM and a quoting
// client that share no line with this project.
type softTPM struct {
	*swtpm.TPM

	t *testing.T
}

func startTPM(t *testing.T) *softTPM {
	t.Helper()
	return &softTPM{swtpm.Start(t, "tpm2_createek", "tpm2_quote", "tpm2_pcrextend"), t}
}

// run runs a tool and clears the few slots that a TPM has for loaded keys,
// which a resource manager would do.
func (s *softTPM) run(tool string, args ...string) {
	s.t.Helper()
	s.Tool(s.t, tool, args...)
	s.Tool(s.t, "tpm2_flushcontext", "-t")
}

func (s *softTPM) file(name string) []byte {
	s.t.Helper()
	return s.Read(s.t, name)
}

func realLog(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus.Module(tb, "github.com/google/go-tpm-tools"), "internal", "test", "eventlogs", name))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// TestSoftwareTPM verifies quotes of a TPM and of tools that nobody here
// wrote, over a real boot log: as the files of tpm2_quote, and assembled into
// an attestation, with RSA and with ECC keys.
func TestSoftwareTPM(t *testing.T) {
	for _, alg := range []string{"rsa", "ecc"} {
		t.Run(alg, func(t *testing.T) {
			s := startTPM(t)
			log := realLog(t, "ubuntu-2404-amd-sevsnp.bin")
			s.Boot(t, log)
			s.run("tpm2_createek", "-c", "ek.ctx", "-G", alg, "-u", "ek.pub")
			s.run("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", alg, "-g", "sha256", "-u", "ak.pub", "-n", "ak.name")
			nonce := "00112233445566778899aabbccddeeff"
			for _, bank := range []string{"sha1", "sha256", "sha384"} {
				s.run("tpm2_quote", "-c", "ak.ctx", "-l", bank+":all", "-q", nonce, "-g", "sha256",
					"-m", bank+".msg", "-s", bank+".sig", "-o", bank+".pcrs")
			}
			s.run("tpm2_quote", "-c", "ak.ctx", "-l", "sha256:all+sha384:all", "-q", nonce, "-g", "sha256",
				"-m", "both.msg", "-s", "both.sig", "-o", "both.pcrs", "-F", "values")
			trust, err := evidence.PinAK(s.file("ak.pub"))
			if err != nil {
				t.Fatal(err)
			}
			want := evidence.Expect{Nonce: mustHex(t, nonce), Now: at, InsecureNoHardwareReport: true} // the log of another machine
			for _, name := range []string{"sha256", "sha384", "both"} {
				s.checkTriple(name, log, trust, want)
			}
			s.checkAttestation(log, trust, want)
		})
	}
}

func (s *softTPM) checkTriple(name string, log []byte, trust *evidence.Trust, want evidence.Expect) {
	s.t.Helper()
	b, err := evidence.LoadTPM2Quote(evidence.TPM2Quote{
		Message:   bytes.NewReader(s.file(name + ".msg")),
		Signature: bytes.NewReader(s.file(name + ".sig")),
		PCRs:      bytes.NewReader(s.file(name + ".pcrs")),
		EventLog:  bytes.NewReader(log),
	})
	if err != nil {
		s.t.Fatalf("%s: LoadTPM2Quote: %v", name, err)
	}
	res, err := b.Verify(trust, want)
	if err != nil {
		s.t.Fatalf("%s: Verify: %v", name, err)
	}
	if res.Claims.Boot.Technology != "AMD_SEV_SNP" || res.Claims.HWModel != "" {
		s.t.Errorf("%s: technology %q, hwmodel %q, want AMD_SEV_SNP and none without its report", name, res.Claims.Boot.Technology, res.Claims.HWModel)
	}
	want.Nonce = bytes.Repeat([]byte{1}, 16)
	if res, err := b.Verify(trust, want); err == nil || res.Claims != nil {
		s.t.Errorf("%s: another nonce was accepted", name)
	}
}

// checkAttestation assembles the quotes as gotpm would.
func (s *softTPM) checkAttestation(log []byte, trust *evidence.Trust, want evidence.Expect) {
	s.t.Helper()
	msg := &attest.Attestation{AkPub: s.file("ak.pub")[2:], EventLog: log}
	for name, hash := range map[string]tpmpb.HashAlgo{"sha1": tpmpb.HashAlgo_SHA1, "sha256": tpmpb.HashAlgo_SHA256, "sha384": tpmpb.HashAlgo_SHA384} {
		values := map[uint32][]byte{}
		for i, v := range s.pcrs(name) {
			values[uint32(i)] = v
		}
		msg.Quotes = append(msg.Quotes, &tpmpb.Quote{Quote: s.file(name + ".msg"), RawSig: s.file(name + ".sig"), Pcrs: &tpmpb.PCRs{Hash: hash, Pcrs: values}})
	}
	data, err := proto.Marshal(msg)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := verify(data, trust, want)
	if err != nil {
		s.t.Fatalf("Verify: %v", err)
	}
	if got := strings.Join(res.Claims.TPM.AK.Attributes, " "); !strings.Contains(got, "restricted") {
		s.t.Errorf("attributes of the pinned public area are %q", got)
	}
}

// pcrs reads the TPM's values with tpm2_pcrread.
func (s *softTPM) pcrs(bank string) [][]byte {
	s.t.Helper()
	s.run("tpm2_pcrread", bank, "-o", bank+".values")
	all := s.file(bank + ".values")
	size := map[string]tpm.Alg{"sha1": tpm.AlgSHA1, "sha256": tpm.AlgSHA256, "sha384": tpm.AlgSHA384}[bank].Size()
	if len(all) != 24*size {
		s.t.Fatalf("tpm2_pcrread gave %s", hex.EncodeToString(all))
	}
	var values [][]byte
	for ; len(all) > 0; all = all[size:] {
		values = append(values, all[:size])
	}
	return values
}
