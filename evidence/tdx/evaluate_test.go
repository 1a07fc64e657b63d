package tdx_test

import (
	"crypto/x509"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// levelOf returns the first TCB level of a document or module identity.
func levelOf(d doc) doc { return first(d["tcbLevels"]) }

func moduleOf(info doc) doc { return first(info["tdxModuleIdentities"]) }

func tcbOf(level doc) doc { return object(level["tcb"]) }

// items, object and first read what the minter wrote; what it did not write is
// nil, and writing to that panics.
func items(v any) []any {
	list, _ := v.([]any)
	return list
}

func object(v any) doc {
	d, _ := v.(doc)
	return d
}

func first(v any) doc { return object(items(v)[0]) }

// v15 is a TDX 1.0 body by a module of version 1.
func v15(q *tdx.Quote) { q.TeeTCBSVN = [16]byte{4, 1, 5} }

func TestEvaluate(t *testing.T) {
	m := newMint(t)
	for _, tc := range []struct {
		name  string
		quote func(*tdx.Quote)
		info  func(doc)
		qe    func(doc)
		want  [4]tdx.TCBStatus // TCB, platform, module, quoting enclave
	}{
		{"v4", nil, nil, nil, [4]tdx.TCBStatus{"UpToDate", "UpToDate", "", "UpToDate"}},
		{"module 1", v15, nil, nil, [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
		{"v5", v5, nil, nil, [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
		{
			"platform revoked, module up to date", v15,
			func(d doc) { levelOf(d)["tcbStatus"] = "Revoked" },
			nil,
			[4]tdx.TCBStatus{"Revoked", "Revoked", "UpToDate", "UpToDate"},
		},
		{
			"platform out of date, module up to date", v15,
			func(d doc) { levelOf(d)["tcbStatus"] = "OutOfDate" },
			nil,
			[4]tdx.TCBStatus{"OutOfDate", "OutOfDate", "UpToDate", "UpToDate"},
		},
		{
			"module out of date", func(q *tdx.Quote) { v15(q); q.TeeTCBSVN[0] = 3 },
			nil, nil,
			[4]tdx.TCBStatus{"OutOfDate", "UpToDate", "OutOfDate", "UpToDate"},
		},
		{
			"module revoked", v15,
			func(d doc) { levelOf(moduleOf(d))["tcbStatus"] = "Revoked" },
			nil,
			[4]tdx.TCBStatus{"Revoked", "UpToDate", "Revoked", "UpToDate"},
		},
		{
			"qe out of date", func(q *tdx.Quote) { q.QEReport.ISVSVN = 3 },
			nil, nil,
			[4]tdx.TCBStatus{"OutOfDate", "UpToDate", "", "OutOfDate"},
		},
		{
			"configuration needed, qe out of date", func(q *tdx.Quote) { q.QEReport.ISVSVN = 3 },
			func(d doc) { levelOf(d)["tcbStatus"] = "ConfigurationNeeded" },
			nil,
			[4]tdx.TCBStatus{"OutOfDateConfigurationNeeded", "ConfigurationNeeded", "", "OutOfDate"},
		},
		{
			"configuration and hardening", nil,
			func(d doc) { levelOf(d)["tcbStatus"] = "ConfigurationAndSWHardeningNeeded" },
			nil,
			[4]tdx.TCBStatus{"ConfigurationAndSWHardeningNeeded", "ConfigurationAndSWHardeningNeeded", "", "UpToDate"},
		},
		{
			"hardening, module out of date", func(q *tdx.Quote) { v15(q); q.TeeTCBSVN[0] = 3 },
			func(d doc) { levelOf(d)["tcbStatus"] = "SWHardeningNeeded" },
			nil,
			[4]tdx.TCBStatus{"OutOfDate", "SWHardeningNeeded", "OutOfDate", "UpToDate"},
		},
		{
			"qe revoked", nil, nil,
			func(d doc) { levelOf(d)["tcbStatus"] = "Revoked" },
			[4]tdx.TCBStatus{"Revoked", "UpToDate", "", "Revoked"},
		},
		{
			"the module of launch is older than the running one", func(q *tdx.Quote) { v5(q); q.TeeTCBSVN[0] = 2 },
			nil, nil,
			[4]tdx.TCBStatus{"OutOfDate", "UpToDate", "OutOfDate", "UpToDate"},
		},
		{
			"the running module is older than that of launch", func(q *tdx.Quote) { v5(q); q.TeeTCBSVN2[0] = 2 },
			nil, nil,
			[4]tdx.TCBStatus{"OutOfDate", "UpToDate", "OutOfDate", "UpToDate"},
		},
		{
			"module bytes do not count for module 1", func(q *tdx.Quote) { v15(q); q.TeeTCBSVN[0] = 4 },
			func(d doc) { items(tcbOf(levelOf(d))["tdxtcbcomponents"])[0] = doc{"svn": 5} },
			nil,
			[4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := m.collateral(t)
			c.TCBInfo = m.sign(t, "tcbInfo", edited(m.tcbInfo(), orNothing(tc.info)))
			c.QEIdentity = m.sign(t, "enclaveIdentity", edited(m.qeIdentity(), orNothing(tc.qe)))
			q, pck := m.verified(t, tc.quote)
			s, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{MinEvaluationDataNumber: 18})
			if err != nil {
				t.Fatal(err)
			}
			if got := [4]tdx.TCBStatus{s.TCBStatus, s.PlatformStatus, s.ModuleStatus, s.QEStatus}; got != tc.want {
				t.Errorf("Evaluate = %q, want %q", got, tc.want)
			}
		})
	}
}

func orNothing(f func(doc)) func(doc) {
	if f == nil {
		return func(doc) {}
	}
	return f
}

// What a status says beside the statuses.
func TestStatus(t *testing.T) {
	m := newMint(t)
	c := m.collateral(t)
	info, qe := m.tcbInfo(), m.qeIdentity()
	levelOf(info)["advisoryIDs"] = list("INTEL-SA-00009", "INTEL-SA-00002")
	qe["tcbEvaluationDataNumber"] = 17
	c.TCBInfo, c.QEIdentity = m.sign(t, "tcbInfo", info), m.sign(t, "enclaveIdentity", qe)
	c.RootCRL = crl(t, m.root, func(l *x509.RevocationList) { l.NextUpdate = mintTime.AddDate(0, 0, 7) })
	q, pck := m.verified(t, func(q *tdx.Quote) { v15(q); q.TeeTCBSVN[0] = 2; q.QEReport.ISVSVN = 1 })
	got, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := tdx.Status{
		TCBStatus: "OutOfDate", PlatformStatus: "UpToDate", ModuleStatus: "OutOfDate", QEStatus: "OutOfDate",
		AdvisoryIDs:             []string{"INTEL-SA-00002", "INTEL-SA-00003", "INTEL-SA-00009"},
		TCBEvaluationDataNumber: 17,
		TCBDate:                 time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Issued:                  mintTime.AddDate(0, 0, -1),
		NextUpdate:              mintTime.AddDate(0, 0, 7),
		NotAfter:                mintTime.AddDate(0, 0, 7),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Evaluate = %+v, want %+v", got, want)
	}
	m.tcb = issue(t, m.root, "Intel SGX TCB Signing", func(c *x509.Certificate) { c.NotAfter = mintTime.AddDate(0, 0, 1) })
	c = m.collateral(t)
	got, err = c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
	if err != nil || !got.NotAfter.Equal(mintTime.AddDate(0, 0, 1)) {
		t.Errorf("NotAfter = %v, %v, want the end of the tcb signing certificate", got.NotAfter, err)
	}
}

// A module of version 1 is judged by its own identity, which must be there.
func TestEvaluateModule(t *testing.T) {
	m := newMint(t)
	q, pck := m.verified(t, v15)
	for _, tc := range []hostile{
		{"no identities", signedInfo(func(d doc) { delete(d, "tdxModuleIdentities") }), "no identity for tdx module TDX_01"},
		{"identity of another version", signedInfo(func(d doc) { moduleOf(d)["id"] = "TDX_03" }), "no identity for tdx module TDX_01"},
		{"identity of another signer", signedInfo(func(d doc) { moduleOf(d)["mrsigner"] = strings.Repeat("01", 48) }), "tdx module is signed by"},
		{"identity of other attributes", signedInfo(func(d doc) { moduleOf(d)["attributes"] = "0100000000000000" }), "tdx module has the attributes"},
		{"module too old", signedInfo(func(d doc) { moduleOf(d)["tcbLevels"] = list(svnLevel(5, "UpToDate")) }), "reaches no tcb level"},
		{"two identities", signedInfo(func(d doc) { d["tdxModuleIdentities"] = list(moduleOf(d), moduleOf(d)) }), "two tdxModuleIdentities"},
		{"the old module's signer does not matter", signedInfo(func(d doc) {
			d["tdxModule"] = doc{"mrsigner": strings.Repeat("01", 48), "attributes": "0000000000000000", "attributesMask": "FFFFFFFFFFFFFFFF"}
		}), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own := *m
			own.tb = t
			c := m.collateral(t)
			tc.build(&own, c)
			_, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
			checkErr(t, "Evaluate", err, tc.want)
		})
	}
}

// Evaluate says nothing of a quote that was not verified.
func TestEvaluateArguments(t *testing.T) {
	m := newMint(t)
	c := m.collateral(t)
	q, pck := m.verified(t, nil)
	other, _ := m.verified(t, nil)
	bad, err := tdx.ParseQuote(m.quote(t, nil, func(q *tdx.Quote) { q.ReportData[0]++ }))
	if err != nil {
		t.Fatal(err)
	}
	badPCK, err := m.roots().VerifyPCK(bad, mintTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		c     *tdx.Collateral
		q     *tdx.Quote
		pck   tdx.PCK
		roots *tdx.Roots
		at    time.Time
		want  string
	}{
		{"good", c, q, pck, m.roots(), mintTime, ""},
		{"zero time", c, q, pck, m.roots(), time.Time{}, "no time"},
		{"zero pck", c, q, tdx.PCK{}, m.roots(), mintTime, "not verified for this quote"},
		{"pck of another quote", c, other, pck, m.roots(), mintTime, "not verified for this quote"},
		{"no quote", c, nil, tdx.PCK{}, m.roots(), mintTime, "not verified for this quote"},
		{"no roots", c, q, pck, nil, mintTime, "no trusted root"},
		{"other roots", c, q, pck, newMint(t).roots(), mintTime, "not trusted"},
		{"chain no longer valid", c, q, pck, m.roots(), mintTime.AddDate(6, 0, 0), "certificate"},
		{"quote that does not verify", c, bad, badPCK, m.roots(), mintTime, "quote signature"},
		{"no collateral", nil, q, pck, m.roots(), mintTime, "missing"},
		{"zero collateral", &tdx.Collateral{}, q, pck, m.roots(), mintTime, "missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.c.Evaluate(tc.q, tc.pck, tc.roots, tc.at, tdx.Options{})
			checkErr(t, "Evaluate", err, tc.want)
		})
	}
}

func TestEvaluateProcessorCA(t *testing.T) {
	m := newMint(t)
	m.issuePCK(t, m.processor, nil)
	q, pck := m.verified(t, nil)
	c := m.collateral(t)
	if pck.CA != tdx.ProcessorCA {
		t.Fatalf("CA = %q", pck.CA)
	}
	_, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
	checkErr(t, "Evaluate with the platform ca's crl", err, "pck crl: issued by")
	c.PCKCRL = crl(t, m.processor, nil)
	_, err = c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
	checkErr(t, "Evaluate", err, "")
}
