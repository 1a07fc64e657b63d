package forge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// CloudLog describes an export of Cloud Logging that holds what runs of `gotpm
// token --cloud-log` wrote: four entries for each. The zero value of the options
// is what `gcloud logging read --format=json` prints, an array with the newest
// entry first.
type CloudLog struct {
	Runs        []LogRun
	OldestFirst bool
	// NDJSON writes an entry a line.
	NDJSON bool
	// Floats writes numbers as a program does that takes all of them for floating
	// point: 1767229200.0, and 1.5e+19.
	Floats bool
	// Edit edits the entries of all runs, in the order of the export.
	Edit func([]LogEntry) ([]LogEntry, error)
}

// LogRun is one run of gotpm on one machine, which starts At. Its entries are
// 50 milliseconds apart: runs that start closer to each other are interleaved.
type LogRun struct {
	Keys    *Keys // nil stands for those of Machine, or NewKeys(DefaultSeed)
	Machine Machine
	// Token is the one that the run got; where it has no machine it is for Machine.
	Token Token
	// ID names the challenge and the entries; "" is one that follows from the
	// machine's instance.
	ID string
	At time.Time // zero is Now
	// Edit edits the four entries: challenge, attestation, token, claims.
	Edit func([]LogEntry) ([]LogEntry, error)
}

// LogEntry is an entry of a log as it is exported. In Payload numbers are
// float64: the entry has been a google.protobuf.Struct.
type LogEntry struct {
	InsertID         string         `json:"insertId"`
	Payload          map[string]any `json:"jsonPayload"`
	LogName          string         `json:"logName"`
	ReceiveTimestamp string         `json:"receiveTimestamp"`
	Resource         LogResource    `json:"resource"`
	Timestamp        string         `json:"timestamp"`
}

// LogResource is what wrote an entry.
type LogResource struct {
	Labels map[string]string `json:"labels"`
	Type   string            `json:"type"`
}

// Export makes the export. Its evidence is to be verified with the nonce of the
// first run's challenge and what the token of that run demands, a minute after
// the last token was issued.
func (c CloudLog) Export() (*Evidence, error) {
	if len(c.Runs) == 0 {
		return nil, errors.New("an export of no runs")
	}
	var out *Evidence
	var entries []LogEntry
	for i, run := range c.Runs {
		e, list, err := run.entries()
		if err != nil {
			return nil, fmt.Errorf("run %d: %w", i, err)
		}
		entries = append(entries, list...)
		if out == nil {
			out = e
			continue
		}
		maps.Copy(out.hardwareTrust, e.hardwareTrust)
		maps.Copy(out.tokenTrust, e.tokenTrust)
		if e.Now.After(out.Now) {
			out.Now = e.Now
		}
	}
	slices.SortStableFunc(entries, func(a, b LogEntry) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	if !c.OldestFirst {
		slices.Reverse(entries)
	}
	var err error
	if c.Edit != nil {
		if entries, err = c.Edit(entries); err != nil {
			return nil, fmt.Errorf("editing the export: %w", err)
		}
	}
	out.Raw, err = c.encode(entries)
	return out, err
}

func (c CloudLog) encode(entries []LogEntry) ([]byte, error) {
	for i := range entries {
		if c.Floats {
			entries[i].Payload, _ = floats(entries[i].Payload).(map[string]any) // floats keeps a map one
		}
	}
	if c.NDJSON {
		var out []byte
		for _, e := range entries {
			line, err := encodeJSON(e)
			if err != nil {
				return nil, err
			}
			out = append(append(out, line...), '\n')
		}
		return out, nil
	}
	raw, err := encodeJSON(entries)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (r LogRun) orDefault() LogRun {
	r.Keys = cmp.Or(r.Keys, r.Machine.Keys)
	if r.Keys == nil {
		r.Keys = NewKeys(DefaultSeed)
	}
	if r.At.IsZero() {
		r.At = Now()
	}
	r.ID = cmp.Or(r.ID, uuid(r.Keys, r.Machine.Instance.purpose("challenge")))
	r.Machine.Keys = r.Keys
	if r.Token.Machine == nil {
		r.Token.Machine = &r.Machine
	}
	r.Token.Keys = cmp.Or(r.Token.Keys, r.Keys)
	if r.Token.Issued.IsZero() {
		r.Token.Issued = r.At
	}
	return r
}

// entries are the four of a run, oldest first, and its evidence.
func (r LogRun) entries() (*Evidence, []LogEntry, error) {
	r = r.orDefault()
	e, err := r.Machine.Attest(ChallengeNonce(r.Keys, r.ID))
	if err != nil {
		return nil, nil, err
	}
	minted, err := r.Token.Mint()
	if err != nil {
		return nil, nil, err
	}
	e.Token, e.Now, e.tokenTrust = minted.Token, minted.Now, minted.tokenTrust
	if e.hardwareTrust == nil {
		e.hardwareTrust = map[string][]byte{}
	}
	payloads, err := r.payloads(e, minted)
	if err != nil {
		return nil, nil, err
	}
	var list []LogEntry
	for i, p := range payloads {
		list = append(list, r.entry(i, p))
	}
	if r.Edit != nil {
		list, err = r.Edit(list)
	}
	return e, list, err
}

func (r LogRun) entry(i int, payload map[string]any) LogEntry {
	at := r.At.UTC().Add(time.Duration(i) * 50 * time.Millisecond)
	return LogEntry{
		InsertID:         base64url(r.Keys.bytes(fmt.Sprintf("insert id %s %d", r.ID, i), 9)),
		Payload:          payload,
		LogName:          "projects/" + r.Machine.Instance.orDefault().ProjectID + "/logs/gotpm",
		ReceiveTimestamp: logTime(r.At.UTC().Add(1100 * time.Millisecond)),
		Resource:         LogResource{Type: "gce_instance", Labels: r.Machine.Instance.labels()},
		Timestamp:        logTime(at),
	}
}

// logTime has a fixed number of digits, so that texts sort as times do.
func logTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000000Z") }
