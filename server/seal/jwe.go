package seal

import (
	"crypto/ecdsa"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
)

// encrypt makes a compact JWE. The library takes its randomness from crypto/rand.
func encrypt(public *ecdsa.PublicKey, kid, contentType string, plaintext []byte) ([]byte, error) {
	h := jwe.NewHeaders()
	if err := h.Set(jwe.KeyIDKey, kid); err != nil {
		return nil, err
	}
	if contentType != "" {
		if err := h.Set(jwe.ContentTypeKey, contentType); err != nil {
			return nil, err
		}
	}
	return jwe.Encrypt(plaintext, jwe.WithKey(jwa.ECDH_ES, public), jwe.WithContentEncryption(jwa.A256GCM),
		jwe.WithCompress(jwa.NoCompress), jwe.WithProtectedHeaders(h))
}

// decrypt opens a JWE that passed the gate. By itself the library also reads the JSON
// serialization, base64 in any spelling and compressed plaintext, and takes the
// content encryption and the one-time key from the header as they come.
func decrypt(priv *ecdsa.PrivateKey, compact []byte) ([]byte, error) {
	return jwe.Decrypt(compact, jwe.WithKey(jwa.ECDH_ES, priv))
}

// encryptWith makes a compact JWE whose key the reader has.
func encryptWith(key, plaintext []byte) ([]byte, error) {
	return jwe.Encrypt(plaintext, jwe.WithKey(jwa.DIRECT, key), jwe.WithContentEncryption(jwa.A256GCM),
		jwe.WithCompress(jwa.NoCompress))
}

// decryptWith opens a JWE that passed the gate, as decrypt does.
func decryptWith(key, compact []byte) ([]byte, error) {
	return jwe.Decrypt(compact, jwe.WithKey(jwa.DIRECT, key))
}
