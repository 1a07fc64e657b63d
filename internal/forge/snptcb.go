package forge

import "encoding/binary"

// SNPTCB is the security patch level of each component of an AMD platform.
type SNPTCB struct {
	FMC        uint8 // Turin only
	BootLoader uint8
	TEE        uint8
	SNP        uint8
	Microcode  uint8
}

// DefaultTCB is the platform of the zero [SNP] of each product.
func DefaultTCB(p Product) SNPTCB {
	switch p {
	case Genoa:
		return SNPTCB{BootLoader: 10, SNP: 23, Microcode: 84}
	case Turin:
		return SNPTCB{FMC: 1, BootLoader: 1, TEE: 1, SNP: 4, Microcode: 81}
	case Milan:
	}
	return SNPTCB{BootLoader: 4, SNP: 24, Microcode: 219}
}

// bytes lays the levels out as TCB_VERSION (AMD 56860: one table for Milan and
// Genoa, one for Turin).
func (t SNPTCB) bytes(p Product) [8]byte {
	if p == Turin {
		return [8]byte{t.FMC, t.BootLoader, t.TEE, t.SNP, 7: t.Microcode}
	}
	return [8]byte{t.BootLoader, t.TEE, 6: t.SNP, 7: t.Microcode}
}

// Raw is the TCB as the number that a report has.
func (t SNPTCB) Raw(p Product) uint64 {
	b := t.bytes(p)
	return binary.LittleEndian.Uint64(b[:])
}
