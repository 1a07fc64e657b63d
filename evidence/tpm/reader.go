package tpm

import (
	"encoding/binary"

	"github.com/attestctl/attestctl/evidence/wire"
)

// maxSized bounds every TPM2B in the structures this package reads. The
// largest real one is an RSA-4096 modulus or signature.
const maxSized = 1024

// reader reads big-endian TPM structures.
type reader struct{ wire.Reader }

func newReader(b []byte) *reader { return &reader{wire.Reader{Buf: b, Order: binary.BigEndian}} }

func (r *reader) alg() Alg { return Alg(r.U16()) }

// sized reads a TPM2B: a 16-bit length and as many bytes. The result is a
// slice of the input, not a copy.
func (r *reader) sized(what string) []byte {
	n := int(r.U16())
	if n > maxSized {
		r.Fail("%s of %d bytes, at most %d are possible", what, n, maxSized)
		return nil
	}
	return r.Take(n)
}

func appendSized(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v))) //nolint:gosec // decoded lengths are at most maxSized
	return append(b, v...)
}
