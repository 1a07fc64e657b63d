package forge

import (
	"cmp"
	"crypto/x509"
)

// Attributes of a trust domain (Intel TDX Module 1.5 ABI, ATTRIBUTES).
const (
	TDDebug         uint64 = 1 << 0
	TDSeptVEDisable uint64 = 1 << 28
	TDMigratable    uint64 = 1 << 29
)

// TDX describes a quote of a trust domain, the platform that made it and what
// Intel says of that. The zero value is an honest version 4 quote of a platform
// that is up to date. Where a field says so, zero stands for something else.
type TDX struct {
	Version uint16 // 0 is 4
	// TDX15 gives a version 5 quote the body of TDX 1.5; without it the body is
	// that of TDX 1.0. Version 4 has no other.
	TDX15 bool
	// Platform names the platform: its identifiers and keys follow from that and
	// the seed.
	Platform string
	// Vendor owns the keys; see [ForeignVendor].
	Vendor string
	// Processor has the PCK issued by the processor CA, not the platform CA.
	Processor bool

	Attributes     uint64   // 0 is TDSeptVEDisable
	XFAM           uint64   // 0 is 0x61ae7
	TeeTCBSVN      [16]byte // zero is module 1 of SVN 5, component SVN 2
	MRSeam         [48]byte // zero is derived from the seed
	MRSignerSeam   [48]byte // zero is an Intel module
	SeamAttributes uint64
	MRTD           [48]byte // zero is derived from the seed
	MRConfigID     [48]byte
	MROwner        [48]byte
	MROwnerConfig  [48]byte
	// RTMR are the registers; zero 0 to 2 are derived from the seed.
	RTMR [4][48]byte
	// Contents are measured into RTMR 3, from what RTMR has.
	Contents   []Content
	ReportData [64]byte
	// TDX 1.5 only.
	TeeTCBSVN2  [16]byte // zero is TeeTCBSVN
	MRServiceTD [48]byte

	// Padding is the number of zero bytes after the quote.
	Padding int

	// Status and Advisories are what the collateral says of the platform, such as
	// "OutOfDate"; "" is "UpToDate". ModuleStatus and QEStatus are those of the
	// TDX module and the quoting enclave.
	Status, ModuleStatus, QEStatus string
	Advisories                     []string
	// Evaluation is tcbEvaluationDataNumber; 0 is 18.
	Evaluation int

	Edits TDXEdits
}

// TDXEdits change one stage each, as [Edits] do.
type TDXEdits struct {
	// PCK edits the template of the platform's certificate.
	PCK func(*x509.Certificate) error
	// QEReport edits the quoting enclave's report before the PCK signs it, Signed
	// header and body before the attestation key does, and Quote what results.
	QEReport, Signed, Quote func([]byte) error
	// TCBInfo and QEIdentity edit what Intel signs, Collateral the files.
	TCBInfo, QEIdentity func(map[string]any) error
	Collateral          func(map[string][]byte) error
	// Revoked lists certificates for the revocation list of their issuer.
	Revoked func(*TDXQuote) []*x509.Certificate
}

// TDXQuote is a minted quote with its certificates.
type TDXQuote struct {
	Raw []byte
	// PCK is the platform's certificate, CA its issuer.
	PCK, CA *x509.Certificate
	Intel   *Intel
}

func (t TDX) orDefault() TDX {
	t.Version = cmp.Or(t.Version, 4)
	t.Attributes = cmp.Or(t.Attributes, TDSeptVEDisable)
	t.XFAM = cmp.Or(t.XFAM, 0x61ae7)
	t.TeeTCBSVN = cmp.Or(t.TeeTCBSVN, [16]byte{5, 1, 2})
	t.TeeTCBSVN2 = cmp.Or(t.TeeTCBSVN2, t.TeeTCBSVN)
	t.Status = cmp.Or(t.Status, "UpToDate")
	t.ModuleStatus, t.QEStatus = cmp.Or(t.ModuleStatus, "UpToDate"), cmp.Or(t.QEStatus, "UpToDate")
	t.Evaluation = cmp.Or(t.Evaluation, 18)
	return t
}

// Quote mints the quote. The same keys and description give the same bytes.
func (t TDX) Quote(keys *Keys) (*TDXQuote, error) {
	t = t.orDefault()
	in, err := NewIntel(keys, t.Vendor)
	if err != nil {
		return nil, err
	}
	pck, key, err := t.pck(in)
	if err != nil {
		return nil, err
	}
	ca, _ := in.issuer(t.Processor)
	signed, err := t.signedPart(keys)
	if err != nil {
		return nil, err
	}
	if err := apply(t.Edits.Signed, signed); err != nil {
		return nil, err
	}
	data, err := t.signatureData(keys, signed, key, pemChain(pck, ca, in.Root))
	if err != nil {
		return nil, err
	}
	raw := le.AppendUint32(signed, size32(data))
	raw = append(append(raw, data...), make([]byte, t.Padding)...)
	return &TDXQuote{Raw: raw, PCK: pck, CA: ca, Intel: in}, apply(t.Edits.Quote, raw)
}

// rtmr3 extends the register by each content as the launcher does.
func (t TDX) rtmr3() ([]byte, error) {
	value := t.RTMR[3][:]
	for _, c := range t.Contents {
		measured, err := digest(SHA384, c.encode())
		if err != nil {
			return nil, err
		}
		if value, err = digest(SHA384, value, measured); err != nil {
			return nil, err
		}
	}
	return value, nil
}
