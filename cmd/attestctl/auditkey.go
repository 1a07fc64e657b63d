package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
)

// The types of the PEM blocks.
const (
	pemPrivate = "PRIVATE KEY" // PKCS #8
	pemPublic  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

var errKeyKind = hint.New(errors.New("not an Ed25519 key in PEM"), "attestctl audit keygen FILE makes one")

// readAuditKey reads the key that signs an audit log, from a file of its owner's
// alone. No error shows what it holds.
func readAuditKey(name string) (ed25519.PrivateKey, error) {
	data, err := ownfile.ReadPrivate(name, maxKeyText)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	der := onePEM(data, pemPrivate)
	if der == nil {
		return nil, errKeyKind
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errKeyKind // the cause may quote the key
	}
	signer, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errKeyKind
	}
	return signer, nil
}

// maxKeyText bounds a file with one key, in bytes.
const maxKeyText = 4 << 10

func readKeyText(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeyText+1))
	if err == nil && len(data) > maxKeyText {
		err = fmt.Errorf("larger than %d KiB", maxKeyText>>10)
	}
	return data, err
}

// parseAuditPublic reads the key that an audit log is verified with.
func parseAuditPublic(data []byte) (ed25519.PublicKey, error) {
	der := onePEM(data, pemPublic)
	key, err := x509.ParsePKIXPublicKey(der)
	public, ok := key.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, hint.New(errors.New("not an Ed25519 public key in PEM"), "give what audit keygen printed")
	}
	return public, nil
}

// onePEM returns the content of a file that is one block of this type, or nil.
func onePEM(data []byte, kind string) []byte {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != kind || len(block.Headers) > 0 {
		return nil
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil
	}
	return block.Bytes
}

// newAuditKey makes a key pair in PEM.
func newAuditKey() (private, public []byte, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	privDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, err
	}
	pubDER, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: privDER}), pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: pubDER}), nil
}
