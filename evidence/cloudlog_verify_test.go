package evidence_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

func exportOf(tb testing.TB, c forge.CloudLog) *forge.Evidence {
	tb.Helper()
	e, err := c.Export()
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func verifyExport(tb testing.TB, c forge.CloudLog) (*evidence.Result, error) {
	tb.Helper()
	e := exportOf(tb, c)
	return verify(e.Raw, forgeTrust(tb, e), logExpect(e))
}

// logExpect leaves the nonce of the quotes to the log.
func logExpect(e *forge.Evidence) evidence.Expect {
	want := forgeExpect(e)
	want.Nonce = nil
	return want
}

func failing(res *evidence.Result) []string {
	var list []string
	for _, f := range res.Failures() {
		list = append(list, f.ID)
	}
	return list
}

// TestCloudLogVerified: a run that was logged is verified as a whole, and the
// claims are those of attestation and token together.
func TestCloudLogVerified(t *testing.T) {
	sev := forge.Machine{Technology: forge.AMDSEV}
	tdx := forge.Machine{Technology: forge.IntelTDX, Hardware: &forge.Hardware{Binding: forge.BindNonce}}
	snp := forge.Machine{Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonce}}
	for name, c := range map[string]struct {
		log  forge.CloudLog
		want map[string]string
	}{
		"sev": {forge.CloudLog{Runs: []forge.LogRun{{Machine: sev}}}, map[string]string{
			"hwmodel": "GCP_AMD_SEV", "tee.type": absent, "boot.technology": "AMD_SEV", "iss": evidence.GoogleIssuer, "checks.log.agreement": "pass",
			"checks.tpm.quote.nonce": "pass", "checks.token.signature": "pass",
		}},
		"sev, oldest first, by lines, floats": {
			forge.CloudLog{Runs: []forge.LogRun{{Machine: sev}}, OldestFirst: true, NDJSON: true, Floats: true},
			map[string]string{"hwmodel": "GCP_AMD_SEV", "checks.log.entries": "pass"},
		},
		"tdx": {forge.CloudLog{Runs: []forge.LogRun{{Machine: tdx}}}, map[string]string{
			"hwmodel": "GCP_INTEL_TDX", "tee.type": "TDX", "checks.tdx.signature": "pass", "checks.tee.binding": "pass",
		}},
		"snp": {forge.CloudLog{Runs: []forge.LogRun{{Machine: snp}}}, map[string]string{
			"hwmodel": "GCP_AMD_SEV_SNP", "tee.type": absent, "checks.snp.report": "skip", "checks.tee.present": "skip", "boot.technology": "AMD_SEV_SNP",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := verifyExport(t, c.log)
			if err != nil {
				t.Fatalf("refused: %v; %v", err, failing(res))
			}
			checkClaims(t, res, c.want)
			if res.Claims.TPM == nil || res.Claims.Token == nil || res.Format != evidence.FormatCloudLog {
				t.Errorf("tpm %t, token %t, format %s", res.Claims.TPM != nil, res.Claims.Token != nil, res.Format)
			}
			if slices.Contains(res.Claims.EATNonce, res.Claims.TPM.Nonce) {
				t.Error("the nonce of the logged challenge is claimed to be one that was asked for")
			}
			for _, check := range res.Checks {
				if check.ID == "snp.report" && name == "snp" && !strings.Contains(check.Detail, "rebuilt from a lossy log") {
					t.Errorf("snp.report: %s", check.Detail)
				}
			}
		})
	}
}

// runs gives one run with an edit of its four entries.
func runs(m forge.Machine, edit func([]forge.LogEntry) ([]forge.LogEntry, error)) forge.CloudLog {
	return forge.CloudLog{Runs: []forge.LogRun{{Machine: m, Edit: edit}}}
}

// TestCloudLogRefused: what does not belong together is refused by the check that
// says so.
func TestCloudLogRefused(t *testing.T) {
	sev := forge.Machine{Technology: forge.AMDSEV}
	other := sev
	other.Instance = forge.DefaultInstance()
	other.Instance.Name, other.Instance.ID = "another-vm", 42
	es, off := sev, sev
	snp := forge.Machine{Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonce}} // its report is not rebuilt
	es.Technology = forge.AMDSEVES
	off.Boot.SecureBoot = forge.SecureBootOff
	tokenOf := func(m forge.Machine) forge.CloudLog {
		return forge.CloudLog{Runs: []forge.LogRun{{Machine: sev, Token: forge.Token{Machine: &m}}}}
	}
	drop := func(i int) forge.CloudLog {
		return runs(sev, func(l []forge.LogEntry) ([]forge.LogEntry, error) { return slices.Delete(l, i, i+1), nil })
	}
	payload := func(i int, edit func(map[string]any)) forge.CloudLog {
		return runs(sev, func(l []forge.LogEntry) ([]forge.LogEntry, error) { edit(l[i].Payload); return l, nil })
	}
	relabelled := func(name, value string) forge.CloudLog {
		return runs(sev, func(l []forge.LogEntry) ([]forge.LogEntry, error) {
			for i := range l {
				l[i].Resource.Labels = maps.Clone(l[i].Resource.Labels)
				l[i].Resource.Labels[name] = value
			}
			return l, nil
		})
	}
	for name, c := range map[string]struct {
		log  forge.CloudLog
		want []string
		says string
	}{
		"label of another instance": {relabelled("instance_id", "1"), []string{"log.agreement"}, "labelled instance_id"},
		"label of another project":  {relabelled("project_id", "other"), []string{"log.agreement"}, "labelled project_id"},
		"label of another zone":     {relabelled("zone", "other"), []string{"log.agreement"}, "labelled zone"},
		"no challenge":              {drop(0), []string{"log.entries"}, "challenge"},
		"no attestation":            {drop(1), []string{"log.entries"}, "attestation"},
		"no token":                  {drop(2), []string{"log.entries"}, "token"},
		"no claims":                 {drop(3), []string{"log.entries"}, "claims"},
		"token of another machine":  {tokenOf(other), []string{"log.agreement"}, "sub"},
		"token of another kind":     {tokenOf(es), []string{"log.agreement"}, "hwmodel"},
		"token of another kind than is measured": {
			forge.CloudLog{Runs: []forge.LogRun{{Machine: snp, Token: forge.Token{Machine: &sev}}}}, []string{"log.agreement"}, "hwmodel",
		},
		"token of another boot": {tokenOf(off), []string{"log.agreement"}, "secboot"},
		"other nonce in the challenge": {
			payload(0, func(p map[string]any) { p["Nonce"] = "R29vZ0F0dGVzdFYxAAAAAAAAAAAAAAAAAAAAAAAA" }), []string{"tpm.quote.nonce"}, "nonce",
		},
		"logged claims altered": {payload(3, func(p map[string]any) { p["hwmodel"] = "GCP_INTEL_TDX" }), []string{"log.agreement"}, "hwmodel"},
		"logged claims more":    {payload(3, func(p map[string]any) { p["extra"] = true }), []string{"log.agreement"}, "extra"},
		"logged claims less":    {payload(3, func(p map[string]any) { delete(p, "secboot") }), []string{"log.agreement"}, "secboot"},
		"token altered": {payload(2, func(p map[string]any) {
			text, _ := p["token"].(string)
			p["token"] = text[:len(text)-8] + "AAAAAAAA"
		}), []string{"token.signature"}, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := verifyExport(t, c.log)
			if err == nil || res.Claims != nil || !slices.Equal(failing(res), c.want) {
				t.Fatalf("error %v, failing %v, want %v", err, failing(res), c.want)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not speak of %s", err, c.says)
			}
			for _, check := range res.Checks {
				if compared := check.Status == evidence.Pass || check.Status == evidence.Fail; check.ID == "log.agreement" && compared != slices.Contains(c.want, check.ID) {
					t.Errorf("log.agreement: %v; what is not proven is not compared", check.Status)
				}
			}
		})
	}
}

// TestCloudLogAtItsTime: a log is judged as of now, or as of when it was written
// if the user says so.
func TestCloudLogAtItsTime(t *testing.T) {
	e := exportOf(t, runs(forge.Machine{Technology: forge.AMDSEV}, nil))
	want := logExpect(e)
	logged := want.Now
	want.Now = logged.Add(30 * 24 * time.Hour)
	if res, err := verify(e.Raw, forgeTrust(t, e), want); err == nil || !slices.Equal(failing(res), []string{"token.time"}) {
		t.Errorf("a month later: %v, %v", err, failing(res))
	}
	want.AtLogged = true
	res, err := verify(e.Raw, forgeTrust(t, e), want)
	if err != nil {
		t.Fatalf("as of its time: %v", err)
	}
	if res.Claims.TimeSource != "log" || res.Claims.NonceSource != "log" {
		t.Errorf("time source %q, nonce source %q", res.Claims.TimeSource, res.Claims.NonceSource)
	}
	if at := time.Unix(res.Claims.VerifiedAt, 0); at.After(logged) || at.Before(logged.Add(-time.Hour)) {
		t.Errorf("verified at %v, logged about %v", at, logged)
	}
	raw, err := forge.Machine{}.Attest(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := verifyWithLoggedTime(t, raw); err == nil || res.Claims != nil {
		t.Error("evidence that is not from a log is judged without a time")
	}
}

func verifyWithLoggedTime(t *testing.T, e *forge.Evidence) (*evidence.Result, error) {
	t.Helper()
	data, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return verify(data, forgeTrust(t, e), evidence.Expect{Nonce: e.Nonce, AtLogged: true})
}

// TestCloudLogManyRuns: every run of several instances, interleaved, is verified
// by itself.
func TestCloudLogManyRuns(t *testing.T) {
	var log forge.CloudLog
	for i := range 5 {
		m := forge.Machine{Technology: forge.AMDSEV, Instance: forge.DefaultInstance()}
		m.Instance.Name, m.Instance.ID = "vm-"+string(rune('a'+i)), int64(1000+i)
		log.Runs = append(log.Runs, forge.LogRun{Machine: m, At: forge.Now().Add(time.Duration(i) * 20 * time.Millisecond)})
	}
	e := exportOf(t, log)
	if _, err := evidence.Load(bytes.NewReader(e.Raw)); err == nil || !strings.Contains(err.Error(), "5 groups") {
		t.Errorf("Load of five runs: %v", err)
	}
	seen := map[string]bool{}
	for g, err := range evidence.ReadLogGroups(bytes.NewReader(e.Raw)) {
		if err != nil {
			t.Fatal(err)
		}
		res, err := g.Verify(forgeTrust(t, e), logExpect(e))
		if err != nil {
			t.Fatalf("%v: %v", g.Labels, err)
		}
		seen[res.Claims.Submods.GCE.InstanceName] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d instances are verified, want 5", len(seen))
	}
}

// TestCloudLogNonce: a nonce that is expected of the quotes is compared with them,
// and only then they answer anybody.
func TestCloudLogNonce(t *testing.T) {
	e := exportOf(t, runs(forge.Machine{Technology: forge.AMDSEV}, nil))
	want := forgeExpect(e)
	res, err := verify(e.Raw, forgeTrust(t, e), want)
	if err != nil || res.Claims.NonceSource != "expected" || res.Claims.TimeSource != "" {
		t.Fatalf("with the nonce of its challenge: %v, %+v", err, res.Claims)
	}
	want.Nonce = bytes.Repeat([]byte{1}, 32)
	if res, err := verify(e.Raw, forgeTrust(t, e), want); err == nil || !slices.Equal(failing(res), []string{"tpm.quote.nonce"}) {
		t.Errorf("with another nonce: %v, %v", err, failing(res))
	}
}

// TestCloudLogPinnedKey: a key without a certificate names no instance, so that any
// machine's token would agree with it.
func TestCloudLogPinnedKey(t *testing.T) {
	for name, m := range map[string]forge.Machine{
		"same technology":  {Technology: forge.AMDSEV, NoCertificate: true},
		"other technology": {Technology: forge.NoTechnology, NoCertificate: true},
	} {
		e := exportOf(t, forge.CloudLog{Runs: []forge.LogRun{{Machine: m, Token: forge.Token{Machine: &forge.Machine{Technology: forge.AMDSEV}}}}})
		trust, err := forgeTrust(t, e).WithPinnedAK(e.AK.TPM2BPublic())
		if err != nil {
			t.Fatal(err)
		}
		res, err := verify(e.Raw, trust, logExpect(e))
		if err == nil || res.Claims != nil || !slices.Equal(failing(res), []string{"log.agreement"}) {
			t.Errorf("%s: %v, failing %v", name, err, failing(res))
		}
	}
}

// TestCloudLogNamesNoInstance: where token or attestation names no instance, nothing
// says that they are of one machine, also in a log without labels to compare.
func TestCloudLogNamesNoInstance(t *testing.T) {
	unlabelled := func(l []forge.LogEntry) ([]forge.LogEntry, error) {
		for i := range l {
			l[i].Resource.Labels = map[string]string{}
		}
		return l, nil
	}
	anonymous := forge.TokenEdits{Claims: func(o *forge.Object) error {
		o.Child("submods").Child("gce").Delete("instance_id")
		return nil
	}}
	sev, pinned := forge.Machine{Technology: forge.AMDSEV}, forge.Machine{Technology: forge.AMDSEV, NoCertificate: true}
	for name, c := range map[string]struct {
		run  forge.LogRun
		want string // "" is accepted
	}{
		"both":                            {forge.LogRun{Machine: sev, Edit: unlabelled}, ""},
		"not the attestation":             {forge.LogRun{Machine: pinned, Token: forge.Token{Machine: &sev}, Edit: unlabelled}, "do not both name the instance"},
		"not the token":                   {forge.LogRun{Machine: sev, Token: forge.Token{Edits: anonymous}}, "do not both name the instance"},
		"not the token, without labels":   {forge.LogRun{Machine: sev, Token: forge.Token{Edits: anonymous}, Edit: unlabelled}, "do not both name the instance"},
		"neither, in a log with no label": {forge.LogRun{Machine: pinned, Token: forge.Token{Machine: &sev, Edits: anonymous}, Edit: unlabelled}, "do not both name the instance"},
	} {
		e := exportOf(t, forge.CloudLog{Runs: []forge.LogRun{c.run}})
		trust := forgeTrust(t, e)
		if c.run.Machine.NoCertificate {
			var err error
			if trust, err = trust.WithPinnedAK(e.AK.TPM2BPublic()); err != nil {
				t.Fatal(err)
			}
		}
		res, err := verify(e.Raw, trust, logExpect(e))
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%s: %v, failing %v", name, err, failing(res))
			}
		case err == nil || res.Claims != nil || !slices.Equal(failing(res), []string{"log.agreement"}) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, failing %v, want %q", name, err, failing(res), c.want)
		}
	}
}

// TestCloudLogLossyReport: only a whole report of which a log has rounded the
// versions is excused, and only where the firmware measured SEV-SNP.
func TestCloudLogLossyReport(t *testing.T) {
	snp := forge.Machine{Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonceAK}}
	report := func(edit func(map[string]any)) forge.CloudLog {
		return runs(snp, func(l []forge.LogEntry) ([]forge.LogEntry, error) {
			tee, _ := l[1].Payload["TeeAttestation"].(map[string]any)
			edit(tee)
			return l, nil
		})
	}
	in := func(tee map[string]any, path ...string) map[string]any {
		for _, name := range path {
			tee, _ = tee[name].(map[string]any)
		}
		return tee
	}
	foreign := runs(forge.Machine{Technology: forge.IntelTDX}, nil)
	foreign.Runs[0].Edit = func(l []forge.LogEntry) ([]forge.LogEntry, error) {
		other, err := (forge.CloudLog{Runs: []forge.LogRun{{Machine: snp, Edit: func(o []forge.LogEntry) ([]forge.LogEntry, error) {
			l[1].Payload["TeeAttestation"] = o[1].Payload["TeeAttestation"]
			return o, nil
		}}}}).Export()
		if other == nil {
			return nil, err
		}
		return l, err
	}
	for name, c := range map[string]struct {
		log  forge.CloudLog
		want string // the check that fails; "" is accepted
	}{
		"as it was": {report(func(map[string]any) {}), ""},
		"junk": {report(func(tee map[string]any) {
			tee["SevSnpAttestation"] = map[string]any{"report": map[string]any{"current_tcb": 1.5e19}}
		}), "log.entries"},
		"mitigation vector rounded":      {report(func(tee map[string]any) { in(tee, "SevSnpAttestation", "report")["launch_mit_vector"] = 1.5e19 }), ""},
		"without a signature":            {report(func(tee map[string]any) { delete(in(tee, "SevSnpAttestation", "report"), "signature") }), "log.entries"},
		"without a key":                  {report(func(tee map[string]any) { delete(in(tee, "SevSnpAttestation"), "certificate_chain") }), "log.entries"},
		"another number rounded":         {report(func(tee map[string]any) { in(tee, "SevSnpAttestation", "report")["policy"] = 1.5e19 }), "log.entries"},
		"on a machine that measured TDX": {foreign, "tee.present"},
	} {
		res, err := verifyExport(t, c.log)
		if (err == nil) != (c.want == "") || c.want != "" && !failed(res, c.want) {
			t.Errorf("%s: %v, failing %v, want %q", name, err, failing(res), c.want)
		}
	}
}
