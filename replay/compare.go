package replay

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Outcome says how a quoted PCR and the log relate. The zero value is Mismatch.
type Outcome int

// The outcomes of a comparison. Only Matched and AtReset mean that the log
// explains the quoted value.
const (
	Mismatch  Outcome = iota // the log leads to another value
	Matched                  // the log's events lead to the quoted value
	AtReset                  // no events, and the PCR was never extended
	NotQuoted                // the log has events for it, the quote has no value: nothing about them is proven
)

// String returns the outcome in words for a report.
func (o Outcome) String() string {
	switch o {
	case Matched:
		return "matched by events"
	case AtReset:
		return "at reset value"
	case NotQuoted:
		return "not quoted"
	case Mismatch:
		return "mismatch"
	default:
		return fmt.Sprintf("outcome %d", int(o))
	}
}

// Comparison is the result for one PCR.
type Comparison struct {
	PCR      int
	Outcome  Outcome
	Events   int    // extended by the log
	Replayed []byte // the log's value; nil for an index that no TPM has
	Quoted   []byte // nil if not quoted

	// ReachedAfter is a diagnosis of a Mismatch, never a reason to accept it:
	// how many of the log's events for this PCR lead to the quoted value, or -1
	// if none do. LastEvent is the number of the last of them, or -1.
	ReachedAfter int
	LastEvent    int
}

// Compare relates quoted values (PCR index to digest) to the replayed ones. The
// result has one entry, in ascending order, for each quoted PCR and for each PCR
// with events. A value of the wrong size or for an index above 23 is a Mismatch.
func (b *Bank) Compare(quoted map[int][]byte) []Comparison {
	all := slices.Collect(maps.Keys(quoted))
	for pcr := range b.pcrs {
		if _, ok := quoted[pcr]; !ok && b.pcrs[pcr].events > 0 {
			all = append(all, pcr)
		}
	}
	slices.Sort(all)
	out := make([]Comparison, len(all))
	for i, pcr := range all {
		value, ok := quoted[pcr]
		out[i] = b.compare(pcr, value, ok)
	}
	return out
}

func (b *Bank) compare(pcr int, quoted []byte, ok bool) Comparison {
	c := Comparison{
		PCR: pcr, Events: b.Events(pcr), Replayed: b.Value(pcr), Quoted: quoted,
		ReachedAfter: -1, LastEvent: -1,
	}
	switch {
	case !ok:
		c.Outcome = NotQuoted
	case c.Replayed == nil || len(quoted) != b.Alg.Size():
	case c.Events == 0 && Reset(pcr, b.Alg, quoted):
		c.Outcome = AtReset
	case c.Events > 0 && bytes.Equal(c.Replayed, quoted):
		c.Outcome = Matched
	default:
		c.ReachedAfter, c.LastEvent = b.reached(pcr, quoted)
	}
	return c
}

// reached looks for the quoted value on the way to the replayed one: a log read
// after the quote was made has events too many, and only the log can say which.
func (b *Bank) reached(pcr int, quoted []byte) (after, last int) {
	if b.log == nil {
		return -1, -1
	}
	value := b.pcrs[pcr].start
	last = -1
	for i := range b.log.Events {
		if bytes.Equal(value.bytes(), quoted) {
			return after, last
		}
		if e := &b.log.Events[i]; e.PCR == pcr && e.extended() {
			value.extend(b.Alg, e.Digest(b.Alg))
			after, last = after+1, i
		}
	}
	if bytes.Equal(value.bytes(), quoted) {
		return after, last
	}
	return -1, -1
}

// Explain returns one line that says what a person can do with the outcome.
func (c Comparison) Explain() string {
	switch {
	case c.Outcome != Mismatch:
		return fmt.Sprintf("PCR %d: %v (%d events)", c.PCR, c.Outcome, c.Events)
	case c.Replayed == nil || len(c.Quoted) != len(c.Replayed):
		return fmt.Sprintf("PCR %d: quoted value has %d bytes, want %d", c.PCR, len(c.Quoted), len(c.Replayed))
	case c.Events == 0:
		return fmt.Sprintf("PCR %d: quoted %x, but the log has no event for it: events are missing", c.PCR, c.Quoted)
	case c.ReachedAfter == 0:
		return fmt.Sprintf("PCR %d: quoted %x is the value before the first of %d events", c.PCR, c.Quoted, c.Events)
	case c.ReachedAfter > 0:
		return fmt.Sprintf("PCR %d: quoted %x is the value after event %d (%d of %d): the log is ahead of the quote",
			c.PCR, c.Quoted, c.LastEvent, c.ReachedAfter, c.Events)
	default:
		return fmt.Sprintf("PCR %d: quoted %x, %d events lead to %x and none on the way to the quoted value",
			c.PCR, c.Quoted, c.Events, c.Replayed)
	}
}
