package forge

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// Sign signs a message as TPM2_Quote does and returns TPMT_SIGNATURE (TPM 2.0
// Part 2, 11.3.4). The schemes are RSASSA, RSAPSS and ECDSA.
func (a *AK) Sign(scheme, hash Alg, message []byte) (*tpm2.TPMTSignature, error) {
	hashed, err := digest(hash, message)
	if err != nil {
		return nil, err
	}
	function, err := hashOf(hash)
	if err != nil {
		return nil, err
	}
	key, ok := a.signer.(steady)
	if !ok {
		return nil, fmt.Errorf("the attestation key is a %T, not one of Keys", a.signer)
	}
	switch scheme { //nolint:exhaustive // a TPM signs quotes with no other
	case tpm2.TPMAlgRSASSA, tpm2.TPMAlgECDSA:
		raw, err := key.Sign(nil, hashed, function)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		return a.encodeSignature(scheme, hash, raw)
	case tpm2.TPMAlgRSAPSS:
		private, ok := key.Signer.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("RSAPSS with a %T", key.Signer)
		}
		salt := newStream("salt", string(hashed))
		raw, err := rsa.SignPSS(salt, private, function, hashed, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		return RSASignature(scheme, hash, raw), nil
	default:
		return nil, fmt.Errorf("unknown signature scheme %#04x", uint16(scheme))
	}
}

func (a *AK) encodeSignature(scheme, hash Alg, raw []byte) (*tpm2.TPMTSignature, error) {
	public, isECDSA := a.Key().(*ecdsa.PublicKey)
	if isECDSA != (scheme == tpm2.TPMAlgECDSA) {
		return nil, fmt.Errorf("scheme %#04x does not fit a %T", uint16(scheme), a.Key())
	}
	if !isECDSA {
		return RSASignature(scheme, hash, raw), nil
	}
	var point struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(raw, &point); err != nil {
		return nil, fmt.Errorf("decoding the signature: %w", err)
	}
	size := (public.Curve.Params().BitSize + 7) / 8
	return ECDSASignature(hash, point.R.FillBytes(make([]byte, size)), point.S.FillBytes(make([]byte, size))), nil
}

// RSASignature wraps the bytes of an RSA signature.
func RSASignature(scheme, hash Alg, raw []byte) *tpm2.TPMTSignature {
	return &tpm2.TPMTSignature{
		SigAlg: scheme,
		Signature: tpm2.NewTPMUSignature(scheme, &tpm2.TPMSSignatureRSA{
			Hash: hash, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: raw},
		}),
	}
}

// ECDSASignature wraps the two numbers of an ECDSA signature.
func ECDSASignature(hash Alg, r, s []byte) *tpm2.TPMTSignature {
	return &tpm2.TPMTSignature{
		SigAlg: tpm2.TPMAlgECDSA,
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash:       hash,
			SignatureR: tpm2.TPM2BECCParameter{Buffer: r},
			SignatureS: tpm2.TPM2BECCParameter{Buffer: s},
		}),
	}
}
