package audit

import (
	"io"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Read yields the records of a log in their order. The lines must fit together as
// in [Verify] without a key; the first that does not is the error, and the last
// thing that is yielded. A torn last line is passed over.
func Read(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w, err := newWalker(r, nil)
		for err == nil {
			w.deep = true
			var rec *Record
			rec, err = w.next()
			if rec != nil && !yield(*rec, nil) {
				return
			}
		}
		if err != io.EOF { //nolint:errorlint // next returns it bare
			yield(Record{}, err)
		}
	}
}

// Filter selects records. A record must meet every field that is not zero.
type Filter struct {
	Since, Until time.Time // from Since on, before Until
	Secret       string
	Outcome      string // one of [Outcomes]
	RequestID    string
	Remote       string // an address; a port in the record does not count if there is none here
	Check        string // a check that failed, in any bank if none is named
}

// Match reports whether the filter selects the record.
func (f Filter) Match(r Record) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		is(f.Secret, r.Secret) && is(f.RequestID, r.RequestID) && is(f.Outcome, r.Outcome()) &&
		f.remote(r.Remote) && f.check(r.Failed)
}

func (f Filter) remote(remote string) bool {
	if f.Remote == "" || f.Remote == remote {
		return true
	}
	want, err := netip.ParseAddr(f.Remote)
	if err != nil {
		return false
	}
	got, err := netip.ParseAddr(remote)
	if p, perr := netip.ParseAddrPort(remote); perr == nil {
		got, err = p.Addr(), nil
	}
	return err == nil && got.Unmap() == want.Unmap()
}

func (f Filter) check(failed []string) bool {
	return f.Check == "" || slices.ContainsFunc(failed, func(id string) bool {
		base, _, _ := strings.Cut(id, "[")
		return id == f.Check || base == f.Check
	})
}
