package forge_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-eventlog/cel"
	"github.com/google/go-eventlog/proto/state"
	"github.com/google/go-eventlog/register"
	"github.com/google/go-tpm-tools/server"

	"github.com/attestctl/attestctl/internal/forge"
)

// realLogs returns event logs of real machines from the test data of
// go-tpm-tools, all in the crypto-agile format.
func realLogs(t *testing.T) map[string][]byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/go-tpm-tools").Output()
	if err != nil {
		t.Skipf("go list does not find the module: %v", err)
	}
	logs := map[string][]byte{}
	for _, name := range []string{"ubuntu-2404-amd-sevsnp.bin", "cos-101-amd-sev.bin", "rhel8-uefi.bin", "eventlogwithsp800155.bin"} {
		raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "test", "eventlogs", name))
		if err != nil {
			t.Skipf("no test data: %v", err)
		}
		logs[name] = raw
	}
	return logs
}

func TestRealLogsSurviveParsing(t *testing.T) {
	t.Parallel()
	for name, raw := range realLogs(t) {
		l, err := forge.ParseEvents(raw)
		if err != nil {
			t.Errorf("ParseEvents(%s) error = %v", name, err)
			continue
		}
		if got, err := l.Encode(); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s encodes to %d bytes, want the %d it came from (error %v)", name, len(got), len(raw), err)
		}
	}
}

func TestRealLogsAreRequoted(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("requoted")
	for name, raw := range realLogs(t) {
		l, err := forge.ParseEvents(raw)
		if err != nil {
			t.Fatal(err)
		}
		e := mustAttest(t, forge.Machine{Keys: keys, Log: l})
		if !bytes.Equal(e.Attestation.GetEventLog(), raw) {
			t.Errorf("%s: the log that is sent is not the real one", name)
		}
		_, err = server.VerifyAttestation(e.Attestation, server.VerifyOpts{
			Nonce: e.Nonce, TrustedRootCerts: []*x509.Certificate{e.Root}, AllowEFIAppBeforeCallingEvent: true,
		})
		if err != nil {
			t.Errorf("%s: VerifyAttestation: %v", name, err)
		}
	}
}

func TestStartupLocalityBeginsPCR0(t *testing.T) {
	t.Parallel()
	locality := forge.Event{Type: forge.EvNoAction, Data: append([]byte("StartupLocality\x00"), 3)}
	with, err := forge.Replay(forge.SHA256, []forge.Event{locality})
	if err != nil {
		t.Fatal(err)
	}
	if want := append(make([]byte, 31), 3); !bytes.Equal(with[0], want) {
		t.Errorf("PCR 0 = %x, want %x", with[0], want)
	}
}

func TestParseEventsRefuses(t *testing.T) {
	t.Parallel()
	good, err := (&forge.Log{Banks: forge.GCEBanks(), Events: []forge.Event{{PCR: 4, Type: forge.EvSeparator, Data: make([]byte, 4)}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "cut in the header": good[:40], "cut in an event": good[:len(good)-1],
		"old format": append(slices.Clone(good[:32]), make([]byte, 80)...),
	} {
		if l, err := forge.ParseEvents(raw); err == nil {
			t.Errorf("%s: ParseEvents() = %v, want an error", name, l)
		}
	}
}

func TestGoEventlogReplaysTheContainer(t *testing.T) {
	t.Parallel()
	e := mustAttest(t, forge.Machine{AK: forge.P256, Container: forge.DefaultContainer()})
	records, err := cel.DecodeToCEL(bytes.NewBuffer(e.Attestation.GetCanonicalEventLog()))
	if err != nil {
		t.Fatalf("DecodeToCEL: %v", err)
	}
	if got, want := len(records.Records()), len(forge.DefaultContainer().Contents()); got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	bank := register.PCRBank{TCGHashAlgo: state.HashAlgo_SHA256}
	for i, value := range e.PCRs[forge.SHA256] {
		bank.PCRs = append(bank.PCRs, register.PCR{Index: int(i), Digest: value, DigestAlg: crypto.SHA256})
	}
	if err := records.Replay(bank); err != nil {
		t.Errorf("Replay: %v", err)
	}
}
