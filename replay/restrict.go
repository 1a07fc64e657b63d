package replay

import (
	"bytes"
	"fmt"
	"slices"
)

// CheckDigests wants what PFP 1.06, 10.4.5.1 asks of firmware: a digest of every
// event for every bank that the header lists, and zero digests where nothing was
// measured. Logs that Windows passes on lack some; they can be replayed in the
// banks they have, and a verifier should not believe them.
func (l *Log) CheckDigests() error {
	for i := range l.Events {
		e := &l.Events[i]
		for _, b := range l.banks {
			d := e.Digest(b.alg)
			switch {
			case d == nil:
				return &ParseError{i, e.Offset, fmt.Sprintf("no %v digest, which the header lists", b.alg)}
			case !e.extended() && len(bytes.Trim(d, "\x00")) > 0:
				return &ParseError{i, e.Offset, fmt.Sprintf("%v with a %v digest that is not zero", e.kind, b.alg)}
			}
		}
	}
	return nil
}

// Restrict returns the log without the events of PCRs that keep refuses. A
// verifier keeps the PCRs whose quoted values the log explains: events of any
// other prove nothing, and [Log.Boot] must not see them.
func (l *Log) Restrict(keep func(pcr int) bool) *Log {
	r := *l
	r.kept = keep
	r.Events = slices.DeleteFunc(slices.Clone(l.Events), func(e Event) bool { return !keep(e.PCR) })
	return &r
}

// covers reports whether the log would have the events of a PCR.
func (l *Log) covers(pcr int) bool { return l.kept == nil || l.kept(pcr) }
