package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// KeyType is a kind of asymmetric key; the zero value is the kind that gotpm
// and GCE use for attestation keys unless asked otherwise.
type KeyType int

// The kinds of keys that the forge makes. Only RSA2048, P256 and P384 are
// fit for an attestation key; the others are there to be refused.
const (
	RSA2048   KeyType = iota // exponent 65537
	RSA1024                  // too short
	RSA2048e3                // exponent 3
	P256
	P384
	P224 // not in the TPM profiles of any vendor
)

// DefaultSeed is the seed of a [Machine] without Keys.
const DefaultSeed = "attestctl forge"

// Keys makes and keeps the keys of one seed. It is safe for concurrent use.
// Sharing one Keys between machines saves the search for RSA primes.
type Keys struct {
	seed string
	mu   sync.Mutex
	made map[string]crypto.Signer
}

// NewKeys returns the keys that seed determines.
func NewKeys(seed string) *Keys {
	return &Keys{seed: seed, made: map[string]crypto.Signer{}}
}

// Key returns the key of a name, for example "ak". The key depends on the
// seed, the name and the type only. Its Sign ignores the source of randomness
// and is deterministic: RSASSA-PKCS1-v1_5, or ECDSA with the nonce of RFC 6979.
func (k *Keys) Key(name string, t KeyType) (crypto.Signer, error) {
	purpose := fmt.Sprintf("key %d %s", t, name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.made[purpose]; ok {
		return key, nil
	}
	key, err := makeKey(newStream(k.seed, purpose), t)
	if err != nil {
		return nil, fmt.Errorf("making key %q: %w", name, err)
	}
	k.made[purpose] = key
	return key, nil
}

// bytes returns n bytes that the seed and the purpose determine.
func (k *Keys) bytes(purpose string, n int) []byte {
	return newStream(k.seed, "bytes "+purpose).bytes(n)
}

func makeKey(s *stream, t KeyType) (crypto.Signer, error) {
	switch t {
	case RSA2048:
		return rsaKey(s, 2048, 65537)
	case RSA1024:
		return rsaKey(s, 1024, 65537)
	case RSA2048e3:
		return rsaKey(s, 2048, 3)
	case P256:
		return ecdsaKey(s, elliptic.P256())
	case P384:
		return ecdsaKey(s, elliptic.P384())
	case P224:
		return ecdsaKey(s, elliptic.P224())
	default:
		return nil, fmt.Errorf("unknown key type %d", t)
	}
}

// steady is a signer whose signatures depend on key and digest alone.
type steady struct{ crypto.Signer }

// Sign ignores the reader: crypto/ecdsa signs by RFC 6979 without one, and
// PKCS #1 v1.5 has no use for it.
func (s steady) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.Signer.Sign(nil, digest, opts)
}

// ecdsaKey draws scalars until one is in range (FIPS 186-5, A.2.2).
// crypto/ecdsa.GenerateKey is random by design, whatever reader it is given.
func ecdsaKey(s *stream, curve elliptic.Curve) (crypto.Signer, error) {
	size := (curve.Params().BitSize + 7) / 8
	for range 64 {
		if key, err := ecdsa.ParseRawPrivateKey(curve, s.bytes(size)); err == nil {
			return steady{key}, nil
		}
	}
	return nil, fmt.Errorf("no scalar for %s in 64 draws", curve.Params().Name)
}

// rsaKey searches two primes for the exponent e. crypto/rsa.GenerateKey is
// random by design, whatever reader it is given.
func rsaKey(s *stream, bits int, e int64) (crypto.Signer, error) {
	exponent := big.NewInt(e)
	p := rsaPrime(s, bits/2, exponent)
	q := rsaPrime(s, bits/2, exponent)
	key, err := rsaFromPrimes(p, q, exponent)
	if err != nil {
		return nil, err
	}
	return steady{key}, nil
}

func rsaFromPrimes(p, q, e *big.Int) (*rsa.PrivateKey, error) {
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}

// rsaPrime returns a prime p of the given size with p-1 coprime to e.
func rsaPrime(s *stream, bits int, e *big.Int) *big.Int {
	one, two := big.NewInt(1), big.NewInt(2)
	p := rsaCandidate(s, bits)
	for ; ; p.Add(p, two) {
		if !p.ProbablyPrime(1) {
			continue
		}
		if new(big.Int).GCD(nil, nil, new(big.Int).Sub(p, one), e).Cmp(one) == 0 {
			return p
		}
	}
}

// rsaCandidate returns the odd number where the search for a prime starts. Its
// two highest bits are set so that a product of two has full length.
func rsaCandidate(s *stream, bits int) *big.Int {
	p := new(big.Int).SetBytes(s.bytes(bits / 8))
	return p.SetBit(p, 0, 1).SetBit(p, bits-1, 1).SetBit(p, bits-2, 1)
}
