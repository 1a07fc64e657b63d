package forge

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// pcrCount is the number of PCRs that the PC Client profile requires.
const pcrCount = 24

// Bank holds the PCR values of one bank by index.
type Bank map[uint32][]byte

// Banks holds the values of several banks.
type Banks map[Alg]Bank

// NewBank returns a bank as a reset leaves it: zeros, and ones in PCR 17 to
// 22 which only a dynamic launch resets to zero (TCG PC Client Platform TPM
// Profile 1.05, 4.6.2).
func NewBank(alg Alg) (Bank, error) {
	hash, err := hashOf(alg)
	if err != nil {
		return nil, err
	}
	bank := Bank{}
	for i := range uint32(pcrCount) {
		fill := byte(0)
		if i >= 17 && i <= 22 {
			fill = 0xff
		}
		bank[i] = bytes.Repeat([]byte{fill}, hash.Size())
	}
	return bank, nil
}

// Extend does what TPM2_PCR_Extend does: PCR := H(PCR || digest).
func (b Bank) Extend(alg Alg, pcr uint32, measured []byte) error {
	old, ok := b[pcr]
	if !ok {
		return fmt.Errorf("no PCR %d", pcr)
	}
	value, err := digest(alg, old, measured)
	if err != nil {
		return err
	}
	b[pcr] = value
	return nil
}

// Clone returns a copy whose values can be changed in place.
func (b Bank) Clone() Bank {
	out := Bank{}
	for i, v := range b {
		out[i] = bytes.Clone(v)
	}
	return out
}

// indices returns the PCRs of a bank in ascending order.
func (b Bank) indices() []uint32 { return slices.Sorted(maps.Keys(b)) }
