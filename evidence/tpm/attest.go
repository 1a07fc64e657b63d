package tpm

import (
	"encoding/binary"
	"fmt"
)

// Magic is TPM_GENERATED_VALUE: only a TPM's own structures begin with it
// (TPM 2.0 Part 2, 6.2).
const Magic uint32 = 0xff544347

// TypeQuote is TPM_ST_ATTEST_QUOTE (TPM 2.0 Part 2, 6.9).
const TypeQuote uint16 = 0x8018

// MaxPCR is the highest PCR of a PC Client TPM (TCG PTP 4.6).
const MaxPCR = 23

// Limits on a PCR selection. A real quote selects one or a few banks with
// three bytes of bitmap each; a fourth byte would name PCRs that do not exist.
const (
	maxSelections  = 16
	maxSelectBytes = 8
)

// Attest is a TPMS_ATTEST of type quote (TPM 2.0 Part 2, 10.12.12).
type Attest struct {
	Magic           uint32
	Type            uint16
	QualifiedSigner []byte // TPM2B_NAME
	ExtraData       []byte // TPM2B_DATA: the qualifying data, the nonce of a quote
	Clock           ClockInfo
	FirmwareVersion uint64
	Selections      []Selection // TPML_PCR_SELECTION
	PCRDigest       []byte      // TPM2B_DIGEST over the selected PCRs, in order
}

// ClockInfo is a TPMS_CLOCK_INFO (TPM 2.0 Part 2, 10.11.1). Clock is in
// milliseconds since the TPM was last cleared, as the TPM counts them.
type ClockInfo struct {
	Clock        uint64
	ResetCount   uint32
	RestartCount uint32
	Safe         bool
}

// Selection is a TPMS_PCR_SELECTION (TPM 2.0 Part 2, 10.6.2).
type Selection struct {
	Hash   Alg
	Bitmap []byte // bit i of byte j selects PCR 8j+i
}

// Has reports whether the selection contains PCR i.
func (s Selection) Has(i int) bool {
	return i >= 0 && i/8 < len(s.Bitmap) && s.Bitmap[i/8]&(1<<(i%8)) != 0
}

// PCRs lists the selected PCRs in ascending order.
func (s Selection) PCRs() []int {
	var list []int
	for i := range len(s.Bitmap) * 8 {
		if s.Has(i) {
			list = append(list, i)
		}
	}
	return list
}

// NotQuoteError reports a TPMS_ATTEST that is well formed as far as it was read
// but is no quote by a TPM: its magic or its type say so.
type NotQuoteError struct {
	Magic uint32
	Type  uint16
}

// Error names the field and both values.
func (e *NotQuoteError) Error() string {
	if e.Magic != Magic {
		return fmt.Sprintf("magic is 0x%08x, want 0x%08x (TPM_GENERATED_VALUE)", e.Magic, Magic)
	}
	return fmt.Sprintf("type is 0x%04x, want 0x%04x (TPM_ST_ATTEST_QUOTE)", e.Type, TypeQuote)
}

// ParseAttest decodes a quote's TPMS_ATTEST. Other attestation types, and
// structures that no TPM signed as its own, give an *NotQuoteError; trailing
// bytes, impossible lengths and empty selections in the wrong form give other
// errors. The result shares memory with b.
func ParseAttest(b []byte) (*Attest, error) {
	r := newReader(b)
	a := &Attest{Magic: r.U32(), Type: r.U16()}
	if r.Err == nil && (a.Magic != Magic || a.Type != TypeQuote) {
		return nil, &NotQuoteError{a.Magic, a.Type}
	}
	a.QualifiedSigner = r.sized("qualifiedSigner")
	a.ExtraData = r.sized("extraData")
	a.Clock = r.clock()
	a.FirmwareVersion = r.U64()
	a.Selections = r.selections()
	a.PCRDigest = r.sized("pcrDigest")
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("TPMS_ATTEST: %w", err)
	}
	return a, nil
}

func (r *reader) clock() ClockInfo {
	c := ClockInfo{Clock: r.U64(), ResetCount: r.U32(), RestartCount: r.U32()}
	switch safe := r.U8(); safe { // TPMI_YES_NO has two values
	case 0:
	case 1:
		c.Safe = true
	default:
		r.Fail("safe is %d, want 0 or 1", safe)
	}
	return c
}

func (r *reader) selections() []Selection {
	n := r.U32()
	if n > maxSelections {
		r.Fail("%d PCR selections, at most %d are possible", n, maxSelections)
		return nil
	}
	list := make([]Selection, 0, n)
	for range n {
		s := Selection{Hash: r.alg()}
		size := r.U8()
		if size > maxSelectBytes {
			r.Fail("PCR bitmap of %d bytes", size)
			return nil
		}
		s.Bitmap = r.Take(int(size))
		list = append(list, s)
	}
	return list
}

// Append appends the encoding of a to b.
func (a *Attest) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, a.Magic)
	b = binary.BigEndian.AppendUint16(b, a.Type)
	b = appendSized(b, a.QualifiedSigner)
	b = appendSized(b, a.ExtraData)
	b = binary.BigEndian.AppendUint64(b, a.Clock.Clock)
	b = binary.BigEndian.AppendUint32(b, a.Clock.ResetCount)
	b = binary.BigEndian.AppendUint32(b, a.Clock.RestartCount)
	b = append(b, yesNo(a.Clock.Safe))
	b = binary.BigEndian.AppendUint64(b, a.FirmwareVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(a.Selections))) //nolint:gosec // at most maxSelections
	for _, s := range a.Selections {
		b = binary.BigEndian.AppendUint16(b, uint16(s.Hash))
		b = append(b, byte(len(s.Bitmap))) //nolint:gosec // at most maxSelectBytes
		b = append(b, s.Bitmap...)
	}
	return appendSized(b, a.PCRDigest)
}

func yesNo(v bool) byte {
	if v {
		return 1
	}
	return 0
}
