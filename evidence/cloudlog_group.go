package evidence

import (
	"container/list"
	"fmt"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

const (
	// logWindow is how far apart the entries of one run may be. gotpm writes them
	// one after the other when it has the token.
	logWindow = 10 * time.Second
	// maxLogLanes and maxLogBytes bound the runs that may be unfinished at a time, and
	// maxLogKey what tells one instance from the others.
	maxLogLanes = 4096
	maxLogBytes = 32 << 20
	maxLogKey   = 8 << 10
)

// logGrouper puts entries together that were written in one run: those of one
// instance which follow each other in time, each kind once and in gotpm's order. As
// nothing in the entries says so, groups that another run may have mixed with are
// marked: those with an incomplete or marked group shortly before them, or with
// another run at the very same time. Of runs that mix, at least one is not complete
// and comes first, unless the export begins in the midst of it.
//
// The entries must come in order of time, in either direction.
type logGrouper struct {
	lanes map[string]*list.Element
	order *list.List // of *logLane, the one that had no entry for longest in front
	full  []*logLane // whose group is complete, all at the last time
	size  int        // of the groups that are not given out yet

	last  time.Time
	later int // 1 where times increase, -1 where they decrease, 0 if not known yet

	out []*LogGroup // to be given out
}

// logLane is the log of one instance.
type logLane struct {
	key     string
	open    *LogGroup // takes the next entry, if it fits
	last    time.Time // of the last entry
	doubted bool      // the group before open is incomplete or in doubt
}

func newLogGrouper() *logGrouper {
	return &logGrouper{lanes: make(map[string]*list.Element), order: list.New()}
}

// add takes the next entry. Groups that no further entry can be of are in out.
func (g *logGrouper) add(e *logEntry) error {
	if err := g.advance(e.time); err != nil {
		return err
	}
	lane, err := g.lane(e)
	if err != nil {
		return err
	}
	if lane.open != nil && !lane.open.fits(e) {
		g.leave(lane, e.time)
	}
	if lane.open == nil {
		lane.open = new(LogGroup)
		if lane.doubted {
			lane.open.Doubt = doubtBefore
		}
	}
	lane.open.take(e)
	lane.last = e.time
	g.size += e.size
	if g.size > maxLogBytes {
		return hint.New(fmt.Errorf("the unfinished runs of %v have more than %d MiB", logWindow, maxLogBytes>>20), "export a shorter time, or one instance")
	}
	if lane.open.complete() {
		g.full = append(g.full, lane)
	}
	return nil
}

const (
	doubtBefore = "a run of the same instance shortly before it is not complete: entries of both may be mixed"
	doubtEqual  = "runs of the same instance have entries at the same time, and may be mixed"
)

// advance moves on to a time: what is complete before it stays so, and what is out
// of its window will not be complete.
func (g *logGrouper) advance(t time.Time) error {
	if g.last.IsZero() {
		g.last = t
	}
	if now := t.Compare(g.last); now != 0 {
		if now == -g.later {
			return hint.New(fmt.Errorf("the entry is of %s, the one before of %s: the export is not in order of time",
				t.Format(time.RFC3339Nano), g.last.Format(time.RFC3339Nano)), "sort the entries by timestamp")
		}
		g.later, g.last = now, t
		g.finish()
	}
	for {
		front := g.order.Front()
		if front == nil {
			return nil
		}
		lane := laneOf(front)
		if apart(lane.last, t) <= logWindow {
			return nil
		}
		g.drop(lane)
	}
}

// finish gives out the complete groups.
func (g *logGrouper) finish() {
	for _, lane := range g.full {
		doubt := lane.open.Doubt != ""
		g.give(lane)
		if lane.doubted = doubt; !doubt {
			g.drop(lane)
		}
	}
	g.full = g.full[:0]
}

// end gives out all groups that are left, complete or not.
func (g *logGrouper) end() {
	g.finish()
	for front := g.order.Front(); front != nil; front = g.order.Front() {
		g.drop(laneOf(front))
	}
}

// leave gives out the open group because the next entry, of time t, is not of it.
func (g *logGrouper) leave(lane *logLane, t time.Time) {
	if lane.open.complete() && lane.last.Equal(t) { // and so in g.full
		lane.open.Doubt = doubtEqual
		for i, l := range g.full {
			if l == lane {
				g.full = append(g.full[:i], g.full[i+1:]...)
				break
			}
		}
	}
	lane.doubted = true
	g.give(lane)
}

func (g *logGrouper) give(lane *logLane) {
	g.out = append(g.out, lane.open)
	g.size -= lane.open.size
	lane.open = nil
}

// drop forgets a lane, and gives out what is open there.
func (g *logGrouper) drop(lane *logLane) {
	if lane.open != nil {
		g.give(lane)
	}
	g.order.Remove(g.lanes[lane.key])
	delete(g.lanes, lane.key)
}

// lane returns that of the entry, and notes that it had one.
func (g *logGrouper) lane(e *logEntry) (*logLane, error) {
	key := e.key()
	if at, ok := g.lanes[key]; ok {
		g.order.MoveToBack(at)
		return laneOf(at), nil
	}
	switch {
	case len(key) > maxLogKey:
		return nil, fmt.Errorf("the names of log and resource have more than %d KiB", maxLogKey>>10)
	case len(g.lanes) == maxLogLanes:
		return nil, hint.New(fmt.Errorf("more than %d unfinished runs within %v", maxLogLanes, logWindow), "export a shorter time, or one instance")
	}
	lane := &logLane{key: key}
	g.lanes[key] = g.order.PushBack(lane)
	return lane, nil
}

func laneOf(at *list.Element) *logLane {
	lane, _ := at.Value.(*logLane) // the list has nothing else
	return lane
}

// fits reports whether the entry can be of the group: its kind is not there yet, it
// is within the window, and in gotpm's order wherever times tell one.
func (g *LogGroup) fits(e *logEntry) bool {
	if g.has[e.shape] {
		return false
	}
	for s := range logShapes {
		switch {
		case !g.has[s]:
		case apart(g.times[s], e.time) > logWindow,
			s < e.shape && g.times[s].After(e.time),
			s > e.shape && g.times[s].Before(e.time):
			return false
		}
	}
	return true
}

func (g *LogGroup) complete() bool { return len(g.missing()) == 0 }

// apart is the time between two, whichever is first.
func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }
