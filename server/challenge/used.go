package challenge

import (
	"container/heap"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

// Why a challenge cannot be used.
var (
	// ErrUsed means that the challenge was used before.
	ErrUsed = errors.New("the challenge was used before")
	// ErrFull means that as many used challenges are kept as can be.
	ErrFull = errors.New("too many challenges were used in a short time")
)

// Used knows the challenges, or the tokens, that were used.
type Used interface {
	// Use marks the challenge with this ID, which is over at until, as used. It
	// returns nil exactly once for an ID, however many ask at once; ErrUsed after
	// that, and ErrExpired once the challenge is over. Any error means that nothing
	// may be released. Call it after the evidence was found genuine, or whoever can
	// send a request can fill it.
	Use(id [32]byte, until time.Time) error
}

// The stores.
var (
	_ Used = (*MemoryUsed)(nil)
	_ Used = (*DirUsed)(nil)
)

// MemoryUsed keeps used challenges in memory, for one process whose challenges end
// with it. It may be used by many goroutines at once. The zero value refuses.
type MemoryUsed struct {
	now func() time.Time
	max int

	mu    sync.Mutex
	known map[[32]byte]struct{}
	ends  ends
}

// NewMemoryUsed returns a store of at most as many challenges as max. It never
// forgets one that is not over: when it is full, it refuses with ErrFull until the
// next one is. Each takes about 150 bytes, until a minute after its end.
func NewMemoryUsed(now func() time.Time, maximum int) (*MemoryUsed, error) {
	if now == nil || maximum < 1 {
		return nil, fmt.Errorf("a store of %d used challenges needs a clock and room", maximum)
	}
	return &MemoryUsed{now: now, max: maximum, known: map[[32]byte]struct{}{}}, nil
}

// Use implements Used. It never waits for anything but its like.
func (u *MemoryUsed) Use(id [32]byte, until time.Time) error {
	if u.now == nil {
		return ErrFull
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	if err := checkEnd(until, now, MaxLife); err != nil {
		return err
	}
	for len(u.ends) > 0 && over(u.ends[0].until, now) {
		delete(u.known, u.ends[0].id)
		heap.Pop(&u.ends)
	}
	if _, ok := u.known[id]; ok {
		return hint.New(ErrUsed, "take a new challenge")
	}
	if len(u.ends) >= u.max {
		return ErrFull
	}
	u.known[id] = struct{}{}
	heap.Push(&u.ends, end{id, until})
	return nil
}

// over reports whether nobody whose clock is near enough still accepts a challenge.
func over(until, now time.Time) bool { return now.Sub(until) >= slack }

// checkEnd refuses an end that nothing has that is good now.
func checkEnd(until, now time.Time, longest time.Duration) error {
	if left := until.Sub(now); left <= 0 || left > longest+slack {
		return hint.New(ErrExpired, "take a new challenge")
	}
	return nil
}

type end struct {
	id    [32]byte
	until time.Time
}

// ends is a heap: the first is over first.
type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].until.Before(e[j].until) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *ends) Push(x any) { *e = append(*e, x.(end)) } //nolint:forcetypeassert,errcheck // only ends are pushed

// Pop implements heap.Interface.
func (e *ends) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
