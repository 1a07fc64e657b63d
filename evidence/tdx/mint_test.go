package tdx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// mintTime is when minted evidence was made. Minted certificates are valid for
// ten years around it, documents and CRLs for thirty days from a day before.
var mintTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// mint is a whole Intel of its own: a root, both PCK CAs, a TCB signer and one
// platform. The zero level of its collateral is UpToDate.
type mint struct {
	tb                                  testing.TB
	root, platform, processor, pck, tcb issued
	ext                                 tdx.SGXExtension
}

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMint(tb testing.TB) *mint {
	tb.Helper()
	m := &mint{tb: tb, ext: tdx.SGXExtension{
		PPID:          [16]byte{1, 2, 3},
		TCBComponents: [16]uint8{5, 5, 2, 2, 3, 1, 0, 3},
		PCESVN:        11,
		CPUSVN:        [16]byte{5, 5, 2, 2, 3, 1, 0, 3},
		FMSPC:         [6]byte{0x90, 0xc0, 0x6f},
		SGXType:       1,
	}}
	m.root = issue(tb, issued{}, "Intel SGX Root CA", func(c *x509.Certificate) { asCA(c, 1) })
	m.platform = issue(tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) })
	m.processor = issue(tb, m.root, "Intel SGX PCK Processor CA", func(c *x509.Certificate) { asCA(c, 0) })
	m.tcb = issue(tb, m.root, "Intel SGX TCB Signing", nil)
	m.issuePCK(tb, m.platform, nil)
	return m
}

// issuePCK replaces the platform's certificate.
func (m *mint) issuePCK(tb testing.TB, ca issued, edit func(*x509.Certificate)) {
	tb.Helper()
	m.pck = issue(tb, ca, "Intel SGX PCK Certificate", func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: oidSGX, Value: sgxDER(tb, m.ext)}}
		if edit != nil {
			edit(c)
		}
	})
}

func asCA(c *x509.Certificate, pathLen int) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	c.MaxPathLen, c.MaxPathLenZero = pathLen, pathLen == 0
}

// issue makes a certificate; without a parent it signs itself.
func issue(tb testing.TB, parent issued, name string, edit func(*x509.Certificate)) issued {
	tb.Helper()
	key := newKey(tb)
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 158))
	if err != nil {
		tb.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Intel Corporation"}, Locality: []string{"Santa Clara"}, Province: []string{"CA"}, Country: []string{"US"}},
		NotBefore:             mintTime.AddDate(-5, 0, 0),
		NotAfter:              mintTime.AddDate(5, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		BasicConstraintsValid: true,
		SubjectKeyId:          serial.Bytes(),
		CRLDistributionPoints: []string{"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"},
	}
	if edit != nil {
		edit(c)
	}
	if parent.cert == nil {
		parent = issued{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return issued{cert, key}
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// signRaw signs SHA-256 of data and returns r ‖ s.
func signRaw(tb testing.TB, key *ecdsa.PrivateKey, data []byte) (sig [64]byte) {
	tb.Helper()
	digest := sha256.Sum256(data)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return sig
}

var oidSGX = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

// sgxPair is an element of the SGX extension.
type sgxPair struct {
	ID    asn1.ObjectIdentifier
	Value any
}

func pair(value any, arcs ...int) sgxPair {
	return sgxPair{append(slices.Clone(oidSGX), arcs...), value}
}

// sgxPairs are the elements of the extension of a PCK of the processor CA.
func sgxPairs(e tdx.SGXExtension) []sgxPair {
	var tcb []sgxPair
	for i, svn := range e.TCBComponents {
		tcb = append(tcb, pair(int(svn), 2, i+1))
	}
	tcb = append(tcb, pair(int(e.PCESVN), 2, 17), pair(e.CPUSVN[:], 2, 18))
	return []sgxPair{
		pair(e.PPID[:], 1), pair(tcb, 2), pair(e.PCEID[:], 3), pair(e.FMSPC[:], 4), pair(asn1.Enumerated(e.SGXType), 5),
	}
}

func sgxDER(tb testing.TB, e tdx.SGXExtension) []byte {
	tb.Helper()
	return marshalPairs(tb, sgxPairs(e))
}

func marshalPairs(tb testing.TB, pairs []sgxPair) []byte {
	tb.Helper()
	der, err := asn1.Marshal(pairs)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// quote makes a signed quote. before edits what gets signed, after edits the
// signed quote; both may be nil.
func (m *mint) quote(tb testing.TB, before, after func(*tdx.Quote)) []byte {
	tb.Helper()
	ca := m.platform
	if m.pck.cert.Issuer.CommonName == m.processor.cert.Subject.CommonName {
		ca = m.processor
	}
	q := &tdx.Quote{
		Version: 4, BodyType: 2, QEAuthData: []byte("auth data"),
		QEVendorID: [16]byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07},
		PCKChain:   [][]byte{m.pck.cert.Raw, ca.cert.Raw, m.root.cert.Raw},
		QEReport: tdx.QEReport{
			Attributes: [16]byte{0x15, 8: 0xe7}, MRSigner: [32]byte{0xdc, 0x9e}, ISVProdID: 2, ISVSVN: 6,
		},
	}
	q.TeeTCBSVN = [16]byte{3, 0, 5}
	q.Attributes, q.XFAM = tdx.AttrSeptVEDisable, 0x61ae7
	if before != nil {
		before(q)
	}
	key := newKey(tb)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	q.AttestationKey = [64]byte(point[1:])
	bound := sha256.Sum256(append(q.AttestationKey[:], q.QEAuthData...))
	copy(q.QEReport.ReportData[:], bound[:])
	q.QEReportSignature = signRaw(tb, m.pck.key, q.QEReport.Append(nil))
	q.Signature = signRaw(tb, key, q.AppendSigned(nil))
	if after != nil {
		after(q)
	}
	return q.Append(nil)
}

// v5 turns a quote into version 5 with a TDX 1.5 body and a module of version 1.
func v5(q *tdx.Quote) {
	q.Version, q.BodyType = 5, 3
	q.TeeTCBSVN, q.TeeTCBSVN2 = [16]byte{4, 1, 5}, [16]byte{4, 1, 5}
	q.MRServiceTD = [48]byte{7}
}

// verified returns a minted quote and its PCK.
func (m *mint) verified(tb testing.TB, before func(*tdx.Quote)) (*tdx.Quote, tdx.PCK) {
	tb.Helper()
	q, err := tdx.ParseQuote(m.quote(tb, before, nil))
	if err != nil {
		tb.Fatal(err)
	}
	pck, err := m.roots().VerifyPCK(q, mintTime)
	if err != nil {
		tb.Fatal(err)
	}
	return q, pck
}

func (m *mint) roots() *tdx.Roots { return tdx.NewRoots(m.root.cert) }

// doc is a JSON object; encoding/json sorts its members.
type doc = map[string]any

func list(of ...any) []any { return append([]any{}, of...) }

// tcbInfo is the TCB info of the minted platform, to be edited before signing.
func (m *mint) tcbInfo() doc {
	sgx, tee := make([]any, 16), make([]any, 16)
	for i := range 16 {
		sgx[i], tee[i] = doc{"svn": int(m.ext.TCBComponents[i])}, doc{"svn": 0}
	}
	tee[0], tee[2] = doc{"svn": 3, "category": "OS/VMM", "type": "TDX Module"}, doc{"svn": 5}
	module := doc{"mrsigner": hex.EncodeToString(make([]byte, 48)), "attributes": "0000000000000000", "attributesMask": "FFFFFFFFFFFFFFFF"}
	identity := doc{"id": "TDX_01", "tcbLevels": list(svnLevel(4, "UpToDate"), svnLevel(2, "OutOfDate", "INTEL-SA-00002"))}
	maps.Copy(identity, module)
	return doc{
		"id": "TDX", "version": 3, "tcbType": 0, "tcbEvaluationDataNumber": 18,
		"issueDate": mintTime.AddDate(0, 0, -1).Format(time.RFC3339), "nextUpdate": mintTime.AddDate(0, 0, 29).Format(time.RFC3339),
		"fmspc": hex.EncodeToString(m.ext.FMSPC[:]), "pceId": hex.EncodeToString(m.ext.PCEID[:]),
		"tdxModule": module, "tdxModuleIdentities": list(identity),
		"tcbLevels": list(doc{
			"tcb":       doc{"sgxtcbcomponents": sgx, "pcesvn": int(m.ext.PCESVN), "tdxtcbcomponents": tee},
			"tcbStatus": "UpToDate", "tcbDate": "2025-02-02T00:00:00Z",
		}),
	}
}

// svnLevel is a TCB level of a module or of the quoting enclave.
func svnLevel(svn int, status string, advisories ...any) doc {
	l := doc{"tcb": doc{"isvsvn": svn}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": status}
	if len(advisories) > 0 {
		l["advisoryIDs"] = advisories
	}
	return l
}

// qeIdentity is the identity of the minted quoting enclave.
func (m *mint) qeIdentity() doc {
	return doc{
		"id": "TD_QE", "version": 2, "tcbEvaluationDataNumber": 18,
		"issueDate": mintTime.AddDate(0, 0, -1).Format(time.RFC3339), "nextUpdate": mintTime.AddDate(0, 0, 28).Format(time.RFC3339),
		"miscselect": "00000000", "miscselectMask": "FFFFFFFF",
		"attributes": "11000000000000000000000000000000", "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
		"mrsigner": "DC9E" + hex.EncodeToString(make([]byte, 30)), "isvprodid": 2,
		"tcbLevels": list(svnLevel(4, "UpToDate"), svnLevel(1, "OutOfDate", "INTEL-SA-00003")),
	}
}

// sign wraps a document as the PCS does.
func (m *mint) sign(tb testing.TB, name string, d doc) []byte {
	tb.Helper()
	body, err := json.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	sig := signRaw(tb, m.tcb.key, body)
	return envelope(name, string(body), hex.EncodeToString(sig[:]))
}

func envelope(name, body, signature string) []byte {
	return []byte(`{"` + name + `":` + body + `,"signature":"` + signature + `"}`)
}

// crl makes a CRL of the given serial numbers.
func crl(tb testing.TB, by issued, edit func(*x509.RevocationList), serials ...*big.Int) []byte {
	tb.Helper()
	c := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: mintTime.AddDate(0, 0, -1), NextUpdate: mintTime.AddDate(0, 0, 30)}
	for _, s := range serials {
		c.RevokedCertificateEntries = append(c.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: mintTime.AddDate(0, 0, -2)})
	}
	if edit != nil {
		edit(c)
	}
	der, err := x509.CreateRevocationList(rand.Reader, c, by.cert, by.key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func pemChain(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// collateral is good collateral for the minted platform.
func (m *mint) collateral(tb testing.TB) *tdx.Collateral {
	tb.Helper()
	chain := pemChain(m.tcb.cert, m.root.cert)
	return &tdx.Collateral{
		TCBInfo: m.sign(tb, "tcbInfo", m.tcbInfo()), TCBInfoChain: chain,
		QEIdentity: m.sign(tb, "enclaveIdentity", m.qeIdentity()), QEIdentityChain: chain,
		PCKCRL:  crl(tb, m.platform, nil),
		RootCRL: crl(tb, m.root, nil),
	}
}
