package forge

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"unicode/utf16"
)

// GUID is an EFI_GUID as it lies in memory: three little-endian fields, then
// eight bytes (UEFI 2.10, appendix A).
type GUID [16]byte

// guid reads a GUID in its usual spelling without hyphens; the callers below
// are constants.
func guid(text string) GUID {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return GUID{}
	}
	g := GUID(raw)
	g[0], g[1], g[2], g[3] = raw[3], raw[2], raw[1], raw[0]
	g[4], g[5], g[6], g[7] = raw[5], raw[4], raw[7], raw[6]
	return g
}

// GlobalVariable is EFI_GLOBAL_VARIABLE: SecureBoot, PK, KEK and Boot####.
func GlobalVariable() GUID { return guid("8be4df6193ca11d2aa0d00e098032b8c") }

// ImageSecurityDatabase is EFI_IMAGE_SECURITY_DATABASE_GUID: db and dbx.
func ImageSecurityDatabase() GUID { return guid("d719b2cb3d3a4596a3bcdad00e67656f") }

// ShimLock is the vendor of the variables that shim measures.
func ShimLock() GUID { return guid("605dab50e0464300abb63dd810dd8b23") }

// owner is the SignatureOwner in the lists of forged machines.
func owner() GUID { return guid("a77e57c71f0243679a5ef0209d0e5ab1") }

// ucs2 encodes text as UEFI does; the terminator is the caller's.
func ucs2(text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// Variable encodes UEFI_VARIABLE_DATA (PFP 1.06, 10.2.6).
func Variable(vendor GUID, name string, value []byte) []byte {
	wide := ucs2(name)
	out := bytes.Clone(vendor[:])
	out = binary.LittleEndian.AppendUint64(out, uint64(size32(wide)/2))
	out = binary.LittleEndian.AppendUint64(out, uint64(size32(value)))
	return append(append(out, wide...), value...)
}

// CertificateList encodes an EFI_SIGNATURE_LIST of one X.509 certificate
// (UEFI 2.10, 32.4.1).
func CertificateList(der []byte) []byte {
	return signatureList(guid("a5c059a194e44aa787b5ab155c2bf072"), [][]byte{der})
}

// HashList encodes an EFI_SIGNATURE_LIST of SHA-256 image hashes.
func HashList(hashes ...[]byte) []byte {
	return signatureList(guid("c1c41626504c4092aca941f936934328"), hashes)
}

func signatureList(kind GUID, signatures [][]byte) []byte {
	const header = 28
	size := size32(signatureData(signatures[0]))
	out := bytes.Clone(kind[:])
	out = appendLE32(out, header+size*size32(signatures), 0, size)
	for _, s := range signatures {
		out = append(out, signatureData(s)...)
	}
	return out
}

// signatureData encodes EFI_SIGNATURE_DATA, which an authority event carries.
func signatureData(signature []byte) []byte {
	g := owner()
	return append(g[:], signature...)
}

// devicePath encodes a file path node and the end of the path (UEFI 2.10,
// 10.3.5.4).
func devicePath(file string) []byte {
	name := append(ucs2(file), 0, 0)
	out := []byte{4, 4}
	out = binary.LittleEndian.AppendUint16(out, uint16(4+len(name))) //nolint:gosec // file names of this package are short
	out = append(out, name...)
	return append(out, 0x7f, 0xff, 4, 0)
}

// ImageLoad encodes UEFI_IMAGE_LOAD_EVENT (PFP 1.06, 10.2.3).
func ImageLoad(file string) []byte {
	path := devicePath(file)
	var out []byte
	for _, v := range []uint64{0xbd4fd018, 0x000e2318, 0, uint64(size32(path))} {
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return append(out, path...)
}

// loadOption encodes EFI_LOAD_OPTION, the value of Boot#### (UEFI 2.10, 3.1.3).
func loadOption(description, file string) []byte {
	path := devicePath(file)
	out := appendLE32(nil, 1)                                      // LOAD_OPTION_ACTIVE
	out = binary.LittleEndian.AppendUint16(out, uint16(len(path))) //nolint:gosec // as above
	out = append(append(out, ucs2(description)...), 0, 0)
	return append(out, path...)
}

// gptEvent encodes UEFI_GPT_DATA (PFP 1.06, 10.2.5) for a disk with one
// partition, the EFI system partition.
func gptEvent(disk, partition []byte) []byte {
	const entries, entrySize = 128, 128
	esp := guid("c12a7328f81f11d2ba4b00a0c93ec93b")
	entry := append(bytes.Clone(esp[:]), partition[:16]...)
	for _, v := range []uint64{2048, 262143, 0} { // first block, last block, attributes
		entry = binary.LittleEndian.AppendUint64(entry, v)
	}
	entry = append(entry, ucs2("EFI-SYSTEM")...)
	entry = append(entry, make([]byte, entrySize-len(entry))...)

	header := []byte("EFI PART")
	header = appendLE32(header, 0x00010000, 92, 0, 0)
	for _, v := range []uint64{1, 20971519, 34, 20971486} { // this, backup, first and last usable block
		header = binary.LittleEndian.AppendUint64(header, v)
	}
	header = append(header, disk[:16]...)
	header = binary.LittleEndian.AppendUint64(header, 2)
	table := append(bytes.Clone(entry), make([]byte, (entries-1)*entrySize)...)
	header = appendLE32(header, entries, entrySize, crc32.ChecksumIEEE(table))
	binary.LittleEndian.PutUint32(header[16:], crc32.ChecksumIEEE(header))

	header = binary.LittleEndian.AppendUint64(header, 1)
	return append(header, entry...)
}
