package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/wire"
)

func TestReader(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}
	for order, want := range map[binary.ByteOrder][3]uint64{
		binary.BigEndian:    {0x0203, 0x04050607, 0x08090a0b0c0d0e0f},
		binary.LittleEndian: {0x0302, 0x07060504, 0x0f0e0d0c0b0a0908},
	} {
		r := wire.Reader{Buf: b, Order: order}
		if got := r.U8(); got != 1 {
			t.Errorf("U8 = %d", got)
		}
		if got := [3]uint64{uint64(r.U16()), uint64(r.U32()), r.U64()}; got != want {
			t.Errorf("%v: %x, want %x", order, got, want)
		}
		if err := r.Done(); err == nil || !strings.Contains(err.Error(), "byte 15: trailing bytes: 2 more") {
			t.Errorf("Done = %v, want trailing bytes", err)
		}
		if got := r.Take(2); !bytes.Equal(got, b[15:]) || cap(got) != 2 || r.Done() != nil {
			t.Errorf("Take = %v with room for %d, %v", got, cap(got), r.Err)
		}
	}
}

// TestFailureSticks reads past the end in every way; what comes later is zero and
// the first failure stays.
func TestFailureSticks(t *testing.T) {
	for name, read := range map[string]func(*wire.Reader) bool{
		"U16":      func(r *wire.Reader) bool { return r.U16() == 0 },
		"U32":      func(r *wire.Reader) bool { return r.U32() == 0 },
		"U64":      func(r *wire.Reader) bool { return r.U64() == 0 },
		"Take":     func(r *wire.Reader) bool { return r.Take(2) == nil },
		"negative": func(r *wire.Reader) bool { return r.Take(-1) == nil },
		"Fill":     func(r *wire.Reader) bool { dst := []byte{0, 0}; r.Fill(dst); return dst[0] == 0 },
	} {
		r := &wire.Reader{Buf: []byte{1}, Order: binary.BigEndian}
		if !read(r) || r.Err == nil {
			t.Errorf("%s past the end: %v", name, r.Err)
		}
		first := r.Err
		if r.Fail("later"); r.U8() != 0 || !errors.Is(r.Done(), first) {
			t.Errorf("%s: after the failure %v comes %v", name, first, r.Done())
		}
	}
}
