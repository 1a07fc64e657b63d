package replay_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// TestAttestations takes the logs and the quoted values out of real
// attestations: each bank has to match, without a finding.
func TestAttestations(t *testing.T) {
	dirs, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, glob := range []string{dirs["go-tpm-tools"] + "/internal/test/attestations/*.pb", corpus + "/b-tpm-quotes/layr/*.pb"} {
		found, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 2 {
		t.Fatalf("%d attestations, want at least 2", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var a attest.Attestation
			if err := proto.Unmarshal(readFile(t, file), &a); err != nil {
				t.Fatal(err)
			}
			l := mustParse(t, a.GetEventLog())
			var algs []tpm.Alg
			for _, quote := range a.GetQuotes() {
				alg := tpm.Alg(quote.GetPcrs().GetHash())
				algs = append(algs, alg)
				quoted := map[int][]byte{}
				for pcr, value := range quote.GetPcrs().GetPcrs() {
					quoted[int(pcr)] = value
				}
				checkContainer(t, a.GetCanonicalEventLog(), alg, quoted)
				for _, c := range mustReplay(t, l, alg).Compare(quoted) {
					// PCR 10 is IMA's and PCR 13 the launcher's: no event of this log.
					if c.Outcome == replay.Mismatch && c.PCR != 10 && c.PCR != 13 || c.Outcome == replay.NotQuoted {
						t.Errorf("%v: %s", alg, c.Explain())
					}
				}
			}
			boot, findings := l.Boot(algs)
			for _, f := range findings {
				t.Errorf("finding: %v", f)
			}
			if boot.Technology == "" || boot.Kernel == nil {
				t.Errorf("Boot = %+v, want a technology and a kernel", boot)
			}
		})
	}
}

// checkContainer compares a log of PCR 13 with the quoted value. That of a TD is
// in RTMR 3, which no TPM quotes.
func checkContainer(t *testing.T, raw []byte, alg tpm.Alg, quoted map[int][]byte) {
	t.Helper()
	if len(raw) == 0 {
		return
	}
	l, err := replay.ParseCEL(raw)
	if err != nil {
		t.Fatalf("ParseCEL = %v, want nil", err)
	}
	c, findings := l.Container()
	if len(findings) > 0 || !c.Complete {
		t.Errorf("Container = %+v, %v, want a complete launch", c, findings)
	}
	if c.Register != replay.ContainerPCR {
		return
	}
	value, records, err := l.Replay(c.Register, alg)
	if err != nil || records != len(l.Records) || string(value) != string(quoted[13]) {
		t.Errorf("%v Replay(PCR 13) = %x, %d records, %v, want %x", alg, value, records, err, quoted[13])
	}
}
