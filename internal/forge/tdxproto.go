package forge

import (
	"errors"
	"slices"

	"github.com/google/go-tdx-guest/proto/tdx"
)

// Proto is a version 4 quote as gotpm embeds it; go-tdx-guest has no message
// for version 5.
func (q *TDXQuote) Proto() (*tdx.QuoteV4, error) {
	b := cutter{q.Raw}
	header, body := b.cut(tdxHeaderSize), b.cut(tdxBodySize)
	if le.Uint16(header) != 4 {
		return nil, errors.New("only a version 4 quote has a message")
	}
	size := le.Uint32(b.cut(4))
	data := &tdx.Ecdsa256BitQuoteV4AuthData{Signature: b.cut(64), EcdsaAttestationKey: b.cut(64)}
	data.CertificationData = b.certification()
	return &tdx.QuoteV4{
		Header: tdxHeader(header), TdQuoteBody: tdxBody(body),
		SignedDataSize: size, SignedData: data, ExtraBytes: b.rest,
	}, nil
}

// cutter takes bytes off a quote that the forge has just written.
type cutter struct{ rest []byte }

func (c *cutter) cut(n int) []byte {
	out := slices.Clone(c.rest[:n])
	c.rest = c.rest[n:]
	return out
}

func (c *cutter) certification() *tdx.CertificationData {
	out := &tdx.CertificationData{CertificateDataType: uint32(le.Uint16(c.cut(2))), Size: le.Uint32(c.cut(4))}
	qe := &tdx.QEReportCertificationData{QeReport: qeReport(c.cut(qeReportSize)), QeReportSignature: c.cut(64)}
	n := le.Uint16(c.cut(2))
	qe.QeAuthData = &tdx.QeAuthData{ParsedDataSize: uint32(n), Data: c.cut(int(n))}
	chain := &tdx.PCKCertificateChainData{CertificateDataType: uint32(le.Uint16(c.cut(2))), Size: le.Uint32(c.cut(4))}
	chain.PckCertChain = c.cut(int(chain.GetSize()))
	qe.PckCertificateChainData, out.QeReportCertificationData = chain, qe
	return out
}

func tdxHeader(b []byte) *tdx.Header {
	return &tdx.Header{
		Version: uint32(le.Uint16(b)), AttestationKeyType: uint32(le.Uint16(b[2:])), TeeType: le.Uint32(b[4:]),
		QeSvn: b[8:10], PceSvn: b[10:12], QeVendorId: b[12:28], UserData: b[28:48],
	}
}

func tdxBody(b []byte) *tdx.TDQuoteBody {
	c := cutter{b}
	out := &tdx.TDQuoteBody{
		TeeTcbSvn: c.cut(16), MrSeam: c.cut(48), MrSignerSeam: c.cut(48),
		SeamAttributes: c.cut(8), TdAttributes: c.cut(8), Xfam: c.cut(8),
		MrTd: c.cut(48), MrConfigId: c.cut(48), MrOwner: c.cut(48), MrOwnerConfig: c.cut(48),
	}
	for range 4 {
		out.Rtmrs = append(out.Rtmrs, c.cut(48))
	}
	out.ReportData = c.cut(64)
	return out
}

func qeReport(b []byte) *tdx.EnclaveReport {
	return &tdx.EnclaveReport{
		CpuSvn: b[:16], MiscSelect: le.Uint32(b[16:]), Reserved1: b[20:48], Attributes: b[48:64],
		MrEnclave: b[64:96], Reserved2: b[96:128], MrSigner: b[128:160], Reserved3: b[160:256],
		IsvProdId: uint32(le.Uint16(b[256:])), IsvSvn: uint32(le.Uint16(b[258:])),
		Reserved4: b[260:320], ReportData: b[320:384],
	}
}
