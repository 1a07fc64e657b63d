package tpm

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // SHA-1 PCR banks exist; none of them suffices alone
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
)

// Alg is a TPM_ALG_ID (TCG Algorithm Registry 1.34, table 3).
type Alg uint16

// The algorithms that attestation evidence names.
const (
	AlgRSA    Alg = 0x0001
	AlgSHA1   Alg = 0x0004
	AlgSHA256 Alg = 0x000B
	AlgSHA384 Alg = 0x000C
	AlgSHA512 Alg = 0x000D
	AlgNull   Alg = 0x0010
	AlgRSASSA Alg = 0x0014
	AlgRSAPSS Alg = 0x0016
	AlgECDSA  Alg = 0x0018
	AlgECC    Alg = 0x0023
)

// Banks lists the PCR banks attestctl can compute, weakest first.
var Banks = []Alg{AlgSHA1, AlgSHA256, AlgSHA384, AlgSHA512}

// Hash returns the hash function of a digest algorithm, or 0 if a is not one
// that attestctl can compute.
func (a Alg) Hash() crypto.Hash {
	switch a { //nolint:exhaustive // every other algorithm is not a digest
	case AlgSHA1:
		return crypto.SHA1
	case AlgSHA256:
		return crypto.SHA256
	case AlgSHA384:
		return crypto.SHA384
	case AlgSHA512:
		return crypto.SHA512
	default:
		return 0
	}
}

// Size returns the digest length in bytes, or 0 if a is not a digest
// algorithm that attestctl can compute.
func (a Alg) Size() int {
	if h := a.Hash(); h != 0 {
		return h.Size()
	}
	return 0
}

// String returns the name that tpm2-tools use ("sha256"), or the number in
// hex for an algorithm without a name here.
func (a Alg) String() string {
	switch a {
	case AlgRSA:
		return "rsa"
	case AlgSHA1:
		return "sha1"
	case AlgSHA256:
		return "sha256"
	case AlgSHA384:
		return "sha384"
	case AlgSHA512:
		return "sha512"
	case AlgNull:
		return "null"
	case AlgRSASSA:
		return "rsassa"
	case AlgRSAPSS:
		return "rsapss"
	case AlgECDSA:
		return "ecdsa"
	case AlgECC:
		return "ecc"
	default:
		return fmt.Sprintf("0x%04x", uint16(a))
	}
}
