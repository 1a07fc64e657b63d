package snp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestParseCertificate(t *testing.T) {
	for _, tcb := range []snp.TCB{mintMilan, mintTurin, {Product: snp.Genoa}} {
		for _, key := range []snp.SigningKey{snp.VCEK, snp.VLEK} {
			c := newLeaf(t, key, tcb).parse(t)
			if c.Key != key || c.Product != tcb.Product || c.ProductName != string(tcb.Product) || c.TCB != tcb {
				t.Errorf("ParseCertificate = %+v, want a %v of %+v", c, key, tcb)
			}
			if (len(c.HWID) > 0) != (key == snp.VCEK) || !bytes.HasPrefix(mintChip[:], c.HWID) || (c.CSPID == "CN=cloud.test") != (key == snp.VLEK) {
				t.Errorf("%v has chip %x and provider %q", key, c.HWID, c.CSPID)
			}
		}
	}
}

// TestTaggedHWID has the chip's identifier as an OCTET STRING.
func TestTaggedHWID(t *testing.T) {
	for tcb, size := range map[snp.TCB]int{mintMilan: 64, mintTurin: 8} {
		s := newLeaf(t, snp.VCEK, tcb)
		s.set(der(t, mintChip[:size], ""), 4)
		if c := s.parse(t); !bytes.Equal(c.HWID, mintChip[:size]) {
			t.Errorf("HWID = %x, want %x", c.HWID, mintChip[:size])
		}
	}
}

func TestParseCertificateRefuses(t *testing.T) {
	num := func(n int) []byte { return der(t, n, "") }
	ia5 := func(s string) []byte { return der(t, s, "ia5") }
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		tcb        snp.TCB
		key        snp.SigningKey
		edit       func(*leafSpec)
	}{
		{"subject", `certificate of "SEV-ASK"`, mintMilan, snp.VCEK, func(s *leafSpec) { s.template.Subject.CommonName = "SEV-ASK" }},
		{"authority", "certificate authority", mintMilan, snp.VCEK, func(s *leafSpec) {
			s.template.BasicConstraintsValid, s.template.IsCA = true, true
		}},
		{"P-256", "want ecdsa on P-384", mintMilan, snp.VCEK, func(s *leafSpec) { s.public = p256.Public() }},
		{"RSA key", "has a RSA key", mintMilan, snp.VCEK, func(s *leafSpec) { s.public = keys().ask.Public() }},
		{"PKCS #1", "is signed with SHA384-RSA,", mintMilan, snp.VCEK, func(s *leafSpec) { s.template.SignatureAlgorithm = x509.SHA384WithRSA }},
		{"SHA-256", "is signed with SHA256-RSAPSS,", mintMilan, snp.VCEK, func(s *leafSpec) { s.template.SignatureAlgorithm = x509.SHA256WithRSAPSS }},
		{"critical", "unknown critical extension 1.2.3", mintMilan, snp.VCEK, func(s *leafSpec) {
			s.template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}},
		{"huge", "at most 16384 are read", mintMilan, snp.VCEK, func(s *leafSpec) {
			s.template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 16<<10)}}
		}},
		{"doubled", "duplicate extension", mintMilan, snp.VCEK, func(s *leafSpec) { s.exts = append(s.exts, s.exts[0]) }},
		{"unknown KDS extension", "unexpected extension 1.3.6.1.4.1.3704.1.6", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(0), 6) }},
		{"FMC on Milan", "unexpected extension 1.3.6.1.4.1.3704.1.3.9", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(0), 3, 9) }},
		{"fourth SPL on Turin", "unexpected extension 1.3.6.1.4.1.3704.1.3.4", mintTurin, snp.VCEK, func(s *leafSpec) { s.set(num(0), 3, 4) }},
		{"provider of a VCEK", "unexpected extension 1.3.6.1.4.1.3704.1.5", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(ia5("x"), 5) }},
		{"chip of a VLEK", "unexpected extension 1.3.6.1.4.1.3704.1.4", mintMilan, snp.VLEK, func(s *leafSpec) { s.set(mintChip[:], 4) }},
		{"no provider", "3704.1.5: missing", mintMilan, snp.VLEK, func(s *leafSpec) { s.set(nil, 5) }},
		{"empty provider", "3704.1.5: empty text", mintMilan, snp.VLEK, func(s *leafSpec) { s.set(ia5(""), 5) }},
		{"short chip", "8 bytes, want 64 for Milan", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(mintChip[:8], 4) }},
		{"long chip", "64 bytes, want 8 for Turin", mintTurin, snp.VCEK, func(s *leafSpec) { s.set(mintChip[:], 4) }},
		{"version 1 on Milan", "structure version 1, want 0 for Milan", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(1), 1) }},
		{"version 0 on Turin", "structure version 0, want 1 for Turin", mintTurin, snp.VCEK, func(s *leafSpec) { s.set(num(0), 1) }},
		{"product", `product name "Naples"`, mintMilan, snp.VCEK, func(s *leafSpec) { s.set(ia5("Naples"), 2) }},
		{"stepping", `product name "Milan-"`, mintMilan, snp.VCEK, func(s *leafSpec) { s.set(ia5("Milan-"), 2) }},
		{"UTF-8 product", "is not the DER of the expected type", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(der(t, "Milan", "utf8"), 2) }},
		{"SPL 256", "number 256, want 0 to 255", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(256), 3, 3) }},
		{"SPL -1", "number -1, want 0 to 255", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(-1), 3, 3) }},
		{"reserved SPL", "number 1, but it is reserved on Milan", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(num(1), 3, 5) }},
		{"SPL with more", "1 bytes after the value", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(append(num(24), 0), 3, 3) }},
		{"SPL as text", "3704.1.3.3: asn1", mintMilan, snp.VCEK, func(s *leafSpec) { s.set(ia5("24"), 3, 3) }},
		{"empty SPL", "3704.1.3.3: asn1", mintMilan, snp.VCEK, func(s *leafSpec) { s.set([]byte{}, 3, 3) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newLeaf(t, tt.key, tt.tcb)
			tt.edit(s)
			c, err := snp.ParseCertificate(s.der(t))
			if c != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseCertificate = %v, %v, want an error with %q", c, err, tt.want)
			}
		})
	}
}

// TestParseCertificateMissing removes each KDS extension in turn.
func TestParseCertificateMissing(t *testing.T) {
	for _, tcb := range []snp.TCB{mintMilan, mintTurin} {
		for _, e := range newLeaf(t, snp.VCEK, tcb).exts {
			s := newLeaf(t, snp.VCEK, tcb)
			s.set(nil, e.id...)
			id := append(bytesOID(arcKDS), e.id...).String()
			if _, err := snp.ParseCertificate(s.der(t)); err == nil || !strings.Contains(err.Error(), id+": missing") {
				t.Errorf("%s without %s: %v", tcb.Product, id, err)
			}
		}
	}
}

func bytesOID(id asn1.ObjectIdentifier) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier(nil), id...)
}

func TestParseCertificateBytes(t *testing.T) {
	good := newLeaf(t, snp.VCEK, mintMilan).der(t)
	for name, in := range map[string][]byte{
		"nothing":  nil,
		"trailing": append(bytes.Clone(good), 0),
		"short":    good[:len(good)-1],
	} {
		if c, err := snp.ParseCertificate(in); c != nil || err == nil {
			t.Errorf("%s: ParseCertificate = %v, %v, want an error", name, c, err)
		}
	}
}

func TestCertificateDER(t *testing.T) {
	good := newLeaf(t, snp.VCEK, mintMilan).der(t)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good})
	for _, tt := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"DER", good, true},
		{"PEM", text, true},
		{"PEM with an end of line and a zero", append(bytes.Clone(text), '\n', 0), true},
		{"two PEM blocks", append(bytes.Clone(text), text...), false},
		{"PEM after text", append([]byte("x\n"), text...), false},
		{"PEM of a key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: good}), false},
		{"PEM with a header", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: good}), false},
		{"broken PEM", text[:len(text)/2], false},
		{"nothing", nil, false},
		{"zeros", make([]byte, 8), false},
	} {
		got, err := snp.CertificateDER(tt.in)
		if (err == nil) != tt.ok || tt.ok && !bytes.Equal(got, good) {
			t.Errorf("%s: CertificateDER = %d bytes, %v, want ok %v", tt.name, len(got), err, tt.ok)
		}
	}
}
