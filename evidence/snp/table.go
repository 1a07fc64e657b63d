package snp

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// GUID names the kind of a certificate table entry. Its bytes are in the order
// of its text, in the table as well (RFC 9562 4, network order).
type GUID [16]byte

// The kinds of entries with a known meaning (AMD 56421, MSG_REPORT_REQ, but for
// the last two, which are Google's).
var (
	GUIDVCEK         = GUID{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd}
	GUIDVLEK         = GUID{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1}
	GUIDASK          = GUID{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82} // and ASVK
	GUIDARK          = GUID{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae}
	GUIDCRL          = GUID{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea}
	GUIDGCEFirmware  = GUID{0x9f, 0x41, 0x16, 0xcd, 0xc5, 0x03, 0x4f, 0x5a, 0x8f, 0x6f, 0xfb, 0x68, 0x88, 0x2f, 0x4c, 0xe2}
	GUIDPlatformInfo = GUID{0xec, 0xae, 0x0c, 0x0f, 0x95, 0x02, 0x43, 0xb1, 0xaf, 0xa2, 0x0a, 0xe2, 0xe0, 0xd5, 0x65, 0xb6}
)

var guidNames = map[GUID]string{
	GUIDVCEK:         "VCEK",
	GUIDVLEK:         "VLEK",
	GUIDASK:          "ASK",
	GUIDARK:          "ARK",
	GUIDCRL:          "CRL",
	GUIDGCEFirmware:  "GCE firmware endorsement",
	GUIDPlatformInfo: "platform info",
}

// Name returns the name of a kind with a known meaning, or "".
func (g GUID) Name() string { return guidNames[g] }

// String returns the usual text, such as "63da758d-e664-4564-adc5-f4b93be8accd".
func (g GUID) String() string {
	s := hex.EncodeToString(g[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Limits on a certificate table. Genuine ones have up to five entries and stay
// below 20 KiB.
const (
	maxTable       = 256 << 10
	maxEntries     = 16
	tableEntrySize = 24
)

// CertTable is the certificate table of an extended report (AMD 56421,
// MSG_REPORT_REQ), as the host fills it in. Nothing in it is signed as a table.
type CertTable struct {
	Entries []TableEntry // in the order of the table
}

// TableEntry is one blob of a table. Data may be empty, and shares memory with
// the table.
type TableEntry struct {
	GUID GUID
	Data []byte

	offset uint64
}

// Find returns the data of the entry of the given kind. False means that there
// is none, which is not the same as an empty one.
func (t *CertTable) Find(g GUID) ([]byte, bool) {
	for _, e := range t.Entries {
		if e.GUID == g {
			return e.Data, true
		}
	}
	return nil, false
}

// SplitExtended splits an extended report in the report, ReportSize bytes, and
// the certificate table behind it, which may be empty. Neither is decoded.
func SplitExtended(raw []byte) (report, table []byte, err error) {
	if len(raw) < ReportSize {
		return nil, nil, fmt.Errorf("extended snp report has %d bytes, want at least %d", len(raw), ReportSize)
	}
	return raw[:ReportSize:ReportSize], raw[ReportSize:], nil
}

// ParseCertTable decodes a certificate table: entries of 24 bytes, one of zeros
// to end them, then the blobs. No bytes at all are an empty table. Refused are
// tables over 256 KiB or of more than 16 entries, without an end, with the same
// GUID twice, with blobs that reach into the entries, into another blob or past
// the end, and with anything but zeros between and after the blobs. The result
// shares memory with raw.
func ParseCertTable(raw []byte) (*CertTable, error) {
	if len(raw) == 0 {
		return &CertTable{}, nil
	}
	if len(raw) > maxTable {
		return nil, fmt.Errorf("certificate table has %d bytes, at most %d are read", len(raw), maxTable)
	}
	t := &CertTable{}
	rest := raw
	for {
		if len(rest) < tableEntrySize {
			return nil, errors.New("certificate table has no end")
		}
		head := rest[:tableEntrySize]
		rest = rest[tableEntrySize:]
		if isZero(head) {
			break
		}
		if len(t.Entries) == maxEntries {
			return nil, fmt.Errorf("certificate table has more than %d entries", maxEntries)
		}
		e, err := tableEntry(raw, head)
		if err != nil {
			return nil, err
		}
		if _, again := t.Find(e.GUID); again {
			return nil, fmt.Errorf("certificate table has %s twice", e.GUID)
		}
		t.Entries = append(t.Entries, e)
	}
	if err := t.checkPlaces(raw, len(raw)-len(rest)); err != nil {
		return nil, err
	}
	return t, nil
}

func tableEntry(raw, head []byte) (TableEntry, error) {
	e := TableEntry{GUID: GUID(head[:16])}
	e.offset = uint64(binary.LittleEndian.Uint32(head[16:]))
	end := e.offset + uint64(binary.LittleEndian.Uint32(head[20:])) // 33 bits at most
	if end > uint64(len(raw)) {
		return TableEntry{}, fmt.Errorf("certificate table entry %s ends at byte %d of %d", e.GUID, end, len(raw))
	}
	e.Data = raw[e.offset:end:end]
	return e, nil
}

// checkPlaces checks that the blobs lie behind the entries, which end at the
// given offset, and apart, with zeros between them.
func (t *CertTable) checkPlaces(raw []byte, end int) error {
	placed := slices.SortedFunc(slices.Values(t.Entries), func(a, b TableEntry) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(len(a.Data), len(b.Data)))
	})
	free := uint64(end) //nolint:gosec // a length
	for _, e := range placed {
		if e.offset < free {
			return fmt.Errorf("certificate table entry %s at byte %d overlaps what ends at %d", e.GUID, e.offset, free)
		}
		if !isZero(raw[free:e.offset]) {
			return fmt.Errorf("certificate table has stray data before byte %d", e.offset)
		}
		free = e.offset + uint64(len(e.Data))
	}
	if !isZero(raw[free:]) {
		return fmt.Errorf("certificate table has stray data after byte %d", free)
	}
	return nil
}

func isZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
