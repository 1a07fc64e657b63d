package replay_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-eventlog/extract"
	"github.com/google/go-eventlog/proto/state"
	"github.com/google/go-eventlog/register"
	"github.com/google/go-eventlog/tcg"
	"github.com/google/go-eventlog/tpmeventlog"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// TestReplayAsGoEventlog wants our PCR values to be those that go-eventlog
// accepts, and one bit less to be those it refuses.
func TestReplayAsGoEventlog(t *testing.T) {
	banks := 0
	for name, raw := range realLogs(t) {
		el, err := tcg.ParseEventLog(raw, tcg.ParseOpts{})
		l, ourErr := replay.ParseLog(raw, replay.LogOptions{})
		if (err == nil) != (ourErr == nil) {
			t.Errorf("%s: ParseLog = %v, go-eventlog: %v", name, ourErr, err)
		}
		if err != nil || ourErr != nil {
			continue
		}
		for _, alg := range el.Algs {
			key := fmt.Sprintf("%s %v", name, alg)
			b, err := l.Replay(tpm.Alg(alg))
			if err != nil {
				t.Errorf("%s: Replay = %v, want nil", key, err)
				continue
			}
			banks++
			pcrs := measured(b, alg.CryptoHash())
			if _, err := el.Verify(registers(pcrs)); err != nil {
				t.Errorf("%s: go-eventlog refuses our values: %v", key, err)
			}
			for _, pcr := range pcrs {
				pcr.Digest = slices.Clone(pcr.Digest)
				pcr.Digest[0] ^= 1
				if _, err := el.Verify([]register.MR{pcr}); err == nil {
					t.Errorf("%s: go-eventlog accepts a wrong PCR %d too", key, pcr.Index)
				}
			}
		}
	}
	if banks < 40 {
		t.Errorf("%d banks compared, want at least 40", banks)
	}
}

// measured returns the PCRs that have events.
func measured(b *replay.Bank, hash crypto.Hash) []register.PCR {
	var pcrs []register.PCR
	for pcr := range 24 {
		if b.Events(pcr) > 0 {
			pcrs = append(pcrs, register.PCR{Index: pcr, Digest: b.Value(pcr), DigestAlg: hash})
		}
	}
	return pcrs
}

func registers(pcrs []register.PCR) []register.MR { return register.PCRBank{PCRs: pcrs}.MRs() }

// TestCCELAsGoEventlog does the same for CCEL areas: register 1 is RTMR 0.
func TestCCELAsGoEventlog(t *testing.T) {
	logs := 0
	for name, raw := range ccelLogs(t) {
		el, err := tcg.ParseEventLog(raw, tcg.ParseOpts{AllowPadding: true})
		l, ourErr := replay.ParseLog(raw, replay.LogOptions{AllowPadding: true})
		if (err == nil) != (ourErr == nil) {
			t.Errorf("%s: ParseLog = %v, go-eventlog: %v", name, ourErr, err)
		}
		if err != nil || ourErr != nil {
			continue
		}
		logs++
		b := mustReplay(t, l, tpm.AlgSHA384)
		if _, err := el.Verify(registers(measured(b, crypto.SHA384))); err != nil {
			t.Errorf("%s: go-eventlog refuses our values: %v", name, err)
		}
	}
	if logs < 5 {
		t.Errorf("%d logs compared, want at least 5", logs)
	}
}

// TestBootAsGoEventlog wants the claims that go-eventlog extracts. Intended
// differences, all of form:
//   - its GRUB commands carry GRUB's unmeasured words and the final NUL;
//   - its kernel command line carries the final NUL;
//   - it puts hashes and certificates of a database into two lists;
//   - it lists the applications of failed boot options too (no genuine log has any).
func TestBootAsGoEventlog(t *testing.T) {
	for _, name := range genuine {
		t.Run(name, func(t *testing.T) {
			raw := realLog(t, name)
			l := mustParse(t, raw)
			b := mustReplay(t, l, tpm.AlgSHA256)
			bank := register.PCRBank{TCGHashAlgo: state.HashAlgo_SHA256, PCRs: measured(b, crypto.SHA256)}
			want, err := tpmeventlog.ReplayAndExtract(raw, bank, extract.Opts{Loader: extract.GRUB})
			if err != nil {
				t.Fatalf("ReplayAndExtract = %v, want nil", err)
			}
			got, findings := l.Boot([]tpm.Alg{tpm.AlgSHA256})
			if len(findings) > 0 {
				t.Fatalf("Boot = %v, want no findings", findings)
			}
			equal := func(what string, got, want any) {
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s = %v, want %v", what, got, want)
				}
			}
			equal("Technology", got.Technology, want.GetPlatform().GetTechnology())
			equal("GCEVersion", *got.Firmware.GCEVersion, want.GetPlatform().GetGceVersion())
			sb := want.GetSecureBoot()
			equal("Enabled", *got.SecureBoot.Enabled, sb.GetEnabled())
			for _, d := range []struct {
				name string
				got  *replay.Database
				want *state.Database
			}{{"PK", got.SecureBoot.PK, sb.GetPk()}, {"KEK", got.SecureBoot.KEK, sb.GetKek()}, {"db", got.SecureBoot.DB, sb.GetDb()}, {"dbx", got.SecureBoot.DBX, sb.GetDbx()}} {
				certs, hashes := split(d.got.Signatures)
				equal(d.name+" certificates", certs, len(d.want.GetCerts()))
				equal(d.name+" hashes", hashes, hexList(d.want.GetHashes()))
			}
			equal("Authority", len(got.SecureBoot.Authority), len(sb.GetAuthority().GetCerts()))
			var apps [][]byte
			for _, app := range want.GetEfi().GetApps() {
				apps = append(apps, app.GetDigest())
			}
			equal("EFIApps", got.EFIApps, hexList(apps))
			var commands []string
			for _, c := range want.GetGrub().GetCommands() {
				commands = append(commands, withoutWords(c))
			}
			if !slices.Equal(got.GRUB.Commands, commands) {
				t.Errorf("Commands = %q, want %q", got.GRUB.Commands, commands)
			}
			var files [][]byte
			for _, f := range want.GetGrub().GetFiles() {
				files = append(files, f.GetDigest())
			}
			var digests []string
			for _, f := range got.GRUB.Files {
				digests = append(digests, f.Digest)
			}
			equal("Files", digests, hexList(files))
			equal("Kernel", got.Kernel.CommandLine, strings.TrimSuffix(want.GetLinuxKernel().GetCommandLine(), "\x00"))
		})
	}
}

func withoutWords(command string) string {
	for _, words := range []string{"grub_cmd: ", "kernel_cmdline: ", "module_cmdline: ", "grub_kernel_cmdline ", "grub_cmd "} {
		if rest, ok := strings.CutPrefix(command, words); ok {
			return strings.TrimSuffix(rest, "\x00")
		}
	}
	return command
}

func split(signatures []replay.Signature) (certs int, hashes []string) {
	for _, s := range signatures {
		if s.Type == "x509" {
			certs++
		} else {
			hashes = append(hashes, s.SHA256)
		}
	}
	return certs, hashes
}

func hexList(list [][]byte) []string {
	var out []string
	for _, b := range list {
		out = append(out, hex.EncodeToString(b))
	}
	return out
}

// TestOracleAcceptsEmptyLog documents why the comparison with the reset value
// exists: go-eventlog accepts a log without the events of a PCR (F2).
func TestOracleAcceptsEmptyLog(t *testing.T) {
	raw := realLog(t, "cos-85-amd-sev")
	f := takeApart(t, raw)
	f.events = slices.DeleteFunc(f.events, func(e event) bool { return e.pcr == 8 })
	stripped := f.encode()
	el, err := tcg.ParseEventLog(stripped, tcg.ParseOpts{})
	if err != nil {
		t.Fatal(err)
	}
	full := mustReplay(t, mustParse(t, raw), tpm.AlgSHA256)
	if _, err := el.Verify(registers(measured(full, crypto.SHA256))); err != nil {
		t.Logf("go-eventlog now refuses a stripped log: %v", err)
	}
	b := mustReplay(t, mustParse(t, stripped), tpm.AlgSHA256)
	got := b.Compare(map[int][]byte{8: full.Value(8)})
	i := slices.IndexFunc(got, func(c replay.Comparison) bool { return c.PCR == 8 })
	if got[i].Outcome != replay.Mismatch || !bytes.Equal(got[i].Quoted, full.Value(8)) {
		t.Errorf("Compare = %v, want a mismatch", got[i].Outcome)
	}
}
