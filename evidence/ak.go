package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// akFindings is what is known of the attestation key.
type akFindings struct {
	key      crypto.PublicKey // the key the quotes are verified with; nil if there is none
	public   *tpm.Public      // its public area, where one is known
	cert     *x509.Certificate
	certErr  error
	pin      *pin
	root     *x509.Certificate
	instance *instance
}

// checkAK decides whose key signs the quotes and whether it may.
func (s *verification) checkAK() {
	s.findAK()
	s.record("tpm.ak.chain", s.akChainDetail(), s.checkAKChain())
	s.checkAKProfile()
	s.checkAKAttributes()
	s.record("tpm.ak.match", s.akForms(), s.checkAKMatch())
}

// akForms names the forms in which the evidence and the user give the key.
func (s *verification) akForms() string {
	var forms []string
	if s.ak.cert != nil {
		forms = append(forms, "certificate")
	}
	if s.akPublic != nil {
		forms = append(forms, "ak_pub")
	}
	if s.ak.pin != nil {
		forms = append(forms, "pinned key")
	}
	return "one key: " + strings.Join(forms, ", ")
}

// findAK picks the key: that of the certificate, else the public area's, else
// the only pinned one.
func (s *verification) findAK() {
	ak := &s.ak
	ak.public = s.akPublic
	if len(s.akCert) > 0 {
		if ak.cert, ak.certErr = parseCertificateDER(s.akCert); ak.certErr == nil {
			ak.key = ak.cert.PublicKey
		}
	}
	if ak.key == nil && s.akPublic != nil {
		ak.key, ak.certErr = publicKey(s.akPublic, ak.certErr)
	}
	if ak.key == nil && ak.certErr == nil && len(s.trust.ak.pins) == 1 {
		ak.key = s.trust.ak.pins[0].key
	}
	if ak.pin = s.trust.ak.pinned(ak.key); ak.pin != nil && ak.public == nil {
		ak.public = ak.pin.public
	}
}

func publicKey(p *tpm.Public, earlier error) (crypto.PublicKey, error) {
	key, err := p.Key()
	if earlier == nil && err != nil {
		earlier = fmt.Errorf("ak_pub: %w", err)
	}
	if err != nil {
		return nil, earlier
	}
	return key, earlier
}

// checkAKChain decides why the key is trusted.
func (s *verification) checkAKChain() error {
	ak := &s.ak
	switch {
	case s.want.InsecureEvidenceAK:
		return errors.New("the key was taken from the evidence itself (--insecure-evidence-ak): anybody can make such evidence")
	case s.want.Now.IsZero(): // crypto/x509 would take the machine's clock
		return errors.New("no time to verify at was given")
	case ak.pin != nil:
		return nil
	}
	if err := s.checkCertified(); err != nil {
		return err
	}
	carried := make([]*x509.Certificate, 0, len(s.intermediates))
	for i, der := range s.intermediates {
		cert, err := parseCertificateDER(der)
		if err != nil {
			return fmt.Errorf("intermediate_certs[%d]: %w", i, err)
		}
		carried = append(carried, cert)
	}
	root, until, err := s.trust.ak.chain(ak.cert, carried, s.want.Now)
	if err != nil {
		return explainChain(err, ak.cert, s.want.Now)
	}
	ak.root = root
	s.rests(until)
	return nil
}

// checkCertified requires an AK certificate and a root that could vouch for it.
func (s *verification) checkCertified() error {
	ak := &s.ak
	switch {
	case ak.certErr != nil:
		return fmt.Errorf("attestation key: %w", ak.certErr)
	case s.format == formatEventLog:
		return hint.New(errors.New("this is an event log alone, which nobody signs"),
			"verify the attestation it belongs to, or compare it with one: attestctl replay LOG --quote FILE")
	case ak.cert == nil && len(s.trust.ak.pins) > 0:
		return hint.New(errors.New("the evidence is not signed by a pinned key"), "compare the key of the machine with that given to --ak-pub")
	case ak.cert == nil:
		return hint.New(errors.New("the evidence has no AK certificate and no key is pinned"), "pin the key of the machine with --ak-pub FILE")
	case s.trust.ak.roots == nil || len(s.trust.anchors) == len(s.trust.ak.pins):
		return hint.New(errors.New("the evidence is not signed by a pinned key, and no root is trusted beside it"),
			"leave --ak-pub out to verify the AK certificate instead")
	}
	return nil
}

func (s *verification) akChainDetail() string {
	if s.ak.pin != nil {
		return "pinned key"
	}
	return "AK certificate chains to a trusted root"
}

func (s *verification) checkAKProfile() {
	ak := &s.ak
	switch {
	case ak.pin != nil && !s.want.InsecureEvidenceAK:
		s.skip("tpm.ak.profile", "the key is pinned, its certificate does not count")
	case ak.cert == nil:
		s.notRun("no AK certificate", "tpm.ak.profile")
		if s.want.InsecureEvidenceAK && ak.certErr == nil {
			s.done[len(s.done)-1].Status = Skip
		}
	default:
		var err error
		detail := ""
		if ak.instance, err = checkProfile(ak.cert); err == nil {
			detail = "attestation key of production instance " + ak.instance.name
		}
		s.record("tpm.ak.profile", detail, err)
	}
}

// checkAKAttributes requires that the key is strong, and that no public area
// given for it is of anything but a restricted signing key of one TPM. It passes
// only where that public area is proven.
func (s *verification) checkAKAttributes() {
	ak := &s.ak
	if ak.key == nil {
		s.notRun("no attestation key", "tpm.ak.attributes")
		return
	}
	if err := checkStrength(ak.key); err != nil {
		s.record("tpm.ak.attributes", "", err)
		return
	}
	if ak.public != nil {
		if err := checkAttributes(ak.public); err != nil {
			s.record("tpm.ak.attributes", "", err)
			return
		}
	}
	switch {
	case s.attributesProven():
		s.record("tpm.ak.attributes", strings.Join(ak.public.Attributes.Names(), " "), nil)
	case ak.pin != nil:
		s.skip("tpm.ak.attributes", "the pinned file has no TPM attributes: whoever pinned the key vouches that it is a restricted one (a TPM2B_PUBLIC file has them)")
	case ak.cert == nil:
		s.skip("tpm.ak.attributes", "nothing proves the public area that the evidence gives")
	default:
		s.skip("tpm.ak.attributes", "the certificate's issuer vouches for the key; the quote does not prove a public area")
	}
}

// attributesProven reports whether the public area is part of what is proven:
// the user pinned it; or an authority vouches that the key is one of a TPM, and
// the qualified name that it signed is that of this public area as a primary key
// (TPM 2.0 Part 1, 16.5). A key that nobody vouches for can sign any name.
func (s *verification) attributesProven() bool {
	ak := &s.ak
	switch {
	case ak.public == nil:
		return false
	case ak.pin != nil:
		return ak.pin.public != nil
	case ak.root == nil || len(s.quotes) == 0 || s.quotes[0].attest == nil:
		return false
	}
	return ak.public.IsPrimaryWith(s.quotes[0].attest.QualifiedSigner)
}

// akName is the Name of the key, where its public area is proven. One over SHA-1
// could be that of two keys.
func (s *verification) akName() []byte {
	if !s.attributesProven() || !slices.Contains(signatureHashes, s.ak.public.NameAlg) {
		return nil
	}
	return s.ak.public.Name()
}

const (
	needAttributes = tpm.FixedTPM | tpm.FixedParent | tpm.SensitiveDataOrigin | tpm.Restricted | tpm.Sign
	denyAttributes = tpm.Decrypt
)

func checkAttributes(p *tpm.Public) error {
	if missing := needAttributes &^ p.Attributes; missing != 0 {
		return fmt.Errorf("the key lacks %s: it may sign what no TPM made", strings.Join(missing.Names(), ", "))
	}
	if extra := denyAttributes & p.Attributes; extra != 0 {
		return fmt.Errorf("the key has %s, an attestation key only signs", strings.Join(extra.Names(), ", "))
	}
	return nil
}

const minRSABits = 2048

func checkStrength(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA key of %d bits, want %d to %d", bits, minRSABits, maxRSABits)
		}
		if key.E != 65537 {
			return fmt.Errorf("RSA exponent %d, want 65537", key.E)
		}
		return nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return fmt.Errorf("curve %s, want P-256 or P-384", key.Params().Name)
		}
		return nil
	default:
		return fmt.Errorf("key is %T, want RSA or ECDSA", key)
	}
}

// checkAKMatch requires that every form in which the key is given is one key.
func (s *verification) checkAKMatch() error {
	ak := &s.ak
	if ak.key == nil {
		return errors.New("no attestation key")
	}
	if ak.certErr != nil {
		return fmt.Errorf("attestation key: %w", ak.certErr)
	}
	if s.akPublic != nil {
		key, err := s.akPublic.Key()
		if err != nil {
			return fmt.Errorf("ak_pub: %w", err)
		}
		if !equalKeys(key, ak.key) {
			return hint.New(errors.New("ak_pub is another key than that of the AK certificate"), "do not combine parts of two machines")
		}
	}
	if ak.pin != nil && ak.pin.public != nil && s.akPublic != nil && string(ak.pin.public.Append(nil)) != string(s.akPublic.Append(nil)) {
		return errors.New("ak_pub differs from the public area of the pinned key")
	}
	return nil
}
