package forge_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

// failedChecks verifies forged evidence with the real verifier.
func failedChecks(tb testing.TB, e *forge.Evidence) []string {
	tb.Helper()
	dir := fstest.MapFS{}
	for name, data := range e.TrustFiles() {
		dir[name] = &fstest.MapFile{Data: data}
	}
	trust, err := evidence.LoadTrust(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var failed []string
	verify := func(b evidence.Bundle) {
		want := evidence.Expect{Now: e.Now, Token: evidence.TokenExpect{
			Issuer: e.Token.Issuer, Profile: e.Token.Profile, Audience: e.Token.Audience, Nonce: e.Token.Nonce, Without: e.Token.Without,
		}}
		result, _ := b.Verify(trust, want)
		for _, c := range result.Checks {
			if c.Status == evidence.Fail && !slices.Contains(failed, c.ID) {
				failed = append(failed, c.ID)
			}
		}
	}
	for g, err := range evidence.ReadLogGroups(bytes.NewReader(e.Raw)) {
		if err != nil {
			tb.Fatal(err)
		}
		verify(g)
	}
	return failed
}

func TestCloudLogCases(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range forge.CloudLogCases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			twin, err := c.Twin()
			if err != nil {
				t.Fatalf("Twin() error = %v", err)
			}
			if failed := failedChecks(t, twin); len(failed) != 0 {
				t.Errorf("the twin fails %v", failed)
			}
			e, err := c.Build()
			if err != nil {
				t.Fatalf("Build() error = %v", err)
			}
			got := slices.DeleteFunc(failedChecks(t, e), func(id string) bool { return slices.Contains(c.Also, id) })
			if want := []string{c.Check}; !slices.Equal(got, want) {
				t.Errorf("failed checks = %v, want %v", got, want)
			}
			if again, err := c.Build(); err != nil || !bytes.Equal(again.Raw, e.Raw) || bytes.Equal(e.Raw, twin.Raw) {
				t.Errorf("two builds differ, or the case is its own twin (error %v)", err)
			}
		})
	}
}

// Exports and requests of honest machines are accepted by the real verifier.
func TestCloudLogAndRESTVerify(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys(forge.DefaultSeed)
	other := forge.Instance{Zone: "us-central1-a", ProjectID: "other", Name: "other-vm", ProjectNumber: 7, ID: 9}
	for name, m := range map[string]forge.Machine{
		"sev":                {Technology: forge.AMDSEV},
		"sev-snp":            {Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonce}},
		"tdx":                {Technology: forge.IntelTDX, Hardware: &forge.Hardware{}},
		"confidential space": {Technology: forge.AMDSEV, Container: forge.DefaultContainer()},
	} {
		t.Run(name, func(t *testing.T) {
			m.Keys = keys
			second := m
			second.Instance = other
			for _, c := range []forge.CloudLog{
				{Runs: []forge.LogRun{{Machine: m}}},
				{Runs: []forge.LogRun{{Machine: m, Token: forge.Token{PKI: true}}}, NDJSON: true, OldestFirst: true},
				{Runs: []forge.LogRun{{Machine: m}}, Floats: true},
				{Runs: []forge.LogRun{{Machine: m}, {Machine: second, At: forge.Now().Add(20 * time.Millisecond)}, {Machine: m, ID: "3", At: forge.Now().Add(time.Minute)}}},
			} {
				e, err := c.Export()
				if err != nil {
					t.Fatal(err)
				}
				if failed := failedChecks(t, e); len(failed) != 0 {
					t.Errorf("export of %d runs, ndjson %t, floats %t: failed %v", len(c.Runs), c.NDJSON, c.Floats, failed)
				}
			}
			e, err := m.Attest(forge.ChallengeNonce(keys, "test"))
			if err != nil {
				t.Fatal(err)
			}
			if e.Raw, err = e.RESTBody(forge.REST{Keys: keys}); err != nil {
				t.Fatal(err)
			}
			if c := proven(t, e); c.Format != "rest" {
				t.Errorf("format = %q, want rest", c.Format)
			}
		})
	}
}
