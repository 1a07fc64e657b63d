package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/snp"
)

// TrustFile is one file of trust material. Its place in the trust directory says
// what it is for.
type TrustFile struct {
	Path    string // slash-separated, below the trust directory: "ak/roots/name.crt"
	Purpose string // what files in this folder are for, in words
	Kind    FileKind
	Origin  string            // where an embedded file comes from; "" for a user's own
	Subject string            // whom it is about, of a revocation list its issuer; "" for a key
	From    time.Time         // valid from: notBefore, thisUpdate or issueDate; zero for a key
	Until   time.Time         // valid until, this second included: notAfter or nextUpdate; zero for none
	Data    []byte            // the file as it is
	DER     []byte            // the certificate, public key or revocation list; of another file the data
	Cert    *x509.Certificate // nil for all but a certificate
	FMSPC   string            // of TCB info: 12 hex digits

	// EvaluationNumber is the tcbEvaluationDataNumber of TCB info and of the QE
	// identity.
	EvaluationNumber uint32

	amdKey *snp.Certificate
	crl    *x509.RevocationList
	key    crypto.PublicKey // of a pin
}

// FileKind is what a file of trust material is.
type FileKind string

// The kinds. A chain is of certificates in PEM, and part of Intel's collateral.
const (
	KindCertificate FileKind = "certificate"
	KindKey         FileKind = "key"
	KindList        FileKind = "revocation list"
	KindChain       FileKind = "certificate chain"
	KindTCBInfo     FileKind = "tcb info"
	KindQEIdentity  FileKind = "qe identity"
	KindKeySet      FileKind = "key set"
	KindJWK         FileKind = "jwk"
	KindDigest      FileKind = "digest"
)

// FileStatus says whether a file counts at some time.
type FileStatus string

// The statuses. Revocation lists and collateral get stale, certificates expire;
// keys do neither.
const (
	StatusValid       FileStatus = "valid"
	StatusNotYetValid FileStatus = "not yet valid"
	StatusExpired     FileStatus = "expired"
	StatusStale       FileStatus = "stale"
)

// StatusAt returns the status of the file at a time. It speaks of validity
// alone: whether a root vouches for the file is decided where it is used.
func (f TrustFile) StatusAt(at time.Time) FileStatus {
	over := StatusStale
	switch f.Kind {
	case KindKey, KindKeySet, KindJWK, KindDigest:
		return StatusValid
	case KindCertificate, KindChain:
		over = StatusExpired
	case KindList, KindTCBInfo, KindQEIdentity:
	}
	switch {
	case at.Before(f.From):
		return StatusNotYetValid
	case at.After(f.Until): // a list without nextUpdate says nothing of any later time
		return over
	}
	return StatusValid
}

// AgeAt returns how long before a time the file was issued: 0 for a key and for
// a file of the future.
func (f TrustFile) AgeAt(at time.Time) time.Duration {
	if f.From.IsZero() {
		return 0
	}
	return max(0, at.Sub(f.From))
}

// SHA256 returns the digest of the DER form in hex, and for what has none that
// of the file. A digest is its own.
func (f TrustFile) SHA256() string {
	if f.Kind == KindDigest {
		return hex.EncodeToString(f.DER)
	}
	sum := sha256.Sum256(f.DER)
	return hex.EncodeToString(sum[:])
}

// in reports whether the file lies below the folder.
func (f TrustFile) in(folder string) bool { return strings.HasPrefix(f.Path, folder+"/") }

// certificate reads the file as one certificate.
func (f *TrustFile) certificate() (err error) {
	if f.Cert, err = parseCertificate(f.Data); err != nil {
		return err
	}
	f.Kind, f.DER = KindCertificate, f.Cert.Raw
	f.Subject, f.From, f.Until = f.Cert.Subject.String(), f.Cert.NotBefore, f.Cert.NotAfter
	return nil
}

const (
	pemCertificate = "CERTIFICATE"

	maxAnchorSize = 64 << 10
	maxCertSize   = 8 << 10
	maxRSABits    = 4096
)

// parseCertificate reads one certificate in DER or PEM and nothing beside it.
func parseCertificate(b []byte) (*x509.Certificate, error) {
	if block, rest := pem.Decode(b); block != nil {
		if block.Type != pemCertificate {
			return nil, fmt.Errorf("PEM block is %q, want %s", block.Type, pemCertificate)
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
