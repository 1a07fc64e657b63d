package snp

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// RawTCB is a TCB_VERSION as a report has it: eight numbers of one byte each,
// least significant first. Their meaning depends on the product.
type RawTCB uint64

// Decode decodes a TCB of the given product. A reserved byte that is not zero
// and an unknown product are errors.
func (raw RawTCB) Decode(p Product) (TCB, error) {
	if !p.known() {
		return TCB{}, fmt.Errorf("tcb 0x%016x: product %q has no known layout", uint64(raw), p)
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(raw))
	t := TCB{Product: p}
	for i, part := range t.layout() {
		if part.spl != nil {
			*part.spl = b[i]
		} else if b[i] != 0 {
			return TCB{}, fmt.Errorf("tcb 0x%016x: byte %d is reserved on %s and must be zero", uint64(raw), i, p)
		}
	}
	return t, nil
}

// TCB is the security patch level of each component of a platform. A component
// that the product does not have is zero. The zero TCB belongs to no product
// and reaches no floor.
type TCB struct {
	Product    Product
	FMC        uint8 // Turin only
	BootLoader uint8
	TEE        uint8
	SNP        uint8
	Microcode  uint8
}

// Component is one part of a TCB: "fmc", "bootloader", "tee", "snp" or
// "microcode", and its security patch level.
type Component struct {
	Name string
	SPL  uint8
}

// A part is one byte of a TCB_VERSION; a reserved one has no name. param is
// the parameter of a KDS request, oid the last number of the extension 3.n.
type part struct {
	name, param string
	oid         int
	spl         *uint8
}

// layout lists the bytes of a TCB_VERSION, the least significant first (AMD
// 56860, TCB_VERSION: one table for Milan and Genoa, one for Turin).
func (t *TCB) layout() [8]part {
	fmc := part{"fmc", "fmcSPL", 9, &t.FMC}
	bl := part{"bootloader", "blSPL", 1, &t.BootLoader}
	tee := part{"tee", "teeSPL", 2, &t.TEE}
	snp := part{"snp", "snpSPL", 3, &t.SNP}
	ucode := part{"microcode", "ucodeSPL", 8, &t.Microcode}
	reserved := func(oid int) part { return part{oid: oid} }
	if t.Product == Turin {
		return [8]part{fmc, bl, tee, snp, reserved(5), reserved(6), reserved(7), ucode}
	}
	return [8]part{bl, tee, reserved(4), reserved(5), reserved(6), reserved(7), snp, ucode}
}

// Components lists the components that the product has, in the order of the
// report. A TCB of no product has none.
func (t TCB) Components() []Component {
	if !t.Product.known() {
		return nil
	}
	list := make([]Component, 0, 5)
	for _, p := range t.layout() {
		if p.spl != nil {
			list = append(list, Component{p.name, *p.spl})
		}
	}
	return list
}

// AtLeast reports whether every component reaches that of floor. TCBs of
// different products, or of none, do not compare: the result is false.
func (t TCB) AtLeast(floor TCB) bool {
	return t.Product.known() && t.Product == floor.Product && len(t.Below(floor)) == 0
}

// Below names the components that do not reach those of floor, with both
// numbers, such as "snp 8 < 24". It is meaningful for TCBs of one product only.
func (t TCB) Below(floor TCB) []string {
	var list []string
	want := floor.Components()
	for i, c := range t.Components() {
		if i < len(want) && c.SPL < want[i].SPL {
			list = append(list, fmt.Sprintf("%s %d < %d", c.Name, c.SPL, want[i].SPL))
		}
	}
	return list
}

// Raw returns the TCB as a report has it.
func (t TCB) Raw() RawTCB {
	var b [8]byte
	for i, p := range t.layout() {
		if p.spl != nil {
			b[i] = *p.spl
		}
	}
	return RawTCB(binary.LittleEndian.Uint64(b[:]))
}

// String lists the components, such as "bootloader 4, tee 0, snp 24, microcode 219".
func (t TCB) String() string {
	list := make([]string, 0, 5)
	for _, c := range t.Components() {
		list = append(list, fmt.Sprintf("%s %d", c.Name, c.SPL))
	}
	return strings.Join(list, ", ")
}
