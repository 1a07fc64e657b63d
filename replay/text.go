package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeUTF16 decodes little-endian UTF-16 exactly: what it returns encodes to b
// again. A name with a lone surrogate or an embedded NUL is refused, because
// another reader would see another name.
func decodeUTF16(b []byte) (string, error) {
	if len(b)%2 != 0 {
		return "", fmt.Errorf("UTF-16 text has an odd number of bytes, %d", len(b))
	}
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		r := rune(binary.LittleEndian.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			if i += 2; i >= len(b) {
				return "", errors.New("UTF-16 text ends in half a surrogate pair")
			}
			if r = utf16.DecodeRune(r, rune(binary.LittleEndian.Uint16(b[i:]))); r == utf8.RuneError {
				return "", errors.New("UTF-16 text has an unpaired surrogate")
			}
		}
		if r == 0 {
			return "", errors.New("UTF-16 text contains a NUL")
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), nil
}

// printable reports whether b is UTF-8 a person can be shown: no control or
// format characters, except those in allowed.
func printable(b []byte, allowed string) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		if !unicode.IsPrint(r) && !bytes.ContainsRune([]byte(allowed), r) {
			return false
		}
		b = b[n:]
	}
	return true
}
