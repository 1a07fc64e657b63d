package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/google/go-tpm/tpm2"
)

// EK is a software endorsement key with the public area of a TPM key.
type EK struct {
	// Public is the public area as a client sends it.
	Public tpm2.TPMTPublic
	key    crypto.Signer // which never signs
	keys   *Keys
	name   string
}

// NewEK makes the endorsement key of the TPM of that name, in the shape of the low
// range templates (TCG EK Credential Profile 2.5, B.3).
func NewEK(keys *Keys, name string, t KeyType) (*EK, error) {
	key, err := keys.Key("ek "+name, t)
	if err != nil {
		return nil, err
	}
	public, err := publicArea(key.Public(), SHA256)
	if err != nil {
		return nil, err
	}
	template := tpm2.RSAEKTemplate
	public.ObjectAttributes, public.AuthPolicy = template.ObjectAttributes, template.AuthPolicy
	switch key := key.Public().(type) {
	case *rsa.PublicKey:
		parameters := rsaParameters(key, SHA256)
		parameters.Symmetric, parameters.Scheme = aes128CFB(), tpm2.TPMTRSAScheme{}
		public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, parameters)
	case *ecdsa.PublicKey:
		parameters, err := eccParameters(key, SHA256)
		if err != nil {
			return nil, err
		}
		parameters.Symmetric, parameters.Scheme = aes128CFB(), tpm2.TPMTECCScheme{}
		public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, parameters)
	}
	return &EK{public, key, keys, name}, nil
}

func aes128CFB() tpm2.TPMTSymDefObject {
	return tpm2.TPMTSymDefObject{
		Algorithm: tpm2.TPMAlgAES,
		KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
		Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
	}
}

// TPMTPublic encodes the public area.
func (e *EK) TPMTPublic() []byte { return tpm2.Marshal(e.Public) }

// Certify has the CA issue the certificate that the manufacturer of a TPM would
// (TCG EK Credential Profile 2.5, 3.2). An edit changes what is to be signed.
func (e *EK) Certify(ca *CA, edit func(*x509.Certificate)) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber:          serial(e.keys, "ek certificate "+e.name),
		Subject:               pkix.Name{CommonName: "EK of " + e.name},
		NotBefore:             Now().AddDate(-1, 0, 0),
		NotAfter:              Now().AddDate(29, 0, 0),
		KeyUsage:              x509.KeyUsageKeyEncipherment,
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}},
		BasicConstraintsValid: true,
	}
	if _, ok := e.key.Public().(*ecdsa.PublicKey); ok {
		template.KeyUsage = x509.KeyUsageKeyAgreement
	}
	if edit != nil {
		edit(template)
	}
	return ca.Issue(template, e.key.Public())
}
