package tpm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// attestOracle encodes a quote with go-tpm, which decides what is right.
func attestOracle(tb testing.TB, edit func(*tpm2.TPMSAttest)) []byte {
	tb.Helper()
	a := tpm2.TPMSAttest{
		Magic:           tpm2.TPMGeneratedValue,
		Type:            tpm2.TPMSTAttestQuote,
		QualifiedSigner: tpm2.TPM2BName{Buffer: []byte("\x00\x0bname")},
		ExtraData:       tpm2.TPM2BData{Buffer: []byte("0123456789abcdef")},
		ClockInfo:       tpm2.TPMSClockInfo{Clock: 1<<60 + 1, ResetCount: 7, RestartCount: 9, Safe: true},
		FirmwareVersion: 1<<63 + 5,
		Attested: tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &tpm2.TPMSQuoteInfo{
			PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
				{Hash: tpm2.TPMAlgSHA256, PCRSelect: []byte{0xff, 0x41, 0x80}},
				{Hash: tpm2.TPMAlgSHA1, PCRSelect: []byte{1, 0, 0}},
			}},
			PCRDigest: tpm2.TPM2BDigest{Buffer: bytes.Repeat([]byte{0xAB}, 32)},
		}),
	}
	if edit != nil {
		edit(&a)
	}
	return tpm2.Marshal(a)
}

func TestParseAttest(t *testing.T) {
	in := attestOracle(t, nil)
	a, err := tpm.ParseAttest(in)
	if err != nil {
		t.Fatalf("ParseAttest: %v", err)
	}
	if string(a.ExtraData) != "0123456789abcdef" || a.FirmwareVersion != 1<<63+5 || len(a.PCRDigest) != 32 {
		t.Errorf("ParseAttest = %+v, fields differ from those go-tpm encoded", a)
	}
	want := tpm.ClockInfo{Clock: 1<<60 + 1, ResetCount: 7, RestartCount: 9, Safe: true}
	if a.Clock != want {
		t.Errorf("Clock = %+v, want %+v", a.Clock, want)
	}
	if got := a.Selections[0].PCRs(); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 23}) {
		t.Errorf("PCRs of ff4180 = %v", got)
	}
	if a.Selections[1].Hash != tpm.AlgSHA1 || !a.Selections[1].Has(0) || a.Selections[1].Has(1) || a.Selections[1].Has(99) {
		t.Errorf("second selection = %+v, want SHA-1 with PCR 0", a.Selections[1])
	}
	if got := a.Append(nil); !bytes.Equal(got, in) {
		t.Errorf("Append = %x, want the input", got)
	}
}

func TestParseAttestRefuses(t *testing.T) {
	valid := attestOracle(t, nil)
	for _, tc := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "need 4 bytes"},
		{"trailing byte", append(slices.Clone(valid), 0), "trailing"},
		{"cut", valid[:len(valid)-1], "need 32 bytes, have 31"},
		{"safe is 2", replace(valid, clockSafe(valid), 2), "safe is 2"},
		{"2^32-1 selections", replace(valid, selectionCount(valid), 0xff, 0xff, 0xff, 0xff), "PCR selections"},
		{"name of 65535 bytes", replace(valid, 6, 0xff, 0xff), "at most"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := tpm.ParseAttest(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) || a != nil {
				t.Errorf("ParseAttest = %v, %v, want an error with %q", a, err, tc.want)
			}
		})
	}
}

// The fields before the clock are: magic, type, name (2+6), extra data (2+16).
func clockSafe([]byte) int        { return 6 + 8 + 18 + 16 }
func selectionCount(b []byte) int { return clockSafe(b) + 1 + 8 }

func replace(b []byte, at int, with ...byte) []byte {
	c := slices.Clone(b)
	copy(c[at:], with)
	return c
}

func TestParseAttestNotQuote(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*tpm2.TPMSAttest)
		want tpm.NotQuoteError
	}{
		{"magic", func(a *tpm2.TPMSAttest) { a.Magic = 0 }, tpm.NotQuoteError{Magic: 0, Type: 0x8018}},
		{"creation", func(a *tpm2.TPMSAttest) {
			a.Type = tpm2.TPMSTAttestCreation
			a.Attested = tpm2.NewTPMUAttest(tpm2.TPMSTAttestCreation, &tpm2.TPMSCreationInfo{})
		}, tpm.NotQuoteError{Magic: tpm.Magic, Type: 0x801a}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tpm.ParseAttest(attestOracle(t, tc.edit))
			var got *tpm.NotQuoteError
			if !errors.As(err, &got) || *got != tc.want {
				t.Errorf("ParseAttest = %v, want %v", err, &tc.want)
			}
		})
	}
}

func TestParseSignature(t *testing.T) {
	rsaSig := &tpm2.TPMSSignatureRSA{Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: bytes.Repeat([]byte{7}, 256)}}
	eccSig := &tpm2.TPMSSignatureECC{
		Hash:       tpm2.TPMAlgSHA384,
		SignatureR: tpm2.TPM2BECCParameter{Buffer: []byte{1, 2, 3}},
		SignatureS: tpm2.TPM2BECCParameter{Buffer: []byte{4, 5}},
	}
	for _, tc := range []struct {
		name string
		in   tpm2.TPMTSignature
		want tpm.Signature
	}{
		{
			"rsassa",
			tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgRSASSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA, rsaSig)},
			tpm.Signature{Scheme: tpm.AlgRSASSA, Hash: tpm.AlgSHA256, RSA: rsaSig.Sig.Buffer},
		},
		{
			"ecdsa",
			tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, eccSig)},
			tpm.Signature{Scheme: tpm.AlgECDSA, Hash: tpm.AlgSHA384, R: []byte{1, 2, 3}, S: []byte{4, 5}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := tpm2.Marshal(tc.in)
			s, err := tpm.ParseSignature(in)
			if err != nil {
				t.Fatalf("ParseSignature: %v", err)
			}
			if s.Scheme != tc.want.Scheme || s.Hash != tc.want.Hash || !bytes.Equal(s.RSA, tc.want.RSA) ||
				!bytes.Equal(s.R, tc.want.R) || !bytes.Equal(s.S, tc.want.S) {
				t.Errorf("ParseSignature = %+v, want %+v", s, tc.want)
			}
			if got := s.Append(nil); !bytes.Equal(got, in) {
				t.Errorf("Append = %x, want %x", got, in)
			}
			if _, err := tpm.ParseSignature(append(in, 0)); err == nil {
				t.Error("ParseSignature accepts a trailing byte")
			}
		})
	}
	if _, err := tpm.ParseSignature([]byte{0, 5, 0, 11, 0, 0}); err == nil || !strings.Contains(err.Error(), "scheme 0x0005") {
		t.Errorf("ParseSignature(HMAC) = %v, want an error that names the scheme", err)
	}
}

// akTemplate is the public area of a restricted ECDSA P-256 signing key.
func eccPublic(tb testing.TB) (tpm2.TPMTPublic, *ecdsa.PublicKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, Restricted: true, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
			CurveID:   tpm2.TPMECCNistP256,
			KDF:       tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
			Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: point[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: point[33:]},
		}),
	}, &key.PublicKey
}

func rsaPublic(exponent uint32, modulus []byte) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:             tpm2.TPMAlgRSA,
		NameAlg:          tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, Decrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{
			Symmetric: tpm2.TPMTSymDefObject{
				Algorithm: tpm2.TPMAlgAES,
				KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
				Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
			},
			Scheme:   tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgNull},
			KeyBits:  2048,
			Exponent: exponent,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: modulus}),
	}
}

func TestParsePublicECC(t *testing.T) {
	public, key := eccPublic(t)
	in := tpm2.Marshal(public)
	p, err := tpm.ParsePublic(in)
	if err != nil {
		t.Fatalf("ParsePublic: %v", err)
	}
	got, err := p.Key()
	if err != nil || !key.Equal(got) {
		t.Errorf("Key() = %v, %v, want the encoded key", got, err)
	}
	if want := []string{"fixedTPM", "fixedParent", "sensitiveDataOrigin", "userWithAuth", "restricted", "sign"}; !slices.Equal(p.Attributes.Names(), want) {
		t.Errorf("Attributes = %v, want %v", p.Attributes.Names(), want)
	}
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Name(), name.Buffer) {
		t.Errorf("Name() = %x, go-tpm says %x", p.Name(), name.Buffer)
	}
	if got := p.Append(nil); !bytes.Equal(got, in) {
		t.Errorf("Append = %x, want %x", got, in)
	}
	p.ECC.Y = bytes.Repeat([]byte{1}, 32)
	if _, err := p.Key(); err == nil {
		t.Error("Key() accepts a point that is not on the curve")
	}
	p.ECC.Curve = 0x0010 // BN P-256
	if _, err := p.Key(); err == nil {
		t.Error("Key() accepts an unknown curve")
	}
}

func TestParsePublicRSA(t *testing.T) {
	modulus := append([]byte{0x80}, bytes.Repeat([]byte{1}, 255)...)
	in := tpm2.Marshal(rsaPublic(0, modulus))
	p, err := tpm.ParsePublic(in)
	if err != nil {
		t.Fatalf("ParsePublic: %v", err)
	}
	if got := p.Append(nil); !bytes.Equal(got, in) {
		t.Errorf("Append = %x, want %x", got, in)
	}
	key, err := p.Key()
	if rk, ok := key.(*rsa.PublicKey); err != nil || !ok || rk.E != 65537 || rk.N.BitLen() != 2048 {
		t.Errorf("Key() = %v, %v, want 2048 bits with exponent 65537", key, err)
	}
	if want := (tpm.Symmetric{Alg: 0x0006, KeyBits: 128, Mode: 0x0043}); p.Symmetric != want {
		t.Errorf("Symmetric = %+v, want %+v (AES-128-CFB)", p.Symmetric, want)
	}
	short, err := tpm.ParsePublic(tpm2.Marshal(rsaPublic(0, modulus[:128])))
	if err != nil {
		t.Fatalf("ParsePublic: %v", err)
	}
	if _, err := short.Key(); err == nil {
		t.Error("Key() accepts a modulus shorter than keyBits")
	}
	if _, err := tpm.ParsePublic(append(in, 0)); err == nil {
		t.Error("ParsePublic accepts a trailing byte")
	}
	sized := append([]byte{byte(len(in) >> 8), byte(len(in))}, in...)
	if _, err := tpm.ParseSizedPublic(sized); err != nil {
		t.Errorf("ParseSizedPublic: %v", err)
	}
	if _, err := tpm.ParseSizedPublic(append(sized, 0)); err == nil {
		t.Error("ParseSizedPublic accepts a trailing byte")
	}
}

// TestIsPrimaryWith computes qualified names as TPM 2.0 Part 1, 16.5 defines
// them, with go-tpm's hash of names.
func TestIsPrimaryWith(t *testing.T) {
	public, _ := eccPublic(t)
	p, err := tpm.ParsePublic(tpm2.Marshal(public))
	if err != nil {
		t.Fatal(err)
	}
	qualified := func(parent []byte) []byte {
		h := tpm.AlgSHA256.Hash().New()
		h.Write(parent)
		h.Write(p.Name())
		return h.Sum([]byte{0, 0x0b})
	}
	endorsement, err := hex.DecodeString("4000000b")
	if err != nil {
		t.Fatal(err)
	}
	if !p.IsPrimaryWith(qualified(endorsement)) {
		t.Error("IsPrimaryWith = false for a primary of the endorsement hierarchy")
	}
	if p.IsPrimaryWith(qualified([]byte("\x00\x0bsome parent's qualified name"))) {
		t.Error("IsPrimaryWith = true for a key below a parent")
	}
	q := qualified(endorsement)
	p.Attributes ^= tpm.Restricted
	if p.IsPrimaryWith(q) {
		t.Error("IsPrimaryWith = true although an attribute was changed")
	}
}

func TestAlg(t *testing.T) {
	for alg, want := range map[tpm.Alg]int{tpm.AlgSHA1: 20, tpm.AlgSHA256: 32, tpm.AlgSHA384: 48, tpm.AlgSHA512: 64, tpm.AlgRSA: 0, 0x12: 0} {
		if got := alg.Size(); got != want {
			t.Errorf("%v.Size() = %d, want %d", alg, got, want)
		}
	}
	if got := tpm.Alg(0x0012).String(); got != "0x0012" {
		t.Errorf("String() of an unknown algorithm = %q", got)
	}
	for _, a := range tpm.Banks {
		if got := a.String(); !strings.HasPrefix(got, "sha") {
			t.Errorf("bank %#x is called %q", uint16(a), got)
		}
	}
}

func TestAttributeNamesReserved(t *testing.T) {
	if got := (tpm.Sign | 1).Names(); !slices.Equal(got, []string{"sign", "0x00000001"}) {
		t.Errorf("Names() = %v, want the reserved bit in hex", got)
	}
}
