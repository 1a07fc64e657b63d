package forge_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/forge"
)

// proven verifies forged evidence with the real verifier.
func proven(tb testing.TB, e *forge.Evidence) *claims.Claims {
	tb.Helper()
	raw, err := e.Binary()
	if err != nil {
		tb.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, data := range e.TrustFiles() {
		dir[name] = &fstest.MapFile{Data: data}
	}
	trust, err := evidence.LoadTrust(dir)
	if err != nil {
		tb.Fatal(err)
	}
	want := evidence.Expect{Nonce: e.Nonce, Now: e.Now}
	if d := e.Token; d != nil {
		want.Token = evidence.TokenExpect{Issuer: d.Issuer, Profile: d.Profile, Audience: d.Audience, Nonce: d.Nonce, Without: d.Without}
	}
	b, err := evidence.Load(bytes.NewReader(raw))
	if err != nil {
		tb.Fatal(err)
	}
	result, err := b.Verify(trust, want)
	if err != nil {
		tb.Fatalf("Verify() error = %v", err)
	}
	return result.Claims
}

// common is the part of the claims that a policy for both kinds of evidence reads.
type common struct {
	HWModel, SWName, Sub string
	SecBoot              *bool
	OEMID                *int64
	AttesterTCB          []string
	GCE                  *claims.GCE
	Container            *claims.Container
	Monitoring           *claims.MonitoringEnabled
}

func commonOf(c *claims.Claims) common {
	out := common{
		HWModel: c.HWModel, SWName: c.SWName, Sub: c.Sub, SecBoot: c.SecBoot, OEMID: c.OEMID,
		AttesterTCB: c.AttesterTCB, GCE: c.Submods.GCE, Container: c.Submods.Container,
	}
	if cs := c.Submods.ConfidentialSpace; cs != nil {
		out.Monitoring = cs.MonitoringEnabled
	}
	return out
}

// The token of a machine says what its raw evidence proves.
func TestTokenAgreesWithRawEvidence(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys(forge.DefaultSeed)
	watched := forge.DefaultContainer()
	watched.MemoryMonitor, watched.RestartPolicy, watched.OverrideArgs, watched.OverrideEnv = true, "Always", nil, nil
	production := forge.Boot{CommandLine: forge.HardenedCommandLine}
	for name, m := range map[string]forge.Machine{
		"shielded":                {},
		"sev":                     {Technology: forge.AMDSEV},
		"sev without secure boot": {Technology: forge.AMDSEV, Boot: forge.Boot{SecureBoot: forge.SecureBootOff}},
		"sev of another instance": {Technology: forge.AMDSEV, Instance: forge.Instance{Zone: "z", ProjectID: "p", Name: "n", ProjectNumber: 7, ID: 9007199254740993}},
		"sev-es":                  {Technology: forge.AMDSEVES},
		"sev-snp":                 {Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{}},
		"tdx":                     {Technology: forge.IntelTDX, Hardware: &forge.Hardware{}},
		"confidential space, sev": {Technology: forge.AMDSEV, Container: watched, Boot: production},
		"confidential space, snp": {Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{}, Container: forge.DefaultContainer(), Boot: production},
		"confidential space, tdx": {Technology: forge.IntelTDX, Hardware: &forge.Hardware{}, Container: forge.DefaultContainer(), Boot: production},
	} {
		t.Run(name, func(t *testing.T) {
			m.Keys = keys
			raw, err := m.Attest(bytes.Repeat([]byte("n"), 32))
			if err != nil {
				t.Fatal(err)
			}
			want, got := commonOf(proven(t, raw)), commonOf(proven(t, mintToken(t, forge.Token{Machine: &m})))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("claims (-raw +token):\n%s", diff)
			}
		})
	}
}
