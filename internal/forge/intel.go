package forge

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Intel is a hierarchy with Intel's names and in Intel's form, under keys that
// are not Intel's (Intel SGX PCK Certificate and CRL Profile, 1.3).
type Intel struct {
	Root       *x509.Certificate
	Platform   *x509.Certificate // issues PCKs of the platform CA
	Processor  *x509.Certificate // and those of the processor CA
	TCBSigning *x509.Certificate // signs TCB info and QE identity

	keys                     *Keys
	vendor                   string
	root, platform, proc, by crypto.Signer
}

// NewIntel makes the hierarchy of a vendor.
func NewIntel(keys *Keys, vendor string) (*Intel, error) {
	in := &Intel{keys: keys, vendor: vendorName(vendor)}
	for _, c := range []struct {
		name   string
		to     **x509.Certificate
		key    *crypto.Signer
		isRoot bool
		isCA   bool
	}{
		{"Intel SGX Root CA", &in.Root, &in.root, true, true},
		{"Intel SGX PCK Platform CA", &in.Platform, &in.platform, false, true},
		{"Intel SGX PCK Processor CA", &in.Processor, &in.proc, false, true},
		{"Intel SGX TCB Signing", &in.TCBSigning, &in.by, false, false},
	} {
		key, err := keys.Key(in.vendor+" "+c.name, P256)
		if err != nil {
			return nil, err
		}
		template := in.template(c.name)
		if c.isCA {
			template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
			template.MaxPathLen, template.MaxPathLenZero = 0, true
		}
		parent := in.Root
		if *c.key = key; c.isRoot {
			template.MaxPathLen, template.MaxPathLenZero = 1, false
			parent = template
		}
		if *c.to, err = certify(template, parent, key.Public(), in.root); err != nil {
			return nil, fmt.Errorf("making %s: %w", c.name, err)
		}
	}
	return in, nil
}

// template is an end certificate.
func (in *Intel) template(name string) *x509.Certificate {
	number := serial(in.keys, in.vendor+" "+name)
	return &x509.Certificate{
		SerialNumber: number,
		Subject: pkix.Name{
			CommonName: name, Organization: []string{"Intel Corporation"},
			Locality: []string{"Santa Clara"}, Province: []string{"CA"}, Country: []string{"US"},
		},
		NotBefore:             Now().AddDate(-5, 0, 0),
		NotAfter:              time.Date(2049, time.December, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		BasicConstraintsValid: true,
		SubjectKeyId:          number.Bytes(),
		CRLDistributionPoints: []string{"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"},
	}
}

// issuer is the CA of a platform's PCK.
func (in *Intel) issuer(processor bool) (*x509.Certificate, crypto.Signer) {
	if processor {
		return in.Processor, in.proc
	}
	return in.Platform, in.platform
}

// crl makes a revocation list of thirty days around [Now], in DER.
func (in *Intel) crl(by *x509.Certificate, key crypto.Signer, revoked []*x509.Certificate) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: collateralSince(), NextUpdate: collateralUntil()}
	for _, c := range revoked {
		if !bytes.Equal(c.RawIssuer, by.RawSubject) {
			continue
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: collateralSince().AddDate(0, 0, -1),
		})
	}
	der, err := x509.CreateRevocationList(nil, list, by, key)
	if err != nil {
		return nil, fmt.Errorf("making the revocation list of %s: %w", by.Subject.CommonName, err)
	}
	return der, nil
}

// collateralSince and collateralUntil bound collateral as Intel issues it.
func collateralSince() time.Time { return Now().AddDate(0, 0, -10) }
func collateralUntil() time.Time { return Now().AddDate(0, 0, 20) }

func pemChain(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// signRaw signs SHA-256 of the data and returns r ‖ s, big-endian.
func signRaw(key crypto.Signer, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	r, s, err := ecdsaNumbers(key, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}
