package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxEvery bounds what a checkpoint allows to follow.
const maxEvery = 1 << 20

// chain is what a line must fit to. The writer and whoever verifies go through
// the same steps.
type chain struct {
	seq    uint64 // of the last line
	last   Hash   // its hash
	since  int    // records after the last checkpoint
	every  int    // as that checkpoint says
	closed bool   // it ended the log
	key    string // as the first checkpoint says
}

// head is how the next line begins.
func (c *chain) head() []byte { return head(c.seq+1, c.last) }

// advance takes the line as the last one.
func (c *chain) advance(line []byte) {
	c.seq++
	c.last = sha256.Sum256(line)
}

var (
	errNotALine = errors.New("not a line of an audit log")
	errNoStart  = errors.New("the log does not begin with its start")
	errStart    = errors.New("a second start")
	errClosed   = errors.New("it follows the end of the log and does not take it up again")
	errUnsigned = errors.New("more records without a checkpoint than the last one allows")
)

// fits wants the line to begin as the next one.
func (c *chain) fits(line []byte) error {
	if bytes.HasPrefix(line, c.head()) {
		return nil
	}
	rest, ok := strings.CutPrefix(string(line[:min(len(line), 128)]), `{"seq":`)
	digits, rest, comma := strings.Cut(rest, `,"prev":"`)
	seq, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case !ok || !comma || err != nil:
		return errNotALine
	case seq != c.seq+1:
		return fmt.Errorf("sequence number %d, want %d", seq, c.seq+1)
	case c.seq == 0:
		return errNoStart
	case !strings.HasPrefix(rest, c.last.String()):
		return fmt.Errorf("its prev is not the hash of line %d: one of the two was changed", c.seq)
	default:
		return errNotALine
	}
}

// record takes the line of a record.
func (c *chain) record(line []byte) error {
	switch {
	case c.seq == 0:
		return errNoStart
	case c.closed:
		return errClosed
	case c.since >= c.every:
		return errUnsigned
	}
	c.since++
	c.advance(line)
	return nil
}

// checkpoint takes the line of a checkpoint.
func (c *chain) checkpoint(cp *checkpoint, line []byte) error {
	b := &cp.Body
	if err := cp.check(); err != nil {
		return err
	}
	switch {
	case c.seq == 0 && b.Event != eventStart:
		return errNoStart
	case c.seq > 0 && b.Event == eventStart:
		return errStart
	case c.closed && b.Event != eventResume:
		return errClosed
	case c.seq > 0 && b.Key != c.key:
		return errOtherKey
	}
	c.since, c.every, c.closed, c.key = 0, b.Every, b.Event == eventClose, b.Key
	c.advance(line)
	return nil
}

// tears reports whether the line could be what a crash left of the next one: its
// beginning, and zeros where the file was longer than what had been written.
func (c *chain) tears(line []byte) bool {
	line, h := bytes.TrimRight(line, "\x00"), c.head()
	return bytes.HasPrefix(line, h) || bytes.HasPrefix(h, line)
}
