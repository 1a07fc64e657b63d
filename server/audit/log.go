package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxPending bounds the bytes that wait for the disk.
const maxPending = 64 << 20

// Errors of [Log.Append] and [Open] that callers tell apart.
var (
	ErrClosed = errors.New("the audit log is closed")
	ErrFull   = errors.New("too many records wait for the disk")
	ErrLong   = errors.New("the record is longer than a line may be")
)

// file is what a log writes to.
type file interface {
	io.Writer
	io.Closer
	Sync() error
}

// Log writes an audit log. It is safe for concurrent use.
type Log struct {
	file   file
	key    ed25519.PrivateKey
	now    func() time.Time
	size   int64                  // bytes of the file, as far as this writer knows; run's own
	intact func(size int64) error // wants the file to be where it was, and of this size

	every int

	wake  chan struct{} // there is something to write
	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when the file is

	mu       sync.Mutex
	chain    chain  // with what waits for the disk
	pending  *batch // nil if nothing waits
	failed   error  // what ended the writing for good
	closed   bool
	closeErr error // good once ended is closed

	company int // how many records the last batch had; run's own
}

// batch is what one write and one sync bring to disk.
type batch struct {
	lines []byte
	count int
	done  chan struct{} // closed afterwards
	err   error         // good from then on
}

// Append writes the record and returns when its line is on disk, together with
// those of others who append at the same time. With an error the line is not on
// disk or nobody knows, and nothing may leave that it tells of. An error of the
// disk is for good: every later Append returns it, because what a failed write or
// sync left behind is not known. Who gives up by ctx gets an error, and the line
// may be written nevertheless.
func (l *Log) Append(ctx context.Context, r Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if r.Time.IsZero() {
		r.Time = l.now()
	}
	tail, err := r.tail()
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	b, err := l.enqueue(tail)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	select {
	case <-b.done:
		if b.err != nil {
			return fmt.Errorf("audit log: %w", b.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit log: waiting for the disk: %w", ctx.Err())
	}
}

// Err returns the error that ended the writing, nil as long as the log is sound.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// enqueue gives a line its place in the chain.
func (l *Log) enqueue(tail []byte) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := append(l.chain.head(), tail...)
	switch {
	case l.closed:
		return nil, ErrClosed
	case l.failed != nil:
		return nil, l.failed
	case len(line) > maxLine:
		return nil, ErrLong
	case l.pending != nil && len(l.pending.lines)+len(line) > maxPending:
		return nil, ErrFull
	}
	if err := l.chain.record(line); err != nil {
		return nil, err
	}
	b := l.add(line)
	if l.chain.since >= l.every {
		if err := l.checkpoint(eventPeriodic, nil); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// add appends a line to what waits for the disk. The caller holds mu, or is the
// only one who knows the log.
func (l *Log) add(line []byte) *batch {
	if l.pending == nil {
		l.pending = &batch{done: make(chan struct{})}
	}
	l.pending.lines = append(append(l.pending.lines, line...), '\n')
	l.pending.count++
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
	return l.pending
}

// checkpoint adds a checkpoint, on the conditions of add.
func (l *Log) checkpoint(event string, cut *torn) error {
	c := &checkpoint{Seq: l.chain.seq + 1, Prev: l.chain.last}
	c.Body.Time, c.Body.Event, c.Body.Every, c.Body.Torn = l.now(), event, l.every, cut
	line, err := c.sign(l.key)
	if err == nil {
		err = l.chain.checkpoint(c, line)
	}
	if err != nil {
		l.failed = err // a log without its checkpoints would be refused later
		return err
	}
	l.add(line)
	return nil
}

// run brings to disk what waits, until Close.
func (l *Log) run(tick <-chan time.Time) {
	defer close(l.ended)
	for {
		select {
		case <-l.wake:
			l.gather()
			l.flush()
		case <-tick:
			l.periodic()
		case <-l.stop:
			l.flush()
			l.closeErr = errors.Join(l.Err(), l.file.Close())
			return
		}
	}
}

// gatherTime is how long the first record of a batch waits for company at the most.
const gatherTime = time.Millisecond

// gather waits for as many records as the last batch had, if that had several: who
// appended them has got an answer and comes again. A record that is alone never
// waits.
func (l *Log) gather() {
	if l.company < 2 {
		return
	}
	late := time.NewTimer(gatherTime)
	defer late.Stop()
	for l.waiting() < l.company {
		select {
		case <-l.wake:
		case <-late.C:
			return
		case <-l.stop:
			return
		}
	}
}

// waiting is how many records wait for the disk.
func (l *Log) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		return 0
	}
	return l.pending.count
}

// periodic adds a checkpoint if there are records that none vouches for.
func (l *Log) periodic() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chain.since > 0 && l.failed == nil && !l.closed {
		_ = l.checkpoint(eventPeriodic, nil) // its error is kept, for the next Append
	}
}

// flush brings one batch to disk and tells those who wait for it.
func (l *Log) flush() {
	l.mu.Lock()
	b, err := l.pending, l.failed
	l.pending = nil
	l.mu.Unlock()
	if b == nil {
		return
	}
	l.company = b.count
	if err == nil {
		err = l.write(b.lines)
	}
	if err != nil {
		l.mu.Lock()
		l.failed = err
		l.mu.Unlock()
	}
	b.err = err
	close(b.done)
}

func (l *Log) write(lines []byte) error {
	if err := l.intact(l.size); err != nil {
		return err
	}
	if n, err := l.file.Write(lines); err != nil {
		return fmt.Errorf("writing: %w", err)
	} else if n != len(lines) {
		return fmt.Errorf("writing: %w", io.ErrShortWrite)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("bringing to disk: %w", err)
	}
	l.size += int64(len(lines))
	return l.intact(l.size)
}

// Close brings to disk what waits, ends the log with a checkpoint and gives up the
// file. It returns the error that had ended the writing, if one had. Every call
// returns the same.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		if l.failed == nil {
			_ = l.checkpoint(eventClose, nil) // its error is kept, and returned below
		}
		l.closed = true
		close(l.stop)
	}
	l.mu.Unlock()
	<-l.ended
	if l.closeErr != nil {
		return fmt.Errorf("closing the audit log: %w", l.closeErr)
	}
	return nil
}
