package report

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDescription bounds what is shown of an event's data, in characters.
const maxDescription = 120

// describe shows the data of an event to a person: the name of a UEFI variable,
// text in UTF-8 or UTF-16, else its first bytes. Nothing relies on it.
func describe(data []byte) string {
	if name, ok := readVariable(data); ok {
		return clip("variable "+name, maxDescription)
	}
	if text, ok := readText(data); ok {
		return clip(text, maxDescription)
	}
	const shown = 16
	if len(data) <= shown {
		return fmt.Sprintf("% x", data)
	}
	return fmt.Sprintf("% x… (%d bytes)", data[:shown], len(data))
}

// readVariable returns the name in a UEFI_VARIABLE_DATA (PFP 1.06, 10.2.6).
func readVariable(data []byte) (string, bool) {
	const header = 16 + 8 + 8
	if len(data) < header {
		return "", false
	}
	units, value := binary.LittleEndian.Uint64(data[16:]), binary.LittleEndian.Uint64(data[24:])
	rest := uint64(len(data) - header) //nolint:gosec // not negative, see above
	if units == 0 || units > rest/2 || value != rest-2*units {
		return "", false
	}
	return readUTF16(data[header : header+2*units])
}

// readText returns data as text if a person would call it that: most of it is
// printable, with NULs at the end at most. What is not printable is escaped
// where it is written.
func readText(data []byte) (string, bool) {
	if text := strings.TrimRight(string(data), "\x00"); isText(text) {
		return text, true
	}
	return readUTF16(data)
}

// readUTF16 is readText for UTF-16. Any two bytes make a character, so that only
// ASCII counts as text here.
func readUTF16(data []byte) (string, bool) {
	if len(data)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	text := strings.TrimRight(string(utf16.Decode(units)), "\x00")
	return text, isText(text) && len(text) == utf8.RuneCountInString(text)
}

// isText reports whether at most a quarter of the characters are not printable.
func isText(text string) bool {
	if text == "" || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return false
	}
	odd := 0
	for _, r := range text {
		if !strconv.IsPrint(r) {
			odd++
		}
	}
	return 4*odd <= utf8.RuneCountInString(text)
}
