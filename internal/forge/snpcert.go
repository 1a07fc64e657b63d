package forge

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// SigningKey is the kind of key that signs a report (AMD 56860, SIGNING_KEY).
type SigningKey uint32

// The kinds of keys. NoKey means that the report is not signed; 2 to 6 are
// reserved.
const (
	VCEK  SigningKey = 0
	VLEK  SigningKey = 1
	NoKey SigningKey = 7
)

// kdsOID is below the arc of the extensions of VCEK and VLEK (AMD 57230).
func kdsOID(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}, arcs...)
}

// kdsSPLs lists the extension 1.3.n of each byte of TCB_VERSION.
func kdsSPLs(p Product) [8]int {
	if p == Turin {
		return [8]int{9, 1, 2, 3, 5, 6, 7, 8}
	}
	return [8]int{1, 2, 4, 5, 6, 7, 3, 8}
}

// kdsName is the product with the stepping of the processor that a default
// report names. A VLEK is of no stepping.
func (s SNP) kdsName(p Product) string {
	if s.Key == VLEK {
		return string(p)
	}
	return string(p) + map[Product]string{Milan: "-B1", Genoa: "-B1", Turin: "-C1"}[p]
}

// hwid is how much of the chip's identifier the product uses.
func hwid(p Product, chip [64]byte) []byte {
	if p == Turin {
		return chip[:8]
	}
	return chip[:]
}

// kdsExtensions describe the key: structure version, product, TCB, and the chip
// or the cloud provider (AMD 57230, VCEK and VLEK certificate extensions).
func (s SNP) kdsExtensions(p Product, tcb SNPTCB, chip [64]byte) ([]pkix.Extension, error) {
	var out []pkix.Extension
	add := func(value any, params string, arcs ...int) error {
		der, err := asn1.MarshalWithParams(value, params)
		out = append(out, pkix.Extension{Id: kdsOID(arcs...), Value: der})
		return err
	}
	version := 0
	if p == Turin {
		version = 1
	}
	if err := add(version, "", 1); err != nil {
		return nil, err
	}
	if err := add(s.kdsName(p), "ia5", 2); err != nil {
		return nil, err
	}
	levels := tcb.bytes(p)
	for i, n := range kdsSPLs(p) {
		if err := add(int(levels[i]), "", 3, n); err != nil {
			return nil, err
		}
	}
	if s.Key == VLEK {
		return out, add("attestctl-forge.test", "ia5", 5)
	}
	return append(out, pkix.Extension{Id: kdsOID(4), Value: hwid(p, chip)}), nil
}

// certificate issues the VCEK or VLEK that goes with the report.
func (s SNP) certificate(keys *Keys) (*x509.Certificate, error) {
	signer, err := s.signer(keys)
	if err != nil {
		return nil, err
	}
	by, err := NewAMD(s.Vendor, s.IssuedBy)
	if err != nil {
		return nil, err
	}
	extensions, err := s.kdsExtensions(s.CertProduct, *s.CertTCB, s.chipID(keys, s.CertChip))
	if err != nil {
		return nil, fmt.Errorf("encoding the extensions: %w", err)
	}
	name := "SEV-VCEK"
	if s.Key == VLEK {
		name = "SEV-VLEK"
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0), Subject: amdSubject(name), // AMD numbers all of them 0
		NotBefore:          Now().AddDate(-1, 0, 0),
		NotAfter:           time.Date(2045, time.January, 1, 0, 0, 0, 0, time.UTC),
		SignatureAlgorithm: x509.SHA384WithRSAPSS, ExtraExtensions: extensions,
	}
	if err := apply(s.Edits.Certificate, template); err != nil {
		return nil, err
	}
	parent, key := by.issuer(s.Key)
	return certify(template, parent, signer.Public(), key)
}
