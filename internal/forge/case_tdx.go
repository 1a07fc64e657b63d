package forge

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-tpm-tools/proto/attest"
)

const tdxRow = "tdx_debug_and_unchecked_tcb"

// tdxCases: what no policy can allow, and what is for policies to decide.
func tdxCases() []Case {
	attributes := func(bits uint64) func(*Machine) {
		return reportingTDX(func(t *TDX) { t.Attributes = TDSeptVEDisable | bits })
	}
	withStatus := func(name, status string) Case {
		return Case{Name: name, Want: "accepted: tee.tdx.tcb_status is " + status, edit: reportingTDX(func(t *TDX) {
			t.Status, t.Advisories = status, []string{"INTEL-SA-00828"}
		})}
	}
	return inRow(35, tdxRow, "tdx.attributes", on(tdxMachine(), []Case{
		{Name: "debug", edit: attributes(TDDebug)},
		{Name: "debug_reserved_bit", edit: attributes(1 << 1)},
		{Name: "profiling", edit: attributes(1 << 4)},
		{Name: "debug_alone", machine: aloneMachine(tdxMachine()), form: alone, edit: reporting(func(h *Hardware) {
			h.TDX = &TDX{Attributes: TDDebug}
		})},
		{Name: "migratable", Want: "accepted: tee.tdx.attributes show migratable", edit: attributes(TDMigratable)},
		withStatus("sw_hardening_needed", "SWHardeningNeeded"),
		withStatus("configuration_needed", "ConfigurationNeeded"),
		withStatus("out_of_date", "OutOfDate"),
		{Name: "unchecked", Want: "accepted: tee.tdx.tcb_status is unchecked", trust: trusting(func(files map[string][]byte) error {
			for name := range files {
				if strings.HasPrefix(name, "intel/collateral/") {
					delete(files, name)
				}
			}
			return nil
		})},
		{Name: "processor_ca", Want: "accepted: a PCK of the processor CA", edit: reportingTDX(func(t *TDX) { t.Processor = true })},
		aloneTDX("version_5", TDX{Version: 5}),
		aloneTDX("version_5_of_tdx_1.5", TDX{Version: 5, TDX15: true}),
		aloneTDX("padded", TDX{Padding: 3000}),
	})...)
}

// aloneTDX is a genuine quote by itself.
func aloneTDX(name string, t TDX) Case {
	return Case{Name: name, Want: "accepted: the quote", machine: aloneMachine(tdxMachine()), form: alone, edit: reporting(func(h *Hardware) {
		h.TDX = &t
	})}
}

// tdxChainCases: only Intel's CAs issue a PCK.
func tdxChainCases() []Case {
	pck := func(edit func(*x509.Certificate) error) func(*Machine) {
		return reportingTDX(func(t *TDX) { t.Edits.PCK = edit })
	}
	return inRow(35, tdxRow, "tdx.chain", on(tdxMachine(), []Case{
		{Name: "own_root", edit: reportingTDX(func(t *TDX) { t.Vendor = ForeignVendor })},
		{Name: "own_root_alone", machine: aloneMachine(tdxMachine()), form: alone, edit: reporting(func(h *Hardware) {
			h.TDX = &TDX{Vendor: ForeignVendor}
		})},
		{Name: "expired", edit: pck(func(c *x509.Certificate) error { c.NotAfter = Now().Add(-time.Second); return nil })},
		{Name: "pck_is_a_ca", edit: pck(func(c *x509.Certificate) error { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign; return nil })},
		{Name: "not_called_pck", edit: pck(func(c *x509.Certificate) error { c.Subject.CommonName = "Intel SGX TCB Signing"; return nil })},
		{Name: "no_sgx_extension", edit: pck(func(c *x509.Certificate) error { c.ExtraExtensions = nil; return nil })},
		{Name: "nobody_trusted", trust: trusting(func(files map[string][]byte) error {
			delete(files, "intel/roots/root.crt")
			return nil
		})},
	})...)
}

// tdxSignatureCases: any change after signing shows. Offsets are those of a
// version 4 quote.
func tdxSignatureCases() []Case {
	flipped := func(at int) func(*Machine) {
		return reportingTDX(func(t *TDX) { t.Edits.Quote = flipping(at) })
	}
	const body, signature = tdxHeaderSize, tdxHeaderSize + tdxBodySize + 4
	const report = signature + 64 + 64 + 6
	return inRow(35, tdxRow, "tdx.signature", on(tdxMachine(), []Case{
		{Name: "flipped_user_data", edit: flipped(28)},
		{Name: "flipped_tee_tcb_svn", edit: flipped(body)},
		{Name: "flipped_mrtd", edit: flipped(body + 136)},
		{Name: "flipped_rtmr_0", edit: flipped(body + 328)},
		{Name: "flipped_signature", edit: flipped(signature)},
		{Name: "flipped_qe_report", edit: flipped(report + 64)},
		{Name: "flipped_qe_report_signature", edit: flipped(report + qeReportSize)},
		{Name: "flipped_qe_auth_data", edit: flipped(report + qeReportSize + 64 + 2)},
		{Name: "qe_vouches_for_another_key", edit: reportingTDX(func(t *TDX) { t.Edits.QEReport = flipping(320) })},
		{Name: "own_quoting_enclave", edit: reportingTDX(func(t *TDX) { t.Edits.QEReport = flipping(128) })},
		{Name: "other_product_of_intel", edit: reportingTDX(func(t *TDX) { t.Edits.QEReport = flipping(256) })},
		{Name: "quoting_enclave_under_debug", edit: reportingTDX(func(t *TDX) {
			t.Edits.QEReport = func(b []byte) error { b[48] |= 2; return nil }
		})},
		{Name: "signature_is_zero", edit: reportingTDX(func(t *TDX) {
			t.Edits.Quote = func(b []byte) error { clear(b[signature : signature+64]); return nil }
		})},
		{Name: "version_3", Check: "format.strict", edit: reportingTDX(func(t *TDX) {
			t.Edits.Signed = func(b []byte) error { b[0] = 3; return nil }
		}), machine: aloneMachine(tdxMachine()), form: alone},
	})...)
}

// collateralCases: collateral that is there has to be Intel's, current and of
// this platform.
func collateralCases() []Case {
	old := Now().AddDate(0, -2, 0).Format(time.RFC3339)
	setting := func(members map[string]any) func(map[string]any) error {
		return func(d map[string]any) error { maps.Copy(d, members); return nil }
	}
	expired := setting(object{"issueDate": old, "nextUpdate": Now().AddDate(0, 0, -1).Format(time.RFC3339)})
	edited := func(edit func(*TDXEdits)) func(*Machine) {
		return reportingTDX(func(t *TDX) { edit(&t.Edits) })
	}
	info := "tcbinfo/" + hex.EncodeToString(sgxPlatform.fmspc[:]) + ".json"
	replacing := func(name, from, to string) func(*Machine) {
		return edited(func(e *TDXEdits) {
			e.Collateral = func(files map[string][]byte) error {
				files[name] = bytes.Replace(files[name], []byte(from), []byte(to), 1)
				return nil
			}
		})
	}
	without := func(name string) func(*Machine) {
		return edited(func(e *TDXEdits) {
			e.Collateral = func(files map[string][]byte) error { delete(files, name); return nil }
		})
	}
	return inRow(35, tdxRow, "tdx.collateral", on(tdxMachine(), []Case{
		{Name: "expired_tcb_info", edit: edited(func(e *TDXEdits) { e.TCBInfo = expired })},
		{Name: "expired_qe_identity", edit: edited(func(e *TDXEdits) { e.QEIdentity = expired })},
		{Name: "of_another_platform", edit: edited(func(e *TDXEdits) {
			e.TCBInfo = setting(object{"fmspc": "00606a000000"})
		})},
		{Name: "of_another_quoting_enclave", edit: edited(func(e *TDXEdits) {
			e.QEIdentity = setting(object{"mrsigner": strings.Repeat("AB", 32)})
		})},
		{Name: "status_changed_after_signing", edit: func(m *Machine) {
			replacing(info, `"OutOfDate"`, `"UpToDate"`)(m)
			m.Hardware.TDX.Status = "OutOfDate"
		}},
		{Name: "platform_below_every_level", edit: edited(func(e *TDXEdits) {
			e.TCBInfo = setting(object{"tcbLevels": []any{}})
		})},
		{Name: "revoked_pck", edit: edited(func(e *TDXEdits) {
			e.Revoked = func(q *TDXQuote) []*x509.Certificate { return []*x509.Certificate{q.PCK} }
		})},
		{Name: "revoked_pck_ca", edit: edited(func(e *TDXEdits) {
			e.Revoked = func(q *TDXQuote) []*x509.Certificate { return []*x509.Certificate{q.CA} }
		})},
		{Name: "revoked_tcb_signing", edit: edited(func(e *TDXEdits) {
			e.Revoked = func(q *TDXQuote) []*x509.Certificate { return []*x509.Certificate{q.Intel.TCBSigning} }
		})},
		{Name: "revoked_level", edit: reportingTDX(func(t *TDX) { t.Status = "Revoked" })},
		{Name: "no_root_crl", edit: without("root_ca.crl")},
		{Name: "no_pck_crl", edit: without("pck_crl_platform.der")},
		{Name: "no_qe_identity", edit: without("qe_identity.json")},
	})...)
}

// rtmrCases: the canonical event log of a container leads to RTMR 3.
func rtmrCases() []Case {
	space := tdxMachine()
	space.Boot.CommandLine = HardenedCommandLine
	space.Container = DefaultContainer()
	other := DefaultContainer()
	other.ImageDigest = "sha256:" + strings.Repeat("00", 32)
	shown := func(contents func() []Content) func(*Machine) {
		return func(m *Machine) {
			m.Edits.Attestation = func(a *attest.Attestation) error {
				raw, err := EncodeRTMRCEL(contents())
				a.CanonicalEventLog = raw
				return err
			}
		}
	}
	launch := DefaultContainer().Contents()
	return inRow(35, tdxRow, "tdx.rtmr", on(space, []Case{
		{Name: "log_of_another_container", edit: shown(other.Contents)},
		{Name: "log_cut", edit: shown(func() []Content { return launch[:len(launch)-1] })},
		{Name: "log_extended", edit: shown(func() []Content {
			return append(slices.Clip(launch), Content{Type: MemoryMonitor, Value: "\x00"})
		})},
		{Name: "nothing_measured", edit: reportingTDX(func(t *TDX) { t.Contents = []Content{} })},
		{Name: "something_else_measured", edit: reportingTDX(func(t *TDX) { t.RTMR[3] = [48]byte{1} })},
		{Name: "measured", Want: "accepted: the container's claims come from RTMR 3"},
	})...)
}
