package evidence

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// TDXTCBs is what a TDX quote and the PCK certificate in it say of the firmware,
// decoded and not verified.
type TDXTCBs struct {
	QuoteVersion int `json:"quote_version"`
	// TeeTCBSVN are the SVNs of the TDX module and of the other TDX components.
	// Of component 1 and 0, Module says that they are the major and the minor SVN
	// of the TDX module (Intel TDX Module 1.5 ABI, TEE_TCB_SVN).
	TeeTCBSVN [16]uint8 `json:"tee_tcb_svn"`
	Module    TDXModule `json:"tdx_module"`
	// TeeTCBSVN2 and Module2 are those of the TDX module that runs now, after
	// updates without a reboot: TDX 1.5 only (Intel TDX DCAP, A.4.3).
	TeeTCBSVN2 *[16]uint8 `json:"tee_tcb_svn_2,omitempty"`
	Module2    *TDXModule `json:"tdx_module_2,omitempty"`

	QESVN        int `json:"qe_svn"`        // ISVSVN of the quoting enclave's report
	HeaderQESVN  int `json:"header_qe_svn"` // as far as the header says
	HeaderPCESVN int `json:"header_pcesvn"` // the same
	PCK          PCK `json:"pck"`           // of the platform
}

// TDXModule holds the SVNs of a TDX module.
type TDXModule struct {
	Major uint8 `json:"major"`
	Minor uint8 `json:"minor"`
}

// PCK is what the PCK certificate of a quote says of its platform (Intel SGX PCK
// Certificate and CRL Profile, 1.3.5). Error says why it says nothing.
type PCK struct {
	FMSPC         string     `json:"fmspc,omitempty"`
	PCEID         string     `json:"pceid,omitempty"`
	SGXComponents *[16]uint8 `json:"sgx_tcb_components,omitempty"`
	PCESVN        int        `json:"pcesvn"`
	CPUSVN        string     `json:"cpusvn,omitempty"`
	Error         string     `json:"error,omitempty"`
}

func tdxTCBs(q *tdx.Quote) *TDXTCBs {
	t := &TDXTCBs{
		QuoteVersion: int(q.Version), TeeTCBSVN: q.TeeTCBSVN, Module: tdxModule(q.TeeTCBSVN),
		QESVN: int(q.QEReport.ISVSVN), HeaderQESVN: int(q.QESVN), HeaderPCESVN: int(q.PCESVN),
	}
	if q.BodyType == bodyTDX15 {
		module := tdxModule(q.TeeTCBSVN2)
		t.TeeTCBSVN2, t.Module2 = &q.TeeTCBSVN2, &module
	}
	x, err := sgxExtension(q)
	if err != nil {
		t.PCK.Error = err.Error()
		return t
	}
	t.PCK = PCK{
		FMSPC: hex.EncodeToString(x.FMSPC[:]), PCEID: hex.EncodeToString(x.PCEID[:]), SGXComponents: &x.TCBComponents,
		PCESVN: int(x.PCESVN), CPUSVN: hex.EncodeToString(x.CPUSVN[:]),
	}
	return t
}

func tdxModule(svn [16]uint8) TDXModule { return TDXModule{Major: svn[1], Minor: svn[0]} }

// oidSGX is the extension of a PCK certificate that names the platform.
var oidSGX = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

// sgxExtension decodes the SGX extension of the PCK certificate of a quote.
func sgxExtension(q *tdx.Quote) (tdx.SGXExtension, error) {
	if len(q.PCKChain) == 0 {
		return tdx.SGXExtension{}, errors.New("the quote carries no PCK certificate")
	}
	cert, err := x509.ParseCertificate(q.PCKChain[0])
	if err != nil {
		return tdx.SGXExtension{}, err
	}
	for _, e := range cert.Extensions { // crypto/x509 refuses a second one
		if e.Id.Equal(oidSGX) {
			return tdx.ParseSGXExtension(e.Value)
		}
	}
	return tdx.SGXExtension{}, errors.New("the PCK certificate has no SGX extension")
}
