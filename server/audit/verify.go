package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Summary says what was found in a log. With an error it tells of the lines
// before the broken one.
type Summary struct {
	Records     uint64 // decisions
	Checkpoints uint64
	Seq         uint64 // the number of the last whole line
	Head        Hash   // of that line
	Bytes       int64  // of all whole lines
	// Signed is true only if a public key was given: every checkpoint is signed
	// with it. Otherwise the lines fit together, but nobody vouches for them, and
	// whoever wrote the file can have written it anew.
	Signed bool
	// Unsigned counts the records after the last checkpoint, for which no
	// signature vouches yet.
	Unsigned int
	Closed   bool   // the writer ended in order
	Cuts     uint64 // lines that a crash tore and the next writer cut
	Torn     int    // bytes of a last line without its end: a crash, or a writer at work
}

// LineError says which line of a log is the first that is not right.
type LineError struct {
	Line uint64 // counted from 1
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

var (
	errEmpty     = errors.New("the audit log holds no line")
	errPublicKey = errors.New("not an Ed25519 public key")
	errLong      = fmt.Errorf("a line of more than %d bytes", maxLine)
	errTail      = errors.New("the end of the file is not the beginning of a line that a log writes there")
	errBytes     = errors.New("bytes that no line of a log has")
)

// Verify reads a log to its end and wants every line to be one that a [Log] wrote
// there: encoding, number, hash of the line before, and checkpoints signed with
// pub at least as often as they say. A nil pub verifies all but the signatures; see
// Summary.Signed. A torn last line is no error and never one that Append returned
// for; Summary.Torn tells of it. The error is a *LineError if a line is broken; an
// empty file is an error, too. It holds no more than one line in memory.
func Verify(r io.Reader, pub ed25519.PublicKey) (Summary, error) {
	w, err := newWalker(r, pub)
	if err != nil {
		return Summary{}, err
	}
	return w.verify(nil)
}

// Visit is [Verify] and hands over every record on the way. None of them is proven
// before Visit has returned without an error: what follows from them is to be kept
// until then. Without a key, which is a nil pub, the signatures must be of the key
// that the first checkpoint names, and nobody vouches for that one. An error of
// visit ends it and is returned as it is.
func Visit(r io.Reader, pub ed25519.PublicKey, visit func(Record) error) (Summary, error) {
	w, err := newWalker(r, pub)
	if err != nil {
		return Summary{}, err
	}
	w.trustFirst = pub == nil
	return w.verify(visit)
}

// verify goes to the end of the log.
func (w *walker) verify(visit func(Record) error) (Summary, error) {
	w.deep = true
	given := w.pub != nil
	var err error
	for err == nil {
		var r *Record
		if r, err = w.next(); r != nil && visit != nil {
			if err := visit(*r); err != nil {
				return w.sum, err
			}
		}
	}
	if err == io.EOF { //nolint:errorlint // next returns it bare
		err = nil
		if w.sum.Seq == 0 {
			err = errEmpty
		}
	}
	if err != nil {
		err = fmt.Errorf("verifying the audit log: %w", err)
	}
	w.sum.Signed = given && err == nil
	return w.sum, err
}

// walker goes over the lines of a log and verifies them.
type walker struct {
	lines lines
	chain chain
	pub   ed25519.PublicKey
	deep  bool // decode records, too; their bytes are in the chain anyway
	// trustFirst takes the key of the first checkpoint for pub.
	trustFirst bool
	sum        Summary
	tail       []byte // the torn last line
}

func newWalker(r io.Reader, pub ed25519.PublicKey) (*walker, error) {
	if pub != nil && len(pub) != ed25519.PublicKeySize {
		return nil, errPublicKey
	}
	return &walker{lines: lines{r: bufio.NewReaderSize(r, 64<<10)}, pub: pub}, nil
}

// next returns the record of the next line, nil for a checkpoint or without deep,
// and io.EOF behind the last whole line.
func (w *walker) next() (*Record, error) {
	line, whole, err := w.lines.next()
	if err == io.EOF { //nolint:errorlint // lines returns it bare
		return nil, err
	}
	var r *Record
	if err == nil && whole {
		r, err = w.line(line)
	} else if err == nil {
		if w.chain.tears(line) {
			w.tail, w.sum.Torn = line, len(line)
			return nil, io.EOF
		}
		err = errTail
	}
	if err != nil {
		return nil, &LineError{w.sum.Seq + 1, err}
	}
	w.sum.Seq, w.sum.Head, w.sum.Unsigned, w.sum.Closed = w.chain.seq, w.chain.last, w.chain.since, w.chain.closed
	w.sum.Bytes += int64(len(line)) + 1
	return r, nil
}

// line verifies one whole line.
func (w *walker) line(line []byte) (*Record, error) {
	if !printable(line) {
		return nil, errBytes
	}
	if err := w.chain.fits(line); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(line[len(w.chain.head()):], []byte(checkpointMark)) {
		return nil, w.checkpoint(line)
	}
	var r *Record
	if w.deep {
		decoded, err := decodeRecord(line)
		if err != nil {
			return nil, err
		}
		r = &decoded
	}
	if err := w.chain.record(line); err != nil {
		return nil, err
	}
	w.sum.Records++
	return r, nil
}

func (w *walker) checkpoint(line []byte) error {
	c, err := decodeCheckpoint(line)
	if err != nil {
		return err
	}
	if w.trustFirst && w.pub == nil {
		if w.pub, err = hex.DecodeString(c.Body.Key); err != nil {
			return errSignature
		}
	}
	if w.pub != nil {
		if err := c.verify(w.pub); err != nil {
			return err
		}
	}
	if err := w.chain.checkpoint(c, line); err != nil {
		return err
	}
	w.sum.Checkpoints++
	if c.Body.Torn != nil {
		w.sum.Cuts++
	}
	return nil
}

// lines reads lines of bounded length.
type lines struct {
	r   *bufio.Reader
	buf []byte // a line that is longer than the buffer of r
}

// next returns the next line without its newline, and whether it had one. The
// bytes are good until the next call. The error is io.EOF at the end.
func (l *lines) next() (line []byte, whole bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(part) > maxLine+1 {
			return nil, false, errLong
		}
		if err == nil && len(l.buf) == 0 {
			return part[:len(part)-1], true, nil
		}
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			return l.buf[:len(l.buf)-1], true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(l.buf) > 0:
			return l.buf, false, nil
		default:
			return nil, false, err
		}
	}
}
