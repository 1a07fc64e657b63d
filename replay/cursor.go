package replay

import (
	"encoding/binary"
	"fmt"
)

// cursor reads from a slice and never past its end. After the first failure
// every read returns zero and err keeps that first failure, so that a caller
// may read a whole structure and look once.
type cursor struct {
	buf []byte
	off int
	err error
}

// take returns the next n bytes as a sub-slice. The comparison is made in
// uint64 so that no length from the input can wrap.
func (c *cursor) take(n uint64, what string) []byte {
	if c.err != nil {
		return nil
	}
	if left := uint64(len(c.buf) - c.off); n > left { //nolint:gosec // off never passes the end
		c.err = fmt.Errorf("%s needs %d bytes, %d are left", what, n, left)
		return nil
	}
	b := c.buf[c.off : c.off+int(n) : c.off+int(n)] //nolint:gosec // n is at most len(buf)
	c.off += int(n)                                 //nolint:gosec // n is at most len(buf)
	return b
}

func (c *cursor) u8(what string) uint8 {
	if b := c.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16(what string) uint16 {
	if b := c.take(2, what); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32(what string) uint32 {
	if b := c.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(what string) uint64 {
	if b := c.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// end records a failure if bytes are left over.
func (c *cursor) end(what string) {
	if n := len(c.buf) - c.off; c.err == nil && n != 0 {
		c.err = fmt.Errorf("%d bytes follow the end of the %s", n, what)
	}
}
