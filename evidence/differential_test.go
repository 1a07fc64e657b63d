package evidence_test

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm-tools/server"
	"github.com/google/go-tpm/legacy/tpm2"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/forge"
)

// The oracle of this file is go-tpm-tools: whatever it accepts in the SHA-256
// bank must be accepted here, and its MachineState must agree with the claims
// wherever both speak.

// subject is a piece of evidence with what both sides need to verify it.
type subject struct {
	name  string
	data  []byte
	trust *evidence.Trust
	want  evidence.Expect
	key   crypto.PublicKey // the AK, for the oracle, which knows no clock
}

func TestAgreesWithGoTPMTools(t *testing.T) {
	compared := 0
	for _, s := range append(realSubjects(t), forgedSubjects(t)...) {
		t.Run(s.name, func(t *testing.T) {
			msg := decodeAny(t, s.data)
			loader := server.GRUB
			if s.name == "forge/kernel-stub" { // the oracle refuses such logs unless told to look at no loader
				loader = server.UnsupportedLoader
			}
			state, oracleErr := server.VerifyAttestation(msg, server.VerifyOpts{
				Nonce: s.want.Nonce, TrustedAKs: []crypto.PublicKey{s.key}, Loader: loader, HashAlgo: tpm2.AlgSHA256,
				AllowEFIAppBeforeCallingEvent: true, AllowEmptySBVar: true,
			})
			res, err := verify(s.data, s.trust, s.want)
			if oracleErr != nil {
				t.Skipf("go-tpm-tools does not accept it: %v; attestctl: %v", oracleErr, err)
			}
			if err != nil {
				if reason, ok := refusedOnPurpose[s.name]; ok {
					t.Skipf("refused on purpose: %s (%v)", reason, err)
				}
				t.Fatalf("go-tpm-tools accepts it, attestctl refuses: %v", err)
			}
			if _, ok := refusedOnPurpose[s.name]; ok {
				t.Errorf("listed as refused on purpose, and accepted")
			}
			compared++
			compareState(t, state, res.Claims)
		})
	}
	if compared < 15 {
		t.Errorf("%d pieces of evidence were compared, want 15 or more", compared)
	}
}

// refusedOnPurpose lists what go-tpm-tools accepts and attestctl does not.
var refusedOnPurpose = map[string]string{
	"log/ubuntu-2404-amd-sevsnp.bin": "the firmware measured SEV-SNP, and the evidence has no report of it",
}

func realSubjects(t *testing.T) []subject {
	t.Helper()
	var list []subject
	for _, c := range realCases(t) {
		cert, err := x509.ParseCertificate(decodeAny(t, c.data).GetAkCert())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, subject{c.name, c.data, embeddedTrust(t), c.want, cert.PublicKey})
	}
	return list
}

// forgedSubjects quotes the module's real event logs with the forge's AK, and
// adds machines of every technology and loader.
func forgedSubjects(t *testing.T) []subject {
	t.Helper()
	keys := forge.NewKeys("differential")
	machines := map[string]forge.Machine{
		"forge/none":        {},
		"forge/sev":         {Technology: forge.AMDSEV},
		"forge/snp":         {Technology: forge.AMDSEVSNP, AK: forge.P256, Hardware: &forge.Hardware{}},
		"forge/tdx":         {Technology: forge.IntelTDX, AK: forge.P256, Hardware: &forge.Hardware{}},
		"forge/sb-off":      {Technology: forge.AMDSEV, AK: forge.P256, Boot: forge.Boot{SecureBoot: forge.SecureBootOff}},
		"forge/sb-absent":   {Technology: forge.AMDSEV, AK: forge.P256, Boot: forge.Boot{SecureBoot: forge.SecureBootAbsent}},
		"forge/kernel-stub": {Technology: forge.AMDSEV, AK: forge.P256, Boot: forge.Boot{Loader: forge.KernelStub}},
		"forge/cos":         {Technology: forge.AMDSEV, AK: forge.P256, Container: forge.DefaultContainer()},
	}
	dir := filepath.Join(corpus.Module(t, "github.com/google/go-tpm-tools"), "internal", "test", "eventlogs")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		log, err := forge.ParseEvents(raw)
		if err != nil {
			t.Logf("%s is not quoted again: %v", f.Name(), err)
			continue
		}
		machines["log/"+f.Name()] = forge.Machine{Log: log, AK: forge.P256}
	}
	var list []subject
	for name, m := range machines {
		m.Keys = keys
		e, err := m.Attest([]byte("0123456789abcdef"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		data, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, subject{name, data, forgeTrust(t, e), evidence.Expect{Nonce: e.Nonce, Now: e.Now}, e.AK.Key()})
	}
	return list
}

// compareState compares where both speak. Intended differences:
//   - technology: the oracle says NONE for a log that does not speak of it;
//     here it is absent.
//   - secure_boot: the oracle says disabled for a log without the variable;
//     here it is absent.
//   - efi.apps: the oracle's list lacks what was loaded before the boot option
//     was called only if it is told to refuse such logs; it is told to allow.
//   - authority: the oracle drops it since v0.4.9.
//   - kernel command line: the oracle keeps the NUL that ends the string; here
//     it is absent if more than one was measured.
func compareState(t *testing.T, state *attest.MachineState, c *claims.Claims) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s = %v, go-tpm-tools says %v", what, got, want)
		}
	}
	if c.Boot.Technology != "" {
		same("technology", c.Boot.Technology, state.GetPlatform().GetTechnology())
	} else {
		same("technology where it is absent", attest.GCEConfidentialTechnology_NONE, state.GetPlatform().GetTechnology())
	}
	if fw := c.Boot.Firmware; fw != nil {
		same("gce_version", *fw.GCEVersion, state.GetPlatform().GetGceVersion())
	}
	compareSecureBoot(t, state.GetSecureBoot(), c, same)
	if c.Boot.EFIApps != nil {
		same("efi apps", imageDigests(c.Boot.EFIApps), appDigests(state.GetEfi().GetApps()))
	}
	if c.Boot.GRUB != nil {
		same("grub commands", len(c.Boot.GRUB.Commands), len(state.GetGrub().GetCommands()))
		for i, f := range state.GetGrub().GetFiles() {
			same("grub file", c.Boot.GRUB.Files[i].Digest, hex.EncodeToString(f.GetDigest()))
		}
	}
	if c.Boot.Kernel != nil {
		same("command line", c.Boot.Kernel.CommandLine, strings.TrimSuffix(state.GetLinuxKernel().GetCommandLine(), "\x00"))
	}
	if info := state.GetPlatform().GetInstanceInfo(); info != nil && c.Submods != nil && c.Submods.GCE != nil {
		same("instance", c.Submods.GCE.InstanceID, info.GetInstanceId())
		same("project", c.Submods.GCE.ProjectID, info.GetProjectId())
	}
}

func compareSecureBoot(t *testing.T, s *attest.SecureBootState, c *claims.Claims, same func(string, any, any)) {
	t.Helper()
	if c.SecBoot == nil {
		same("secure boot where it is absent", false, s.GetEnabled())
		return
	}
	same("secure boot", *c.SecBoot, s.GetEnabled())
	for name, pair := range map[string]struct {
		ours   *claims.Database
		theirs *attest.Database
	}{
		"pk":  {c.Boot.SecureBoot.PK, s.GetPk()},
		"kek": {c.Boot.SecureBoot.KEK, s.GetKek()},
		"db":  {c.Boot.SecureBoot.DB, s.GetDb()},
		"dbx": {c.Boot.SecureBoot.DBX, s.GetDbx()},
	} {
		if pair.ours == nil {
			same(name+" where it is absent", 0, len(pair.theirs.GetCerts())+len(pair.theirs.GetHashes()))
			continue
		}
		same(name+" certificates", len(pair.ours.Certificates), len(pair.theirs.GetCerts()))
		var hashes []string
		for _, h := range pair.theirs.GetHashes() {
			hashes = append(hashes, hex.EncodeToString(h))
		}
		same(name+" hashes", strings.Join(pair.ours.Hashes, " "), strings.Join(hashes, " "))
	}
}

func imageDigests(list []claims.Image) []string {
	var out []string
	for _, i := range list {
		out = append(out, i.Digest)
	}
	return out
}

func appDigests(list []*attest.EfiApp) []string {
	var out []string
	for _, a := range list {
		out = append(out, hex.EncodeToString(a.GetDigest()))
	}
	return out
}
