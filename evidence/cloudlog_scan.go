package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/attestctl/attestctl/internal/hint"
)

const (
	maxLogEntry = 512 << 10 // bytes; Cloud Logging takes 256 KiB
	maxLogDepth = 64
	maxLogSpace = 64 << 10 // white space in a row
)

// entryScanner cuts an export into its entries, which it does not decode, and
// keeps one of them at a time.
type entryScanner struct {
	in    *bufio.Reader
	off   int64 // of the byte that comes next
	begun bool
	array bool

	entry []byte // the last entry; the next one takes its place
	count int    // its number, from 1
	start int64  // its offset
}

func newEntryScanner(r io.Reader) *entryScanner {
	return &entryScanner{in: bufio.NewReaderSize(r, 64<<10)}
}

// next cuts off the next entry. io.EOF is that there is none.
func (s *entryScanner) next() error {
	first := !s.begun
	s.begun = true
	var err error
	switch {
	case first:
		err = s.begin()
	case s.array:
		err = s.comma()
	default:
		err = s.lineEnd()
	}
	if err != nil {
		return err
	}
	return s.cut()
}

// begin tells an array from entries in lines, and moves to the first entry.
func (s *entryScanner) begin() error {
	c, _, err := s.space()
	if errors.Is(err, io.EOF) {
		return s.failBetween(hint.New(errors.New("the input is empty"), "check that the command that made the export succeeded"))
	}
	if err != nil || c != '[' {
		return err
	}
	s.array = true
	s.skip()
	if c, _, err = s.space(); err == nil && c == ']' {
		return s.end()
	}
	return s.noEnd(err)
}

// comma moves over the comma to the next entry of the array, or to its end.
func (s *entryScanner) comma() error {
	c, _, err := s.space()
	switch {
	case err != nil:
		return s.noEnd(err)
	case c == ']':
		return s.end()
	case c != ',':
		return s.failBetween(errors.New("want a comma between two entries"))
	}
	s.skip()
	_, _, err = s.space()
	return s.noEnd(err)
}

// end moves over the end of the array, behind which nothing may come.
func (s *entryScanner) end() error {
	s.skip()
	_, _, err := s.space()
	if err == nil {
		return s.failBetween(errors.New("something comes after the array"))
	}
	return err
}

// lineEnd moves to the entry in the next line.
func (s *entryScanner) lineEnd() error {
	_, lines, err := s.space()
	if err == nil && lines == 0 {
		return s.failBetween(errors.New("two entries in one line"))
	}
	return err
}

// noEnd says that the array is cut off where err is the end of the input.
func (s *entryScanner) noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return s.failBetween(errNoEnd("the array"))
	}
	return err
}

func errNoEnd(what string) error {
	return hint.New(errors.New(what+" has no end"), "the export is cut off: make it again")
}

// cut reads one entry to its closing brace.
func (s *entryScanner) cut() error {
	s.entry, s.start = s.entry[:0], s.off
	s.count++
	if c, err := s.in.Peek(1); err == nil && c[0] != '{' {
		return s.fail(errors.New("want an object, the entry of a log"))
	}
	var x extent
	for done := false; !done; {
		if _, err := s.in.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				err = s.fail(errNoEnd("the entry"))
			}
			return err
		}
		chunk, _ := s.in.Peek(s.in.Buffered()) // is in the buffer
		var n int
		n, done = x.scan(chunk)
		switch {
		case len(s.entry)+n > maxLogEntry:
			return s.fail(fmt.Errorf("the entry has more than %d KiB", maxLogEntry>>10))
		case x.depth > maxLogDepth:
			return s.fail(fmt.Errorf("the entry is nested more than %d deep", maxLogDepth))
		}
		s.entry = append(s.entry, chunk[:n]...)
		_, _ = s.in.Discard(n) // is in the buffer
		s.off += int64(n)
	}
	return nil
}

// space moves over white space and returns the byte behind it and how many line
// ends were in it.
func (s *entryScanner) space() (next byte, lines int, err error) {
	for range maxLogSpace {
		c, err := s.in.Peek(1)
		if err != nil {
			return 0, lines, err
		}
		switch c[0] {
		case '\n':
			lines++
		case ' ', '\t', '\r':
		default:
			return c[0], lines, nil
		}
		s.skip()
	}
	return 0, lines, s.failBetween(fmt.Errorf("more than %d KiB of white space", maxLogSpace>>10))
}

func (s *entryScanner) skip() {
	_, _ = s.in.Discard(1) // was peeked at
	s.off++
}

// fail says where the export is wrong: in the last entry.
func (s *entryScanner) fail(err error) error {
	return &FormatError{formatCloudLog, fmt.Errorf("entry %d at byte %d: %w", s.count, s.start, err)}
}

// failBetween says it of what is between two entries.
func (s *entryScanner) failBetween(err error) error {
	return &FormatError{formatCloudLog, fmt.Errorf("byte %d, after %d entries: %w", s.off, s.count, err)}
}

// extent finds the end of a JSON object: the brace or bracket that closes the
// first one.
type extent struct {
	depth        int
	text, escape bool // within a string; behind a backslash
}

// scan reads on in b and returns how much of it is of the object, and whether the
// object is at its end. It stops where the depth is more than allowed.
func (x *extent) scan(b []byte) (n int, done bool) {
	for i, c := range b {
		if x.text {
			switch {
			case x.escape:
				x.escape = false
			case c == '\\':
				x.escape = true
			case c == '"':
				x.text = false
			}
			continue
		}
		switch c {
		case '"':
			x.text = true
		case '{', '[':
			if x.depth++; x.depth > maxLogDepth {
				return i + 1, false
			}
		case '}', ']':
			if x.depth--; x.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}
