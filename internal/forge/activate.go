package forge

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// errForeign is for a credential that is not for this TPM, or was changed.
var errForeign = errors.New("the credential is not for these keys")

// Activate is TPM2_ActivateCredential in a TPM where the key of that Name lies
// beside the EK (TPM 2.0 Part 1, 24; Part 3, 12.5). It knows the name algorithm
// SHA-256 alone.
func (e *EK) Activate(akName, credential, encryptedSeed []byte) ([]byte, error) {
	seed, err := e.seed(encryptedSeed)
	if err != nil {
		return nil, err
	}
	sum, sealed, err := cutSized(credential)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, kdfa(seed, "INTEGRITY", nil, 256))
	mac.Write(sealed)
	mac.Write(akName)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return nil, errForeign
	}
	block, err := aes.NewCipher(kdfa(seed, "STORAGE", akName, 128))
	if err != nil {
		return nil, err
	}
	value, rest, err := cutSized(openCFB(block, sealed))
	if err != nil || len(rest) > 0 {
		return nil, errForeign
	}
	return value, nil
}

// seed decrypts the seed, or agrees on it (TPM 2.0 Part 1, B.10.4 and C.6.4).
func (e *EK) seed(encrypted []byte) ([]byte, error) {
	signer, ok := e.key.(steady)
	if !ok {
		return nil, fmt.Errorf("a key of type %T", e.key)
	}
	switch key := signer.Signer.(type) {
	case *rsa.PrivateKey:
		return rsa.DecryptOAEP(sha256.New(), nil, key, encrypted, []byte("IDENTITY\x00"))
	case *ecdsa.PrivateKey:
		return agree(key, encrypted)
	default:
		return nil, fmt.Errorf("a key of type %T", key)
	}
}

func agree(key *ecdsa.PrivateKey, point []byte) ([]byte, error) {
	own, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	x, rest, err := cutSized(point)
	if err != nil {
		return nil, err
	}
	y, rest, err := cutSized(rest)
	if err != nil || len(rest) > 0 {
		return nil, errForeign
	}
	theirs, err := own.Curve().NewPublicKey(slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, err
	}
	z, err := own.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	h := sha256.New() // KDFe: one block is all of the seed (Part 1, 11.4.10.3)
	h.Write([]byte{0, 0, 0, 1})
	h.Write(z)
	h.Write([]byte("IDENTITY\x00"))
	h.Write(x)
	h.Write(xOf(own.PublicKey()))
	return h.Sum(nil), nil
}

// xOf is the first coordinate of a point (SEC 1, 2.3.3).
func xOf(p *ecdh.PublicKey) []byte {
	b := p.Bytes()
	return b[1 : 1+len(b)/2]
}

// kdfa is KDFa with SHA-256 for up to 256 bits, which is one block (TPM 2.0 Part 1,
// 11.4.10.2).
func kdfa(key []byte, label string, context []byte, bits uint32) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte{0, 0, 0, 1})
	mac.Write([]byte(label + "\x00"))
	mac.Write(context)
	mac.Write(binary.BigEndian.AppendUint32(nil, bits))
	return mac.Sum(nil)[:bits/8]
}

// openCFB decrypts in CFB mode from an initialization vector of zeros (NIST SP
// 800-38A, 6.3).
func openCFB(block cipher.Block, in []byte) []byte {
	out, stream := make([]byte, len(in)), make([]byte, block.BlockSize())
	for i := 0; i < len(in); i += len(stream) {
		block.Encrypt(stream, stream)
		end := min(i+len(stream), len(in))
		for j := i; j < end; j++ {
			out[j] = in[j] ^ stream[j-i]
		}
		copy(stream, in[i:end])
	}
	return out
}

// cutSized takes a TPM2B off the front.
func cutSized(b []byte) (value, rest []byte, err error) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return nil, nil, errForeign
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:], nil
}
