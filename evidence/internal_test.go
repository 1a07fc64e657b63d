package evidence

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	tpmpb "github.com/google/go-tpm-tools/proto/tpm"

	"github.com/attestctl/attestctl/evidence/tpm"
)

func TestCheckStrength(t *testing.T) {
	modulus := func(bits uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), bits-1) }
	for name, tc := range map[string]struct {
		key  any
		good bool
	}{
		"RSA 2047":            {&rsa.PublicKey{N: modulus(2047), E: 65537}, false},
		"RSA 2048":            {&rsa.PublicKey{N: modulus(2048), E: 65537}, true},
		"RSA 4096":            {&rsa.PublicKey{N: modulus(4096), E: 65537}, true},
		"RSA 4097":            {&rsa.PublicKey{N: modulus(4097), E: 65537}, false},
		"RSA with exponent 3": {&rsa.PublicKey{N: modulus(2048), E: 3}, false},
		"P-224":               {&ecdsa.PublicKey{Curve: elliptic.P224()}, false},
		"P-384":               {&ecdsa.PublicKey{Curve: elliptic.P384()}, true},
		"no key":              {nil, false},
	} {
		if err := checkStrength(tc.key); (err == nil) != tc.good {
			t.Errorf("%s: checkStrength = %v, want good: %t", name, err, tc.good)
		}
	}
}

// TestCertificateLimits makes certificates that only their size or key refuses.
func TestCertificateLimits(t *testing.T) {
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), 4159)
	large := &rsa.PublicKey{N: modulus.Add(modulus, big.NewInt(1)), E: 65537} // a certificate needs no private key
	template := func(names int) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
		for range names {
			c.DNSNames = append(c.DNSNames, strings.Repeat("a", 60))
		}
		return c
	}
	for name, tc := range map[string]struct {
		names int
		key   any
		want  string
	}{
		"small":            {1, &small.PublicKey, ""},
		"9 KiB":            {150, &small.PublicKey, "at most 8192"},
		"RSA of 4160 bits": {1, large, "RSA key of 4160 bits"},
	} {
		der, err := x509.CreateCertificate(rand.Reader, template(tc.names), template(1), tc.key, small)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseCertificateDER(der)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: parseCertificateDER = %v, want %q", name, err, tc.want)
		}
	}
}

func TestCheckProfileBasicConstraints(t *testing.T) {
	cert := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}
	if _, err := checkProfile(cert); err == nil || !strings.Contains(err.Error(), "basicConstraints") {
		t.Errorf("checkProfile of a certificate without basicConstraints = %v", err)
	}
}

func TestQuoteHashBeyond16Bits(t *testing.T) {
	q := &tpmpb.Quote{Pcrs: &tpmpb.PCRs{Hash: tpmpb.HashAlgo(0x1000B)}} // SHA-256 in its low 16 bits
	if _, err := quoteOf(q); err == nil || !strings.Contains(err.Error(), "not a TPM algorithm") {
		t.Errorf("quoteOf = %v, want the number refused", err)
	}
}

func TestWireDepth(t *testing.T) {
	w := wireWalk{left: maxWireFields}
	if err := w.message(nil, new(tpmpb.Quote).ProtoReflect().Descriptor(), maxWireDepth+1); err == nil {
		t.Error("a message nested too deep is walked")
	}
}

// serialized encodes PCR values as tpm2_quote does, with one list.
func serialized(sel []tpm.Selection, values ...[]byte) []byte {
	out := binary.LittleEndian.AppendUint32(selectionList(sel), 1)
	list := binary.LittleEndian.AppendUint32(nil, uint32(len(values)))
	for _, v := range values {
		slot := binary.LittleEndian.AppendUint16(nil, uint16(len(v)))
		slot = append(slot, v...)
		list = append(list, append(slot, make([]byte, sizeDigest-len(slot))...)...)
	}
	return append(out, append(list, make([]byte, sizeDigestList-len(list))...)...)
}

func TestDecodePCRs(t *testing.T) {
	sel := []tpm.Selection{{Hash: tpm.AlgSHA256, Bitmap: []byte{3, 0, 0}}}
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	good := serialized(sel, one, two)
	for name, tc := range map[string]struct {
		in   []byte
		want string
	}{
		"serialized":               {good, ""},
		"values":                   {slices.Concat(one, two), ""},
		"one value too few":        {serialized(sel, one), "fewer values"},
		"one value too many":       {serialized(sel, one, two, one), "1 values more"},
		"another selection":        {serialized([]tpm.Selection{{Hash: tpm.AlgSHA256, Bitmap: []byte{5, 0, 0}}}, one, two), "not the one"},
		"bytes beside a digest":    {poke(good, sizeSelectionList+8+2+40), "beside a digest"},
		"bytes behind the digests": {poke(good, len(good)-1), "behind the digests"},
		"digest of 65 bytes":       {poke(good, sizeSelectionList+8), "digest of"},
		"nine digests":             {poke(good, sizeSelectionList+4), "at most 8 fit"},
		"17 lists":                 {hugeLists(sel), "digest lists"},
		"cut":                      {good[:len(good)-1], "digest lists"},
		"nothing":                  {nil, "neither the values nor"},
	} {
		banks, err := decodePCRs(tc.in, sel)
		if tc.want == "" {
			if err != nil || !bytes.Equal(banks[0].get(0), one) || !bytes.Equal(banks[0].get(1), two) {
				t.Errorf("%s: decodePCRs = %v, %v", name, banks, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: decodePCRs = %v, want an error with %q", name, err, tc.want)
		}
	}
}

func poke(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] += 0x7f
	return c
}

func hugeLists(sel []tpm.Selection) []byte {
	out := binary.LittleEndian.AppendUint32(selectionList(sel), 17)
	return append(out, make([]byte, 17*sizeDigestList)...)
}

func FuzzDecodePCRs(f *testing.F) {
	sel := []tpm.Selection{{Hash: tpm.AlgSHA256, Bitmap: []byte{3, 0, 0}}}
	f.Add(serialized(sel, make([]byte, 32), make([]byte, 32)))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, in []byte) {
		banks, err := decodePCRs(in, sel)
		if err != nil {
			if banks != nil {
				t.Error("values beside an error")
			}
			return
		}
		one, two := banks[0].get(0), banks[0].get(1)
		if !bytes.Equal(in, slices.Concat(one, two)) && !bytes.Equal(in, serialized(sel, one, two)) {
			t.Error("accepts two encodings")
		}
	})
}

func FuzzParsePin(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte{0, 2, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := parsePin(in)
		if (err == nil) != (p != nil) {
			t.Errorf("parsePin = %v, %v", p, err)
		}
		if p != nil && !equalKeys(p.key, p.key) {
			t.Errorf("a pin of a key that equals nothing: %T", p.key)
		}
	})
}

// TestSignatureSchemeOfKey: a restricted key signs with its own scheme only.
func TestSignatureSchemeOfKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("quote")
	r, s, err := ecdsa.Sign(rand.Reader, key, digestOf(tpm.AlgSHA384, msg))
	if err != nil {
		t.Fatal(err)
	}
	q := &quote{raw: msg, sig: &tpm.Signature{Scheme: tpm.AlgECDSA, Hash: tpm.AlgSHA384, R: r.Bytes(), S: s.Bytes()}}
	if err := q.checkSignature(&key.PublicKey, nil); err != nil {
		t.Fatalf("checkSignature without a public area: %v", err)
	}
	public := &tpm.Public{Scheme: tpm.Scheme{Alg: tpm.AlgECDSA, Hash: tpm.AlgSHA256}}
	if err := q.checkSignature(&key.PublicKey, public); err == nil || !strings.Contains(err.Error(), "the key signs only") {
		t.Errorf("checkSignature with another scheme than the key's = %v", err)
	}
}

// made is a carrier of whatever it makes.
type made struct{ make func() *vtpmEvidence }

func (m made) parts() *vtpmEvidence { return m.make() }

// TestPanicIsRefused makes the verification panic: the result must be complete,
// refused, and without claims.
func TestPanicIsRefused(t *testing.T) {
	for name, of := range map[string]carrier{
		"verifying": made{func() *vtpmEvidence { return &vtpmEvidence{quotes: []*quote{nil}} }},
		"decoding":  made{func() *vtpmEvidence { panic("part") }},
	} {
		res, err := verifyParts(of, &Trust{}, Expect{})
		if err == nil || res == nil || res.Claims != nil || res.Verdict != Refused || len(res.Checks) < len(Checks) {
			t.Fatalf("%s: verifyParts = %+v, %v, want a complete refusal", name, res, err)
		}
		if !strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: error is %v, want it called internal", name, err)
		}
	}
	f := format{decode: func([]byte) (Bundle, error) { panic("decoder") }}
	if b, err := f.decodeGuarded(nil); b != nil || err == nil {
		t.Errorf("decodeGuarded = %v, %v, want an error", b, err)
	}
}

// TestVerdict: one check that was not made is as bad as one that failed.
func TestVerdict(t *testing.T) {
	pass := func(n int) []Check { return slices.Repeat([]Check{{Status: Pass}}, n) }
	for name, tc := range map[string]struct {
		checks []Check
		want   Expect
		expect Verdict
	}{
		"all passed":     {pass(3), Expect{}, Accepted},
		"one not run":    {append(pass(3), Check{ID: "x", Status: NotRun}), Expect{}, Refused},
		"one failed":     {append(pass(3), Check{ID: "x"}), Expect{}, Refused},
		"given up":       {append(pass(3), Check{ID: "tpm.quote.nonce"}), Expect{InsecureNoNonce: true}, Untrusted},
		"given up other": {append(pass(3), Check{ID: "tpm.ak.chain"}), Expect{InsecureNoNonce: true}, Refused},
		"given up and failed": {
			append(pass(1), Check{ID: "tpm.quote.nonce"}, Check{ID: "tpm.ak.match"}), Expect{InsecureNoNonce: true}, Refused,
		},
	} {
		s := &verification{want: tc.want}
		if got, _ := s.verdict(tc.checks); got != tc.expect {
			t.Errorf("%s: verdict = %v, want %v", name, got, tc.expect)
		}
	}
}

func TestStatusWords(t *testing.T) {
	if Status(99).String() != "fail" || Verdict(99).String() != "refused" {
		t.Error("an unknown status or verdict does not read as a refusal")
	}
	if got := clip(strings.Repeat("é", maxDetail)); len(got) > maxDetail+40 || !strings.Contains(got, "bytes more") {
		t.Errorf("clip leaves %d bytes", len(got))
	}
}
