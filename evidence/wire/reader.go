// Package wire reads the fixed layouts that hardware writes.
package wire

import (
	"encoding/binary"
	"fmt"
)

// Reader walks a buffer and never past its end. The first failure sticks, so that
// a decoder reads like the table of its specification and asks for the error once;
// after it every read gives zero.
type Reader struct {
	Buf   []byte
	Order binary.ByteOrder
	Off   int   // of the next byte
	Err   error // the first failure
}

// Fail records a failure at this place, unless there was one.
func (r *Reader) Fail(format string, args ...any) {
	if r.Err == nil {
		r.Err = fmt.Errorf("byte %d: "+format, append([]any{r.Off}, args...)...)
	}
}

// Left returns how many bytes are to come.
func (r *Reader) Left() int { return len(r.Buf) - r.Off }

// Take returns the next n bytes as a slice of the input, or nil after a failure.
func (r *Reader) Take(n int) []byte {
	if r.Err != nil {
		return nil
	}
	if n < 0 || n > r.Left() {
		r.Fail("need %d bytes, have %d", n, r.Left())
		return nil
	}
	b := r.Buf[r.Off : r.Off+n : r.Off+n]
	r.Off += n
	return b
}

// Fill copies the next bytes to all of dst.
func (r *Reader) Fill(dst []byte) { copy(dst, r.Take(len(dst))) }

// U8 reads a byte.
func (r *Reader) U8() uint8 {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a number of two bytes.
func (r *Reader) U16() uint16 {
	if b := r.Take(2); b != nil {
		return r.Order.Uint16(b)
	}
	return 0
}

// U32 reads a number of four bytes.
func (r *Reader) U32() uint32 {
	if b := r.Take(4); b != nil {
		return r.Order.Uint32(b)
	}
	return 0
}

// U64 reads a number of eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.Take(8); b != nil {
		return r.Order.Uint64(b)
	}
	return 0
}

// Done returns the first failure, or one if input is left.
func (r *Reader) Done() error {
	if r.Err == nil && r.Left() != 0 {
		return fmt.Errorf("byte %d: trailing bytes: %d more than the structure has", r.Off, r.Left())
	}
	return r.Err
}
