package report

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// SchemaReplay is the schema of a [Replay].
const SchemaReplay = "attestctl.replay/v1"

// Replay is an event log, the PCR values it leads to, and how they compare with
// values from elsewhere. Nothing in it is verified.
type Replay struct {
	Schema      string `json:"schema"`
	Verified    bool   `json:"verified"` // always false
	File        string `json:"file"`
	Format      string `json:"format"`
	CryptoAgile bool   `json:"crypto_agile"`
	// Bank is the bank that event digests are shown of.
	Bank   string        `json:"bank"`
	Events []ReplayEvent `json:"events"`
	Banks  []ReplayBank  `json:"banks"`
	// Findings are contradictions between events, by which verification would
	// refuse the log.
	Findings []string `json:"findings,omitempty"`
	// Compared names the file whose values the log was compared with, and
	// Matches says whether every value that had to match did.
	Compared string `json:"compared_with,omitempty"`
	Matches  *bool  `json:"matches,omitempty"`
}

// ReplayEvent is one event.
type ReplayEvent struct {
	Number        int    `json:"number"`
	PCR           int    `json:"pcr"` // -1 for none
	UntrustedType string `json:"untrusted_type"`
	Digest        string `json:"digest"`
	// Measured is whether the digest is that of the data: then the description
	// is what was measured.
	Measured    bool   `json:"digest_is_of_data"`
	Size        int    `json:"size"`
	Description string `json:"description"`
}

// ReplayBank holds the PCRs of a bank that have events or were compared.
type ReplayBank struct {
	Alg   string      `json:"alg"`
	Error string      `json:"error,omitempty"` // why the bank cannot be replayed
	PCRs  []ReplayPCR `json:"pcrs,omitempty"`
}

// ReplayPCR is one PCR.
type ReplayPCR struct {
	PCR      int    `json:"pcr"`
	Events   int    `json:"events"`
	Replayed string `json:"replayed,omitempty"`
	Given    string `json:"given,omitempty"`
	// Outcome is "match", "reset", "mismatch" or "not-given".
	Outcome string `json:"outcome"`
	// Explanation says of a mismatch what can be said, such as the event after
	// which log and value part.
	Explanation string `json:"explanation,omitempty"`
	// Required is false for a mismatch that was not asked about.
	Required bool `json:"required"`
}

// Words for an outcome.
const (
	OutcomeMatch    = "match"
	OutcomeReset    = "reset"
	OutcomeMismatch = "mismatch"
	OutcomeNotGiven = "not-given"
)

// Comparison is what a log is compared with. Its zero value compares nothing.
type Comparison struct {
	Name  string // of the file the values are from; "" if there are none
	Given []evidence.PCRBank
	// Required are the PCRs that decide. Nil means every value that was given,
	// in every bank; otherwise a bank that verification would skip is skipped.
	Required []int
}

// NewReplay replays a log and compares it.
func NewReplay(file, format string, log *replay.Log, with Comparison) *Replay {
	r := &Replay{
		Schema: SchemaReplay, File: file, Format: format, CryptoAgile: log.CryptoAgile(),
		Events: make([]ReplayEvent, len(log.Events)), Compared: with.Name,
	}
	algs := computable(log.Algs())
	if len(algs) > 0 {
		r.Bank = algs[0].String()
		for i := range log.Events {
			r.Events[i] = newReplayEvent(&log.Events[i], algs[0])
		}
	}
	_, findings := log.Boot(algs)
	for _, f := range findings {
		r.Findings = append(r.Findings, f.String())
	}
	c := comparer{Comparison: with, log: log}
	r.Banks = c.banks()
	if with.Name != "" {
		matches := c.matched > 0 && !c.failed
		r.Matches = &matches
	}
	return r
}

// reportingOrder puts first the bank that reference values are published in.
var reportingOrder = []tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA384, tpm.AlgSHA512, tpm.AlgSHA1}

func computable(algs []tpm.Alg) []tpm.Alg {
	var known []tpm.Alg
	for _, alg := range reportingOrder {
		if slices.Contains(algs, alg) {
			known = append(known, alg)
		}
	}
	return known
}

func newReplayEvent(e *replay.Event, alg tpm.Alg) ReplayEvent {
	digest := e.Digest(alg)
	h := alg.Hash().New()
	h.Write(e.Data)
	return ReplayEvent{
		Number: e.Index, PCR: e.PCR, UntrustedType: e.UntrustedType().String(), Digest: hex.EncodeToString(digest),
		Measured: string(h.Sum(nil)) == string(digest), Size: len(e.Data), Description: describe(e.Data),
	}
}

// comparer compares bank by bank and keeps the verdict. Only a value that was
// found counts for a match: comparing nothing is none.
type comparer struct {
	Comparison

	log     *replay.Log
	matched int
	failed  bool
}

func (c *comparer) banks() []ReplayBank {
	given := map[tpm.Alg]map[int][]byte{}
	for _, g := range c.Given {
		given[g.Alg] = g.Values
	}
	var banks []ReplayBank
	for _, alg := range c.log.Algs() {
		banks = append(banks, c.bank(alg, given[alg]))
		delete(given, alg)
	}
	for _, g := range c.Given {
		if _, left := given[g.Alg]; left {
			delete(given, g.Alg)
			c.failed = c.failed || c.Required == nil || g.Alg != tpm.AlgSHA1 && g.Alg != tpm.AlgSHA512
			banks = append(banks, ReplayBank{Alg: g.Alg.String(), Error: "the log has no digests for this bank"})
		}
	}
	return banks
}

func (c *comparer) bank(alg tpm.Alg, given map[int][]byte) ReplayBank {
	out := ReplayBank{Alg: alg.String()}
	bank, err := c.log.Replay(alg)
	if err != nil {
		c.failed = c.failed || given != nil
		out.Error = err.Error()
		return out
	}
	for _, cmp := range bank.Compare(given) {
		out.PCRs = append(out.PCRs, c.pcr(cmp))
	}
	if missing := c.missing(given); len(missing) > 0 {
		c.failed = true
		out.Error = fmt.Sprintf("PCRs that are required and not given: %v", missing)
	}
	return out
}

// missing lists the required PCRs of a bank that no value is given for.
func (c *comparer) missing(given map[int][]byte) []int {
	if given == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Required), func(pcr int) bool { return given[pcr] != nil })
}

func (c *comparer) pcr(cmp replay.Comparison) ReplayPCR {
	r := ReplayPCR{
		PCR: cmp.PCR, Events: cmp.Events, Outcome: OutcomeMismatch,
		Replayed: hex.EncodeToString(cmp.Replayed), Given: hex.EncodeToString(cmp.Quoted),
		Required: c.Required == nil || slices.Contains(c.Required, cmp.PCR),
	}
	switch cmp.Outcome {
	case replay.Matched:
		r.Outcome = OutcomeMatch
	case replay.AtReset:
		r.Outcome = OutcomeReset
	case replay.NotQuoted:
		r.Outcome, r.Required = OutcomeNotGiven, false
		return r
	case replay.Mismatch:
		r.Explanation = strings.TrimPrefix(cmp.Explain(), fmt.Sprintf("PCR %d: ", cmp.PCR))
		if cmp.Events == 0 && !r.Required {
			r.Explanation = "the log has no event for it: something after the firmware extended it"
		}
		c.failed = c.failed || r.Required
		return r
	}
	if r.Required {
		c.matched++
	}
	return r
}
