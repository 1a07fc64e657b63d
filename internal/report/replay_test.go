package report

import (
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/replay"
)

// minted returns the log of a machine, and the PCR values it had after all of
// the log's events but the last few.
func minted(t *testing.T, without int) (*replay.Log, []evidence.PCRBank) {
	t.Helper()
	e, err := forge.Machine{}.Attest(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	raw := e.Attestation.GetEventLog()
	log, err := replay.ParseLog(raw, replay.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	forged, err := forge.ParseEvents(raw)
	if err != nil {
		t.Fatal(err)
	}
	var banks []evidence.PCRBank
	for _, alg := range forged.Banks {
		values, err := forge.Replay(alg, forged.Events[:len(forged.Events)-without])
		if err != nil {
			t.Fatal(err)
		}
		bank := evidence.PCRBank{Alg: tpm.Alg(alg), Values: map[int][]byte{}}
		for pcr, v := range values {
			bank.Values[int(pcr)] = v
		}
		banks = append(banks, bank)
	}
	return log, banks
}

func TestNewReplay(t *testing.T) {
	log, all := minted(t, 0)
	_, early := minted(t, 1)
	sha256 := func(banks []evidence.PCRBank, pcrs ...int) []evidence.PCRBank {
		for _, b := range banks {
			if b.Alg == tpm.AlgSHA256 {
				out := evidence.PCRBank{Alg: b.Alg, Values: map[int][]byte{}}
				for _, pcr := range pcrs {
					out.Values[pcr] = b.Values[pcr]
				}
				return []evidence.PCRBank{out}
			}
		}
		return nil
	}
	sha512 := evidence.PCRBank{Alg: tpm.AlgSHA512, Values: map[int][]byte{0: make([]byte, 64)}}
	extended := evidence.PCRBank{Alg: tpm.AlgSHA256, Values: map[int][]byte{10: []byte(strings.Repeat("x", 32)), 7: sha256(all, 7)[0].Values[7]}}
	for _, test := range []struct {
		name string
		with Comparison
		want bool
	}{
		{"all", Comparison{Given: all}, true},
		{"some", Comparison{Given: sha256(all, 4, 7)}, true},
		{"before the last event", Comparison{Given: early}, false},
		{"before the last event, not asked about", Comparison{Given: early, Required: []int{0, 7}}, true},
		{"nothing", Comparison{}, false},
		{"nothing that was asked about", Comparison{Given: sha256(all, 4), Required: []int{7}}, false},
		{"bank that the log lacks", Comparison{Given: append(sha256(all, 4), sha512)}, false},
		{"bank that verify skips", Comparison{Given: append(sha256(all, 4), sha512), Required: []int{4}}, true},
		{"extended without event", Comparison{Given: []evidence.PCRBank{extended}}, false},
		{"extended without event, not asked about", Comparison{Given: []evidence.PCRBank{extended}, Required: []int{7}}, true},
	} {
		test.with.Name = "values"
		r := NewReplay("log", "tcg-eventlog", log, test.with)
		if r.Matches == nil || *r.Matches != test.want {
			t.Errorf("%s: matches is %v, want %t", test.name, r.Matches, test.want)
		}
	}
}

// TestReplayNamesTheEvent finds the event that came after the values were taken.
func TestReplayNamesTheEvent(t *testing.T) {
	log, early := minted(t, 1)
	r := NewReplay("log", "tcg-eventlog", log, Comparison{Name: "values", Given: early})
	found := false
	for _, b := range r.Banks {
		for _, pcr := range b.PCRs {
			if pcr.Outcome == OutcomeMismatch {
				found = true
				if pcr.PCR != 5 || !strings.Contains(pcr.Explanation, "the log is ahead of the quote") {
					t.Errorf("%s PCR %d: %q, want PCR 5 and what the log is ahead by", b.Alg, pcr.PCR, pcr.Explanation)
				}
			}
		}
	}
	if !found {
		t.Error("no mismatch")
	}
}

func TestReplayWithoutComparison(t *testing.T) {
	log, _ := minted(t, 0)
	r := NewReplay("log", "tcg-eventlog", log, Comparison{})
	if r.Matches != nil || r.Bank != "sha256" || len(r.Banks) != 3 || len(r.Findings) != 0 || !r.CryptoAgile || r.Verified {
		t.Errorf("NewReplay = bank %q, %d banks, findings %q, matches %v", r.Bank, len(r.Banks), r.Findings, r.Matches)
	}
}
