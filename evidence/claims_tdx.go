package evidence

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/tdx"
)

// tdxClaims publishes a verified TDX quote.
func (s *verification) tdxClaims() *claims.TDX {
	f, q := s.found.tdx, s.hw.tdx.quote
	c := &claims.TDX{
		QuoteVersion: int(q.Version),
		Attributes: claims.TDXAttributes{
			Debug: q.Attributes.Debug(), SeptVEDisable: q.Attributes.SeptVEDisable(), Migratable: q.Attributes.Migratable(),
			PKS: q.Attributes.PKS(), KL: q.Attributes.KL(), PerfMon: q.Attributes.PerfMon(), Bits: hex64(uint64(q.Attributes)),
		},
		XFAM:           hex64(q.XFAM),
		MRSeam:         hex.EncodeToString(q.MRSeam[:]),
		MRSignerSeam:   hex.EncodeToString(q.MRSignerSeam[:]),
		SeamAttributes: hex64(q.SeamAttributes),
		MRTD:           hex.EncodeToString(q.MRTD[:]),
		RTMRReplayed:   slices.Sorted(slices.Values(f.replayed)),
		MRConfigID:     hex.EncodeToString(q.MRConfigID[:]),
		MROwner:        hex.EncodeToString(q.MROwner[:]),
		MROwnerConfig:  hex.EncodeToString(q.MROwnerConfig[:]),
		ReportData:     hex.EncodeToString(q.ReportData[:]),
		TeeTCBSVN:      hex.EncodeToString(q.TeeTCBSVN[:]),
		TCBStatus:      "unchecked",
		QE: claims.TDXQE{
			MRSigner: hex.EncodeToString(q.QEReport.MRSigner[:]), MREnclave: hex.EncodeToString(q.QEReport.MREnclave[:]),
			ISVProdID: int(q.QEReport.ISVProdID), ISVSVN: int(q.QEReport.ISVSVN),
		},
		PCK: pckClaims(f.pck),
	}
	for _, r := range q.RTMR {
		c.RTMR = append(c.RTMR, hex.EncodeToString(r[:]))
	}
	if q.BodyType == bodyTDX15 {
		c.TeeTCBSVN2, c.MRServiceTD = hex.EncodeToString(q.TeeTCBSVN2[:]), hex.EncodeToString(q.MRServiceTD[:])
	}
	if st := f.status; st != nil {
		c.TCBStatus = string(st.TCBStatus)
		c.TCB = &claims.TDXTCB{
			PlatformStatus: string(st.PlatformStatus), ModuleStatus: string(st.ModuleStatus), QEStatus: string(st.QEStatus),
			AdvisoryIDs: append([]string{}, st.AdvisoryIDs...), EvaluationDataNumber: int64(st.TCBEvaluationDataNumber),
			Date: st.TCBDate.Unix(), Issued: st.Issued.Unix(), NextUpdate: st.NextUpdate.Unix(),
		}
	}
	return c
}

// bodyTDX15 is the body type of TDX 1.5 (Intel TDX DCAP Quote Generation Library,
// A.4.2).
const bodyTDX15 = 3

func pckClaims(p tdx.PCK) claims.TDXPCK {
	return claims.TDXPCK{
		SHA256:             hexSHA256(p.Certificate.Raw),
		FMSPC:              hex.EncodeToString(p.FMSPC[:]),
		PCEID:              hex.EncodeToString(p.PCEID[:]),
		PCESVN:             int(p.PCESVN),
		CA:                 string(p.CA),
		NotAfter:           p.Certificate.NotAfter.Unix(),
		PPIDSHA256:         hexSHA256(p.PPID[:]),
		PlatformInstanceID: fmt.Sprintf("%x", p.PlatformInstanceID),
		RootSHA256:         hexSHA256(p.Root.Raw),
	}
}

// attesterTCBs gives attester_tcb as Google's tokens have it for their machines.
var attesterTCBs = map[teeKind][]string{teeSNP: {"AMD", "GOOGLE"}, teeTDX: {"INTEL"}}

// googleHardware gives hwmodel for the machines whose report was verified.
var googleHardware = map[teeKind]string{teeSNP: "GCP_AMD_SEV_SNP", teeTDX: "GCP_INTEL_TDX"}

// teeClaims publishes a verified hardware report. Every check of it has passed.
func (s *verification) teeClaims(c *claims.Claims) {
	if s.hw.kind == teeNone {
		return
	}
	t := &claims.TEE{BoundTo: s.found.boundTo, Binding: s.found.binding}
	switch s.hw.kind {
	case teeNone:
	case teeSNP:
		t.Type, t.SNP = "SEV_SNP", s.snpClaims()
	case teeTDX:
		t.Type, t.TDX = "TDX", s.tdxClaims()
	}
	c.TEE = t
	// Only a machine whose firmware Google's key vouches for is one of Google's.
	if s.boot.boot != nil && s.ak.root != nil && reportOf[s.boot.boot.Technology] == s.hw.kind {
		c.HWModel, c.AttesterTCB = googleHardware[s.hw.kind], slices.Clone(attesterTCBs[s.hw.kind])
	}
}
