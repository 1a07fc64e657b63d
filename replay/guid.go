package replay

import (
	"encoding/binary"
	"fmt"
)

// guid is an EFI_GUID as it lies in memory: the first three fields are
// little-endian.
type guid [16]byte

func newGUID(a uint32, b, c uint16, d [8]byte) guid {
	var g guid
	binary.LittleEndian.PutUint32(g[0:], a)
	binary.LittleEndian.PutUint16(g[4:], b)
	binary.LittleEndian.PutUint16(g[6:], c)
	copy(g[8:], d[:])
	return g
}

// String returns the registry form, "8be4df61-93ca-11d2-aa0d-00e098032b8c".
func (g guid) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[0:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
}

// The name spaces of the variables in PCR 7.
var (
	// EFI_GLOBAL_VARIABLE (UEFI 2.10, 3.3): SecureBoot, PK, KEK.
	guidGlobal = newGUID(0x8be4df61, 0x93ca, 0x11d2, [8]byte{0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c})
	// EFI_IMAGE_SECURITY_DATABASE_GUID (UEFI 2.10, 32.6.1): db, dbx.
	guidImageSecurity = newGUID(0xd719b2cb, 0x3d3a, 0x4596, [8]byte{0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f})
	// SHIM_LOCK_GUID of shim: SbatLevel, MokSBState, MokListTrusted and others.
	guidShim = newGUID(0x605dab50, 0xe046, 0x4300, [8]byte{0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23})
)

// The types of an EFI_SIGNATURE_LIST that are read (UEFI 2.10, 32.4.1).
var (
	guidX509   = newGUID(0xa5c059a1, 0x94e4, 0x4aa7, [8]byte{0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72})
	guidSHA256 = newGUID(0xc1c41626, 0x504c, 0x4092, [8]byte{0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28})
)
