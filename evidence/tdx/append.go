package tdx

import (
	"encoding/binary"
	"encoding/pem"
)

// AppendSigned appends header and body of q as the attestation key signs them.
func (q *Quote) AppendSigned(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, q.Version)
	b = binary.LittleEndian.AppendUint16(b, keyTypeECDSAP256)
	b = binary.LittleEndian.AppendUint32(b, teeTypeTDX)
	b = binary.LittleEndian.AppendUint16(b, q.QESVN)
	b = binary.LittleEndian.AppendUint16(b, q.PCESVN)
	b = append(b, q.QEVendorID[:]...)
	b = append(b, q.UserData[:]...)
	tdx15 := q.BodyType == bodyTDX15
	if q.Version == 5 {
		size := uint32(bodySize10)
		if tdx15 {
			size = bodySize15
		}
		b = binary.LittleEndian.AppendUint16(b, q.BodyType)
		b = binary.LittleEndian.AppendUint32(b, size)
	}
	return q.appendBody(b, tdx15)
}

// Append appends the encoding of q to b: for a parsed quote the bytes it was
// parsed from.
func (q *Quote) Append(b []byte) []byte {
	inner := q.QEReport.Append(nil)
	inner = append(inner, q.QEReportSignature[:]...)
	inner = binary.LittleEndian.AppendUint16(inner, uint16(len(q.QEAuthData))) //nolint:gosec // was read from 16 bits
	inner = append(inner, q.QEAuthData...)
	var chain []byte
	for _, der := range q.PCKChain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})...)
	}
	chain = append(chain, make([]byte, q.ChainPadding)...)
	inner = appendCertData(inner, certPEMChain, chain)

	data := append(append([]byte{}, q.Signature[:]...), q.AttestationKey[:]...)
	data = appendCertData(data, certQEReport, inner)

	b = q.AppendSigned(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // at most MaxQuote
	b = append(b, data...)
	return append(b, make([]byte, q.Padding)...)
}

func appendCertData(b []byte, kind uint16, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // at most MaxQuote
	return append(b, data...)
}
