package evidence

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strconv"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// googleOEMID is Google's private enterprise number, as its tokens carry it.
const googleOEMID int64 = 11129

// tpmClaims publishes what the quotes prove.
func (s *verification) tpmClaims(c *claims.Claims) {
	last := s.lastQuote()
	t := &claims.TPM{
		AK:    s.akClaims(),
		PCRs:  map[string]map[string]string{},
		Nonce: hex.EncodeToString(last.ExtraData),
		Clock: claims.Clock{
			Clock:        strconv.FormatUint(last.Clock.Clock, 10),
			ResetCount:   last.Clock.ResetCount,
			RestartCount: last.Clock.RestartCount,
			Safe:         last.Clock.Safe,
		},
		FirmwareVersion: strconv.FormatUint(last.FirmwareVersion, 10),
	}
	for _, b := range s.banks() {
		name := b.alg.String()
		t.Banks = append(t.Banks, name)
		t.PCRs[name] = make(map[string]string, len(b.values))
		for _, v := range b.values {
			t.PCRs[name][strconv.FormatUint(uint64(v.index), 10)] = hex.EncodeToString(v.value)
		}
	}
	c.TPM = t
	c.EATNonce = []string{t.Nonce}
}

// lastQuote is the quote that the TPM made last. The order in the evidence is
// not signed, the TPM's clock is.
func (s *verification) lastQuote() *tpm.Attest {
	last := s.quotes[0].attest
	for _, q := range s.quotes[1:] {
		if q.attest.Clock.Clock > last.Clock.Clock {
			last = q.attest
		}
	}
	return last
}

func (s *verification) akClaims() claims.AK {
	ak := claims.AK{Trust: "certificate"}
	if s.ak.pin != nil {
		ak.Trust = "pinned"
	}
	switch key := s.ak.key.(type) {
	case *rsa.PublicKey:
		ak.Algorithm, ak.Bits = "rsa", key.N.BitLen()
	case *ecdsa.PublicKey:
		ak.Algorithm, ak.Bits = "ecc", key.Params().BitSize
	}
	if der, err := x509.MarshalPKIXPublicKey(s.ak.key); err == nil {
		ak.KeySHA256 = hexSHA256(der)
	}
	if s.attributesProven() {
		ak.Attributes = s.ak.public.Attributes.Names()
	}
	if s.ak.pin == nil {
		ak.Certificate = s.certificateClaims()
	}
	return ak
}

func (s *verification) certificateClaims() *claims.Certificate {
	cert := s.ak.cert
	return &claims.Certificate{
		SHA256:          hexSHA256(cert.Raw),
		Subject:         cert.Subject.String(),
		Issuer:          cert.Issuer.String(),
		NotBefore:       cert.NotBefore.Unix(),
		NotAfter:        cert.NotAfter.Unix(),
		RootSHA256:      hexSHA256(s.ak.root.Raw),
		Production:      s.ak.instance.production,
		SecurityVersion: s.ak.instance.securityVersion,
		Revocation:      "unchecked",
	}
}

// identityClaims publishes the instance that the AK certificate names, and
// what follows from the certificate being one of Google's hierarchy.
func (s *verification) identityClaims(c *claims.Claims) {
	in := s.ak.instance
	if in == nil || s.ak.pin != nil {
		return
	}
	oemid := googleOEMID
	c.OEMID = &oemid
	c.Sub = in.url()
	if c.SWName == "" && s.nothingLaunched() {
		c.SWName = "GCE"
	}
	if c.Submods == nil {
		c.Submods = new(claims.Submods)
	}
	c.Submods.GCE = &claims.GCE{
		Zone:          in.zone,
		ProjectID:     in.projectID,
		ProjectNumber: strconv.FormatUint(in.projectNumber, 10),
		InstanceName:  in.name,
		InstanceID:    strconv.FormatUint(in.id, 10),
	}
}

// nothingLaunched reports whether the launcher of Confidential Space cannot have
// run: it would have extended PCR 13 or, on TDX, RTMR 3.
func (s *verification) nothingLaunched() bool {
	if s.boot.boot == nil {
		return false
	}
	if s.measuredTDX() && (s.found.tdx == nil || !s.boundToAK() || s.hw.tdx.quote.RTMR[rtmr3] != [48]byte{}) {
		return false
	}
	for _, b := range s.banks() {
		if !replay.Reset(replay.ContainerPCR.Index, b.alg, b.get(replay.ContainerPCR.Index)) {
			return false
		}
	}
	return true
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
