package replay

import (
	"bytes"
	"encoding/binary"
)

// Encode writes the log as ParseLog read it, so that a test can show that no two
// inputs have the same meaning.
func (l *Log) Encode(fill byte) []byte {
	out := bytes.Clone(l.header)
	u32 := func(v uint32) { out = binary.LittleEndian.AppendUint32(out, v) }
	for i := range l.Events {
		e := &l.Events[i]
		u32(uint32(e.PCR))
		u32(uint32(e.kind))
		var digests []byte
		var n uint32
		for _, b := range l.banks {
			d := e.Digest(b.alg)
			if d != nil && l.CryptoAgile() {
				digests = binary.LittleEndian.AppendUint16(digests, uint16(b.alg))
				n++
			}
			digests = append(digests, d...)
		}
		if l.CryptoAgile() {
			u32(n)
		}
		out = append(out, digests...)
		u32(uint32(len(e.Data)))
		out = append(out, e.Data...)
	}
	return append(out, bytes.Repeat([]byte{fill}, l.Padding)...)
}

func tlv(kind uint8, value []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(value)))
	return append(out, value...)
}

// Encode writes the log as ParseCEL read it.
func (l *CEL) Encode() []byte {
	var out []byte
	for _, r := range l.Records {
		out = append(out, tlv(celRecordNumber, binary.BigEndian.AppendUint64(nil, uint64(r.Number)))...)
		kind := uint8(celPCR)
		if r.Register.CCMR {
			kind = celCCMR
		}
		out = append(out, tlv(kind, []byte{byte(r.Register.Index)})...)
		var digests []byte
		for _, d := range r.digests {
			digests = append(digests, tlv(uint8(d.alg), d.value)...)
		}
		out = append(out, tlv(celDigests, digests)...)
		out = append(out, tlv(r.UntrustedContentType, r.Content)...)
	}
	return out
}
