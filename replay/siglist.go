package replay

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
)

// maxSignatures bounds the entries of one database. Microsoft's dbx of 2025 has
// about 450.
const maxSignatures = 8192

// Signature is an entry of a Secure Boot database, or a key that authorised an
// image.
type Signature struct {
	Type    string // "x509", "sha256", or the GUID of another EFI_SIGNATURE_LIST type; "unknown" without one
	Owner   string // GUID of who enrolled it; "" where it was not measured
	SHA256  string // x509: of the DER bytes; sha256: the entry itself; otherwise of the entry's bytes
	Subject string // x509 only; "" if the certificate cannot be parsed, which firmware need not care about
}

// parseDatabase decodes a sequence of EFI_SIGNATURE_LIST (UEFI 2.10, 32.4.1). An
// empty variable is an empty database; fewer bytes than a header are not.
func parseDatabase(data []byte) ([]Signature, error) {
	var all []Signature
	c := cursor{buf: data}
	for c.off < len(data) {
		var kind guid
		copy(kind[:], c.take(16, "signature type"))
		listSize, headerSize, size := uint64(c.u32("list size")), uint64(c.u32("header size")), uint64(c.u32("signature size"))
		const listHeader = 28
		if c.err == nil && (size <= 16 || listSize < listHeader+headerSize || (listSize-listHeader-headerSize)%size != 0) {
			return nil, fmt.Errorf("signature list of %d bytes cannot hold a header of %d and signatures of %d bytes",
				listSize, headerSize, size)
		}
		c.take(headerSize, "signature header")
		if c.err != nil {
			return nil, c.err
		}
		body := cursor{buf: c.take(listSize-listHeader-headerSize, "signatures")}
		if c.err != nil {
			return nil, c.err
		}
		if n := uint64(len(body.buf)) / size; n > uint64(maxSignatures-len(all)) { //nolint:gosec // never negative
			return nil, fmt.Errorf("more than %d signatures", maxSignatures)
		}
		for body.off < len(body.buf) {
			s, err := parseSignature(kind, body.take(size, "signature"))
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// parseSignature decodes an EFI_SIGNATURE_DATA: the owner, then the entry.
func parseSignature(kind guid, data []byte) (Signature, error) {
	owner, entry := guid(data[:16]), data[16:]
	switch kind {
	case guidX509:
		return certificate(owner.String(), entry), nil
	case guidSHA256:
		if len(entry) != sha256.Size {
			return Signature{}, fmt.Errorf("SHA-256 entry has %d bytes, want %d", len(entry), sha256.Size)
		}
		return Signature{Type: "sha256", Owner: owner.String(), SHA256: hex.EncodeToString(entry)}, nil
	default:
		return opaque(kind.String(), owner.String(), entry), nil
	}
}

func opaque(kind, owner string, entry []byte) Signature {
	s := sha256.Sum256(entry)
	return Signature{Type: kind, Owner: owner, SHA256: hex.EncodeToString(s[:])}
}

func certificate(owner string, der []byte) Signature {
	s := opaque("x509", owner, der)
	// Real databases hold certificates Go refuses (negative serial numbers). The
	// fingerprint identifies them all the same.
	if cert, err := x509.ParseCertificate(der); err == nil {
		if subject := cert.Subject.String(); printable([]byte(subject), "") {
			s.Subject = subject
		}
	}
	return s
}
