package tpm

import (
	"encoding/binary"
	"fmt"
)

// Signature is a TPMT_SIGNATURE (TPM 2.0 Part 2, 11.3.4) of a scheme that
// attestation keys use: RSASSA, RSAPSS or ECDSA.
type Signature struct {
	Scheme Alg
	Hash   Alg
	RSA    []byte // RSASSA and RSAPSS: TPM2B_PUBLIC_KEY_RSA
	R, S   []byte // ECDSA: TPM2B_ECC_PARAMETER each, big endian
}

// ParseSignature decodes a TPMT_SIGNATURE. An unknown scheme and trailing
// bytes are errors. The result shares memory with b.
func ParseSignature(b []byte) (*Signature, error) {
	r := newReader(b)
	s := &Signature{Scheme: r.alg(), Hash: r.alg()}
	switch s.Scheme { //nolint:exhaustive // every other scheme is refused
	case AlgRSASSA, AlgRSAPSS:
		s.RSA = r.sized("RSA signature")
	case AlgECDSA:
		s.R = r.sized("signature r")
		s.S = r.sized("signature s")
	default:
		r.Fail("scheme %v, want rsassa, rsapss or ecdsa", s.Scheme)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("TPMT_SIGNATURE: %w", err)
	}
	return s, nil
}

// Append appends the encoding of s to b.
func (s *Signature) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.Scheme))
	b = binary.BigEndian.AppendUint16(b, uint16(s.Hash))
	if s.Scheme == AlgECDSA {
		return appendSized(appendSized(b, s.R), s.S)
	}
	return appendSized(b, s.RSA)
}
