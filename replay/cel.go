package replay

import (
	"encoding/binary"
	"fmt"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Types in a CEL-TLV record (TCG Canonical Event Log 1.0, 5.1). Type 108 is that
// of Google's launcher for confidential computing registers.
const (
	celRecordNumber = 0
	celPCR          = 1
	celDigests      = 3
	celCCMR         = 108
)

// Register is a measurement register as a CEL names it.
type Register struct {
	CCMR  bool // a confidential computing register: index 1 to 4 is RTMR 0 to 3; otherwise a PCR
	Index int
}

// The registers Confidential Space measures the container into.
var (
	ContainerPCR  = Register{Index: 13}
	ContainerRTMR = Register{CCMR: true, Index: 4} // RTMR 3
)

// String returns "PCR 13" or "RTMR 3".
func (r Register) String() string {
	if r.CCMR {
		return fmt.Sprintf("RTMR %d", r.Index-1)
	}
	return fmt.Sprintf("PCR %d", r.Index)
}

// CEL is a parsed canonical event log. Like a [Log] it proves nothing until its
// replay gives a verified value.
type CEL struct {
	Records []Record
}

// Record is one record of a CEL. Content is a sub-slice of the log.
type Record struct {
	Number               int // from 0, without gaps
	Register             Register
	UntrustedContentType uint8 // not measured, unless the content's own digest rule covers it
	Content              []byte

	whole   []byte // the content TLV with its type and length
	digests []celDigest
}

type celDigest struct {
	alg   tpm.Alg
	value []byte
}

// Digest returns the digest the record extended in bank alg, or nil.
func (r *Record) Digest(alg tpm.Alg) []byte {
	for _, d := range r.digests {
		if d.alg == alg {
			return d.value
		}
	}
	return nil
}

// ParseCEL parses a canonical event log in TLV form. Record numbers must count
// up from 0, every record has exactly a number, a register, digests and one
// content, and nothing may follow the last. The limits are those of [ParseLog].
// Errors are of type *[ParseError]. The result shares memory with raw.
func ParseCEL(raw []byte) (*CEL, error) {
	if len(raw) > MaxLogSize {
		return nil, &ParseError{-1, 0, fmt.Sprintf("log has %d bytes, the limit is %d", len(raw), MaxLogSize)}
	}
	l := &CEL{}
	c := cursor{buf: raw}
	for c.off < len(raw) {
		start, n := c.off, len(l.Records)
		if n == MaxEvents {
			return nil, &ParseError{n, start, fmt.Sprintf("the log has more than %d records", MaxEvents)}
		}
		rec, err := parseRecord(&c, n)
		if err != nil {
			return nil, &ParseError{n, start, err.Error()}
		}
		l.Records = append(l.Records, rec)
	}
	if len(l.Records) == 0 {
		return nil, &ParseError{-1, 0, "the log has no records"}
	}
	return l, nil
}

func parseRecord(c *cursor, n int) (Record, error) {
	r := Record{Number: n}
	kind, number := c.tlv("record number")
	switch {
	case c.err != nil:
		return r, c.err
	case kind != celRecordNumber || len(number) != 8:
		return r, fmt.Errorf("record starts with type %d of %d bytes, want a record number of 8", kind, len(number))
	case binary.BigEndian.Uint64(number) != uint64(n): //nolint:gosec // n counts from 0
		return r, fmt.Errorf("record number is %d, want %d", binary.BigEndian.Uint64(number), n)
	}
	kind, index := c.tlv("register")
	if c.err != nil {
		return r, c.err
	}
	var err error
	if r.Register, err = parseRegister(kind, index); err != nil {
		return r, err
	}
	kind, list := c.tlv("digests")
	switch {
	case c.err != nil:
		return r, c.err
	case kind != celDigests:
		return r, fmt.Errorf("type %d follows the register, want digests", kind)
	}
	if r.digests, err = parseDigests(list); err != nil {
		return r, err
	}
	start := c.off
	r.UntrustedContentType, r.Content = c.tlv("content")
	r.whole = c.buf[start:c.off:c.off]
	return r, c.err
}

func parseRegister(kind uint8, index []byte) (Register, error) {
	if len(index) != 1 {
		return Register{}, fmt.Errorf("register index has %d bytes, want 1", len(index))
	}
	i := int(index[0])
	switch {
	case kind == celPCR && i <= maxPCR:
		return Register{Index: i}, nil
	case kind == celCCMR && i >= 1 && i <= 4: // 0 is MRTD, which nothing extends
		return Register{CCMR: true, Index: i}, nil
	default:
		return Register{}, fmt.Errorf("register type %d, index %d is neither a PCR nor an RTMR", kind, i)
	}
}

// parseDigests decodes TPML_DIGEST_VALUES in TLV form: the type is the low byte
// of the algorithm.
func parseDigests(list []byte) ([]celDigest, error) {
	c := cursor{buf: list}
	var all []celDigest
	for c.off < len(list) {
		kind, value := c.tlv("digest")
		if c.err != nil {
			return nil, c.err
		}
		alg := tpm.Alg(kind)
		if want := alg.Size(); want != 0 && len(value) != want || len(value) < 1 || len(value) > maxDigest {
			return nil, fmt.Errorf("%v digest has %d bytes", alg, len(value))
		}
		for _, d := range all {
			if d.alg == alg {
				return nil, fmt.Errorf("two %v digests", alg)
			}
		}
		if all = append(all, celDigest{alg, value}); len(all) > maxAlgs {
			return nil, fmt.Errorf("more than %d digests", maxAlgs)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no digests")
	}
	return all, nil
}

// tlv reads a type byte, a big-endian length and as many bytes.
func (c *cursor) tlv(what string) (kind uint8, value []byte) {
	kind = c.u8(what)
	if b := c.take(4, what+" length"); b != nil {
		value = c.take(uint64(binary.BigEndian.Uint32(b)), what)
	}
	return kind, value
}

// Replay extends the log's digests for one register and returns the value it
// ends with and the number of records. The register starts at zero. It is an
// error if a record of the register lacks the bank.
func (l *CEL) Replay(reg Register, alg tpm.Alg) (value []byte, records int, err error) {
	if alg.Size() == 0 {
		return nil, 0, fmt.Errorf("bank %v cannot be computed", alg)
	}
	d := digest{n: alg.Size()}
	for i := range l.Records {
		r := &l.Records[i]
		if r.Register != reg {
			continue
		}
		event := r.Digest(alg)
		if event == nil {
			return nil, 0, fmt.Errorf("record %d has no %v digest", i, alg)
		}
		d.extend(alg, event)
		records++
	}
	return d.bytes(), records, nil
}
