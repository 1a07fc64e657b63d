package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // of RS256, ES256 and HS256
	_ "crypto/sha512" // of the longer ones
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
)

// Signing says how a token is signed. Algorithm is one of RFC 7518 3.1, or
// "none"; of the symmetric ones Secret is the key.
type Signing struct {
	Algorithm string
	Key       crypto.Signer
	Secret    []byte
}

// sign signs the input of a JWS (RFC 7515 5.1). Like all of the forge's it gives
// one signature for one input.
func (s *Signing) sign(input []byte) ([]byte, error) {
	if s.Algorithm == "none" {
		return nil, nil
	}
	kind, size, _ := strings.Cut(s.Algorithm, "S")
	hash, ok := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[size]
	if !ok {
		return nil, fmt.Errorf("unknown algorithm %q", s.Algorithm)
	}
	if kind == "H" {
		mac := hmac.New(hash.New, s.Secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch kind {
	case "R":
		return s.Key.Sign(nil, digest, hash)
	case "P":
		return signPSS(s.Key, digest, hash)
	case "E":
		return signES(s.Key, digest, hash)
	}
	return nil, fmt.Errorf("unknown algorithm %q", s.Algorithm)
}

// signPSS salts with as many bytes as the digest has (RFC 7518 3.5).
func signPSS(key crypto.Signer, digest []byte, hash crypto.Hash) ([]byte, error) {
	s, ok := key.(steady)
	if !ok {
		return nil, fmt.Errorf("no PSS with a key of type %T", key)
	}
	private, ok := s.Signer.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("no PSS with a key of type %T", s.Signer)
	}
	return steadyPSS{private}.Sign(nil, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
}

// signES encodes R and S at their full length (RFC 7518 3.4).
func signES(key crypto.Signer, digest []byte, hash crypto.Hash) ([]byte, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("no ECDSA with a key of type %T", key.Public())
	}
	der, err := key.Sign(nil, digest, hash)
	if err != nil {
		return nil, err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return nil, err
	}
	size := (public.Params().BitSize + 7) / 8
	return append(rs.R.FillBytes(make([]byte, size)), rs.S.FillBytes(make([]byte, size))...), nil
}
