package snp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestSignatureEncoding(t *testing.T) {
	vcek := newLeaf(t, snp.VCEK, mintMilan).parse(t)
	n := elliptic.P384().Params().N
	for _, tt := range []struct {
		name, want string
		edit       func(*snp.Report)
	}{
		{"genuine", "", nil},
		{"r zero", "signature r is not between", func(r *snp.Report) { r.SignatureR = [72]byte{} }},
		{"s zero", "signature s is not between", func(r *snp.Report) { r.SignatureS = [72]byte{} }},
		{"r is the order", "signature r is not between", func(r *snp.Report) { r.SignatureR = littleEndian(n) }},
		{"s is the order", "signature s is not between", func(r *snp.Report) { r.SignatureS = littleEndian(n) }},
		{"r padded", "signature r: bytes 48 to 71", func(r *snp.Report) { r.SignatureR[48] = 1 }},
		{"s padded", "signature s: bytes 48 to 71", func(r *snp.Report) { r.SignatureS[71] = 1 }},
		{"r is order less one", snp.ErrSignature.Error(), func(r *snp.Report) {
			r.SignatureR = littleEndian(new(big.Int).Sub(n, big.NewInt(1)))
		}},
		{"r and s swapped", snp.ErrSignature.Error(), func(r *snp.Report) { r.SignatureR, r.SignatureS = r.SignatureS, r.SignatureR }},
		{"algorithm 0", "signature algorithm 0, want 1", func(r *snp.Report) { r.SignatureAlgorithm = 0 }},
		{"algorithm 2", "signature algorithm 2, want 1", func(r *snp.Report) { r.SignatureAlgorithm = 2 }},
		{"signed by none", "signing key none", func(r *snp.Report) { r.KeyInfo.SigningKey = snp.NoKey }},
		{"signed by VLEK", "signed with a VLEK, the certificate is that of a VCEK", func(r *snp.Report) { r.KeyInfo.SigningKey = snp.VLEK }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := sign(t, newReport(mintMilan), tt.edit).VerifySignature(vcek)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("VerifySignature = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSignerIsSigned signs algorithm and key kind too, so that only the check
// of the field itself can refuse them.
func TestSignerIsSigned(t *testing.T) {
	vcek, vlek := newLeaf(t, snp.VCEK, mintMilan).parse(t), newLeaf(t, snp.VLEK, mintMilan).parse(t)
	r := newReport(mintMilan)
	r.KeyInfo.SigningKey = snp.VLEK
	if err := sign(t, r, nil).VerifySignature(vlek); err != nil {
		t.Errorf("a VLEK's report: %v", err)
	}
	if err := sign(t, r, nil).VerifySignature(vcek); err == nil {
		t.Error("a VLEK's report verifies with a VCEK")
	}
	r.KeyInfo.SigningKey = snp.NoKey
	none := *vcek
	none.Key = snp.NoKey
	if err := sign(t, r, nil).VerifySignature(&none); err == nil {
		t.Error("a report signed by none verifies")
	}
	r = newReport(mintMilan)
	r.SignatureAlgorithm = 3
	if err := sign(t, r, nil).VerifySignature(vcek); err == nil {
		t.Error("the algorithm 3 verifies")
	}
}

func TestVerifySignatureNeedsInput(t *testing.T) {
	r, c := items[0].parse(t)
	copied := *r
	copied.Measurement[0] ^= 1 // a field is not what was signed
	if err := copied.VerifySignature(c); err != nil {
		t.Errorf("VerifySignature of the parsed bytes: %v", err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, x := *c, *c.X509
	other.X509, x.PublicKey = &x, p256.Public()
	for name, err := range map[string]error{
		"other curve":    r.VerifySignature(&other),
		"no report":      (*snp.Report)(nil).VerifySignature(c),
		"zero report":    new(snp.Report).VerifySignature(c),
		"no certificate": r.VerifySignature(nil),
		"zero one":       r.VerifySignature(new(snp.Certificate)),
	} {
		if err == nil || errors.Is(err, snp.ErrSignature) {
			t.Errorf("%s: %v, want an error of its own", name, err)
		}
	}
}

// TestEveryByte flips one bit of each byte of genuine reports of all versions
// of the layout: none may verify.
func TestEveryByte(t *testing.T) {
	for _, i := range []int{0, 6} {
		_, c := items[i].parse(t)
		raw := items[i].raw(t)
		for off := range raw {
			raw[off] ^= 1
			if r, err := snp.ParseReport(raw); err == nil && r.VerifySignature(c) == nil {
				t.Errorf("%s verifies with byte 0x%03x changed", items[i].report, off)
			}
			raw[off] ^= 1
		}
	}
}
