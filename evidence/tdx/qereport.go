package tdx

import "encoding/binary"

const qeReportSize = 384

// QEReport is the SGX enclave report of the quoting enclave (Appendix A.3.11).
type QEReport struct {
	CPUSVN     [16]byte
	MiscSelect uint32
	Attributes [16]byte
	MREnclave  [32]byte
	MRSigner   [32]byte
	ISVProdID  uint16
	ISVSVN     uint16
	ReportData [64]byte // SHA-256 of attestation key and QE auth data, then zeros
}

// parseQEReport decodes the report that r has just taken.
func parseQEReport(r *reader) (e QEReport) {
	if r.Err != nil {
		return e
	}
	r.Off -= qeReportSize
	r.Fill(e.CPUSVN[:])
	e.MiscSelect = r.U32()
	r.zero("the qe report after miscselect", 28)
	r.Fill(e.Attributes[:])
	r.Fill(e.MREnclave[:])
	r.zero("the qe report after mrenclave", 32)
	r.Fill(e.MRSigner[:])
	r.zero("the qe report after mrsigner", 96)
	e.ISVProdID, e.ISVSVN = r.U16(), r.U16()
	r.zero("the qe report after isvsvn", 60)
	r.Fill(e.ReportData[:])
	return e
}

// Append appends the 384 bytes of the report to b.
func (e *QEReport) Append(b []byte) []byte {
	b = append(b, e.CPUSVN[:]...)
	b = binary.LittleEndian.AppendUint32(b, e.MiscSelect)
	b = append(b, make([]byte, 28)...)
	b = append(b, e.Attributes[:]...)
	b = append(b, e.MREnclave[:]...)
	b = append(b, make([]byte, 32)...)
	b = append(b, e.MRSigner[:]...)
	b = append(b, make([]byte, 96)...)
	b = binary.LittleEndian.AppendUint16(b, e.ISVProdID)
	b = binary.LittleEndian.AppendUint16(b, e.ISVSVN)
	b = append(b, make([]byte, 60)...)
	return append(b, e.ReportData[:]...)
}
