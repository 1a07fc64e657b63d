package snp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/snp"
)

// The minter makes AMD-shaped keys, certificates, lists and reports that are
// not AMD's. ASK and ASVK share a key, so that only their names and kinds keep
// them apart. The chip's key is one for all VCEKs and VLEKs.

var (
	mintFrom  = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	mintTo    = mintFrom.AddDate(7, 0, 0)
	mintAt    = mintFrom.AddDate(1, 0, 0)
	mintChip  = [64]byte{0xc0, 1, 2, 3, 4, 5, 6, 7}
	arcKDS    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}
	mintMilan = snp.TCB{Product: snp.Milan, BootLoader: 4, SNP: 24, Microcode: 219}
	mintTurin = snp.TCB{Product: snp.Turin, FMC: 1, BootLoader: 2, TEE: 3, SNP: 4, Microcode: 200}
)

type mintKeys struct {
	ark, ask *rsa.PrivateKey
	chip     *ecdsa.PrivateKey
}

// keys are made once a run: RSA of 4096 bits takes a second or two.
var keys = sync.OnceValue(func() mintKeys {
	var k mintKeys
	var wg sync.WaitGroup
	for _, to := range []**rsa.PrivateKey{&k.ark, &k.ask} {
		wg.Go(func() {
			key, err := rsa.GenerateKey(rand.Reader, 4096)
			if err != nil {
				panic(err)
			}
			*to = key
		})
	}
	wg.Wait()
	chip, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	k.chip = chip
	return k
})

func amdSubject(name string) pkix.Name {
	return pkix.Name{
		Country: []string{"US"}, Province: []string{"CA"}, Locality: []string{"Santa Clara"},
		Organization: []string{"Advanced Micro Devices"}, OrganizationalUnit: []string{"Engineering"}, CommonName: name,
	}
}

func authorityTemplate(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: amdSubject(name), NotBefore: mintFrom, NotAfter: mintTo.AddDate(10, 0, 0),
		SignatureAlgorithm: x509.SHA384WithRSAPSS, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
}

func issue(tb testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// A hierarchy is the ARK, ASK and ASVK of one product.
type hierarchy struct{ ark, ask, asvk *x509.Certificate }

func (h hierarchy) certs() []*x509.Certificate {
	return []*x509.Certificate{h.asvk, h.ask, h.ark, h.ark}
}

func (h hierarchy) roots(tb testing.TB) *snp.Roots {
	tb.Helper()
	r, err := snp.NewRoots(h.certs())
	if err != nil {
		tb.Fatalf("NewRoots: %v", err)
	}
	return r
}

var (
	hierarchyMu sync.Mutex
	hierarchies = map[snp.Product]hierarchy{}
)

func mintHierarchy(tb testing.TB, p snp.Product) hierarchy {
	tb.Helper()
	hierarchyMu.Lock()
	defer hierarchyMu.Unlock()
	if h, ok := hierarchies[p]; ok {
		return h
	}
	k := keys()
	self := authorityTemplate("ARK-"+string(p), 0x10000)
	h := hierarchy{ark: issue(tb, self, self, k.ark.Public(), k.ark)}
	h.ask = issue(tb, authorityTemplate("SEV-"+string(p), 0x10001), h.ark, k.ask.Public(), k.ark)
	h.asvk = issue(tb, authorityTemplate("SEV-VLEK-"+string(p), 0x10101), h.ark, k.ask.Public(), k.ark)
	hierarchies[p] = h
	return h
}

// A leafSpec is a VCEK or VLEK to be minted. Extensions are by what follows
// 1.3.6.1.4.1.3704.1 in the order given.
type leafSpec struct {
	template *x509.Certificate
	exts     []ext
	issuer   *x509.Certificate
	public   crypto.PublicKey
}

type ext struct {
	id    []int
	value []byte
}

func der(tb testing.TB, v any, params string) []byte {
	tb.Helper()
	b, err := asn1.MarshalWithParams(v, params)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func newLeaf(tb testing.TB, key snp.SigningKey, tcb snp.TCB) *leafSpec {
	tb.Helper()
	h := mintHierarchy(tb, tcb.Product)
	num := func(n uint8, id ...int) ext { return ext{id, der(tb, int(n), "")} }
	s := &leafSpec{issuer: h.ask, public: keys().chip.Public()}
	name, hwid, version := "SEV-VCEK", 64, uint8(0)
	s.exts = []ext{num(tcb.BootLoader, 3, 1), num(tcb.TEE, 3, 2), num(tcb.SNP, 3, 3)}
	if tcb.Product == snp.Turin {
		hwid, version = 8, 1
		s.exts = append(s.exts, num(tcb.FMC, 3, 9))
	} else {
		s.exts = append(s.exts, num(0, 3, 4))
	}
	s.exts = append(s.exts, num(0, 3, 5), num(0, 3, 6), num(0, 3, 7), num(tcb.Microcode, 3, 8),
		num(version, 1), ext{[]int{2}, der(tb, string(tcb.Product), "ia5")})
	if key == snp.VLEK {
		name, s.issuer = "SEV-VLEK", h.asvk
		s.exts = append(s.exts, ext{[]int{5}, der(tb, "CN=cloud.test", "ia5")})
	} else {
		s.exts = append(s.exts, ext{[]int{4}, mintChip[:hwid]})
	}
	s.template = &x509.Certificate{
		SerialNumber: big.NewInt(0), Subject: amdSubject(name), NotBefore: mintFrom, NotAfter: mintTo,
		SignatureAlgorithm: x509.SHA384WithRSAPSS,
	}
	return s
}

// set replaces the value of an extension, or removes it if value is nil.
func (s *leafSpec) set(value []byte, id ...int) {
	s.exts = slices.DeleteFunc(s.exts, func(e ext) bool { return slices.Equal(e.id, id) })
	if value != nil {
		s.exts = append(s.exts, ext{id, value})
	}
}

func (s *leafSpec) der(tb testing.TB) []byte {
	tb.Helper()
	t := *s.template
	for _, e := range s.exts {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: append(slices.Clone(arcKDS), e.id...), Value: e.value})
	}
	c, err := x509.CreateCertificate(rand.Reader, &t, s.issuer, s.public, keys().ask)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func (s *leafSpec) parse(tb testing.TB) *snp.Certificate {
	tb.Helper()
	c, err := snp.ParseCertificate(s.der(tb))
	if err != nil {
		tb.Fatalf("ParseCertificate: %v", err)
	}
	return c
}

// newReport is a report that fits newLeaf(VCEK, tcb), without a signature.
func newReport(tcb snp.TCB) *snp.Report {
	r := &snp.Report{
		Version: 5, SignatureAlgorithm: 1, Policy: snp.Policy{SMT: true}, ChipID: mintChip,
		CurrentTCB: tcb.Raw(), ReportedTCB: tcb.Raw(), CommittedTCB: tcb.Raw(), LaunchTCB: tcb.Raw(),
	}
	switch tcb.Product {
	case snp.Milan:
		r.CPUID = snp.CPUID{Family: 0x19, Model: 0x01, Stepping: 1}
	case snp.Genoa:
		r.CPUID = snp.CPUID{Family: 0x19, Model: 0x11, Stepping: 1}
	case snp.Turin:
		r.CPUID = snp.CPUID{Family: 0x1A, Model: 0x02, Stepping: 1}
	}
	return r
}

func encode(tb testing.TB, r *snp.Report) []byte {
	tb.Helper()
	raw, err := r.Append(nil)
	if err != nil {
		tb.Fatalf("Append: %v", err)
	}
	return raw
}

func littleEndian(n *big.Int) (field [72]byte) {
	n.FillBytes(field[:])
	slices.Reverse(field[:])
	return field
}

// sign signs the report with the chip's key and parses what results, after
// edit, if any, changed the signed report.
func sign(tb testing.TB, r *snp.Report, edit func(*snp.Report)) *snp.Report {
	tb.Helper()
	sum := sha512.Sum384(encode(tb, r)[:0x2A0])
	rr, ss, err := ecdsa.Sign(rand.Reader, keys().chip, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	signed := *r
	signed.SignatureR, signed.SignatureS = littleEndian(rr), littleEndian(ss)
	if edit != nil {
		edit(&signed)
	}
	parsed, err := snp.ParseReport(encode(tb, &signed))
	if err != nil {
		tb.Fatalf("ParseReport: %v", err)
	}
	return parsed
}
