//go:build unix

package localtpm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm/legacy/tpm2/credactivation"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/localtpm"
)

// TestAttest verifies what each key of a TPM attests.
func TestAttest(t *testing.T) {
	s, log := booted(t)
	for _, source := range []string{"", localtpm.Own} {
		for _, algorithm := range []string{"", "ecc", "rsa"} {
			l := localtpm.TPM{Device: s.Socket, Source: source, Algorithm: algorithm}
			ak := akOf(t, l)
			if kind := fmt.Sprintf("%T", keyOf(t, ak)); kind == "*rsa.PublicKey" != (algorithm == "rsa") {
				t.Errorf("%q %q: the key is %s", source, algorithm, kind)
			}
			raw, err := l.Attest(t.Context(), nonce, log)
			if err != nil {
				t.Fatalf("%q %q: %v", source, algorithm, err)
			}
			trust, err := evidence.PinAK(ak)
			if err != nil {
				t.Fatal(err)
			}
			b, err := evidence.Load(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			want := evidence.Expect{Nonce: nonce, Now: forge.Now()}
			if res, err := b.Verify(trust, want); err != nil || res.Claims.Boot.Technology != "AMD_SEV" {
				t.Errorf("%q %q: %v", source, algorithm, err)
			}
			if want.Nonce = bytes.Repeat([]byte{8}, 32); refused(b.Verify(trust, want)) == nil {
				t.Errorf("%q %q: another nonce was accepted", source, algorithm)
			}
		}
	}
	checkLeft(t, s)
}

func refused(_ *evidence.Result, err error) error { return err }

// TestAttestGCE: Google's key goes before one of the TPM's own, with its certificate
// out of the TPM or as it was given.
func TestAttestGCE(t *testing.T) {
	s, log := booted(t)
	l := localtpm.TPM{Device: s.Socket}
	own := akOf(t, l)
	putGCE(t, s)
	gce := akOf(t, l)
	if bytes.Equal(own, gce) || !bytes.Equal(gce, akOf(t, localtpm.TPM{Device: s.Socket, Source: localtpm.GCE})) {
		t.Error("the key is not that of the template")
	}
	if !bytes.Equal(own, akOf(t, localtpm.TPM{Device: s.Socket, Source: localtpm.Own})) {
		t.Error("the TPM's own key changed")
	}
	if _, err := (localtpm.TPM{Device: s.Socket, Source: localtpm.GCE, Algorithm: "rsa"}).AK(t.Context()); err == nil || !strings.Contains(err.Error(), "no template") {
		t.Errorf("without a template for RSA: %v", err)
	}
	check := func(l localtpm.TPM, want []byte) {
		t.Helper()
		raw, err := l.Attest(t.Context(), nonce, log)
		var got attest.Attestation
		if err == nil {
			err = proto.Unmarshal(raw, &got)
		}
		if err != nil || !bytes.Equal(got.GetAkCert(), want) || !bytes.Equal(got.GetAkPub(), gce) {
			t.Errorf("certificate %x, want %x; %v", got.GetAkCert(), want, err)
		}
	}
	check(l, nil)
	cert := certificate(t, keyOf(t, gce))
	l.AKCertificate = cert
	check(l, cert)
	l.AKCertificate = nil
	putNV(t, s, "0x01c10002", readable, cert)
	check(l, cert)
	l.Source, l.AKCertificate = localtpm.Own, cert
	if _, err := l.Attest(t.Context(), nonce, log); err == nil || !strings.Contains(err.Error(), "certificate of the attestation key: ") {
		t.Errorf("with the certificate of another key: %v", err)
	}
	checkLeft(t, s)
}

// TestKeptKeys: keys that somebody made persistent are used and left where they are.
func TestKeptKeys(t *testing.T) {
	s, _ := booted(t)
	l := localtpm.TPM{Device: s.Socket}
	ak, ek := akOf(t, l), ekOf(t, l, nil)
	s.Tool(t, "tpm2_createek", "-c", "0x81010002", "-G", "ecc", "-u", "ek.pub")
	s.Tool(t, "tpm2_createek", "-c", "0x81008f00", "-G", "rsa", "-u", "other.pub")
	kept := []string{"-0x81008F00", "-0x81010002"}
	if !bytes.Equal(akOf(t, l), ak) || !bytes.Equal(ekOf(t, l, nil).Public, ek.Public) {
		t.Error("the keys are others where some are kept")
	}
	checkLeft(t, s, kept...)
	// A hierarchy with a password makes no key, and the kept one needs none made.
	s.Tool(t, "tpm2_changeauth", "-c", "endorsement", "secret")
	if got := ekOf(t, l, nil); !bytes.Equal(got.Public, ek.Public) {
		t.Error("the kept key is not used")
	}
	checkLeft(t, s, kept...)
}

// TestEK: the key whose certificate the TPM holds, or the one of the certificate given.
func TestEK(t *testing.T) {
	s, _ := booted(t)
	l := localtpm.TPM{Device: s.Socket}
	ecc, rsaKey := ekOf(t, l, nil), ekOf(t, localtpm.TPM{Device: s.Socket, Algorithm: "rsa"}, nil)
	if _, ok := keyOf(t, ecc.Public).(*ecdsa.PublicKey); !ok || ecc.Certificate != nil {
		t.Error("the first key is not one of ECC without a certificate")
	}
	if _, ok := keyOf(t, rsaKey.Public).(*rsa.PublicKey); !ok {
		t.Error("the other key is not one of RSA")
	}
	cert := certificate(t, keyOf(t, rsaKey.Public))
	if got := ekOf(t, l, cert); !bytes.Equal(got.Public, rsaKey.Public) || !bytes.Equal(got.Certificate, cert) {
		t.Error("the key is not that of the certificate given")
	}
	for name, other := range map[string][]byte{"attestation key": certificate(t, keyOf(t, akOf(t, l))), "none": []byte("none")} {
		if got, err := l.EK(t.Context(), other); err == nil || got.Public != nil {
			t.Errorf("with a certificate of: %s: no error", name)
		}
	}
	// Space behind the certificate is not part of it.
	putNV(t, s, "0x01c00002", readable, append(slices.Clone(cert), make([]byte, 40)...))
	if got := ekOf(t, l, nil); !bytes.Equal(got.Public, rsaKey.Public) || !bytes.Equal(got.Certificate, cert) {
		t.Error("the key is not that of the certificate in the TPM")
	}
	putNV(t, s, "0x01c0000a", "ownerwrite|authread", certificate(t, keyOf(t, ecc.Public)))
	if got := ekOf(t, l, nil); !bytes.Equal(got.Public, ecc.Public) || got.Certificate == nil {
		t.Error("a certificate that the owner may not read is not read by its own authorization")
	}
	s.Tool(t, "tpm2_nvundefine", "0x01c0000a", "-C", "o")
	putNV(t, s, "0x01c0000a", readable, bytes.Repeat([]byte{0xff}, 20))
	if _, err := l.EK(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not DER") {
		t.Errorf("with a certificate that is none: %v", err)
	}
	checkLeft(t, s)
}

// TestActivate opens what another implementation made for the two keys, and nothing
// that was made for others.
func TestActivate(t *testing.T) {
	s, _ := booted(t)
	other, _ := booted(t)
	secret := bytes.Repeat([]byte{9}, 32)
	for _, algorithm := range localtpm.Algorithms() {
		l := localtpm.TPM{Device: s.Socket, Algorithm: algorithm}
		ek, ak := ekOf(t, l, nil), akOf(t, l)
		made := func(ek, ak []byte) (credential, seed []byte) {
			t.Helper()
			credential, seed, err := credactivation.Generate(nameOf(t, ak), keyOf(t, ek), 16, secret)
			if err != nil {
				t.Fatal(err)
			}
			return credential[2:], seed[2:] // without their sizes
		}
		credential, seed := made(ek.Public, ak)
		if got, err := l.Activate(t.Context(), ek, credential, seed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %x, %v; want the secret", algorithm, got, err)
		}
		elsewhere := localtpm.TPM{Device: other.Socket, Algorithm: algorithm}
		forOtherAK, itsSeed := made(ek.Public, akOf(t, elsewhere))
		forOtherEK, otherSeed := made(ekOf(t, elsewhere, nil).Public, ak)
		broken := bytes.Clone(credential)
		broken[len(broken)-1] ^= 1
		for name, c := range map[string]struct {
			at               localtpm.TPM
			credential, seed []byte
		}{
			"the other TPM":           {elsewhere, credential, seed},
			"another attestation key": {l, forOtherAK, itsSeed},
			"another endorsement key": {l, forOtherEK, otherSeed},
			"a broken credential":     {l, broken, seed},
			"a seed cut short":        {l, credential, seed[:len(seed)-1]},
			"nothing":                 {l, nil, nil},
			"too much":                {l, make([]byte, 1<<16), seed},
		} {
			if got, err := c.at.Activate(t.Context(), ek, c.credential, c.seed); err == nil || got != nil {
				t.Errorf("%s, %s: %x and %v, want an error", algorithm, name, got, err)
			}
		}
	}
	if _, err := (localtpm.TPM{Device: s.Socket}).Activate(t.Context(), localtpm.EK{}, nil, nil); err == nil {
		t.Error("without an endorsement key: no error")
	}
	checkLeft(t, s)
	checkLeft(t, other)
}

// TestReportData: the formula is the one that binds a report to the key too.
func TestReportData(t *testing.T) {
	m, err := forge.Machine{Technology: forge.AMDSEV}.Attest(nonce)
	if err != nil {
		t.Fatal(err)
	}
	want, err := forge.ReportData(forge.BindNonceAK, nonce, m.AK.Key(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := localtpm.ReportData(nonce, pkixOf(t, m.AK.Key())); !bytes.Equal(got, want[:]) {
		t.Errorf("report data %x, want %x", got, want)
	}
}
