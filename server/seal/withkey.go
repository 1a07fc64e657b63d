package seal

import (
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// KeySize is the size in bytes of a key that two sides share.
const KeySize = 32

// directUse is the alg of a JWE that is encrypted with a key both sides have (RFC
// 7518, 4.5).
const directUse = "dir"

// WithKey encrypts 1 to MaxPlaintext bytes with a key of KeySize bytes that the
// reader has too, and returns a compact JWE with the algorithms dir and A256GCM. A
// key is for one message. An error holds nothing of the plaintext or the key.
func WithKey(key, plaintext []byte) ([]byte, error) {
	switch {
	case len(key) != KeySize:
		return nil, fmt.Errorf("a key of %d bytes, want %d", len(key), KeySize)
	case len(plaintext) == 0 || len(plaintext) > MaxPlaintext:
		return nil, fmt.Errorf("%d bytes to seal, want 1 to %d", len(plaintext), MaxPlaintext)
	}
	out, err := encryptWith(key, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sealing with a key: %w", err)
	}
	// What leaves is what OpenWithKey takes.
	ciphertext, err := parseDirect(out)
	if err == nil && len(ciphertext) != len(plaintext) {
		err = errors.New("it is not what was given to it")
	}
	if err != nil {
		return nil, fmt.Errorf("checking what was sealed: %w", err)
	}
	return out, nil
}

// OpenWithKey decrypts what WithKey made, as strictly as Open does: compact, at most
// MaxJWE bytes in their one spelling, a header of exactly alg and enc. ErrOpen means
// that all of that was right and the key or the bytes were not.
func OpenWithKey(key, jwe []byte) ([]byte, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a key of %d bytes, want %d", len(key), KeySize)
	}
	if _, err := parseDirect(jwe); err != nil {
		return nil, fmt.Errorf("reading the jwe: %w", err)
	}
	plaintext, err := decryptWith(key, jwe)
	if err != nil {
		return nil, ErrOpen // the library's words may carry parts of its input
	}
	return plaintext, nil
}

// CheckWithKey wants the form of what WithKey makes, without decrypting.
func CheckWithKey(jwe []byte) error {
	_, err := parseDirect(jwe)
	return err
}

// parseDirect decodes a JWE that WithKey could have made.
func parseDirect(jwe []byte) (ciphertext []byte, err error) {
	b, err := split(jwe)
	if err != nil {
		return nil, err
	}
	n, err := headerForm.Parse(b[0])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	h, err := texts(n, []string{"alg", "enc"}, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("header: %w", err)
	case h["alg"] != directUse:
		return nil, fmt.Errorf("header: alg is %s, want %q", strictjson.Quote(h["alg"]), directUse)
	case h["enc"] != contentEncryption:
		return nil, fmt.Errorf("header: enc is %s, want %q", strictjson.Quote(h["enc"]), contentEncryption)
	}
	return b[3], nil
}
