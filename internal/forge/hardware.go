package forge

import (
	"crypto"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// Binding is a formula by which report data names the nonce and the AK.
type Binding int

// The formulas. The nonce is that of the TPM quotes, and the key is encoded as
// SubjectPublicKeyInfo.
const (
	// BindNonceAK is SHA-512(nonce ‖ key).
	BindNonceAK Binding = iota
	// BindNonce is the nonce, filled up with zeros or cut to 64 bytes, as gotpm
	// does it. It says nothing of the key.
	BindNonce
	// BindWorkload is SHA-512("WORKLOAD_ATTESTATION" ‖ SHA-512(nonce) ‖
	// SHA-512(key)), with SHA-512(extra) at the end where there is any extra.
	BindWorkload
	// BindGiven leaves Hardware.ReportData as it is.
	BindGiven
)

// Hardware is the report of the processor that a machine adds to its message.
type Hardware struct {
	// SNP or TDX describe the report; its ReportData and Contents are filled in.
	// Where both are nil, the report is the default one of the machine's
	// technology. A TDX quote of version 5 does not fit into the message:
	// Evidence.TDX has it.
	SNP *SNP
	TDX *TDX

	Binding    Binding
	Extra      []byte   // of BindWorkload
	ReportData [64]byte // of BindGiven
}

// ReportData computes what a formula makes of a nonce and an AK. BindGiven has
// nothing to compute and gives zeros.
func ReportData(b Binding, nonce []byte, ak crypto.PublicKey, extra []byte) (data [64]byte, err error) {
	der, err := x509.MarshalPKIXPublicKey(ak)
	if err != nil {
		return data, fmt.Errorf("encoding the AK: %w", err)
	}
	switch b {
	case BindNonceAK:
		return sha512.Sum512(slices.Concat(nonce, der)), nil
	case BindNonce:
		copy(data[:], nonce)
	case BindWorkload:
		challenge, key := sha512.Sum512(nonce), sha512.Sum512(der)
		text := slices.Concat([]byte("WORKLOAD_ATTESTATION"), challenge[:], key[:])
		if len(extra) > 0 {
			more := sha512.Sum512(extra)
			text = append(text, more[:]...)
		}
		return sha512.Sum512(text), nil
	case BindGiven:
	}
	return data, nil
}

// report mints the machine's hardware report, puts it into the message and
// notes what its verifier must trust.
func (m Machine) report(e *Evidence) error {
	if m.Hardware == nil {
		return nil
	}
	h := *m.Hardware
	data := h.ReportData
	if h.Binding != BindGiven {
		var err error
		if data, err = ReportData(h.Binding, e.Nonce, e.AK.Key(), h.Extra); err != nil {
			return err
		}
	}
	tdx := TDX{}
	if h.TDX != nil {
		tdx = *h.TDX
	}
	var err error
	switch {
	case m.quotesTDX():
		err = m.reportTDX(e, tdx, data)
	case h.SNP != nil || m.Technology == AMDSEVSNP:
		err = m.reportSNP(e, data)
	default:
		err = errors.New("the technology has no hardware report")
	}
	if err != nil {
		return err
	}
	e.hardwareTrust, err = hardwareTrust(m.Keys, tdx)
	return err
}

// quotesTDX reports whether the machine's hardware report is a TDX quote.
func (m Machine) quotesTDX() bool {
	return m.Hardware != nil && (m.Hardware.TDX != nil || m.Hardware.SNP == nil && m.Technology == IntelTDX)
}

func (m Machine) reportSNP(e *Evidence, data [64]byte) error {
	s := SNP{}
	if m.Hardware.SNP != nil {
		s = *m.Hardware.SNP
	}
	s.ReportData = data
	minted, err := s.Report(m.Keys)
	if err != nil {
		return err
	}
	e.SNP = minted
	e.Attestation.TeeAttestation = &attest.Attestation_SevSnpAttestation{SevSnpAttestation: minted.Proto()}
	return nil
}

func (m Machine) reportTDX(e *Evidence, t TDX, data [64]byte) error {
	t.ReportData = data
	if m.Container != nil && t.Contents == nil {
		t.Contents = m.Container.Contents()
	}
	minted, err := t.Quote(m.Keys)
	if err != nil {
		return err
	}
	if e.TDX = minted; le.Uint16(minted.Raw) != 4 {
		return nil // the message has no place for it
	}
	message, err := minted.Proto()
	e.Attestation.TeeAttestation = &attest.Attestation_TdxAttestation{TdxAttestation: message}
	return err
}
