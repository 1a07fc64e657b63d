package forge

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Collateral is what Intel publishes about the platform, as files of a
// directory of collateral: tcbinfo/<fmspc>.json, qe_identity.json,
// tcb_sign_chain.pem, both PCK CRLs and root_ca.crl (PCS API version 4).
func (t TDX) Collateral(keys *Keys) (map[string][]byte, error) {
	t = t.orDefault()
	in, err := NewIntel(keys, t.Vendor)
	if err != nil {
		return nil, err
	}
	var revoked []*x509.Certificate
	if t.Edits.Revoked != nil {
		q, err := t.Quote(keys)
		if err != nil {
			return nil, err
		}
		revoked = t.Edits.Revoked(q)
	}
	files := map[string][]byte{"tcb_sign_chain.pem": pemChain(in.TCBSigning, in.Root)}
	for _, f := range []struct {
		name string
		make func() ([]byte, error)
	}{
		{"tcbinfo/" + hex.EncodeToString(sgxPlatform.fmspc[:]) + ".json", func() ([]byte, error) { return in.sign("tcbInfo", t.tcbInfo(), t.Edits.TCBInfo) }},
		{"qe_identity.json", func() ([]byte, error) { return in.sign("enclaveIdentity", t.qeIdentity(), t.Edits.QEIdentity) }},
		{"pck_crl_platform.der", func() ([]byte, error) { return in.crl(in.Platform, in.platform, revoked) }},
		{"pck_crl_processor.der", func() ([]byte, error) { return in.crl(in.Processor, in.proc, revoked) }},
		{"root_ca.crl", func() ([]byte, error) { return in.crl(in.Root, in.root, revoked) }},
	} {
		if files[f.name], err = f.make(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return files, apply(t.Edits.Collateral, files)
}

// object is a JSON object; encoding/json sorts its members.
type object = map[string]any

// document has what both kinds of documents have.
func (t TDX) document(id string, version int) object {
	return object{
		"id": id, "version": version, "tcbEvaluationDataNumber": t.Evaluation,
		"issueDate": collateralSince().Format(time.RFC3339), "nextUpdate": collateralUntil().Format(time.RFC3339),
	}
}

// tcbInfo has the level of the platform and one below, which is out of date.
func (t TDX) tcbInfo() object {
	intel := object{"mrsigner": strings.Repeat("0", 96), "attributes": strings.Repeat("0", 16), "attributesMask": strings.Repeat("F", 16)}
	module := object{"id": fmt.Sprintf("TDX_%02X", t.TeeTCBSVN[1]), "tcbLevels": []any{svnLevel(int(t.TeeTCBSVN[0]), t.ModuleStatus, nil)}}
	maps.Copy(module, intel)
	d := t.document("TDX", 3)
	d["tcbType"] = 0
	d["fmspc"] = hex.EncodeToString(sgxPlatform.fmspc[:])
	d["pceId"] = hex.EncodeToString(sgxPlatform.pceID[:])
	d["tdxModule"], d["tdxModuleIdentities"] = intel, []any{module}
	d["tcbLevels"] = []any{
		t.platformLevel(sgxPlatform.pceSVN, t.Status, t.Advisories),
		t.platformLevel(5, "OutOfDate", []string{"INTEL-SA-00001"}),
	}
	return d
}

func (t TDX) platformLevel(pceSVN int, status string, advisories []string) object {
	sgx, tdx := make([]any, 16), make([]any, 16)
	for i := range 16 {
		sgx[i], tdx[i] = object{"svn": sgxPlatform.components[i]}, object{"svn": t.TeeTCBSVN[i]}
	}
	return withAdvisories(object{
		"tcb":       object{"sgxtcbcomponents": sgx, "pcesvn": pceSVN, "tdxtcbcomponents": tdx},
		"tcbStatus": status, "tcbDate": "2025-06-11T00:00:00Z",
	}, advisories)
}

func svnLevel(svn int, status string, advisories []string) object {
	return withAdvisories(object{"tcb": object{"isvsvn": svn}, "tcbDate": "2025-06-11T00:00:00Z", "tcbStatus": status}, advisories)
}

func withAdvisories(level object, advisories []string) object {
	if len(advisories) > 0 {
		level["advisoryIDs"] = advisories
	}
	return level
}

// qeIdentity describes the quoting enclave.
func (t TDX) qeIdentity() object {
	d := t.document("TD_QE", 2)
	d["miscselect"], d["miscselectMask"] = "00000000", "FFFFFFFF"
	d["attributes"], d["attributesMask"] = "11000000000000000000000000000000", "FBFFFFFFFFFFFFFF0000000000000000"
	d["mrsigner"], d["isvprodid"] = strings.ToUpper(hex.EncodeToString(qeSigner())), 2
	d["tcbLevels"] = []any{svnLevel(qeSVN, t.QEStatus, nil), svnLevel(1, "OutOfDate", []string{"INTEL-SA-00003"})}
	return d
}

// sign wraps a document as the PCS does: the signature is over the very bytes.
func (in *Intel) sign(name string, d object, edit func(map[string]any) error) ([]byte, error) {
	if err := apply(edit, d); err != nil {
		return nil, err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	signature, err := signRaw(in.by, body)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"%s":%s,"signature":"%x"}`, name, body, signature), nil
}
