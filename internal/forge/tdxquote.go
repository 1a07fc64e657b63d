package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Sizes of a quote (Intel TDX DCAP Quoting Library, A.3 and A.4).
const (
	tdxHeaderSize = 48
	tdxBodySize   = 584
	tdxBodySize15 = 648
	qeReportSize  = 384
)

// qeVendor is Intel's quoting enclave, 939a7233-f79c-4ca9-940a-0db3957f0607.
var qeVendor = [16]byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07}

// signedPart is the header (A.3.1, A.4.2) and the body (A.3.2, A.4.3).
func (t TDX) signedPart(keys *Keys) ([]byte, error) {
	b := le.AppendUint16(nil, t.Version)
	b = le.AppendUint16(b, 2)    // ECDSA on P-256
	b = le.AppendUint32(b, 0x81) // TDX
	b = le.AppendUint32(b, 0)    // SVNs of QE and PCE
	b = append(b, qeVendor[:]...)
	b = append(b, keys.bytes("qe user data "+t.Platform, 16)...)
	b = append(b, 0, 0, 0, 0)
	if t.Version == 5 {
		kind, size := uint16(2), uint32(tdxBodySize)
		if t.TDX15 {
			kind, size = 3, tdxBodySize15
		}
		b = le.AppendUint32(le.AppendUint16(b, kind), size)
	}
	return t.appendBody(b, keys)
}

func (t TDX) appendBody(b []byte, keys *Keys) ([]byte, error) {
	last, err := t.rtmr3()
	if err != nil {
		return nil, err
	}
	b = append(b, t.TeeTCBSVN[:]...)
	b = append(b, orDerived(keys, "mrseam", t.MRSeam[:])...)
	b = append(b, t.MRSignerSeam[:]...)
	for _, n := range []uint64{t.SeamAttributes, t.Attributes, t.XFAM} {
		b = le.AppendUint64(b, n)
	}
	b = append(b, orDerived(keys, "mrtd", t.MRTD[:])...)
	b = slices.Concat(b, t.MRConfigID[:], t.MROwner[:], t.MROwnerConfig[:])
	for i := range 3 {
		b = append(b, orDerived(keys, fmt.Sprintf("rtmr %d", i), t.RTMR[i][:])...)
	}
	b = slices.Concat(b, last, t.ReportData[:])
	if t.Version == 5 && t.TDX15 {
		b = slices.Concat(b, t.TeeTCBSVN2[:], t.MRServiceTD[:])
	}
	return b, nil
}

// qeReport is the SGX report of the quoting enclave (A.3.11). It vouches for
// the attestation key in its report data.
func (t TDX) qeReport(keys *Keys, bound [sha256.Size]byte) []byte {
	b := make([]byte, qeReportSize)
	copy(b, sgxPlatform.components[:])
	b[48], b[56] = 0x15, 0xe7 // attributes
	copy(b[64:], keys.bytes("mrenclave of the quoting enclave", 32))
	copy(b[128:], qeSigner())
	le.PutUint16(b[256:], 2) // ISVPRODID
	le.PutUint16(b[258:], qeSVN)
	copy(b[320:], bound[:])
	return b
}

const qeSVN = 6

// qeSigner is MRSIGNER of Intel's quoting enclaves, which verifiers know.
func qeSigner() []byte {
	signer, err := hex.DecodeString("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
	if err != nil {
		panic(err)
	}
	return signer
}

// signatureData is what follows header and body (A.3.8 to A.3.11).
func (t TDX) signatureData(keys *Keys, signed []byte, pck crypto.Signer, chain []byte) ([]byte, error) {
	key, err := keys.Key("tdx attestation key "+t.Platform, P256)
	if err != nil {
		return nil, err
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the attestation key is a %T", key.Public())
	}
	point, err := public.Bytes() // SEC 1, 2.3.3: 04 || X || Y
	if err != nil {
		return nil, err
	}
	auth := keys.bytes("qe authentication data", 32)
	report := t.qeReport(keys, sha256.Sum256(slices.Concat(point[1:], auth)))
	if err := apply(t.Edits.QEReport, report); err != nil {
		return nil, err
	}
	reportSignature, err := signRaw(pck, report)
	if err != nil {
		return nil, err
	}
	signature, err := signRaw(key, signed)
	if err != nil {
		return nil, err
	}
	inner := slices.Concat(report, reportSignature, le.AppendUint16(nil, uint16(len(auth))), auth) //nolint:gosec // 32 bytes
	inner = appendCertification(inner, 5, chain)
	return appendCertification(slices.Concat(signature, point[1:]), 6, inner), nil
}

func appendCertification(b []byte, kind uint16, data []byte) []byte {
	return append(le.AppendUint32(le.AppendUint16(b, kind), size32(data)), data...)
}
