package challenge_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attestctl/attestctl/server/challenge"
)

// stores makes each kind of store.
var stores = map[string]func(tb testing.TB, c *clock) challenge.Used{
	"memory": func(tb testing.TB, c *clock) challenge.Used {
		tb.Helper()
		return newMemory(tb, c, 1000)
	},
	"dir": func(tb testing.TB, c *clock) challenge.Used {
		tb.Helper()
		return newDir(tb, c, openRoot(tb, tb.TempDir()))
	},
}

func newMemory(tb testing.TB, c *clock, most int) *challenge.MemoryUsed {
	tb.Helper()
	u, err := challenge.NewMemoryUsed(c.now, most)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func openRoot(tb testing.TB, dir string) *os.Root {
	tb.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() }) //nolint:errcheck // a test's directory
	return r
}

func newDir(tb testing.TB, c *clock, r *os.Root) *challenge.DirUsed {
	tb.Helper()
	u, err := challenge.NewDirUsed(r, c.now, challenge.MaxLife)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func uses(tb testing.TB, u challenge.Used, id [32]byte, until time.Time, want error) {
	tb.Helper()
	if err := u.Use(id, until); !errors.Is(err, want) {
		tb.Errorf("Use(%x…) = %v, want %v", id[:2], err, want)
	}
}

func TestUsed(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			u := store(t, c)
			until := c.now().Add(life)
			uses(t, u, [32]byte{1}, until, nil)
			uses(t, u, [32]byte{1}, until, challenge.ErrUsed)
			uses(t, u, [32]byte{1}, until.Add(time.Second), challenge.ErrUsed)
			uses(t, u, [32]byte{31: 1}, until, nil)
			uses(t, u, [32]byte{}, until, nil)
			uses(t, u, [32]byte{}, until, challenge.ErrUsed)

			uses(t, u, [32]byte{2}, time.Time{}, challenge.ErrExpired)
			uses(t, u, [32]byte{2}, c.now(), challenge.ErrExpired)
			uses(t, u, [32]byte{2}, c.now().Add(challenge.MaxLife+time.Minute+1), challenge.ErrExpired)
			uses(t, u, [32]byte{2}, c.now().Add(challenge.MaxLife+time.Minute), nil)

			c.pass(life - 1)
			uses(t, u, [32]byte{1}, until, challenge.ErrUsed)
			c.pass(1)
			uses(t, u, [32]byte{1}, until, challenge.ErrExpired)
			uses(t, u, [32]byte{3}, c.now().Add(1), nil) // a moment to clean up at
			c.pass(-time.Minute + 2)                     // the clock was set back
			uses(t, u, [32]byte{1}, until, challenge.ErrUsed)
		})
	}
}

func TestUsedAtOnce(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			u := store(t, c)
			for round := range byte(5) {
				var first atomic.Int32
				start := make(chan struct{})
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						<-start
						switch err := u.Use([32]byte{round}, c.now().Add(life)); {
						case err == nil:
							first.Add(1)
						case !errors.Is(err, challenge.ErrUsed):
							t.Error(err)
						}
					})
				}
				close(start)
				wg.Wait()
				if n := first.Load(); n != 1 {
					t.Errorf("round %d: used %d times", round, n)
				}
			}
		})
	}
}

func TestMemoryFull(t *testing.T) {
	c := newClock()
	u := newMemory(t, c, 3)
	begin := c.now()
	// Not in the order of their ends.
	uses(t, u, [32]byte{1}, begin.Add(3*time.Minute), nil)
	uses(t, u, [32]byte{2}, begin.Add(time.Minute), nil)
	uses(t, u, [32]byte{3}, begin.Add(2*time.Minute), nil)
	uses(t, u, [32]byte{4}, begin.Add(life), challenge.ErrFull)
	uses(t, u, [32]byte{1}, begin.Add(3*time.Minute), challenge.ErrUsed)
	c.pass(2*time.Minute - 1)
	uses(t, u, [32]byte{4}, begin.Add(life), challenge.ErrFull)
	c.pass(1) // a minute after the end of 2
	uses(t, u, [32]byte{4}, begin.Add(life), nil)
	uses(t, u, [32]byte{5}, begin.Add(life), challenge.ErrFull)
	uses(t, u, [32]byte{1}, begin.Add(3*time.Minute), challenge.ErrUsed)
	c.pass(time.Minute) // 3 is forgotten, 1 is over and is not
	uses(t, u, [32]byte{5}, begin.Add(life), nil)
	uses(t, u, [32]byte{6}, begin.Add(life), challenge.ErrFull)
}

// Over any course of events the store does what a list that forgets nothing does.
func TestMemoryAgainstList(t *testing.T) {
	const most = 8
	r := rand.New(rand.NewPCG(1, 2))
	c := newClock()
	u := newMemory(t, c, most)
	list := map[[32]byte]time.Time{}
	seen := map[error]int{}
	for n := range 20_000 {
		c.pass(time.Duration(r.IntN(20)) * time.Second)
		id, until := [32]byte{byte(r.IntN(200))}, c.now().Add(time.Duration(r.IntN(200)-20)*time.Second)
		kept := 0
		for _, end := range list {
			if c.now().Before(end.Add(time.Minute)) {
				kept++
			}
		}
		end, known := list[id]
		var want error
		switch {
		case !c.now().Before(until):
			want = challenge.ErrExpired
		case known && c.now().Before(end.Add(time.Minute)):
			want = challenge.ErrUsed
		case kept == most:
			want = challenge.ErrFull
		default:
			list[id] = until
		}
		if err := u.Use(id, until); !errors.Is(err, want) {
			t.Fatalf("step %d: %v, want %v", n, err, want)
		}
		seen[want]++
	}
	if len(seen) != 4 {
		t.Errorf("not everything happened: %v", seen)
	}
}

func TestZeroUsed(t *testing.T) {
	c := newClock()
	for _, u := range []challenge.Used{new(challenge.MemoryUsed), new(challenge.DirUsed)} {
		if err := u.Use([32]byte{1}, c.now().Add(life)); err == nil {
			t.Errorf("the zero %T lets a challenge be used", u)
		}
	}
	for _, most := range []int{0, -1} {
		if u, err := challenge.NewMemoryUsed(c.now, most); err == nil || u != nil {
			t.Errorf("a store of %d: %v", most, err)
		}
	}
	if u, err := challenge.NewMemoryUsed(nil, 1); err == nil || u != nil {
		t.Errorf("a store without a clock: %v", err)
	}
}

func BenchmarkMemoryUsed(b *testing.B) {
	c := newClock()
	u := newMemory(b, c, 1<<20)
	var id [32]byte
	for n := 0; b.Loop(); n++ {
		id[0], id[1], id[2], id[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
		c.pass(time.Millisecond)
		if err := u.Use(id, c.now().Add(life)); err != nil {
			b.Fatal(err)
		}
	}
}
