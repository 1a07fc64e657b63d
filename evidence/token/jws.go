package token

import (
	"crypto"
	"errors"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// ErrSignature means that a token's signature was not made by the key over
// exactly these bytes.
var ErrSignature = errors.New("signature does not verify")

// verifySignature verifies the token with exactly one key and one algorithm
// (RFC 7515 5.2), and that what the library verified is the payload that Parse
// decoded. That the key fits the algorithm is token.key's. This is the one place where a library sees a token.
func verifySignature(t *Token, alg string, key crypto.PublicKey) error {
	v, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil || v.Verify(t.compact[:t.signed], t.signature, key) != nil {
		return ErrSignature // the library's words may carry parts of the token
	}
	return nil
}
