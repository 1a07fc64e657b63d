package evidence

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/attestctl/attestctl/internal/hint"
)

// LogExport reads an export of Cloud Logging run by run. Of an export of any size
// it keeps one entry and the runs that are not complete yet.
type LogExport struct {
	in *entryScanner

	// Entries counts the entries that were read, and Others those of them that gotpm
	// did not write.
	Entries, Others int
}

// NewLogExport reads the export from r: the array that `gcloud logging read
// --format=json` writes, or its entries in lines of their own. The entries must be
// in order of time, the newest or the oldest first.
func NewLogExport(r io.Reader) *LogExport { return &LogExport{in: newEntryScanner(r)} }

// ReadLogGroups gives the groups of an export, as [LogExport.Groups] does.
func ReadLogGroups(r io.Reader) iter.Seq2[*LogGroup, error] { return NewLogExport(r).Groups() }

// Groups gives every run of `gotpm token --cloud-log` that the export has entries
// of, complete or not, roughly in the order of the export. Nothing in a group is
// trusted. An entry that is malformed or out of order is an error that says where,
// and ends the export: groups that it leaves open are not given. What is wrong with
// the input is a *FormatError; an error of the reader is given as it is. It can be
// called once.
func (x *LogExport) Groups() iter.Seq2[*LogGroup, error] {
	return func(yield func(*LogGroup, error) bool) {
		g := newLogGrouper()
		for {
			err := x.next(g)
			done := errors.Is(err, io.EOF)
			if done {
				g.end()
			} else if err != nil {
				yield(nil, err)
				return
			}
			for _, group := range g.out {
				if !yield(group, nil) {
					return
				}
			}
			if done {
				return
			}
			clear(g.out)
			g.out = g.out[:0]
		}
	}
}

// next reads one entry into the grouper.
func (x *LogExport) next(g *logGrouper) error {
	if err := x.in.next(); err != nil {
		return err
	}
	x.Entries++
	e, err := decodeLogEntry(x.in.entry)
	if err != nil {
		return x.in.fail(err)
	}
	if e == nil {
		x.Others++
		return nil
	}
	if err := g.add(e); err != nil {
		return x.in.fail(err)
	}
	return nil
}

// readOneLogGroup reads an export of one run. Where there are entries besides, or
// no run is whole, it gives the first group with a problem, for the check that
// names it.
func readOneLogGroup(data []byte) (*LogGroup, error) {
	x := NewLogExport(bytes.NewReader(data))
	var whole, broken *LogGroup
	count, wholes := 0, 0
	for g, err := range x.Groups() {
		count++
		switch {
		case err != nil:
			return nil, err
		case g.problem() != nil:
			broken = cmp.Or(broken, g)
		default:
			whole = g
			wholes++
		}
	}
	switch {
	case wholes > 1:
		return nil, hint.New(fmt.Errorf("the export holds %d groups", count), "attestctl verify judges each of them")
	case count == 0:
		return nil, hint.New(fmt.Errorf("none of the %d entries is of `gotpm token --cloud-log`", x.Entries),
			"export the log gotpm of the project, with jsonPayload")
	}
	return cmp.Or(broken, whole), nil
}
