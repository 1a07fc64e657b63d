package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// AK is a software attestation key with the public area of a TPM key.
type AK struct {
	// Public is the public area as the evidence shows it.
	Public tpm2.TPMTPublic
	signer crypto.Signer
}

// newAK makes an attestation key in the shape of gotpm's: a restricted,
// fixed signing key under the endorsement hierarchy, attributes 0x50072.
func newAK(keys *Keys, name string, t KeyType, hash Alg) (*AK, error) {
	signer, err := keys.Key(name, t)
	if err != nil {
		return nil, err
	}
	public, err := publicArea(signer.Public(), hash)
	if err != nil {
		return nil, err
	}
	return &AK{Public: public, signer: signer}, nil
}

// publicArea describes a key as TPM 2.0 Part 2, 12.2.4 does.
func publicArea(key crypto.PublicKey, hash Alg) (tpm2.TPMTPublic, error) {
	public := tpm2.TPMTPublic{
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
			UserWithAuth: true, Restricted: true, SignEncrypt: true,
		},
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		public.Type = tpm2.TPMAlgRSA
		public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, rsaParameters(key, hash))
		public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: key.N.Bytes()})
	case *ecdsa.PublicKey:
		parameters, err := eccParameters(key, hash)
		if err != nil {
			return tpm2.TPMTPublic{}, err
		}
		point, err := key.Bytes() // SEC 1, 2.3.3: 04 || X || Y
		if err != nil {
			return tpm2.TPMTPublic{}, err
		}
		size := (len(point) - 1) / 2
		public.Type = tpm2.TPMAlgECC
		public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, parameters)
		public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: point[1 : 1+size]},
			Y: tpm2.TPM2BECCParameter{Buffer: point[1+size:]},
		})
	default:
		return tpm2.TPMTPublic{}, fmt.Errorf("no public area for a key of type %T", key)
	}
	return public, nil
}

func rsaParameters(key *rsa.PublicKey, hash Alg) *tpm2.TPMSRSAParms {
	exponent := uint32(key.E) //nolint:gosec // 3 or 65537
	if exponent == 65537 {
		exponent = 0 // the default is written as zero (Part 2, 12.2.3.5)
	}
	return &tpm2.TPMSRSAParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTRSAScheme{
			Scheme:  tpm2.TPMAlgRSASSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSASSA, &tpm2.TPMSSigSchemeRSASSA{HashAlg: hash}),
		},
		KeyBits:  tpm2.TPMKeyBits(key.N.BitLen()), //nolint:gosec // at most 2048
		Exponent: exponent,
	}
}

func eccParameters(key *ecdsa.PublicKey, hash Alg) (*tpm2.TPMSECCParms, error) {
	var curve tpm2.TPMECCCurve
	switch name := key.Curve.Params().Name; name {
	case "P-224":
		curve = tpm2.TPMECCNistP224
	case "P-256":
		curve = tpm2.TPMECCNistP256
	case "P-384":
		curve = tpm2.TPMECCNistP384
	default:
		return nil, fmt.Errorf("no TPM curve for %s", name)
	}
	return &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash}),
		},
		CurveID: curve,
		KDF:     tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	}, nil
}

// Key returns the public key that verifies the quotes.
func (a *AK) Key() crypto.PublicKey { return a.signer.Public() }

// TPMTPublic encodes the public area as the ak_pub field carries it.
func (a *AK) TPMTPublic() []byte { return tpm2.Marshal(a.Public) }

// TPM2BPublic encodes the public area as tpm2-tools write it: with its length.
func (a *AK) TPM2BPublic() []byte { return tpm2.Marshal(tpm2.New2B(a.Public)) }

// PEM encodes the public key for --ak-pub and tpm2_checkquote.
func (a *AK) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(a.Key())
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Name returns nameAlg || H(public area) (TPM 2.0 Part 1, 16).
func (a *AK) Name() ([]byte, error) {
	sum, err := digest(a.Public.NameAlg, a.TPMTPublic())
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(a.Public.NameAlg)), sum...), nil
}

// QualifiedName returns the name that a TPM puts into a quote: nameAlg ||
// H(QN of the parent || name), where the parent of a primary key is the
// endorsement hierarchy itself (TPM 2.0 Part 1, 26.5).
func (a *AK) QualifiedName() ([]byte, error) {
	name, err := a.Name()
	if err != nil {
		return nil, err
	}
	parent := binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement))
	qualified, err := digest(a.Public.NameAlg, parent, name)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(a.Public.NameAlg)), qualified...), nil
}
