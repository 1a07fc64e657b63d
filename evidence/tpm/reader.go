package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxSized bounds every TPM2B in the structures this package reads. The
// largest real one is an RSA-4096 modulus or signature.
const maxSized = 1024

// reader walks a buffer of big-endian TPM structures. The first failure
// sticks, so that a decoder reads like the table of its specification and
// asks for the error once, in done.
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

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) alg() Alg { return Alg(r.u16()) }

// sized reads a TPM2B: a 16-bit length and as many bytes. The result is a
// slice of the input, not a copy.
func (r *reader) sized(what string) []byte {
	n := int(r.u16())
	if n > maxSized {
		r.fail("%s of %d bytes, at most %d are possible", what, n, maxSized)
		return nil
	}
	return r.take(n)
}

var errTrailing = errors.New("trailing bytes")

// done returns the first failure, or an error if input is left.
func (r *reader) done() error {
	if r.err == nil && r.off != len(r.buf) {
		return fmt.Errorf("byte %d: %w: %d more than the structure has", r.off, errTrailing, len(r.buf)-r.off)
	}
	return r.err
}

func appendSized(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v))) //nolint:gosec // decoded lengths are at most maxSized
	return append(b, v...)
}
