package tdx

import (
	"encoding/binary"
	"fmt"
)

// reader walks a buffer of little-endian structures. The first failure sticks,
// so that a decoder reads like the table of its specification.
type reader struct {
	buf []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: "+format, append([]any{r.off}, args...)...)
	}
}

// take returns the next n bytes as a slice of the input.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.buf)-r.off {
		r.fail("need %d bytes, have %d", n, len(r.buf)-r.off)
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) fill(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// is reads a 16-bit field that has one possible value.
func (r *reader) is(what string, want uint16) {
	if got := r.u16(); got != want {
		r.fail("%s is %d, want %d", what, got, want)
	}
}

// sized reads a 32-bit length, which must be that of all that is left.
func (r *reader) sized(what string) {
	n, left := r.u32(), len(r.buf)-r.off
	if r.err == nil && uint64(n) != uint64(left) { //nolint:gosec // left is not negative
		r.fail("%s says %d bytes, the structure around it has %d", what, n, left)
	}
}

// zero reads n reserved bytes.
func (r *reader) zero(what string, n int) {
	for _, b := range r.take(n) {
		if b != 0 {
			r.fail("reserved bytes of %s are not zero", what)
			return
		}
	}
}
