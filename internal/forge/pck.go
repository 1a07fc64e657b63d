package forge

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// sgxOID is below the extension of a PCK certificate that names the platform
// (Intel SGX PCK Certificate and CRL Profile, 1.3.5).
func sgxOID(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}, arcs...)
}

// sgxPlatform is what is the same of every forged platform.
var sgxPlatform = struct {
	components [16]uint8
	pceSVN     int
	fmspc      [6]byte
	pceID      [2]byte
}{
	components: [16]uint8{5, 5, 2, 2, 3, 1, 0, 3},
	pceSVN:     11,
	fmspc:      [6]byte{0x90, 0xc0, 0x6f},
}

// sgxPair is an element of the SGX extension.
type sgxPair struct {
	ID    asn1.ObjectIdentifier
	Value any
}

// sgxExtension describes the platform; that of the platform CA has an instance
// and a configuration besides.
func (t TDX) sgxExtension(keys *Keys) ([]byte, error) {
	pair := func(value any, arcs ...int) sgxPair { return sgxPair{sgxOID(arcs...), value} }
	var tcb []sgxPair
	for i, svn := range sgxPlatform.components {
		tcb = append(tcb, pair(int(svn), 2, i+1))
	}
	tcb = append(tcb, pair(sgxPlatform.pceSVN, 2, 17), pair(sgxPlatform.components[:], 2, 18))
	pairs := []sgxPair{
		pair(keys.bytes("ppid "+t.Platform, 16), 1), pair(tcb, 2), pair(sgxPlatform.pceID[:], 3),
		pair(sgxPlatform.fmspc[:], 4), pair(asn1.Enumerated(0), 5),
	}
	if !t.Processor {
		pairs[4] = pair(asn1.Enumerated(1), 5)
		pairs = append(pairs, pair(keys.bytes("platform instance "+t.Platform, 16), 6),
			pair([]sgxPair{pair(true, 7, 1), pair(true, 7, 2), pair(true, 7, 3)}, 7))
	}
	der, err := asn1.Marshal(pairs)
	if err != nil {
		return nil, fmt.Errorf("encoding the SGX extension: %w", err)
	}
	return der, nil
}

// pck issues the certificate of the platform.
func (t TDX) pck(in *Intel) (*x509.Certificate, crypto.Signer, error) {
	key, err := in.keys.Key("pck "+in.vendor+" "+t.Platform, P256)
	if err != nil {
		return nil, nil, err
	}
	extension, err := t.sgxExtension(in.keys)
	if err != nil {
		return nil, nil, err
	}
	template := in.template("Intel SGX PCK Certificate")
	template.SerialNumber = serial(in.keys, in.vendor+" pck "+t.Platform)
	template.SubjectKeyId = template.SerialNumber.Bytes()
	template.ExtraExtensions = []pkix.Extension{{Id: sgxOID(), Value: extension}}
	if err := apply(t.Edits.PCK, template); err != nil {
		return nil, nil, err
	}
	parent, by := in.issuer(t.Processor)
	cert, err := certify(template, parent, key.Public(), by)
	return cert, key, err
}
