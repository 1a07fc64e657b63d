package evidence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/replay"
)

// at is when the tests take place: all real AK certificates are valid then.
var at = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func embeddedTrust(tb testing.TB) *evidence.Trust {
	tb.Helper()
	trust, err := evidence.EmbeddedTrust()
	if err != nil {
		tb.Fatal(err)
	}
	return trust
}

func mustHex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// verify loads and verifies as every command does.
func verify(data []byte, trust *evidence.Trust, want evidence.Expect) (*evidence.Result, error) {
	b, err := evidence.Load(bytes.NewReader(data))
	if err != nil {
		return evidence.RefuseInput(err)
	}
	return b.Verify(trust, want)
}

// realCase is a piece of genuine Google evidence and what it was made for.
type realCase struct {
	name string
	data []byte
	want evidence.Expect
	tee  string // what tee.present must say
	hw   string // the hwmodel that is proven without a hardware report
}

// realCases returns the evidence in the go-tpm-tools module and, where there is
// a corpus, the six pairs captured on Confidential VMs.
func realCases(tb testing.TB) []realCase {
	tb.Helper()
	cases := []realCase{{
		name: "gce-cos-85-nonce9009",
		data: corpus.GoogleEvidence(tb),
		want: evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true},
		tee:  "no hardware report", hw: "GCP_AMD_SEV",
	}}
	return append(cases, layrCases(tb)...)
}

func layrCases(tb testing.TB) []realCase {
	tb.Helper()
	var cases []realCase
	for _, e := range corpus.Entries(tb, "b") {
		if !strings.HasPrefix(e.ID, "b-layr-") {
			continue
		}
		c := realCase{name: e.ID, data: corpus.Read(tb, e.File), want: layrExpect(tb, e)}
		switch {
		case strings.Contains(e.ID, "snp"):
			c.tee, c.hw = "SEV-SNP report", "GCP_AMD_SEV_SNP"
		case strings.Contains(e.ID, "tdx"):
			c.tee, c.hw = "TDX quote", "GCP_INTEL_TDX"
		default:
			c.tee, c.hw = "no hardware report", "GCP_SHIELDED_VM"
		}
		cases = append(cases, c)
	}
	if len(cases) != 12 {
		tb.Fatalf("the corpus has %d layr files, want six pairs", len(cases))
	}
	return cases
}

// boundTo is what a report that was made for all of this is bound to.
func boundTo(want evidence.Expect) []string {
	if want.TEEExtra != nil {
		return []string{"nonce", "ak", "extra"}
	}
	return []string{"nonce", "ak"}
}

// layrNotes finds what the hardware report was made for in the notes of the
// manifest; those of the text form refer to the other.
var layrNotes = regexp.MustCompile(`challenge ([0-9a-f]{64}); extra (?:([0-9a-f]{64})|\(none\));`)

func layrExpect(tb testing.TB, e corpus.Entry) evidence.Expect {
	tb.Helper()
	want := evidence.Expect{Nonce: mustHex(tb, e.Nonce), Now: at}
	for _, other := range corpus.Entries(tb, "b") {
		if other.ID != strings.TrimSuffix(e.ID, "-txt") || strings.Contains(e.ID, "-svm-") { // which has no report
			continue
		}
		m := layrNotes.FindStringSubmatch(other.Notes)
		if m == nil {
			tb.Fatalf("%s: the notes name no challenge", other.ID)
		}
		want.TEENonce = mustHex(tb, m[1])
		if m[2] != "" {
			want.TEEExtra = mustHex(tb, m[2])
		}
	}
	return want
}

func TestRealEvidenceAccepted(t *testing.T) {
	for _, tc := range realCases(t) {
		t.Run(tc.name, func(t *testing.T) {
			res, err := verify(tc.data, embeddedTrust(t), tc.want)
			if err != nil || res.Verdict != evidence.Accepted || res.Claims == nil {
				t.Fatalf("Verify = %v, %v, want accepted", res.Verdict, err)
			}
			if got := res.Claims.HWModel; got != tc.hw {
				t.Errorf("hwmodel = %q, want %q", got, tc.hw)
			}
			status := evidence.Pass
			if strings.HasPrefix(tc.tee, "no ") {
				status = evidence.Skip
			} else if tee := res.Claims.TEE; tee == nil || !slices.Equal(tee.BoundTo, boundTo(tc.want)) || tee.Binding != "workload-attestation" {
				t.Errorf("tee = %+v, want it bound to nonce and ak", tee)
			}
			if c := checkOf(t, res, "tee.present"); c.Status != status || !strings.HasPrefix(c.Detail, tc.tee) {
				t.Errorf("tee.present = %v %q, want %v %q", c.Status, c.Detail, status, tc.tee)
			}
			if res.Claims.SecBoot == nil || !*res.Claims.SecBoot {
				t.Error("secboot is not true, all of these VMs booted with Secure Boot")
			}
			if !strings.HasPrefix(res.Claims.Sub, "https://www.googleapis.com/compute/v1/projects/") {
				t.Errorf("sub = %q, want the instance URL", res.Claims.Sub)
			}
		})
	}
}

// TestRealEvidenceAltered flips one byte in each part of each piece of real
// evidence. Every alteration must be refused by the check that names it.
func TestRealEvidenceAltered(t *testing.T) {
	for _, tc := range realCases(t) {
		for _, alt := range alterations {
			t.Run(tc.name+"/"+alt.name, func(t *testing.T) {
				want := tc.want
				want.Nonce = bytes.Clone(want.Nonce)
				data := tc.data
				if alt.expect != nil {
					alt.expect(&want)
				} else {
					data = altered(t, tc.data, alt.edit)
				}
				res, err := verify(data, embeddedTrust(t), want)
				var refusal *evidence.Refusal
				if !errors.As(err, &refusal) || res.Claims != nil || res.Verdict != evidence.Refused {
					t.Fatalf("Verify = %v, %v, want a refusal without claims", res.Verdict, err)
				}
				failed := false
				for _, f := range res.Failures() {
					failed = failed || strings.HasPrefix(f.ID, alt.check)
				}
				if !failed {
					t.Errorf("failed checks are %v, want %s among them", res.Failures(), alt.check)
				}
			})
		}
	}
}

var alterations = []struct {
	name   string
	check  string
	expect func(*evidence.Expect)
	edit   func(*attest.Attestation)
}{
	{name: "nonce", check: "tpm.quote.nonce", expect: func(x *evidence.Expect) { x.Nonce[0] ^= 1 }},
	{name: "quote", check: "tpm.quote.signature[sha256]", edit: func(a *attest.Attestation) { flipLast(a.Quotes[1].Quote) }},
	{name: "signature", check: "tpm.quote.signature[sha1]", edit: func(a *attest.Attestation) { flipLast(a.Quotes[0].RawSig) }},
	{name: "pcr value", check: "tpm.quote.pcrs", edit: func(a *attest.Attestation) { flipLast(a.Quotes[2].Pcrs.Pcrs[4]) }},
	{name: "event digest", check: "eventlog.replay", edit: func(a *attest.Attestation) { a.EventLog[lastEvent(a)+firstDigest] ^= 1 }},
	{name: "ak certificate", check: "tpm.ak.chain", edit: func(a *attest.Attestation) { flipLast(a.AkCert) }},
}

// firstDigest is where the first digest stands in an event: behind PCR index,
// type, digest count and algorithm (TCG PFP 1.06, 10.2.2).
const firstDigest = 4 + 4 + 4 + 2

func lastEvent(a *attest.Attestation) int {
	log, err := replay.ParseLog(a.GetEventLog(), replay.LogOptions{})
	if err != nil {
		panic(err) // the corpus is broken
	}
	return log.Events[len(log.Events)-1].Offset
}

// TestEveryEventDigestCounts flips one byte in the digest of every event, of
// those too that no PCR was extended with.
func TestEveryEventDigestCounts(t *testing.T) {
	for _, tc := range realCases(t) {
		if strings.HasSuffix(tc.name, "-x") || strings.HasSuffix(tc.name, "-txt") {
			continue // the same machines again
		}
		t.Run(tc.name, func(t *testing.T) {
			log, err := replay.ParseLog(decodeAny(t, tc.data).GetEventLog(), replay.LogOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range log.Events {
				data := altered(t, tc.data, func(a *attest.Attestation) { a.EventLog[e.Offset+firstDigest] ^= 1 })
				if res, err := verify(data, embeddedTrust(t), tc.want); err == nil || res.Claims != nil {
					t.Errorf("event %d (PCR %d, %v): accepted with another digest", e.Index, e.PCR, e.UntrustedType())
				}
			}
		})
	}
}

func flipLast(b []byte) { b[len(b)-1] ^= 1 }

// altered decodes an attestation in either encoding, edits it, and encodes it
// in binary.
func altered(tb testing.TB, data []byte, edit func(*attest.Attestation)) []byte {
	tb.Helper()
	a := decodeAny(tb, data)
	edit(a)
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func checkOf(tb testing.TB, res *evidence.Result, id string) evidence.Check {
	tb.Helper()
	for _, c := range res.Checks {
		if c.ID == id {
			return c
		}
	}
	tb.Fatalf("the result has no check %s", id)
	return evidence.Check{}
}

// format is the format the case's data is in.
func (c realCase) format(tb testing.TB) string {
	tb.Helper()
	b, err := evidence.Load(bytes.NewReader(c.data))
	if err != nil {
		tb.Fatal(err)
	}
	return b.Format()
}
