package forge

import (
	"encoding/binary"
	"slices"
)

// Triple is the evidence that tpm2_quote writes: `--message`, `--signature`
// and `--pcr` in its serialized form.
type Triple struct {
	Message   []byte // TPMS_ATTEST
	Signature []byte // TPMT_SIGNATURE
	PCRs      []byte // tpm2-tools' structures as they lie in memory
}

// Triple returns the quote of one bank as files for tpm2_checkquote.
func (e *Evidence) Triple(bank Alg) (*Triple, error) {
	q, err := quoteOf(e.Attestation, bank)
	if err != nil {
		return nil, err
	}
	return &Triple{Message: q.GetQuote(), Signature: q.GetRawSig(), PCRs: toolsPCRs(bank, q.GetPcrs().GetPcrs())}, nil
}

// toolsPCRs writes TPML_PCR_SELECTION with its 16 fixed slots, the number of
// TPML_DIGEST, and each of those with 8 slots of 64 bytes, little-endian and
// padded as a C compiler for x86-64 does.
func toolsPCRs(bank Alg, values Bank) []byte {
	const slots, digests, digestSize = 16, 8, 64
	indices := values.indices()
	out := appendLE32(nil, 1)
	var bitmap [4]byte
	for _, i := range indices {
		bitmap[i/8%4] |= 1 << (i % 8)
	}
	out = append(binary.LittleEndian.AppendUint16(out, uint16(bank)), 3)
	out = append(append(out, bitmap[:]...), 0)
	out = append(out, make([]byte, (slots-1)*8)...)

	lists := slices.Collect(slices.Chunk(indices, digests))
	out = appendLE32(out, size32(lists))
	for _, list := range lists {
		out = appendLE32(out, size32(list))
		for _, i := range list {
			out = binary.LittleEndian.AppendUint16(out, uint16(len(values[i]))) //nolint:gosec // a digest
			out = append(append(out, values[i]...), make([]byte, max(0, digestSize-len(values[i])))...)
		}
		out = append(out, make([]byte, (digests-len(list))*(2+digestSize))...)
	}
	return out
}
