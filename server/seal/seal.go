// Package seal encrypts a secret so that only the client that was attested can read
// it: to the key that its challenge was bound to, as a JWE in compact serialization
// (RFC 7516) with ECDH-ES as direct key agreement (RFC 7518, 4.6) and A256GCM. It
// knows no other algorithm, in either direction. jwx does the cryptography behind a
// gate that leaves it one way to read its input.
package seal

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// Limits in bytes.
const (
	MaxPlaintext = 512 << 10 // of what Seal takes
	MaxJWE       = 1 << 20   // of what Open takes; a sealed MaxPlaintext is smaller
	maxType      = 127       // of a content type
)

// ErrOpen means that a JWE of the right form was not sealed to this key, or was
// changed since.
var ErrOpen = errors.New("the jwe does not decrypt with this key")

// Seal encrypts 1 to MaxPlaintext bytes to the key and returns a compact JWE in
// ASCII, without a line end. contentType becomes its cty: a media type without
// quotes, such as text/plain, or "" for none. The header, which anyone can read,
// holds besides only the algorithms, the one-time key and the key's thumbprint as
// kid. An error holds nothing of the plaintext.
//
// What is sealed is secret, and nobody signed it: who sealed it is known only from
// where it came from.
func (k *ClientKey) Seal(plaintext []byte, contentType string) ([]byte, error) {
	switch {
	case k == nil || k.public == nil:
		return nil, errors.New("no key to seal to")
	case len(plaintext) == 0 || len(plaintext) > MaxPlaintext:
		return nil, fmt.Errorf("%d bytes to seal, want 1 to %d", len(plaintext), MaxPlaintext)
	}
	if err := checkType(contentType); err != nil {
		return nil, err
	}
	out, err := encrypt(k.public, k.kid(), contentType, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sealing to the client's key: %w", err)
	}
	// What leaves is what Open takes: nothing compressed, no key wrapped.
	m, err := parse(out)
	if err == nil {
		err = m.header.check(k)
	}
	if err == nil && (len(m.ciphertext) != len(plaintext) || m.header.cty != contentType) {
		err = errors.New("it is not what was given to it")
	}
	if err != nil {
		return nil, fmt.Errorf("checking what was sealed: %w", err)
	}
	return out, nil
}

// Open decrypts what Seal made for the public half of priv, on P-256 or P-384. It
// takes the compact serialization of at most MaxJWE bytes in its one spelling, with
// exactly the header that Seal makes, and nothing else: no other algorithm, no
// compression, no crit, no JSON serialization. ErrOpen means that all of that was
// right and the key or the bytes were not.
func Open(priv *ecdsa.PrivateKey, jwe []byte) ([]byte, error) {
	own, err := ownKey(priv)
	if err != nil {
		return nil, err
	}
	m, err := parse(jwe)
	if err != nil {
		return nil, fmt.Errorf("reading the jwe: %w", err)
	}
	if err := m.header.check(own); err != nil {
		return nil, fmt.Errorf("reading the header of the jwe: %w", err)
	}
	plaintext, err := decrypt(priv, jwe)
	if err != nil {
		return nil, ErrOpen // the library's words may carry parts of its input
	}
	return plaintext, nil
}

// checkType wants a media type that needs no escape in JSON.
func checkType(s string) error {
	if s == "" {
		return nil
	}
	_, _, err := mime.ParseMediaType(s)
	if err != nil || len(s) > maxType || strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
	}) {
		return hint.New(errors.New("the content type is not a plain media type"), "write it as in text/plain")
	}
	return nil
}
