package forge

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
)

// amdKeyBits is the size of every ARK, ASK and ASVK (AMD 57230).
const amdKeyBits = 4096

// amdGaps says how far the two primes of a key lie above the numbers where the
// search for them starts, in steps of two: finding them takes seconds. A key
// without gaps is searched for.
var amdGaps = map[string][2]int64{
	"forge ARK-Milan":        {1677, 878},
	"forge SEV-Milan":        {338, 677},
	"forge SEV-VLEK-Milan":   {1710, 3625},
	"forge ARK-Genoa":        {1840, 788},
	"forge SEV-Genoa":        {514, 1315},
	"forge SEV-VLEK-Genoa":   {1116, 247},
	"forge ARK-Turin":        {618, 1033},
	"forge SEV-Turin":        {1443, 524},
	"forge SEV-VLEK-Turin":   {168, 488},
	"foreign ARK-Milan":      {18, 188},
	"foreign SEV-Milan":      {5, 1461},
	"foreign SEV-VLEK-Milan": {11, 146},
}

// amdKey makes the key of an AMD-like authority, for example "forge ARK-Milan".
// It is the same under every seed, and RSA of 4096 bits, because verifiers
// accept nothing shorter.
func amdKey(name string) (crypto.Signer, error) {
	key, err := rsaFromPrimes(amdPrime(name, 0), amdPrime(name, 1), big.NewInt(rsaExponent))
	if err != nil {
		return nil, fmt.Errorf("making key %q: %w", name, err)
	}
	return steadyPSS{key}, nil
}

const rsaExponent = 65537

func amdStream(name string, i int) *stream {
	return newStream(DefaultSeed, fmt.Sprintf("amd prime %d %s", i, name))
}

// amdPrime returns one of the two primes of a key.
func amdPrime(name string, i int) *big.Int {
	gaps, known := amdGaps[name]
	if !known {
		return rsaPrime(amdStream(name, i), amdKeyBits/2, big.NewInt(rsaExponent))
	}
	p := rsaCandidate(amdStream(name, i), amdKeyBits/2)
	return p.Add(p, big.NewInt(2*gaps[i]))
}

// steadyPSS signs with RSASSA-PSS as AMD does. The salt depends on the digest
// alone, so that the signature does too.
type steadyPSS struct{ *rsa.PrivateKey }

// Sign ignores the reader.
func (s steadyPSS) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(newStream("salt", string(digest)), digest, opts)
}
