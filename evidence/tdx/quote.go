package tdx

import (
	"crypto/x509"
	"fmt"
)

// MaxQuote is the largest input ParseQuote looks at, in bytes. Real quotes have
// about 5000, padded ones 8000.
const MaxQuote = 64 << 10

// Values of the quote header (Appendix A.3.1) and of the certification data
// (A.3.9) that this package accepts.
const (
	keyTypeECDSAP256 = 2
	teeTypeTDX       = 0x81
	bodyTDX10        = 2
	bodyTDX15        = 3
	certQEReport     = 6
	certPEMChain     = 5
)

const (
	bodySize10 = 584
	bodySize15 = 648
)

// qeVendorIntel is the vendor of Intel's quoting enclave, the UUID
// 939a7233-f79c-4ca9-940a-0db3957f0607 in the order of its bytes.
var qeVendorIntel = [16]byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07}

// Quote is a decoded TDX quote. Nothing in it is to be believed before
// VerifySignature and [Roots.VerifyPCK] both gave no error.
type Quote struct {
	Version    uint16 // 4 or 5
	QESVN      uint16 // SVN of the quoting enclave, as far as the header says; see QEReport
	PCESVN     uint16 // SVN of the PCE, as far as the header says; see PCK
	QEVendorID [16]byte
	UserData   [20]byte // the quoting enclave's own identification of the platform
	BodyType   uint16   // 2 for TDX 1.0, 3 for TDX 1.5; always 2 in version 4
	Body

	Signature         [64]byte // r ‖ s, big endian, over Signed by AttestationKey
	AttestationKey    [64]byte // x ‖ y, big endian, on P-256
	QEReport          QEReport
	QEReportSignature [64]byte // r ‖ s over the QE report by the PCK
	QEAuthData        []byte
	PCKChain          [][]byte // DER: PCK leaf, its CA, the root

	Signed       []byte // header and body as the attestation key signed them
	ChainPadding int    // 1 where a zero byte ends the PEM text of the chain
	Padding      int    // number of zero bytes that followed the quote

	rawQEReport []byte
	chain       []*x509.Certificate // PCKChain, parsed
}

// ParseQuote decodes a quote of version 4 or 5 (Appendix A.3 and A.4) with an
// ECDSA P-256 attestation key, Intel's quoting enclave, and certification data
// of type 6 around a PEM chain of exactly three certificates (type 5). Zero bytes
// may follow the quote, as buffers of fixed size have them; any other trailing
// byte, any length that does not fit exactly, reserved bytes that are not zero
// and PEM text in another form than the usual one are errors. The result shares
// memory with raw.
func ParseQuote(raw []byte) (*Quote, error) {
	if len(raw) > MaxQuote {
		return nil, fmt.Errorf("tdx quote: %d bytes, at most %d are read", len(raw), MaxQuote)
	}
	r := newReader(raw)
	q := &Quote{}
	r.header(q)
	q.Body = r.body(q.BodyType == bodyTDX15)
	if r.Err == nil {
		q.Signed = raw[:r.Off:r.Off]
	}
	size := r.U32()
	if left := len(raw) - r.Off; r.Err == nil && uint64(size) > uint64(left) { //nolint:gosec // left is not negative
		r.Fail("signature data of %d bytes, have %d", size, left)
	}
	data := newReader(raw)
	data.Off, data.Err = r.Off, r.Err
	if r.Err == nil {
		data.Buf = raw[:r.Off+int(size)]
		r.Off += int(size)
		q.Padding = len(raw) - r.Off
		r.zero("the padding after the quote", q.Padding)
		data.Err = r.Err
	}
	data.signatureData(q)
	if data.Err != nil {
		return nil, fmt.Errorf("tdx quote: %w", data.Err)
	}
	return q, nil
}

// header reads the quote header (A.3.1) and, in version 5, the type and size of
// the body (A.4.2).
func (r *reader) header(q *Quote) {
	if q.Version = r.U16(); q.Version != 4 && q.Version != 5 {
		r.Fail("version is %d, want 4 or 5", q.Version)
	}
	r.is("attestation key type", keyTypeECDSAP256)
	if tee := r.U32(); tee != teeTypeTDX {
		r.Fail("tee type is 0x%x, want 0x%x (TDX)", tee, teeTypeTDX)
	}
	q.QESVN, q.PCESVN = r.U16(), r.U16()
	if r.Fill(q.QEVendorID[:]); q.QEVendorID != qeVendorIntel {
		r.Fail("quoting enclave vendor is %x, want %x (Intel)", q.QEVendorID, qeVendorIntel)
	}
	r.Fill(q.UserData[:])
	q.BodyType = bodyTDX10
	if q.Version != 5 {
		return
	}
	size := uint32(0)
	switch q.BodyType = r.U16(); q.BodyType {
	case bodyTDX10:
		size = bodySize10
	case bodyTDX15:
		size = bodySize15
	default:
		r.Fail("body type is %d, want %d (TDX 1.0) or %d (TDX 1.5)", q.BodyType, bodyTDX10, bodyTDX15)
	}
	if got := r.U32(); got != size {
		r.Fail("body of %d bytes, want %d for type %d", got, size, q.BodyType)
	}
}

// signatureData reads the ECDSA quote signature data (A.3.8 to A.3.11).
func (r *reader) signatureData(q *Quote) {
	r.Fill(q.Signature[:])
	r.Fill(q.AttestationKey[:])
	r.is("certification data type", certQEReport)
	r.sized("certification data")
	q.rawQEReport = r.Take(qeReportSize)
	q.QEReport = parseQEReport(r)
	r.Fill(q.QEReportSignature[:])
	q.QEAuthData = r.Take(int(r.U16()))
	r.is("certification data type inside the qe report certification data", certPEMChain)
	r.sized("certificate chain")
	if r.Err == nil {
		r.chain(q)
	}
}

// chain reads the PEM text of the PCK chain up to the end.
func (r *reader) chain(q *Quote) {
	text := r.Buf[r.Off:]
	if n := len(text); n > 0 && text[n-1] == 0 {
		text, q.ChainPadding = text[:n-1], 1
	}
	ders, certs, err := splitPEM(text, 3)
	if err != nil {
		r.Fail("pck certificate chain: %w", err)
		return
	}
	q.PCKChain, q.chain = ders, certs
}
