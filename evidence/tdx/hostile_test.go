package tdx_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// hostile is a case that differs from good evidence and collateral in one thing.
type hostile struct {
	name  string
	build func(m *mint, c *tdx.Collateral)
	want  string
}

func signedInfo(edit func(doc)) func(*mint, *tdx.Collateral) {
	return func(m *mint, c *tdx.Collateral) {
		c.TCBInfo = m.sign(m.tb, "tcbInfo", edited(m.tcbInfo(), edit))
	}
}

func signedQE(edit func(doc)) func(*mint, *tdx.Collateral) {
	return func(m *mint, c *tdx.Collateral) {
		c.QEIdentity = m.sign(m.tb, "enclaveIdentity", edited(m.qeIdentity(), edit))
	}
}

// swap replaces the first occurrence of a text that has to be there.
func swap(tb testing.TB, in []byte, old, with string) []byte {
	tb.Helper()
	if !strings.Contains(string(in), old) {
		tb.Fatalf("no %s in %s", old, in)
	}
	return []byte(strings.Replace(string(in), old, with, 1))
}

func set(name string, v any) func(doc) { return func(d doc) { d[name] = v } }

func stampAt(days int) string { return mintTime.AddDate(0, 0, days).Format(time.RFC3339) }

var hostileDocuments = []hostile{
	{"none", nil, ""},
	{"tcb info expired", signedInfo(set("nextUpdate", stampAt(-1))), "tcb info: expired"},
	{"tcb info from the future", signedInfo(set("issueDate", stampAt(1))), "tcb info: not issued before"},
	{"tcb info of another fmspc", signedInfo(set("fmspc", "00806f050000")), "fmspc 00806f050000"},
	{"tcb info of another pceid", signedInfo(set("pceId", "0001")), "pceid 0001"},
	{"tcb info for sgx", signedInfo(set("id", "SGX")), `tcbInfo.id is "SGX"`},
	{"tcb info version 2", signedInfo(set("version", 2)), "version is 2"},
	{"low evaluation number of tcb info", signedInfo(set("tcbEvaluationDataNumber", 17)), "tcb info: tcb evaluation data number is 17"},
	{"unknown status", signedInfo(func(d doc) { levelOf(d)["tcbStatus"] = "Fine" }), `unknown tcb status "Fine"`},
	{"status in another case", signedInfo(func(d doc) { levelOf(d)["tcbStatus"] = "uptodate" }), "unknown tcb status"},
	{"no level is low enough", signedInfo(func(d doc) { tcbOf(levelOf(d))["pcesvn"] = 12 }), "the platform reaches no tcb level"},
	{"sgx component too old", signedInfo(func(d doc) { items(tcbOf(levelOf(d))["sgxtcbcomponents"])[15] = doc{"svn": 1} }), "reaches no tcb level"},
	{"tdx component too old", signedInfo(func(d doc) { items(tcbOf(levelOf(d))["tdxtcbcomponents"])[2] = doc{"svn": 6} }), "reaches no tcb level"},
	{"old module's byte too old", signedInfo(func(d doc) { items(tcbOf(levelOf(d))["tdxtcbcomponents"])[0] = doc{"svn": 4} }), "reaches no tcb level"},
	{"no levels", signedInfo(set("tcbLevels", list())), "reaches no tcb level"},
	{"module of another signer", signedInfo(func(d doc) { object(d["tdxModule"])["mrsigner"] = strings.Repeat("01", 48) }), "tdx module is signed by"},
	{"module of other attributes", signedInfo(func(d doc) { object(d["tdxModule"])["attributes"] = "0100000000000000" }), "tdx module has the attributes"},
	{"forged level", func(m *mint, c *tdx.Collateral) {
		c.TCBInfo = swap(m.tb, c.TCBInfo, `"UpToDate"`, `"Revoked"`)
	}, "tcb info: signature does not verify"},
	{"white space inside what is signed", func(m *mint, c *tdx.Collateral) {
		c.TCBInfo = swap(m.tb, c.TCBInfo, `,"id"`, `, "id"`)
	}, "tcb info: signature does not verify"},
	{"white space around what is signed", func(m *mint, c *tdx.Collateral) {
		c.TCBInfo = swap(m.tb, c.TCBInfo, `,"signature"`, " ,\n\"signature\"")
	}, ""},
	{"tcb info of another signer", func(m *mint, c *tdx.Collateral) {
		o := *m
		o.tcb = issue(m.tb, m.root, "Intel SGX TCB Signing", nil)
		c.TCBInfo = o.sign(m.tb, "tcbInfo", m.tcbInfo())
	}, "tcb info: signature does not verify"},
	{"case confusion", func(m *mint, c *tdx.Collateral) {
		c.TCBInfo = m.confuse(m.tb, edited(m.tcbInfo(), set("nextUpdate", stampAt(-1))), m.tcbInfo())
	}, `members "tcbInfo" and "TCBINFO"`},
	{"no tcb info", func(_ *mint, c *tdx.Collateral) { c.TCBInfo = nil }, "tcb info: missing"},
	{"qe identity expired", signedQE(set("nextUpdate", stampAt(-1))), "qe identity: expired"},
	{"qe identity from the future", signedQE(set("issueDate", stampAt(1))), "qe identity: not issued before"},
	{"qe identity of sgx", signedQE(set("id", "QE")), `enclaveIdentity.id is "QE"`},
	{"qe identity version 1", signedQE(set("version", 1)), "version is 1"},
	{"low evaluation number of qe identity", signedQE(set("tcbEvaluationDataNumber", 17)), "qe identity: tcb evaluation data number is 17"},
	{"qe of another signer", signedQE(set("mrsigner", strings.Repeat("01", 32))), "quoting enclave is signed by"},
	{"qe of another product", signedQE(set("isvprodid", 1)), "isvprodid 2, want 1"},
	{"qe with other miscselect", signedQE(set("miscselect", "01000000")), "miscselect"},
	{"qe with other attributes", signedQE(set("attributes", "13000000000000000000000000000000")), "quoting enclave has the attributes"},
	{"qe too old", signedQE(set("tcbLevels", list(svnLevel(7, "UpToDate")))), "quoting enclave with isvsvn 6 reaches no tcb level"},
	{"forged qe identity", func(m *mint, c *tdx.Collateral) {
		c.QEIdentity = swap(m.tb, c.QEIdentity, `"isvprodid":2`, `"isvprodid":3`)
	}, "qe identity: signature does not verify"},
	{"no qe identity", func(_ *mint, c *tdx.Collateral) { c.QEIdentity = nil }, "qe identity: missing"},
}

var hostileChains = []hostile{
	{"pck revoked", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, m.platform, nil, big.NewInt(7), m.pck.cert.SerialNumber)
	}, `"Intel SGX PCK Certificate" with serial`},
	{"pck ca revoked", func(m *mint, c *tdx.Collateral) {
		c.RootCRL = crl(m.tb, m.root, nil, m.platform.cert.SerialNumber)
	}, `"Intel SGX PCK Platform CA" with serial`},
	{"tcb signer revoked", func(m *mint, c *tdx.Collateral) {
		c.RootCRL = crl(m.tb, m.root, nil, m.tcb.cert.SerialNumber)
	}, `"Intel SGX TCB Signing" with serial`},
	{"pck crl expired", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, m.platform, func(l *x509.RevocationList) { l.NextUpdate = mintTime.Add(-time.Hour) })
	}, "pck crl: expired"},
	{"pck crl from the future", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, m.platform, func(l *x509.RevocationList) { l.ThisUpdate = mintTime.Add(time.Hour) })
	}, "pck crl: not issued before"},
	{"root crl expired", func(m *mint, c *tdx.Collateral) {
		c.RootCRL = crl(m.tb, m.root, func(l *x509.RevocationList) { l.NextUpdate = mintTime.Add(-time.Hour) })
	}, "root crl: expired"},
	{"pck crl by the root", func(m *mint, c *tdx.Collateral) { c.PCKCRL = crl(m.tb, m.root, nil) }, "pck crl: issued by"},
	{"pck crl by the processor ca", func(m *mint, c *tdx.Collateral) { c.PCKCRL = crl(m.tb, m.processor, nil) }, "pck crl: issued by"},
	{"pck crl by another key", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) }), nil)
	}, "pck crl: x509"},
	{"root crl by another key", func(m *mint, c *tdx.Collateral) {
		c.RootCRL = crl(m.tb, newMint(m.tb).root, nil)
	}, "root crl: x509"},
	{"delta crl", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, m.platform, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 0}}}
		})
	}, "critical extension"},
	{"pck crl with another hash", func(m *mint, c *tdx.Collateral) {
		c.PCKCRL = crl(m.tb, m.platform, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA384 })
	}, "pck crl: signed with ECDSA-SHA384"},
	{"pck crl in pem", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = pemCRL(c.PCKCRL) }, ""},
	{"two pck crls", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = append(pemCRL(c.PCKCRL), pemCRL(c.PCKCRL)...) }, "not exactly one crl"},
	{"pck crl in broken pem", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = []byte("-----BEGIN X509 CRL-----") }, "not exactly one crl"},
	{"pck crl too large", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = make([]byte, tdx.MaxCollateralFile+1) }, "pck crl: 1048577 bytes"},
	{"pck crl is none", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = []byte{0x30, 0} }, "pck crl: x509"},
	{"chain too large", func(_ *mint, c *tdx.Collateral) { c.TCBInfoChain = make([]byte, tdx.MaxCollateralFile+1) }, "tcb signing chain: 1048577 bytes"},
	{"tcb signer with another hash", func(m *mint, c *tdx.Collateral) {
		m.tcb = issue(m.tb, m.root, "Intel SGX TCB Signing", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA384 })
		*c = *m.collateral(m.tb)
	}, "is signed with ECDSA-SHA384"},
	{"no pck crl", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = nil }, "pck crl: missing"},
	{"no root crl", func(_ *mint, c *tdx.Collateral) { c.RootCRL = nil }, "root crl: missing"},
	{"bytes after the crl", func(_ *mint, c *tdx.Collateral) { c.PCKCRL = append(slices.Clone(c.PCKCRL), 0) }, "pck crl: 1 bytes after the crl"},
	{"no tcb signing chain", func(_ *mint, c *tdx.Collateral) { c.TCBInfoChain = nil }, "tcb info: tcb signing chain: missing"},
	{"no qe signing chain", func(_ *mint, c *tdx.Collateral) { c.QEIdentityChain = nil }, "qe identity: tcb signing chain: missing"},
	{"chain without root", func(m *mint, c *tdx.Collateral) { c.TCBInfoChain = pemChain(m.tcb.cert) }, "certificate 2 of 2 is missing"},
	{"chain of three", func(m *mint, c *tdx.Collateral) {
		c.TCBInfoChain = pemChain(m.tcb.cert, m.root.cert, m.root.cert)
	}, "after the 2 certificates"},
	{"signed by the pck", func(m *mint, c *tdx.Collateral) {
		c.TCBInfoChain = pemChain(m.pck.cert, m.root.cert)
	}, `want ["Intel SGX TCB Signing"]`},
	{"signed by a ca", func(m *mint, c *tdx.Collateral) {
		m.tcb = issue(m.tb, m.root, "Intel SGX TCB Signing", func(c *x509.Certificate) { asCA(c, 0) })
		*c = *m.collateral(m.tb)
	}, "is a CA"},
	{"tcb signer expired", func(m *mint, c *tdx.Collateral) {
		m.tcb = issue(m.tb, m.root, "Intel SGX TCB Signing", func(c *x509.Certificate) { c.NotAfter = mintTime.Add(-time.Hour) })
		*c = *m.collateral(m.tb)
	}, `"Intel SGX TCB Signing" expired`},
	{"collateral of another root", func(m *mint, c *tdx.Collateral) {
		o := newMint(m.tb)
		o.ext = m.ext
		d := o.collateral(m.tb)
		c.TCBInfo, c.TCBInfoChain = d.TCBInfo, d.TCBInfoChain
	}, "is not trusted"},
	{"crl chain of the same ca", func(m *mint, c *tdx.Collateral) {
		c.PCKCRLChain = pemChain(m.platform.cert, m.root.cert)
	}, ""},
	{"crl chain of another ca", func(m *mint, c *tdx.Collateral) {
		c.PCKCRLChain, c.PCKCRL = pemChain(m.processor.cert, m.root.cert), crl(m.tb, m.processor, nil)
	}, "not the ca of the pck certificate"},
	{"crl chain revoked", func(m *mint, c *tdx.Collateral) {
		ca := issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) })
		c.PCKCRLChain, c.RootCRL = pemChain(ca.cert, m.root.cert), crl(m.tb, m.root, nil, ca.cert.SerialNumber)
	}, "was revoked"},
}

func TestEvaluateHostile(t *testing.T) {
	m := newMint(t)
	q, pck := m.verified(t, nil)
	for _, tc := range slices.Concat(hostileDocuments, hostileChains) {
		t.Run(tc.name, func(t *testing.T) {
			own := *m
			own.tb = t
			c := own.collateral(t)
			if tc.build != nil {
				tc.build(&own, c)
			}
			s, err := c.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{MinEvaluationDataNumber: 18})
			checkErr(t, "Evaluate", err, tc.want)
			if err != nil && !reflect.DeepEqual(s, tdx.Status{}) {
				t.Errorf("Evaluate = %+v beside an error", s)
			}
		})
	}
}

func pemCRL(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }

// A CA that may not sign CRLs cannot vouch for its certificates.
func TestEvaluateNoCRLSign(t *testing.T) {
	m := newMint(t)
	m.platform = issue(t, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0); c.KeyUsage = x509.KeyUsageCertSign })
	m.issuePCK(t, m.platform, nil)
	q, pck := m.verified(t, nil)
	able := *m.platform.cert
	able.KeyUsage |= x509.KeyUsageCRLSign
	m.platform.cert = &able
	_, err := m.collateral(t).Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
	checkErr(t, "Evaluate", err, "may not sign crls")
}

// Intel has issued its root again for the same key. Either copy begins a chain; the
// trusted one is reported; a PCK verified under one is not evaluated under the other.
func TestReissuedRoot(t *testing.T) {
	m := newMint(t)
	q, pck := m.verified(t, nil)
	again := *m.root.cert
	again.SerialNumber, again.NotAfter = big.NewInt(77), mintTime.AddDate(1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, &again, &again, m.root.key.Public(), m.root.key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	other, err := tdx.NewRoots(root).VerifyPCK(q, mintTime)
	if err != nil || !other.Root.Equal(root) || !other.NotAfter.Equal(root.NotAfter) {
		t.Errorf("VerifyPCK under the reissued root = %v, %v", other.NotAfter, err)
	}
	_, err = m.collateral(t).Evaluate(q, other, tdx.NewRoots(root), mintTime, tdx.Options{})
	checkErr(t, "Evaluate under the reissued root", err, "")
	_, err = m.collateral(t).Evaluate(q, pck, tdx.NewRoots(root), mintTime, tdx.Options{})
	checkErr(t, "Evaluate with a pck of the first root", err, "verified under another root")
}
