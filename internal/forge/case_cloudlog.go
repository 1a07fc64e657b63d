package forge

import (
	"errors"
	"slices"
	"time"
)

// CloudLogCases returns cases of exports of Cloud Logging, which has no row in
// the acceptance table: what `gotpm token --cloud-log` logged is not whole, or not
// of one machine. It is to be verified as that of [CloudLog.Export].
func CloudLogCases() []Case {
	keys := NewKeys(DefaultSeed)
	cases := inRow(0, "cloud_log", "log.entries", slices.Concat(logEntryCases(), logAgreementCases())...)
	for i := range cases {
		run := LogRun{Keys: keys, Machine: Machine{Technology: AMDSEV}}
		cases[i].log = &CloudLog{Runs: []LogRun{run}}
	}
	return cases
}

func (c Case) buildLog() (*Evidence, error) {
	l := *c.log
	l.Runs = slices.Clone(l.Runs)
	if c.logs != nil {
		c.logs(&l.Runs[0])
	}
	return l.Export()
}

// The entries of a run, by their place.
const (
	logsChallenge = iota
	logsAttestation
	logsToken
	logsClaims
)

// entering edits the entries of the run.
func entering(edit func([]LogEntry) []LogEntry) func(*LogRun) {
	return func(r *LogRun) {
		r.Edit = func(l []LogEntry) ([]LogEntry, error) {
			if len(l) != 4 {
				return nil, errors.New("a run has four entries")
			}
			return edit(l), nil
		}
	}
}

// inPayload edits the payload of one entry.
func inPayload(i int, edit func(map[string]any)) func(*LogRun) {
	return entering(func(l []LogEntry) []LogEntry { edit(l[i].Payload); return l })
}

func logEntryCases() []Case {
	leaveOut := func(i int) func(*LogRun) {
		return entering(func(l []LogEntry) []LogEntry { return slices.Delete(l, i, i+1) })
	}
	again := func(i int) func(*LogRun) {
		return entering(func(l []LogEntry) []LogEntry {
			e := l[i]
			e.InsertID += "x"
			return append(l, e)
		})
	}
	late := func(l []LogEntry) []LogEntry {
		l[logsClaims].Timestamp = logTime(Now().Add(time.Hour))
		return l
	}
	return []Case{
		{Name: "no_challenge", logs: leaveOut(logsChallenge)},
		{Name: "no_attestation", logs: leaveOut(logsAttestation)},
		{Name: "no_token", logs: leaveOut(logsToken)},
		{Name: "no_claims", logs: leaveOut(logsClaims)},
		{Name: "challenge_twice", logs: again(logsChallenge)},
		{Name: "attestation_twice", logs: again(logsAttestation)},
		{Name: "token_twice", logs: again(logsToken)},
		{Name: "claims_twice", logs: again(logsClaims)},
		{Name: "claims_an_hour_later", logs: entering(late)},
		{Name: "claims_of_another_instance", logs: entering(func(l []LogEntry) []LogEntry {
			l[logsClaims].Resource.Labels = Instance{ProjectID: "other", Zone: "z", Name: "n", ID: 9}.labels()
			return l
		})},
		{Name: "challenge_of_another_run", Check: "tpm.quote.nonce", logs: inPayload(logsChallenge, func(m map[string]any) {
			m["Nonce"] = "R29vZ0F0dGVzdFYxQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="
		})},
	}
}

// logAgreementCases: a token that is genuine, and was not given for this
// attestation.
func logAgreementCases() []Case {
	of := func(m Machine) func(*LogRun) { return func(r *LogRun) { r.Token.Machine = &m } }
	claims := func(edit func(map[string]any)) func(*LogRun) { return inPayload(logsClaims, edit) }
	broken := func(r *LogRun) {
		r.Token.Edits.Signing = func(s *Signing) error { s.Algorithm = "RS512"; return nil }
	}
	other := Instance{ProjectID: "other", Zone: "us-central1-a", Name: "other-vm", ProjectNumber: 7, ID: 9}
	const check = "log.agreement"
	return []Case{
		{Name: "token_of_another_instance", Check: check, logs: of(Machine{Technology: AMDSEV, Instance: other})},
		{Name: "token_of_another_technology", Check: check, logs: of(Machine{Technology: IntelTDX})},
		{Name: "token_of_a_machine_with_secure_boot_off", Check: check, logs: of(Machine{Technology: AMDSEV, Boot: Boot{SecureBoot: SecureBootOff}})},
		{Name: "token_of_confidential_space", Check: check, logs: of(Machine{Technology: AMDSEV, Container: DefaultContainer()})},
		{Name: "token_with_a_broken_signature", Check: "token.signature", Also: []string{check}, logs: broken},
		{Name: "claims_with_another_hwmodel", Check: check, logs: claims(func(m map[string]any) { m["hwmodel"] = "GCP_INTEL_TDX" })},
		{Name: "claims_with_a_later_end", Check: check, logs: claims(func(m map[string]any) { m["exp"] = float64(4102444800) })},
		{Name: "claims_with_more", Check: check, logs: claims(func(m map[string]any) { m["dbgstat"] = "disabled-since-boot" })},
		{Name: "claims_with_less", Check: check, logs: claims(func(m map[string]any) { delete(m, "swname") })},
	}
}
