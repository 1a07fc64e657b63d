package forge_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/internal/forge"
)

func export(tb testing.TB, c forge.CloudLog) (*forge.Evidence, []forge.LogEntry) {
	tb.Helper()
	e, err := c.Export()
	if err != nil {
		tb.Fatalf("Export() error = %v", err)
	}
	var list []forge.LogEntry
	if c.NDJSON {
		for line := range bytes.Lines(e.Raw) {
			var entry forge.LogEntry
			if err := json.Unmarshal(line, &entry); err != nil {
				tb.Fatal(err)
			}
			list = append(list, entry)
		}
		return e, list
	}
	if err := json.Unmarshal(e.Raw, &list); err != nil {
		tb.Fatal(err)
	}
	return e, list
}

// kinds names the entries by a letter: challenge, attestation, token, and the map
// of its claims.
func kinds(list []forge.LogEntry) string {
	var out []string
	for _, e := range list {
		for _, k := range []struct{ member, name string }{{"Nonce", "C"}, {"quotes", "A"}, {"token", "T"}, {"iss", "M"}} {
			if _, ok := e.Payload[k.member]; ok {
				out = append(out, k.name)
			}
		}
	}
	return strings.Join(out, "")
}

// The entries have the members that gotpm's have.
func TestCloudLogShapes(t *testing.T) {
	t.Parallel()
	run := forge.LogRun{Machine: forge.Machine{Technology: forge.AMDSEV}}
	e, list := export(t, forge.CloudLog{Runs: []forge.LogRun{run}, OldestFirst: true})
	if got := kinds(list); got != "CATM" {
		t.Fatalf("entries = %s", got)
	}
	want := map[string]any{
		"ConnID": "", "Iat": nil, "Signature": nil, "Val": nil,
		"Name":  list[0].Payload["Name"],
		"Nonce": base64Of(e.Nonce),
	}
	if diff := cmp.Diff(want, list[0].Payload); diff != "" {
		t.Errorf("challenge (-want +got):\n%s", diff)
	}
	if n := string(e.Nonce); len(n) != 34 || !strings.HasPrefix(n, "GoogAttestV1") {
		t.Errorf("nonce = %q", n)
	}
	if got, want := members(list[1].Payload), "TeeAttestation ak_cert ak_pub event_log intermediate_certs quotes"; got != want {
		t.Errorf("attestation has %s, want %s", got, want)
	}
	if tee, ok := list[1].Payload["TeeAttestation"]; !ok || tee != nil {
		t.Errorf("TeeAttestation = %v, want null", tee)
	}
	token := mintToken(t, forge.Token{Machine: &run.Machine})
	if got := list[2].Payload["token"]; got != string(token.Raw) || !cmp.Equal(e.Token, token.Token) {
		t.Errorf("token = %v, want that of the machine", got)
	}
	verifyToken(t, token)
	if got := list[3].Payload["exp"]; got != float64(forge.Now().Add(time.Hour).Unix()) {
		t.Errorf("exp = %v", got)
	}
	ids := map[string]bool{}
	for _, entry := range list {
		ids[entry.InsertID] = true
		if entry.LogName != "projects/attestctl-forge/logs/gotpm" || entry.Resource.Type != "gce_instance" ||
			entry.Resource.Labels["instance_id"] != "6797026933021542085" || entry.Timestamp > entry.ReceiveTimestamp {
			t.Errorf("entry = %+v", entry)
		}
	}
	if len(ids) != 4 {
		t.Errorf("insertIds = %v, want four", ids)
	}
	again, _ := export(t, forge.CloudLog{Runs: []forge.LogRun{run}, OldestFirst: true})
	if !bytes.Equal(again.Raw, e.Raw) {
		t.Error("two exports differ")
	}
}

// Without hardware nothing of the message is lost but what gotpm leaves out.
func TestCloudLogKeepsTheAttestation(t *testing.T) {
	t.Parallel()
	m := forge.Machine{Technology: forge.AMDSEV, Container: forge.DefaultContainer()}
	e, list := export(t, forge.CloudLog{Runs: []forge.LogRun{{Machine: m}}, OldestFirst: true})
	raw, err := json.Marshal(list[1].Payload)
	if err != nil {
		t.Fatal(err)
	}
	var got attest.Attestation
	if err := json.Unmarshal(bytes.Replace(raw, []byte(`"TeeAttestation":null,`), nil, 1), &got); err != nil {
		t.Fatal(err)
	}
	want, err := m.Attest(e.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	want.Attestation.InstanceInfo = nil
	if !proto.Equal(want.Attestation, &got) {
		t.Error("the logged attestation is not the machine's")
	}
}

// Numbers of 64 bits lose their last digits.
func TestCloudLogIsLossy(t *testing.T) {
	t.Parallel()
	m := forge.Machine{Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonce}}
	e, list := export(t, forge.CloudLog{Runs: []forge.LogRun{{Machine: m}}, OldestFirst: true})
	report, _ := dig(list[1].Payload, "TeeAttestation", "SevSnpAttestation", "report").(map[string]any)
	tcb := e.Attestation.GetSevSnpAttestation().GetReport().GetCurrentTcb()
	if got := report["current_tcb"]; got != float64(tcb) || uint64(float64(tcb)) == tcb {
		t.Errorf("current_tcb = %v, want %d without its last bits", got, tcb)
	}
	if _, ok := report["vmpl"]; ok {
		t.Error("vmpl is there, and zero")
	}
	tdx := forge.Machine{Technology: forge.IntelTDX, Hardware: &forge.Hardware{}}
	_, list = export(t, forge.CloudLog{Runs: []forge.LogRun{{Machine: tdx}}, OldestFirst: true})
	if body, ok := dig(list[1].Payload, "TeeAttestation", "TdxAttestation", "td_quote_body").(map[string]any); !ok || body["mr_td"] == nil {
		t.Error("no body of a TDX quote")
	}
}

func TestCloudLogOrder(t *testing.T) {
	t.Parallel()
	other := forge.Instance{Zone: "us-central1-a", ProjectID: "other", Name: "other-vm", ProjectNumber: 7, ID: 9}
	near := []forge.LogRun{
		{Machine: forge.Machine{Technology: forge.AMDSEV}},
		{Machine: forge.Machine{Technology: forge.AMDSEV, Instance: other}, At: forge.Now().Add(20 * time.Millisecond)},
	}
	far := []forge.LogRun{near[0], {Machine: near[0].Machine, ID: "second", At: forge.Now().Add(time.Hour)}}
	drop := func(l []forge.LogEntry) ([]forge.LogEntry, error) { return l[:3], nil }
	for _, c := range []struct {
		name string
		log  forge.CloudLog
		want string
	}{
		{"newest first", forge.CloudLog{Runs: near[:1]}, "MTAC"},
		{"a line each", forge.CloudLog{Runs: near[:1], NDJSON: true, OldestFirst: true}, "CATM"},
		{"floats", forge.CloudLog{Runs: near[:1], Floats: true}, "MTAC"},
		{"interleaved", forge.CloudLog{Runs: near, OldestFirst: true}, "CCAATTMM"},
		{"one after the other", forge.CloudLog{Runs: far}, "MTACMTAC"},
		{"without the last", forge.CloudLog{Runs: []forge.LogRun{{Machine: near[0].Machine, Edit: drop}}}, "TAC"},
		{"edited as a whole", forge.CloudLog{Runs: near[:1], Edit: func(l []forge.LogEntry) ([]forge.LogEntry, error) {
			return append(l, l[0]), nil
		}}, "MTACM"},
	} {
		e, list := export(t, c.log)
		if got := kinds(list); got != c.want {
			t.Errorf("%s: entries = %s, want %s", c.name, got, c.want)
		}
		if want := c.log.Floats; bytes.Contains(e.Raw, []byte(".0,")) != want {
			t.Errorf("%s: numbers are written as floats: %t", c.name, !want)
		}
		if _, ok := e.TrustFiles()["ak/roots/forge_test_root.pem"]; !ok || len(e.TrustFiles()) < 2 {
			t.Errorf("%s: trust files = %v", c.name, e.TrustFiles())
		}
	}
	if _, err := (forge.CloudLog{}).Export(); err == nil {
		t.Error("an export of no runs has no error")
	}
}

func members(m map[string]any) string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// dig follows names through objects.
func dig(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}
