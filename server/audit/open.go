package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

// defaultEvery is how many records may follow a checkpoint if nothing is said.
const defaultEvery = 1000

// Options are the options of a [Log].
type Options struct {
	// Now tells the time. It must be set.
	Now func() time.Time
	// Every is how many records are written between two checkpoints at the most;
	// 0 is 1000.
	Every int
	// Tick makes a checkpoint whenever it delivers and there are records since
	// the last one, such as [time.Ticker.C]; nil is never.
	Tick <-chan time.Time
}

// ErrLocked is the error of [Open] for a log that another writer has open.
var ErrLocked = errors.New("another process writes this audit log")

var (
	errNoKey   = errors.New("an audit log needs an Ed25519 key that signs its checkpoints")
	errNoClock = errors.New("an audit log needs a clock")
	errEvery   = fmt.Errorf("checkpoints every so many records: 1 to %d", maxEvery)
	errRegular = errors.New("not a regular file")
)

// Open takes up the log at path, or begins it, and locks it. All lines must fit
// together and every checkpoint be signed with key, as [Verify] says; only what
// the records of signed lines say is not decoded again. A torn last line, which
// no Append returned for, is cut, and the checkpoint that Open writes notes its
// length and digest. That checkpoint vouches for the records that had none yet, so
// who can change the file while no server runs can have changed those.
func Open(path string, key ed25519.PrivateKey, o Options) (*Log, error) {
	l, err := newLog(key, o)
	if err != nil {
		return nil, err
	}
	f, err := openLocked(path)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	l.intact = func(size int64) error { return stillThere(path, f, size) }
	if err := l.take(f); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit log %s: %w", path, err), f.Close())
	}
	go l.run(o.Tick)
	return l, nil
}

// newLog returns a log without a file.
func newLog(key ed25519.PrivateKey, o Options) (*Log, error) {
	switch {
	case len(key) != ed25519.PrivateKeySize:
		return nil, errNoKey
	case o.Now == nil:
		return nil, errNoClock
	case o.Every < 0 || o.Every > maxEvery:
		return nil, errEvery
	case o.Every == 0:
		o.Every = defaultEvery
	}
	return &Log{
		key: key, now: o.Now, every: o.Every,
		intact: func(int64) error { return nil },
		wake:   make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}, nil
}

// take verifies what is in the file, cuts a torn end and writes the checkpoint
// that the log goes on from.
func (l *Log) take(f *os.File) error {
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return errRegular
	}
	w, err := l.walk(f)
	if err != nil {
		return hint.New(err, "the file was changed or damaged; keep it as it is, `attestctl audit verify` tells more, and begin another")
	}
	var cut *torn
	if len(w.tail) > 0 {
		cut = &torn{len(w.tail), sha256.Sum256(w.tail)}
	}
	if err := f.Truncate(w.sum.Bytes); err != nil {
		return err
	}
	if _, err := f.Seek(w.sum.Bytes, io.SeekStart); err != nil {
		return err
	}
	l.size = w.sum.Bytes
	return l.begin(f, w.chain, cut)
}

// ErrMoved is the error of a log whose file is not the one at its path any more, or
// not as long as what was written: it was removed, replaced, cut or written to.
var ErrMoved = errors.New("the file of the audit log was moved, removed or changed")

// stillThere wants the file to be the one that its path names, and of this size. What
// is written to a file without a name is written down nowhere.
func stillThere(path string, f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(path) //nolint:gosec // the path is the operator's
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!os.SameFile(info, named) || info.Size() != size) {
		err = hint.New(ErrMoved, "end the server before the file is moved; it begins another when it starts")
	}
	return err
}

// walk goes over the lines that are there.
func (l *Log) walk(f io.Reader) (*walker, error) {
	pub, ok := l.key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errNoKey
	}
	w, err := newWalker(f, pub)
	for err == nil {
		_, err = w.next()
	}
	if err != io.EOF { //nolint:errorlint // next returns it bare
		return nil, err
	}
	return w, nil
}

// begin writes the first checkpoint of this writer.
func (l *Log) begin(f file, c chain, cut *torn) error {
	l.file, l.chain = f, c
	event := eventResume
	if c.seq == 0 {
		event = eventStart
	}
	if err := l.checkpoint(event, cut); err != nil {
		return err
	}
	l.flush()
	return l.failed
}
