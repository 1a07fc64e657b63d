package tdx

import (
	"encoding/binary"

	"github.com/attestctl/attestctl/evidence/wire"
)

// reader reads little-endian structures.
type reader struct{ wire.Reader }

func newReader(b []byte) *reader { return &reader{wire.Reader{Buf: b, Order: binary.LittleEndian}} }

// is reads a 16-bit field that has one possible value.
func (r *reader) is(what string, want uint16) {
	if got := r.U16(); got != want {
		r.Fail("%s is %d, want %d", what, got, want)
	}
}

// sized reads a 32-bit length, which must be that of all that is left.
func (r *reader) sized(what string) {
	n, left := r.U32(), r.Left()
	if r.Err == nil && uint64(n) != uint64(left) { //nolint:gosec // left is not negative
		r.Fail("%s says %d bytes, the structure around it has %d", what, n, left)
	}
}

// zero reads n reserved bytes.
func (r *reader) zero(what string, n int) {
	for _, b := range r.Take(n) {
		if b != 0 {
			r.Fail("reserved bytes of %s are not zero", what)
			return
		}
	}
}
