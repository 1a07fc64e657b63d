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

// describe shows the data of an event to a person: as text where it is text, in
// UTF-8 or UTF-16, else its first bytes. It does not interpret it.
func describe(data []byte) string {
	if text, ok := readText(data); ok {
		return clip(text, maxDescription)
	}
	const shown = 16
	if len(data) <= shown {
		return fmt.Sprintf("% x", data)
	}
	return fmt.Sprintf("% x… (%d bytes)", data[:shown], len(data))
}

// readText returns data as text if a person would call it that: printable, with
// NULs at the end at most.
func readText(data []byte) (string, bool) {
	if text := strings.TrimRight(string(data), "\x00"); isPrintable(text) {
		return text, true
	}
	if len(data)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	text := strings.TrimRight(string(utf16.Decode(units)), "\x00")
	// Two bytes make a printable character too easily: only ASCII counts here.
	return text, isPrintable(text) && len(text) == utf8.RuneCountInString(text)
}

func isPrintable(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return text != ""
}
