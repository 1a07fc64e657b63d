package forge

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
)

// GUIDs of the entries of a certificate table (AMD 56421, MSG_REPORT_REQ).
const (
	GUIDVCEK = "63da758d-e664-4564-adc5-f4b93be8accd"
	GUIDVLEK = "a8074bc2-a25a-483e-aae6-39c045a0b8a1"
	GUIDASK  = "4ab7b379-bbac-4fe4-a02f-05aef327c782"
	GUIDARK  = "c0b406a4-a803-4952-9743-3fb6014cd0ae"
)

// TableEntry is one entry of a certificate table. A zero Offset is filled in:
// the blobs follow one another behind the entries.
type TableEntry struct {
	GUID   string
	Data   []byte
	Offset uint32
	Length uint32 // zero is that of Data
}

// TableEntries are those of an honest certificate table.
func (r *SNPReport) TableEntries() []TableEntry {
	leaf := GUIDVCEK
	if r.Key == VLEK {
		leaf = GUIDVLEK
	}
	return []TableEntry{{GUID: leaf, Data: r.Leaf.Raw}, {GUID: GUIDASK, Data: r.Issuer.Raw}, {GUID: GUIDARK, Data: r.Root.Raw}}
}

// CertTable encodes a certificate table: the entries of 24 bytes each, one of
// zeros, and the blobs.
func CertTable(entries []TableEntry) []byte {
	next := size32(make([]byte, 24*(len(entries)+1)))
	var head, blobs []byte
	for _, e := range entries {
		offset, length := e.Offset, e.Length
		if offset == 0 {
			offset = next
			blobs = append(blobs, e.Data...)
			next += size32(e.Data)
		}
		if length == 0 {
			length = size32(e.Data)
		}
		head = append(head, guidBytes(e.GUID)...)
		head = le.AppendUint32(head, offset)
		head = le.AppendUint32(head, length)
	}
	return slices.Concat(head, make([]byte, 24), blobs)
}

// guidBytes are in the order of the text (RFC 9562 4). What is no GUID gives
// ones, so that a table with it still has its shape.
func guidBytes(text string) []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return bytes.Repeat([]byte{0xff}, 16)
	}
	return raw
}

// CertTable encodes the report's own certificates.
func (r *SNPReport) CertTable() []byte { return CertTable(r.TableEntries()) }

// Extended is the report followed by its certificate table, as SNP_GET_EXT_REPORT
// gives it.
func (r *SNPReport) Extended() []byte { return slices.Concat(r.Raw, r.CertTable()) }
