package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLine bounds a line in bytes: a claims document of the size that policies
// take, every letter of it escaped.
const maxLine = 16 << 20

// Hash is a SHA-256. In JSON it is 64 lower-case digits.
type Hash [sha256.Size]byte

// String returns the 64 digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return errors.New("not a SHA-256 in hex")
	}
	copy(h[:], b)
	return nil
}

// head is how the line with this number begins, behind a line with this hash.
func head(seq uint64, prev Hash) []byte {
	b := make([]byte, 0, 128)
	b = strconv.AppendUint(append(b, `{"seq":`...), seq, 10)
	b = hex.AppendEncode(append(b, `,"prev":"`...), prev[:])
	return append(b, `",`...)
}

// Line returns the bytes that the record has in a log, without the newline.
func (r Record) Line() ([]byte, error) {
	tail, err := r.tail()
	if err != nil {
		return nil, err
	}
	return append(head(r.Seq, r.Prev), tail...), nil
}

// tail returns the line of the record behind its head.
func (r Record) tail() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	input, err := canonicalInput(r.Input)
	if err != nil {
		return nil, err
	}
	if input != nil {
		sum := sha256.Sum256(input)
		r.InputDigest = "sha256:" + hex.EncodeToString(sum[:])
	}
	r.Seq, r.Prev, r.Input = 0, Hash{}, nil
	r.Time = r.Time.UTC()
	r.Result.Reasons = listed(r.Result.Reasons)
	if r.Shadow != nil {
		s := *r.Shadow
		s.Reasons = listed(s.Reasons)
		r.Shadow = &s
	}
	line, err := encode(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a record: %w", err)
	}
	if input != nil { // last, and so encoded once
		line = append(append(line[:len(line)-1], `,"input":`...), input...)
		line = append(line, '}')
	}
	return line[len(head(0, Hash{})):], nil
}

// listed makes no reasons an empty list.
func listed(reasons []Reason) []Reason {
	if reasons == nil {
		return []Reason{}
	}
	return reasons
}

// canonicalInput returns the input without white space and in ASCII.
func canonicalInput(in json.RawMessage) ([]byte, error) {
	if in == nil {
		return nil, nil
	}
	if bytes.HasPrefix(in, []byte{'{'}) && compactText(in) {
		return in, nil
	}
	if !utf8.Valid(in) {
		return nil, errInput
	}
	var b bytes.Buffer
	b.Grow(len(in))
	if err := json.Compact(&b, in); err != nil {
		return nil, fmt.Errorf("%w: %w", errInput, err)
	}
	if b.Len() == 0 || b.Bytes()[0] != '{' {
		return nil, errInput
	}
	return ascii(b.Bytes()), nil
}

// encode returns v in JSON, printable ASCII only.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return ascii(bytes.TrimSuffix(b.Bytes(), []byte{'\n'})), nil
}

// ascii escapes all of a JSON text that is not printable ASCII. Such a letter can
// stand in a string only, and JSON has no bare controls.
func ascii(text []byte) []byte {
	if printable(text) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/4)
	for _, r := range string(text) {
		switch {
		case r >= ' ' && r <= '~':
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// printable reports whether all of text is printable ASCII.
func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

var errEncoding = errors.New("not in the encoding that a log is written in")

// decodeRecord reads a line that encoding the record again gives.
func decodeRecord(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", errEncoding, err)
	}
	again, err := r.Line()
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, line) {
		return Record{}, errEncoding
	}
	return r, nil
}
