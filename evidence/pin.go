package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// pin is an attestation key that the user trusts by itself. public is nil
// where the pinned file carried no TPM public area.
type pin struct {
	key    crypto.PublicKey
	public *tpm.Public
}

func parsePin(b []byte) (*pin, error) {
	if block, _ := pem.Decode(b); block != nil {
		return parsePEMPin(block)
	}
	if public, err := tpm.ParseSizedPublic(b); err == nil {
		return pinPublic(public)
	}
	if public, err := tpm.ParsePublic(b); err == nil {
		return pinPublic(public)
	}
	if key, err := x509.ParsePKIXPublicKey(b); err == nil {
		return pinKey(key)
	}
	return nil, hint.New(errors.New("not a public key in PEM, DER, TPM2B_PUBLIC or TPMT_PUBLIC"),
		"tpm2_readpublic -c AK -o ak.pub writes the form that carries the key's attributes")
}

func parsePEMPin(block *pem.Block) (*pin, error) {
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("PEM block is %q, want PUBLIC KEY", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return pinKey(key)
}

func pinPublic(public *tpm.Public) (*pin, error) {
	key, err := public.Key()
	if err != nil {
		return nil, err
	}
	return &pin{key: key, public: public}, nil
}

func pinKey(key crypto.PublicKey) (*pin, error) {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return &pin{key: key}, nil
	default:
		return nil, fmt.Errorf("key is %T, want RSA or ECDSA", key)
	}
}

// equalKeys reports whether two keys are the same. Keys of a kind that no AK
// has are never equal.
func equalKeys(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		return a.Equal(b)
	case *ecdsa.PublicKey:
		return a.Equal(b)
	default:
		return false
	}
}
