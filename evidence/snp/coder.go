package snp

import (
	"encoding/binary"
	"fmt"
)

// A coder walks the fixed layout of a report once, in one of two directions:
// it fills the fields from buf, or with write set it fills buf from the fields.
// One description of the layout therefore serves decoding and encoding. The
// caller provides a buf as long as the layout. The first failure sticks.
type coder struct {
	buf   []byte
	off   int
	write bool
	err   error
}

func (c *coder) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *coder) next(n int) []byte {
	b := c.buf[c.off : c.off+n]
	c.off += n
	return b
}

func (c *coder) bytes(field []byte) {
	if b := c.next(len(field)); c.write {
		copy(b, field)
	} else {
		copy(field, b)
	}
}

func (c *coder) u8(v *uint8) {
	if b := c.next(1); c.write {
		b[0] = *v
	} else {
		*v = b[0]
	}
}

func (c *coder) u32(v *uint32) {
	if b := c.next(4); c.write {
		binary.LittleEndian.PutUint32(b, *v)
	} else {
		*v = binary.LittleEndian.Uint32(b)
	}
}

func (c *coder) u64(v *uint64) {
	if b := c.next(8); c.write {
		binary.LittleEndian.PutUint64(b, *v)
	} else {
		*v = binary.LittleEndian.Uint64(b)
	}
}

func (c *coder) tcb(v *RawTCB) { c.u64((*uint64)(v)) }

// reserved skips to offset end. Every byte on the way must be zero.
func (c *coder) reserved(end int) {
	start := c.off
	for i, b := range c.next(end - start) {
		if b != 0 {
			c.fail("byte 0x%03x is 0x%02x, but 0x%03x to 0x%03x are reserved and must be zero", start+i, b, start, end-1)
			return
		}
	}
}
