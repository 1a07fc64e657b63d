package evidence

import (
	"encoding/hex"
	"fmt"
)

// hardwareReport is a hardware report without a vTPM.
type hardwareReport struct {
	format  string
	unknown int
	hw      hardware
}

// Format names the encoding.
func (h *hardwareReport) Format() string { return h.format }

// Verify implements Bundle.
func (h *hardwareReport) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(h, trust, want)
}

func (h *hardwareReport) parts() *vtpmEvidence {
	return &vtpmEvidence{format: h.format, unknown: h.unknown, hw: h.hw, only: onlyHardware}
}

// Untrusted implements Bundle.
func (h *hardwareReport) Untrusted() []Field { return untrustedParts(h).fields() }

// hardware lists what a hardware report says.
func (f *fields) hardware(h *hardware) {
	switch h.kind {
	case teeNone:
	case teeSNP:
		f.snp(h.snp)
	case teeTDX:
		f.tdx(h.tdx)
	}
}

func (f *fields) snp(e *snpEvidence) {
	r := e.report
	f.add("snp.version", "%d", r.Version)
	if p, ok := r.Product(); ok {
		f.add("snp.product", "%s (cpuid family 0x%02x, model 0x%02x, stepping %d)", p, r.CPUID.Family, r.CPUID.Model, r.CPUID.Stepping)
	}
	f.add("snp.policy", "%016x", r.Policy.Bits())
	f.add("snp.vmpl", "%d", r.VMPL)
	f.add("snp.signing_key", "%v", r.KeyInfo.SigningKey)
	f.add("snp.measurement", "%s", hex.EncodeToString(r.Measurement[:]))
	f.add("snp.host_data", "%s", hex.EncodeToString(r.HostData[:]))
	f.add("snp.report_data", "%s", hex.EncodeToString(r.ReportData[:]))
	f.add("snp.platform_info", "%016x", r.PlatformInfo.Bits())
	if p, ok := r.Product(); ok {
		for _, t := range tcbsOf(r) {
			if tcb, err := t.raw.Decode(p); err == nil {
				f.add("snp.tcb."+t.name, "%v", tcb)
			}
		}
	}
	f.add("snp.firmware", "%v, committed %v", r.Current, r.Committed)
	if len(e.key) > 0 {
		f.certificate("snp.key_cert", e.key)
	}
	for i, der := range e.carried {
		f.certificate(fmt.Sprintf("snp.carried_certs[%d]", i), der)
	}
}

func (f *fields) tdx(e *tdxEvidence) {
	q := e.quote
	f.add("tdx.version", "%d", q.Version)
	f.add("tdx.attributes", "%016x", uint64(q.Attributes))
	f.add("tdx.xfam", "%016x", q.XFAM)
	f.add("tdx.tee_tcb_svn", "%x", q.TeeTCBSVN)
	f.add("tdx.mrseam", "%x", q.MRSeam)
	f.add("tdx.mrtd", "%x", q.MRTD)
	for i, r := range q.RTMR {
		f.add(fmt.Sprintf("tdx.rtmr[%d]", i), "%x", r)
	}
	f.add("tdx.report_data", "%x", q.ReportData)
	for i, der := range q.PCKChain {
		f.certificate(fmt.Sprintf("tdx.pck_chain[%d]", i), der)
	}
}
