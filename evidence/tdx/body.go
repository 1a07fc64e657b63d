package tdx

import "encoding/binary"

// Body is a TD quote body (Appendix A.3.2, and A.4.3 for TDX 1.5): what the TDX
// module reports of the trust domain. All measurements are SHA-384 digests.
type Body struct {
	TeeTCBSVN      [16]byte // SVNs of the TDX module (0 and 1) and of TDX components
	MRSeam         [48]byte // the TDX module
	MRSignerSeam   [48]byte // its signer, zeros for an Intel module
	SeamAttributes uint64
	Attributes     Attributes
	XFAM           uint64   // extended features the TD may use, as XCR0 and IA32_XSS
	MRTD           [48]byte // the TD's initial contents
	MRConfigID     [48]byte
	MROwner        [48]byte
	MROwnerConfig  [48]byte
	RTMR           [4][48]byte // run-time measurement registers
	ReportData     [64]byte    // what the TD asked to have quoted

	// TDX 1.5 only, zeros otherwise: see Quote.BodyType.
	TeeTCBSVN2  [16]byte // SVNs of the TDX module that runs now, after updates
	MRServiceTD [48]byte // service TDs bound to the TD
}

func (r *reader) body(tdx15 bool) (b Body) {
	r.Fill(b.TeeTCBSVN[:])
	r.Fill(b.MRSeam[:])
	r.Fill(b.MRSignerSeam[:])
	b.SeamAttributes, b.Attributes, b.XFAM = r.U64(), Attributes(r.U64()), r.U64()
	for _, dst := range b.measurements() {
		r.Fill(dst)
	}
	r.Fill(b.ReportData[:])
	if tdx15 {
		r.Fill(b.TeeTCBSVN2[:])
		r.Fill(b.MRServiceTD[:])
	}
	return b
}

// measurements are the digests between XFAM and the report data, in order.
func (b *Body) measurements() [][]byte {
	return [][]byte{
		b.MRTD[:], b.MRConfigID[:], b.MROwner[:], b.MROwnerConfig[:],
		b.RTMR[0][:], b.RTMR[1][:], b.RTMR[2][:], b.RTMR[3][:],
	}
}

func (b *Body) appendBody(out []byte, tdx15 bool) []byte {
	out = append(out, b.TeeTCBSVN[:]...)
	out = append(out, b.MRSeam[:]...)
	out = append(out, b.MRSignerSeam[:]...)
	out = binary.LittleEndian.AppendUint64(out, b.SeamAttributes)
	out = binary.LittleEndian.AppendUint64(out, uint64(b.Attributes))
	out = binary.LittleEndian.AppendUint64(out, b.XFAM)
	for _, m := range b.measurements() {
		out = append(out, m...)
	}
	out = append(out, b.ReportData[:]...)
	if tdx15 {
		out = append(out, b.TeeTCBSVN2[:]...)
		out = append(out, b.MRServiceTD[:]...)
	}
	return out
}
