package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a file that fails once when it is told to, and syncs no faster than it
// may.
type disk struct {
	buf    bytes.Buffer
	synced atomic.Int64 // bytes that are on disk
	syncs  int
	closed bool

	short    bool // what fails next
	writeErr error
	syncErr  error
	failed   bool
	after    bool          // something was written or synced after it had failed
	gate     chan struct{} // nil, or each Sync waits for one
}

func (d *disk) Write(p []byte) (int, error) {
	d.after = d.after || d.failed
	if err := d.writeErr; err != nil || d.short {
		d.writeErr, d.short, d.failed = nil, false, true
		n, _ := d.buf.Write(p[:len(p)/2])
		return n, err
	}
	return d.buf.Write(p)
}

func (d *disk) Sync() error {
	if d.gate != nil {
		<-d.gate
	}
	d.after = d.after || d.failed
	if err := d.syncErr; err != nil {
		d.syncErr, d.failed = nil, true
		return err
	}
	d.syncs++
	d.synced.Store(int64(d.buf.Len()))
	return nil
}

func (d *disk) Close() error { d.closed = true; return nil }

// onDisk returns a log on d that has begun.
func onDisk(tb testing.TB, d *disk, o Options) *Log {
	tb.Helper()
	l, err := newLog(testKey, o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.begin(d, chain{}, nil); err != nil {
		tb.Fatal(err)
	}
	go l.run(o.Tick)
	return l
}

// TestGroupCommit: nobody returns before the sync that follows the write of the
// line, and those who came meanwhile share the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := onDisk(t, d, options(1000))
		d.gate = make(chan struct{})
		var returned atomic.Int64
		add := func(id string) {
			before := d.synced.Load()
			if err := l.Append(t.Context(), sample(id)); err != nil {
				t.Error(err)
			}
			if d.synced.Load() <= before {
				t.Errorf("%s returned, and nothing came to disk", id)
			}
			returned.Add(1)
		}
		go add("first")
		synctest.Wait()
		for i := range 64 {
			go add(fmt.Sprint(i))
		}
		synctest.Wait()
		if n := returned.Load(); n != 0 {
			t.Fatalf("%d returned before any sync", n)
		}
		d.gate <- struct{}{}
		synctest.Wait()
		if n := returned.Load(); n != 1 {
			t.Fatalf("%d returned after the first sync, want 1", n)
		}
		d.gate <- struct{}{}
		synctest.Wait()
		if n := returned.Load(); n != 65 || d.syncs != 3 {
			t.Errorf("%d returned after %d syncs, want 65 after 3", n, d.syncs)
		}
		close(d.gate)
		if err := l.Close(); err != nil || !d.closed {
			t.Errorf("Close: %v, %t", err, d.closed)
		}
		if sum, err := Verify(&d.buf, testPub); err != nil || sum.Records != 65 {
			t.Errorf("Verify = %+v, %v", sum, err)
		}
	})
}

// TestDiskFails: after one error of the disk every Append fails, though the disk is
// well again, and nothing more is written.
func TestDiskFails(t *testing.T) {
	cause := errors.New("disk")
	for name, tc := range map[string]struct {
		fail func(*disk)
		want string
	}{
		"write": {func(d *disk) { d.writeErr = cause }, "audit log: writing: disk"},
		"short": {func(d *disk) { d.short = true }, "audit log: writing: short write"},
		"sync":  {func(d *disk) { d.syncErr = cause }, "audit log: bringing to disk: disk"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				l := onDisk(t, d, options(2))
				appendAll(t, l, sample("good"))
				good := d.synced.Load()
				d.gate = make(chan struct{})
				tc.fail(d)
				var wg sync.WaitGroup
				for i := range 8 { // one writes, the others wait for it
					wg.Go(func() {
						if err := l.Append(t.Context(), sample(fmt.Sprint(i))); err == nil || err.Error() != tc.want {
							t.Errorf("Append = %v, want %s", err, tc.want)
						}
					})
				}
				synctest.Wait()
				close(d.gate)
				wg.Wait()
				for range 3 {
					if err := l.Append(t.Context(), sample("later")); err == nil || err.Error() != tc.want {
						t.Errorf("a later Append = %v, want %s", err, tc.want)
					}
				}
				if l.Err() == nil || l.Close() == nil || !d.closed {
					t.Errorf("Err = %v, Close = %v, closed %t", l.Err(), l.Close(), d.closed)
				}
				sum, err := Verify(bytes.NewReader(d.buf.Bytes()), testPub)
				if err != nil || sum.Records < 1 || !d.failed || d.after || d.synced.Load() != good {
					t.Errorf("Verify = %+v, %v; failed %t, written after it %t", sum, err, d.failed, d.after)
				}
			})
		})
	}
}

func TestDiskFailsAtOnce(t *testing.T) {
	l, err := newLog(testKey, options(1))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("disk")
	if err := l.begin(&disk{syncErr: cause}, chain{}, nil); !errors.Is(err, cause) {
		t.Errorf("begin = %v, want %v", err, cause)
	}
}

// TestSlowDisk: who gives up gets an error, and what waits is bounded.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := onDisk(t, d, options(1000))
		d.gate = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		big := sample("d")
		big.Route = string(bytes.Repeat([]byte("x"), maxLine/2))
		var gaveUp, full atomic.Int64
		for range 12 {
			go func() {
				switch err := l.Append(ctx, big); {
				case errors.Is(err, context.DeadlineExceeded):
					gaveUp.Add(1)
				case errors.Is(err, ErrFull):
					full.Add(1)
				default:
					t.Errorf("Append = %v", err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// one is being written, and seven of the others are less than maxPending
		if gaveUp.Load() != 8 || full.Load() != 4 {
			t.Errorf("%d gave up, %d were too many", gaveUp.Load(), full.Load())
		}
		close(d.gate)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if sum, err := Verify(&d.buf, testPub); err != nil || sum.Records != 8 {
			t.Errorf("Verify = %+v, %v", sum, err)
		}
	})
}

func TestCheckpointByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tick := make(chan time.Time)
		d := &disk{}
		l := onDisk(t, d, Options{Now: clock, Tick: tick})
		for range 3 { // no records, no checkpoint
			tick <- epoch
		}
		appendAll(t, l, sample("1"), sample("2"))
		for range 3 {
			tick <- epoch
			synctest.Wait()
		}
		sum, err := Verify(bytes.NewReader(d.buf.Bytes()), testPub)
		if err != nil || sum.Checkpoints != 2 || sum.Records != 2 || sum.Unsigned != 0 || sum.Closed {
			t.Errorf("Verify = %+v, %v, want the start and one checkpoint", sum, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
