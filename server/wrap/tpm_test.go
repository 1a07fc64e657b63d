package wrap_test

import (
	"crypto/rand"
	"errors"
	"net"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/swtpm"
	"github.com/attestctl/attestctl/server/wrap"
)

// softTPM is a TPM that nobody here wrote, in a process of its own, with a storage
// key that is an EK and a signing key that is an AK.
type softTPM struct {
	testing.TB
	transport.TPM

	ek, ak *tpm2.CreatePrimaryResponse
}

// startTPM starts a TPM and makes its keys.
func startTPM(tb testing.TB, ek tpm2.TPMTPublic) *softTPM {
	tb.Helper()
	conn, err := net.Dial("unix", swtpm.Start(tb).Socket)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	s := &softTPM{TB: tb, TPM: transport.FromReadWriter(conn)}
	s.ek, s.ak = s.primary(ek), s.primary(akTemplate)
	return s
}

// akTemplate is a restricted signing key, as gotpm makes them.
var akTemplate = tpm2.TPMTPublic{
	Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, Restricted: true, SignEncrypt: true,
	},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Scheme: tpm2.TPMTECCScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		},
		CurveID: tpm2.TPMECCNistP256,
	}),
}

func (s *softTPM) primary(template tpm2.TPMTPublic) *tpm2.CreatePrimaryResponse {
	s.Helper()
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(template)}.Execute(s)
	if err != nil {
		s.Fatal(err)
	}
	return rsp
}

// public is the EK's public area.
func (s *softTPM) public() *tpm.Public {
	s.Helper()
	p, err := tpm.ParsePublic(s.ek.OutPublic.Bytes())
	if err != nil {
		s.Fatal(err)
	}
	return p
}

// activate has the TPM give out the key.
func (s *softTPM) activate(credential, seed []byte) ([]byte, error) {
	auth := tpm2.PasswordAuth(nil)
	if public, err := s.ek.OutPublic.Contents(); err != nil || !public.ObjectAttributes.UserWithAuth {
		auth = tpm2.Policy(tpm2.TPMAlgSHA256, 16, ownerOfEndorsement)
	}
	rsp, err := tpm2.ActivateCredential{
		ActivateHandle: tpm2.NamedHandle{Handle: s.ak.ObjectHandle, Name: s.ak.Name},
		KeyHandle:      tpm2.AuthHandle{Handle: s.ek.ObjectHandle, Name: s.ek.Name, Auth: auth},
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: credential},
		Secret:         tpm2.TPM2BEncryptedSecret{Buffer: seed},
	}.Execute(s)
	if err != nil {
		return nil, err
	}
	return rsp.CertInfo.Buffer, nil
}

// ownerOfEndorsement satisfies the policy of the EK templates.
func ownerOfEndorsement(t transport.TPM, session tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
	_, err := tpm2.PolicySecret{AuthHandle: tpm2.TPMRHEndorsement, PolicySession: session, NonceTPM: nonce}.Execute(t)
	return err
}

// The templates of low range, and one in the manner of the high range (TCG EK
// Credential Profile 2.5, appendix B).
var ekTemplates = []struct {
	name   string
	public tpm2.TPMTPublic
}{{"rsa", tpm2.RSAEKTemplate}, {"ecc", tpm2.ECCEKTemplate}, {"ecc p384", p384Template}}

var p384Template = tpm2.TPMTPublic{
	Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA384,
	ObjectAttributes: tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, AdminWithPolicy: true,
		Restricted: true, Decrypt: true,
	},
	AuthPolicy: tpm2.TPM2BDigest{Buffer: make([]byte, 48)},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(256)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
		CurveID: tpm2.TPMECCNistP384,
	}),
}

// TestSoftwareTPM: what Seal makes is opened by the TPM it was made for, and by no
// other, whichever of the two keys is the foreign one.
func TestSoftwareTPM(t *testing.T) {
	for _, ek := range ekTemplates {
		t.Run(ek.name, func(t *testing.T) {
			a, b := startTPM(t, ek.public), startTPM(t, ek.public)
			for _, tc := range []struct {
				name   string
				ek, ak *softTPM
				by     *softTPM
				opens  bool
			}{
				{"its own", a, a, a, true},
				{"all of another", a, a, b, false},
				{"the EK of another", b, a, a, false},
				{"the AK of another", a, b, a, false},
				{"its EK and another's AK, by the other", a, b, b, false},
			} {
				sealed, err := wrap.Seal(rand.Reader, tc.ek.public(), tc.ak.ak.Name.Buffer, []byte("inner"))
				if err != nil {
					t.Fatalf("%s: Seal = %v", tc.name, err)
				}
				inner, err := wrap.Open(sealed, tc.by.activate)
				if tc.opens && (err != nil || string(inner) != "inner") || !tc.opens && (err == nil || inner != nil) {
					t.Errorf("%s: Open = %q, %v, want it to open: %t", tc.name, inner, err, tc.opens)
				}
			}
		})
	}
}

// TestPublicOnly: a TPM takes the public area of anybody's AK, and gives nothing out for
// a key that it does not have: what a genuine EK opens shows that the AK is beside it.
func TestPublicOnly(t *testing.T) {
	victim, thief := startTPM(t, tpm2.ECCEKTemplate), startTPM(t, tpm2.ECCEKTemplate)
	sealed, err := wrap.Seal(rand.Reader, thief.public(), victim.ak.Name.Buffer, []byte("inner"))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tpm2.LoadExternal{InPublic: victim.ak.OutPublic, Hierarchy: tpm2.TPMRHNull}.Execute(thief)
	if err != nil {
		t.Fatal(err)
	}
	if string(loaded.Name.Buffer) != string(victim.ak.Name.Buffer) {
		t.Fatalf("the TPM calls it %x, want %x", loaded.Name.Buffer, victim.ak.Name.Buffer)
	}
	thief.ak = &tpm2.CreatePrimaryResponse{ObjectHandle: loaded.ObjectHandle, Name: loaded.Name}
	inner, err := wrap.Open(sealed, thief.activate)
	if !errors.Is(err, tpm2.TPMRCAuthUnavailable) || inner != nil {
		t.Errorf("Open = %q, %v, want TPM_RC_AUTH_UNAVAILABLE", inner, err)
	}
}
