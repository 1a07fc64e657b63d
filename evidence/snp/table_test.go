package snp_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

// A row is an entry of a table to be made.
type row struct {
	guid           snp.GUID
	offset, length uint32
}

func rawTable(size int, rows ...row) []byte {
	var b []byte
	for _, r := range rows {
		b = append(b, r.guid[:]...)
		b = binary.LittleEndian.AppendUint32(b, r.offset)
		b = binary.LittleEndian.AppendUint32(b, r.length)
	}
	b = append(b, make([]byte, 24)...)
	for i := len(b); i < size; i++ {
		b = append(b, 0)
	}
	return b
}

func id(n byte) snp.GUID { return snp.GUID{15: n} }

func TestParseCertTable(t *testing.T) {
	for _, tt := range []struct {
		name, want string // want: an error's text
		in         []byte
		entries    int
	}{
		{name: "no bytes", in: nil},
		{name: "zeros", in: make([]byte, 4096)},
		{name: "one", in: rawTable(64, row{id(1), 48, 16}), entries: 1},
		{name: "one with a page of zeros", in: rawTable(4096, row{id(1), 48, 16}), entries: 1},
		{name: "two in reverse", in: rawTable(100, row{id(1), 90, 10}, row{id(2), 72, 18}), entries: 2},
		{name: "empty blob", in: rawTable(80, row{id(1), 72, 0}, row{id(2), 72, 8}), entries: 2},
		{name: "empty blob at the end", in: rawTable(64, row{id(1), 64, 0}), entries: 1},
		{name: "sixteen", in: rawTable(500, sixteen()...), entries: 16},

		{name: "seventeen", in: rawTable(500, append(sixteen(), row{id(99), 490, 0})...), want: "more than 16"},
		{name: "no end", in: rawTable(48, row{id(1), 24, 0})[:24], want: "has no end"},
		{name: "end cut off", in: rawTable(48, row{id(1), 47, 0})[:47], want: "has no end"},
		{name: "one byte", in: []byte{0}, want: "has no end"},
		{name: "into the entries", in: rawTable(64, row{id(1), 47, 16}), want: "overlaps"},
		{name: "at the beginning", in: rawTable(64, row{id(1), 0, 16}), want: "overlaps"},
		{name: "empty in the entries", in: rawTable(64, row{id(1), 24, 0}), want: "overlaps"},
		{name: "past the end", in: rawTable(64, row{id(1), 48, 17}), want: "ends at byte 65 of 64"},
		{name: "empty past the end", in: rawTable(64, row{id(1), 65, 0}), want: "ends at byte 65 of 64"},
		{name: "wrap", in: rawTable(4096, row{id(1), 0xFFFFFF00, 0x200}), want: "ends at byte 4294967552 of 4096"},
		{name: "wrap to zero", in: rawTable(4096, row{id(1), 0xFFFFFFFF, 1}), want: "ends at byte 4294967296 of 4096"},
		{name: "overlap", in: rawTable(100, row{id(1), 72, 10}, row{id(2), 81, 10}), want: "overlaps"},
		{name: "same blob", in: rawTable(100, row{id(1), 72, 10}, row{id(2), 72, 10}), want: "overlaps"},
		{name: "empty within a blob", in: rawTable(100, row{id(1), 72, 10}, row{id(2), 75, 0}), want: "overlaps"},
		{name: "same guid", in: rawTable(100, row{id(1), 72, 10}, row{id(1), 82, 10}), want: "twice"},
		{name: "stray bytes before", in: stray(rawTable(100, row{id(1), 60, 10}), 50), want: "stray data before byte 60"},
		{name: "stray bytes after", in: stray(rawTable(100, row{id(1), 60, 10}), 70), want: "stray data after byte 70"},
		{name: "stray bytes and no entry", in: stray(make([]byte, 100), 99), want: "stray data"},
		{name: "huge", in: make([]byte, 1<<20), want: "at most 262144"},
		{name: "2000 entries for one blob", in: bomb(2000), want: "certificate table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := snp.ParseCertTable(tt.in)
			if tt.want != "" {
				if table != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("ParseCertTable = %v, %v, want an error with %q", table, err, tt.want)
				}
				return
			}
			if err != nil || len(table.Entries) != tt.entries {
				t.Errorf("ParseCertTable = %+v, %v, want %d entries", table, err, tt.entries)
			}
		})
	}
}

func sixteen() (rows []row) {
	for i := range byte(16) {
		rows = append(rows, row{id(i + 1), 408 + 2*uint32(i), 2})
	}
	return rows
}

func stray(b []byte, at int) []byte {
	b[at] = 1
	return b
}

// bomb has n entries that all name the same big blob.
func bomb(n int) []byte {
	const blob = 200 << 10
	var rows []row
	for i := range n {
		g := snp.GUID{0: 1}
		binary.BigEndian.PutUint32(g[12:], uint32(i))
		rows = append(rows, row{g, uint32(24 * (n + 1)), blob})
	}
	return rawTable(24*(n+1)+blob, rows...)
}

// TestCertTableCopiesNothing: however often blobs are named, no memory is
// taken for them.
func TestCertTableCopiesNothing(t *testing.T) {
	in := rawTable(200<<10, row{id(1), 48, 199 << 10})
	table, err := snp.ParseCertTable(in)
	if err != nil {
		t.Fatal(err)
	}
	data, ok := table.Find(id(1))
	if !ok || len(data) != 199<<10 || cap(data) != len(data) {
		t.Fatalf("Find = %d bytes with room for %d, %v", len(data), cap(data), ok)
	}
	if in[48] = 7; data[0] != 7 {
		t.Error("the blob was copied")
	}
	if _, ok := table.Find(id(2)); ok {
		t.Error("Find finds what is not there")
	}
}

func TestGenuineTable(t *testing.T) {
	table, err := snp.ParseCertTable(read(t, "veraison-auxblob.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range table.Entries {
		names = append(names, e.GUID.Name())
	}
	if want := []string{"ARK", "ASK", "VCEK"}; !slices.Equal(names, want) {
		t.Errorf("entries %v, want %v", names, want)
	}
}

func TestGUID(t *testing.T) {
	for g, want := range map[snp.GUID][2]string{
		snp.GUIDVCEK:         {"63da758d-e664-4564-adc5-f4b93be8accd", "VCEK"},
		snp.GUIDVLEK:         {"a8074bc2-a25a-483e-aae6-39c045a0b8a1", "VLEK"},
		snp.GUIDASK:          {"4ab7b379-bbac-4fe4-a02f-05aef327c782", "ASK"},
		snp.GUIDARK:          {"c0b406a4-a803-4952-9743-3fb6014cd0ae", "ARK"},
		snp.GUIDCRL:          {"92f81bc3-5811-4d3d-97ff-d19f88dc67ea", "CRL"},
		snp.GUIDGCEFirmware:  {"9f4116cd-c503-4f5a-8f6f-fb68882f4ce2", "GCE firmware endorsement"},
		snp.GUIDPlatformInfo: {"ecae0c0f-9502-43b1-afa2-0ae2e0d565b6", "platform info"},
		{}:                   {"00000000-0000-0000-0000-000000000000", ""},
	} {
		if got := [2]string{g.String(), g.Name()}; got != want {
			t.Errorf("%x is %q, want %q", g[:], got, want)
		}
	}
}

func TestSplitExtended(t *testing.T) {
	raw := append(encode(t, newReport(mintMilan)), "table"...)
	report, table, err := snp.SplitExtended(raw)
	if err != nil || !bytes.Equal(report, raw[:1184]) || string(table) != "table" || cap(report) != 1184 {
		t.Errorf("SplitExtended = %d and %d bytes, %v", len(report), len(table), err)
	}
	if _, table, err := snp.SplitExtended(raw[:1184]); err != nil || len(table) != 0 {
		t.Errorf("SplitExtended of a bare report = %d bytes, %v", len(table), err)
	}
	if _, _, err := snp.SplitExtended(raw[:1183]); err == nil {
		t.Error("SplitExtended accepts a short report")
	}
}
