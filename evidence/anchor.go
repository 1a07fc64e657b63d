package evidence

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// Anchor is one file of trust material. Its place in the trust directory says
// what it is trusted for.
type Anchor struct {
	Path   string            // slash-separated, below the trust directory: "ak/roots/name.crt"
	Origin string            // where an embedded file comes from; "" for a user's own
	DER    []byte            // the certificate or public key
	Cert   *x509.Certificate // nil for a pinned key
}

// SHA256 returns the digest of the DER form in hex.
func (a Anchor) SHA256() string {
	sum := sha256.Sum256(a.DER)
	return hex.EncodeToString(sum[:])
}

const (
	maxAnchorSize = 64 << 10
	maxCertSize   = 8 << 10
	maxRSABits    = 4096
)

// parseCertificate reads one certificate in DER or PEM and nothing beside it.
func parseCertificate(b []byte) (*x509.Certificate, error) {
	if block, rest := pem.Decode(b); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("PEM block is %q, want CERTIFICATE", block.Type)
		}
		if more, _ := pem.Decode(rest); more != nil {
			return nil, errors.New("more than one PEM block: put each certificate into its own file")
		}
		b = block.Bytes
	}
	return parseCertificateDER(b)
}

// parseCertificateDER reads one DER certificate of bounded size and key.
func parseCertificateDER(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertSize {
		return nil, fmt.Errorf("certificate of %d bytes, at most %d are read", len(der), maxCertSize)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("RSA key of %d bits, at most %d are read", key.N.BitLen(), maxRSABits)
		}
	case *ecdsa.PublicKey:
	default:
		return nil, fmt.Errorf("key of algorithm %v, want RSA or ECDSA", cert.PublicKeyAlgorithm)
	}
	return cert, nil
}
