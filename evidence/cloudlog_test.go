package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/hint"
)

// entry is an entry of a log as Cloud Logging exports it.
type entry map[string]any

var logEpoch = time.Date(2026, 10, 5, 12, 0, 0, 123456789, time.UTC)

// logged turns a payload into what the log gives back: encoding/json, then numbers
// as float64.
func logged(tb testing.TB, payload any) json.RawMessage {
	tb.Helper()
	var fields map[string]any
	if err := json.Unmarshal(marshal(tb, payload), &fields); err != nil {
		tb.Fatal(err)
	}
	s, err := structpb.NewStruct(fields)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := protojson.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// run are the entries of one run on an instance, a millisecond apart.
func run(tb testing.TB, e *forge.Evidence, instance string, at time.Time) []entry {
	tb.Helper()
	payloads := []any{
		map[string]any{"Name": "projects/p/locations/l/challenges/" + at.Format(time.RFC3339Nano), "Nonce": e.Nonce, "ConnID": "", "Val": nil, "Iat": nil, "Signature": nil},
		e.Attestation,
		map[string]any{"token": "eyJ." + instance + at.Format("150405.000000000")},
		map[string]any{"iss": "https://confidentialcomputing.googleapis.com", "exp": at.Unix() + 3600, "aud": "a", "submods": map[string]any{"container": map[string]any{"env": map[string]any{"a": "1", "A": "2"}}}},
	}
	var list []entry
	for i, p := range payloads {
		list = append(list, entry{
			"insertId": fmt.Sprint(i), "logName": "projects/p/logs/gotpm", "jsonPayload": logged(tb, p),
			"timestamp":        at.Add(time.Duration(i) * time.Millisecond).Format(time.RFC3339Nano),
			"receiveTimestamp": at.Add(time.Second).Format(time.RFC3339Nano),
			"resource":         map[string]any{"type": "gce_instance", "labels": map[string]any{"instance_id": instance, "project_id": "p", "zone": "z"}},
		})
	}
	return list
}

func lines(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		b.Write(marshal(tb, e))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func array(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, marshal(tb, entries), "", "  "); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func reversed(entries []entry) []entry {
	var out []entry
	for i := range entries {
		out = append(out, entries[len(entries)-1-i])
	}
	return out
}

// groups reads an export to its end or first error.
func groups(r io.Reader) (list []*LogGroup, err error) {
	for g, err := range ReadLogGroups(r) {
		if err != nil {
			return list, err
		}
		list = append(list, g)
	}
	return list, nil
}

// brief gives a group in one line: its instance, which entries it has of which
// second, and whether it is in doubt.
func brief(g *LogGroup) string {
	var b strings.Builder
	b.WriteString(g.Labels["instance_id"] + ":")
	for s := range logShapes {
		if g.has[s] {
			fmt.Fprintf(&b, " %c%d", s.String()[0]-'a'+'A', int(g.times[s].Sub(logEpoch).Seconds()))
		}
	}
	if g.Doubt != "" {
		b.WriteString(" ?")
	}
	return b.String()
}

func TestLogGroupForms(t *testing.T) {
	e := Forged(t, plainVM)
	entries := run(t, e, "1", logEpoch)
	for name, in := range map[string][]byte{
		"array":         array(t, entries),
		"newest first":  array(t, reversed(entries)),
		"lines":         lines(t, entries),
		"lines, CRLF":   bytes.ReplaceAll(lines(t, entries), []byte("\n"), []byte("\r\n")),
		"compact array": marshal(t, entries),
		"other entries": array(t, append([]entry{
			{"logName": "projects/p/logs/gotpm", "textPayload": "x"},
			{"logName": "projects/p/logs/syslog", "jsonPayload": map[string]any{"token": "x"}},
			{"logName": "projects/p/logs/audit", "protoPayload": map[string]any{"a": 1, "A": 2}},
			{"logName": "projects/p/logs/gotpm", "jsonPayload": map[string]any{"message": "x"}},
		}, entries...)),
	} {
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))} {
			list, err := groups(r)
			if err != nil || len(list) != 1 || list[0].problem() != nil {
				t.Fatalf("%s: %v, %v, want one whole run", name, list, err)
			}
			g := list[0]
			if !bytes.Equal(g.challenge.nonce, e.Nonce) || !strings.HasPrefix(string(g.token), "eyJ.1") || !g.First.Equal(logEpoch) || g.Last.Sub(g.First) != 3*time.Millisecond ||
				g.ResourceType != "gce_instance" || g.Labels["zone"] != "z" || g.lossySNP() {
				t.Errorf("%s: %+v", name, g)
			}
			if n, err := g.claimsNode(); err != nil || n.Map()["aud"] != "a" {
				t.Errorf("%s: claims %v, %v", name, n, err)
			}
			if !strings.Contains(fmt.Sprint(g.untrusted()), "challenges/2026-10-05") || strings.Contains(fmt.Sprint(g.untrusted()), "eyJ.1") {
				t.Errorf("%s: untrusted() = %v", name, g.untrusted())
			}
		}
	}
	one, err := groups(strings.NewReader(string(array(t, entries[:1])[2 : bytes.LastIndexByte(array(t, entries[:1]), '}')+1])))
	if err != nil || len(one) != 1 || len(one[0].missing()) != 3 {
		t.Errorf("a single entry: %v, %v", one, err)
	}
}

// TestLogGroupVerifies wants the rebuilt attestation to prove what the one that was
// logged does.
func TestLogGroupVerifies(t *testing.T) {
	exact := forge.SNPTCB{}
	for name, m := range map[string]forge.Machine{
		"sev": plainVM, "tdx": tdxVM, "space": {Technology: forge.AMDSEV, Container: forge.DefaultContainer()},
		"exact snp": {Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{SNP: &forge.SNP{TCB: &exact}}},
	} {
		t.Run(name, func(t *testing.T) {
			e := Forged(t, m)
			list, err := groups(bytes.NewReader(array(t, run(t, e, "1", logEpoch))))
			if err != nil || len(list) != 1 || list[0].problem() != nil || list[0].lossySNP() {
				t.Fatalf("%v, %v", list, err)
			}
			want, err := verifyForged(t, &Attestation{format: formatCloudLog, msg: e.Attestation}, e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verifyForged(t, list[0].attestation, e)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(marshal(t, got.Claims), marshal(t, want.Claims)) {
				t.Errorf("the log proves\n%s\nthe attestation\n%s", marshal(t, got.Claims), marshal(t, want.Claims))
			}
		})
	}
}

// TestForgedExports reads exports as the forge writes them.
func TestForgedExports(t *testing.T) {
	runs := []forge.LogRun{
		{Machine: plainVM},
		{Machine: forge.Machine{Technology: forge.AMDSEV, Instance: forge.Instance{ProjectID: "p", Zone: "z", Name: "other", ID: 7}}, At: forge.Now().Add(20 * time.Millisecond)},
		{Machine: plainVM, ID: "second", At: forge.Now().Add(time.Minute)},
		{Machine: tdxVM, ID: "third", At: forge.Now().Add(time.Hour)},
	}
	for _, c := range []forge.CloudLog{
		{Runs: runs}, {Runs: runs, OldestFirst: true, NDJSON: true}, {Runs: runs, Floats: true}, {Runs: runs, Floats: true, OldestFirst: true},
	} {
		e, err := c.Export()
		if err != nil {
			t.Fatal(err)
		}
		list, err := groups(bytes.NewReader(e.Raw))
		if err != nil || len(list) != len(runs) {
			t.Fatalf("%q, %v, want %d groups", digests(list), err, len(runs))
		}
		for _, g := range list {
			if err := g.problem(); err != nil || g.lossySNP() || g.parts().malformed != nil {
				t.Errorf("%v: %v, %v, %v", g.Labels, err, g.lossy(), g.parts().malformed)
			}
		}
	}
}

// TestLogGroupLossy wants a report that a float64 cannot hold to be left out.
func TestLogGroupLossy(t *testing.T) {
	e := Forged(t, snpVM)
	list, err := groups(bytes.NewReader(array(t, run(t, e, "1", logEpoch))))
	if err != nil || len(list) != 1 || list[0].problem() != nil {
		t.Fatalf("%v, %v", list, err)
	}
	g := list[0]
	v := g.parts()
	if !g.lossySNP() || v.hw.kind != teeNone || len(v.quotes) == 0 || !bytes.Equal(g.lossyKey(), e.SNP.Leaf.Raw) {
		t.Errorf("lossy %q, report %v, key of %d bytes", g.lossy(), v.hw.kind, len(g.lossyKey()))
	}
	for _, want := range []string{"lossy log", "current_tcb", "reported_tcb"} {
		if !strings.Contains(g.lossy(), want) {
			t.Errorf("lossy() = %q, want %q in it", g.lossy(), want)
		}
	}
}

// TestLogGrouping puts entries of several runs in a row. Each is written as its
// instance, kind and second; the groups come out in the order that is wanted.
func TestLogGrouping(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"two runs":                          {"1C0 1A0 1T0 1C1", "1: C0 A0 T0|1: C1 ?"},
		"one after the other":               {"1C0 1A1 1T2 1L3 1C4 1A5 1T6 1L7", "1: C0 A1 T2 C3|1: C4 A5 T6 C7"},
		"newest first":                      {"1L7 1T6 1A5 1C4 1L3 1T2 1A1 1C0", "1: C4 A5 T6 C7|1: C0 A1 T2 C3"},
		"instances interleave":              {"1C0 2C0 2A1 1A1 1T2 2T2 2L3 1L3 3C9", "2: C0 A1 T2 C3|1: C0 A1 T2 C3|3: C9"},
		"all at one time, in any order":     {"1L0 1A0 1C0 1T0", "1: C0 A0 T0 C0"},
		"two runs at one time":              {"1C0 1A0 1T0 1L0 1T0 1A0 1C0 1L0", "1: C0 A0 T0 C0 ?|1: C0 A0 T0 C0 ?"},
		"cut off before a whole run":        {"1C0 1A1 1C4 1A5 1T6 1L7", "1: C0 A1|1: C4 A5 T6 C7 ?"},
		"cut off long before":               {"1C0 1A1 1C122 1A123 1T124 1L125", "1: C0 A1|1: C122 A123 T124 C125"},
		"an entry twice":                    {"1C0 1C1 1A2 1T3 1L4", "1: C0|1: C1 A2 T3 C4 ?"},
		"the last entry twice":              {"1C0 1A1 1T2 1L3 1L4", "1: C0 A1 T2 C3|1: C4"},
		"two runs that interleave":          {"1C0 1A1 1C2 1A3 1T4 1L5 1T6 1L7", "1: C0 A1|1: C2 A3 T4 C5 ?|1: T6 C7 ?"},
		"the same, newest first":            {"1L7 1T6 1L5 1T4 1A3 1C2 1A1 1C0", "1: T6 C7|1: C2 A3 T4 C5 ?|1: C0 A1 ?"},
		"interleaved one by one":            {"1C0 1C1 1A2 1A3 1T4 1T5 1L6 1L7", "1: C0|1: C1 A2 ?|1: A3 T4 ?|1: T5 C6 ?|1: C7 ?"},
		"a token that is not of the run":    {"1C0 1T1 1A2 1L3", "1: C0 T1|1: A2 C3 ?"},
		"longer than the window":            {"1C0 1A1 1T2 1L11", "1: C0 A1 T2|1: C11 ?"},
		"as long as the window":             {"1C0 1A1 1T2 1L10", "1: C0 A1 T2 C10"},
		"given out when the window is over": {"1C0 2C121 2A122 2T123 2L124", "1: C0|2: C121 A122 T123 C124"},
		"doubt ends with the window":        {"1C0 1C1 1A1 1T1 1L1 1C122 1A122 1T122 1L122", "1: C0|1: C1 A1 T1 C1 ?|1: C122 A122 T122 C122"},
		"no order of time":                  {"1C0 1A1 1T0 1L2", "error: entry 3 at byte"},
		"no order of time, newest first":    {"1L3 1T2 2C3", "error: entry 3 at byte"},
	} {
		list, err := groups(bytes.NewReader(lines(t, letters(t, tc.in))))
		var got []string
		for _, g := range list {
			got = append(got, brief(g))
		}
		text := strings.Join(got, "|")
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != tc.want && (!strings.HasPrefix(tc.want, "error") || !strings.HasPrefix(text, tc.want)) {
			t.Errorf("%s: groups are\n%s, want\n%s", name, text, tc.want)
		}
	}
}

// letters writes entries from "1C0 1A1": instance, kind (L for the claims) and
// second.
func letters(tb testing.TB, in string) []entry {
	tb.Helper()
	var list []entry
	for word := range strings.FieldsSeq(in) {
		var instance, second int
		var kind byte
		if _, err := fmt.Sscanf(word, "%d%c%d", &instance, &kind, &second); err != nil {
			tb.Fatal(err)
		}
		payload := map[byte]any{
			'C': map[string]any{"Name": "c", "Nonce": []byte("0123456789abcdef")},
			'A': map[string]any{"ak_pub": nil, "TeeAttestation": nil},
			'T': map[string]any{"token": "eyJ"},
			'L': map[string]any{"iss": "i", "exp": 1},
		}[kind]
		list = append(list, entry{
			"logName": "projects/p/logs/gotpm", "jsonPayload": payload, "timestamp": logEpoch.Add(time.Duration(second) * time.Second).Format(time.RFC3339Nano),
			"resource": map[string]any{"type": "gce_instance", "labels": map[string]any{"instance_id": fmt.Sprint(instance)}},
		})
	}
	return list
}

// TestLogMalformed wants an export that is malformed anywhere to end with an error
// that says where.
func TestLogMalformed(t *testing.T) {
	good := string(lines(t, letters(t, "1C0")))
	good = strings.TrimSpace(good)
	with := func(old, value string) string { return strings.Replace(good, old, value, 1) }
	long := `"x":"` + strings.Repeat("x", maxLogEntry) + `",`
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":              {"", "empty"},
		"white space":          {" \n", "empty"},
		"text":                 {"x", "entry 1 at byte 0: want an object"},
		"byte order mark":      {"\xef\xbb\xbf" + good, "want an object"},
		"array of texts":       {`["x"]`, "entry 1 at byte 1: want an object"},
		"array of arrays":      {`[[]]`, "entry 1 at byte 1: want an object"},
		"no end of the array":  {"[" + good, fmt.Sprintf("byte %d, after 1 entries: the array has no end", len(good)+1)},
		"ends with a comma":    {"[" + good + ",", "the array has no end"},
		"a comma too many":     {"[" + good + ",]", fmt.Sprintf("entry 2 at byte %d: want an object", len(good)+2)},
		"begins with a comma":  {"[," + good + "]", "entry 1 at byte 1"},
		"no comma":             {"[" + good + good + "]", "want a comma"},
		"behind the array":     {"[" + good + "]x", "something comes after"},
		"two arrays":           {"[" + good + "][]", "something comes after"},
		"no end of the entry":  {good[:100], "the entry has no end"},
		"two in a line":        {good + " " + good, "two entries in one line"},
		"a comma in lines":     {good + "\n," + good, fmt.Sprintf("entry 2 at byte %d: want an object", len(good)+1)},
		"nested too deep":      {`{"a":` + strings.Repeat("[", 64), "nested more than 64"},
		"too large":            {with(`"logName"`, long+`"logName"`), "entry 1 at byte 0: the entry has more than 512 KiB"},
		"white space for ever": {strings.Repeat(" ", maxLogSpace+1), "white space"},
		"no log name":          {`{"jsonPayload":{}}`, "no logName"},
		"log name a number":    {with(`"projects/p/logs/gotpm"`, "7"), "logName"},
		"not JSON":             {`{"a" 1}`, "entry 1 at byte 0: byte 5: want a colon"},
		"foreign, not JSON":    {good + "\n" + `{"logName":"x","a":[}`, "entry 2"},
		"foreign, a name twice": {
			`{"logName":"x","jsonPayload":{"a":1,"a":2}}`, "of one object",
		},
		"no time":                 {with(`"timestamp"`, `"time"`), "timestamp"},
		"time of another kind":    {with(`"2026-10-05T12:00:00.123456789Z"`, `"yesterday"`), "RFC 3339"},
		"no resource":             {with(`"resource"`, `"source"`), "resource.type"},
		"label a number":          {with(`"instance_id":"1"`, `"instance_id":1`), "resource.labels"},
		"labels a text":           {with(`"labels":{"instance_id":"1"}`, `"labels":"1"`), "resource.labels"},
		"names without any limit": {with(`"instance_id":"1"`, `"instance_id":"`+strings.Repeat("1", maxLogKey)+`"`), "8 KiB"},
	} {
		list, err := groups(strings.NewReader(tc.in))
		if len(list) > 0 || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v, want %q", name, list, err, tc.want)
		}
	}
	if _, err := groups(iotest.ErrReader(io.ErrClosedPipe)); err != io.ErrClosedPipe { //nolint:errorlint // as it is
		t.Errorf("the error of a reader becomes %v", err)
	}
	if _, err := groups(io.MultiReader(strings.NewReader("["+good), iotest.ErrReader(io.ErrClosedPipe))); err != io.ErrClosedPipe { //nolint:errorlint // as it is
		t.Errorf("the error of a reader becomes %v", err)
	}
}

// TestLogProblems wants an entry that does not decode to be said of its run, and
// not to stop the others.
func TestLogProblems(t *testing.T) {
	for name, tc := range map[string]struct{ payload, want string }{
		"nonce":              {`{"Name":"c","Nonce":"AB=="}`, "challenge: member Nonce: not canonical base64"},
		"empty nonce":        {`{"Name":"c","Nonce":""}`, "challenge: member Nonce: it is empty"},
		"nonce null":         {`{"Name":"c","Nonce":null}`, "challenge: member Nonce"},
		"nonce in base64url": {`{"Name":"c","Nonce":"-_8="}`, "challenge: member Nonce"},
		"name":               {`{"Name":1,"Nonce":"AAAA"}`, "challenge: member Name"},
		"token":              {`{"token":1}`, "token: a number"},
		"quotes":             {`{"quotes":{}}`, "attestation: quotes: an object, want an array"},
		"nine quotes":        {`{"quotes":[{},{},{},{},{},{},{},{},{}]}`, "attestation: 9 quotes"},
		"messages":           {`{"quotes":[` + strings.Repeat(`{"pcrs":{}},`, 600) + `{}]}`, "attestation: 1202 messages"},
		"hash":               {`{"quotes":[{"pcrs":{"hash":11.5}}]}`, "attestation: quotes: [0]: pcrs: hash: 11.5 is not an integer"},
		"PCR number":         {`{"quotes":[{"pcrs":{"pcrs":{"01":"AAAA"}}}]}`, "spelling"},
		"PCR value":          {`{"quotes":[{"pcrs":{"pcrs":{"1":"AAB="}}}]}`, "canonical"},
		"two reports":        {`{"TeeAttestation":{"SevSnpAttestation":{},"TdxAttestation":{}}}`, "around one report"},
		"another report":     {`{"TeeAttestation":{"X":{}}}`, "no report that is known"},
		"report null":        {`{"TeeAttestation":{"TdxAttestation":null}}`, "attestation: TeeAttestation: null"},
		"rounded TDX":        {`{"TeeAttestation":{"TdxAttestation":{"signed_data_size":4294967296}}}`, "more than 4294967295"},
		"version beyond":     {`{"TeeAttestation":{"SevSnpAttestation":{"report":{"version":1e20}}}}`, "not an integer of 64 bits"},
		"negative policy":    {`{"TeeAttestation":{"SevSnpAttestation":{"report":{"policy":-1}}}}`, "without a sign"},
	} {
		entries := letters(t, "1C0 1A0 1T0 1L0 2C1 2A1 2T1 2L1")
		n, err := logForm.Parse([]byte(tc.payload))
		if err != nil {
			t.Fatal(err)
		}
		shape, err := shapeOf(n)
		if err != nil || shape == logShapes {
			t.Fatalf("%s: shape %v, %v", name, shape, err)
		}
		entries[shape]["jsonPayload"] = json.RawMessage(tc.payload)
		list, err := groups(bytes.NewReader(lines(t, entries)))
		if err != nil || len(list) != 2 || list[1].problem() != nil {
			t.Errorf("%s: %v, %v", name, list, err)
			continue
		}
		if err := list[0].problem(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: problem() = %v, want %q", name, err, tc.want)
		}
	}
}

func TestReadOneLogGroup(t *testing.T) {
	const one, two = "1C0 1A0 1T0 1L0", " 2C1 2A1 2T1 2L1"
	for in, want := range map[string]string{
		one:                   "whole",
		"1C0":                 "no entry with the attestation, token, claims",
		"1C0 2C0 3C0":         "no entry with the attestation, token, claims",
		one + " 1L0":          "at the same time",
		one + " 2L1":          "no entry with the challenge, attestation, token",
		one + two:             "error: the export holds 2 groups",
		one + two + " 3T1":    "error: the export holds 3 groups",
		"1C0 1C1 1A1 1T1 1L1": "no entry with the attestation, token, claims",
	} {
		g, err := readOneLogGroup(lines(t, letters(t, in)))
		got := "whole"
		switch {
		case err != nil:
			got = "error: " + err.Error()
			if g != nil || hint.Of(err) == "" {
				t.Errorf("%s: %v beside an error without a hint", in, g)
			}
		case g.problem() != nil:
			got = g.problem().Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", in, got, want)
		}
	}
	if _, err := readOneLogGroup([]byte(`[{"logName":"x"}]`)); err == nil || !strings.Contains(err.Error(), "none of the 1 entries") {
		t.Errorf("nothing of gotpm: %v", err)
	}
	x := NewLogExport(strings.NewReader(`[{"logName":"x"},{"logName":"y"}]`))
	for g, err := range x.Groups() {
		t.Errorf("%v, %v of nothing", g, err)
	}
	if x.Entries != 2 || x.Others != 2 {
		t.Errorf("%d entries, %d others, want 2 of each", x.Entries, x.Others)
	}
}
