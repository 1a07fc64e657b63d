package localtpm

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm-tools/client"
	"github.com/google/go-tpm/legacy/tpm2"
	"github.com/google/go-tpm/tpmutil"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/attestctl/attestctl/internal/hint"
)

// EK is an endorsement key of a TPM.
type EK struct {
	Public      []byte // TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4)
	Certificate []byte // DER; nil if there is none

	algorithm *algorithm
}

// EK returns the endorsement key of the TCG's template (EK Credential Profile 2.5,
// B.3) for RSA 2048 or ECC P-256: that of the certificate given, DER, or the first of
// the Algorithm, if there is one, whose certificate the TPM holds, or else the first
// without a certificate.
func (t TPM) EK(ctx context.Context, certificate []byte) (EK, error) {
	return call(ctx, t, func(rw io.ReadWriter) (EK, error) {
		ek, err := t.chooseEK(rw, certificate)
		if err != nil {
			return EK{}, fmt.Errorf("endorsement key: %w", err)
		}
		key, err := ek.algorithm.ek.load(rw)
		if err != nil {
			return EK{}, fmt.Errorf("endorsement key: %w", err)
		}
		defer key.Close()
		if err := matchEK(key, ek.Certificate); err != nil {
			return EK{}, fmt.Errorf("certificate of the endorsement key: %w", err)
		}
		ek.Public, err = key.PublicArea().Encode()
		return ek, err
	})
}

func (t TPM) chooseEK(rw io.ReadWriter, certificate []byte) (EK, error) {
	if certificate != nil {
		a, err := algorithmOf(certificate)
		return EK{Certificate: certificate, algorithm: a}, err
	}
	var first *algorithm
	for i := range algorithms {
		a := &algorithms[i]
		if t.Algorithm != "" && t.Algorithm != a.name {
			continue
		}
		der, err := nvCertificate(rw, a.ekCert)
		if err != nil || der != nil {
			return EK{Certificate: der, algorithm: a}, err
		}
		if first == nil {
			first = a
		}
	}
	if first == nil {
		return EK{}, fmt.Errorf("no algorithm %q", t.Algorithm)
	}
	return EK{algorithm: first}, nil
}

// algorithmOf is that of the key in a certificate.
func algorithmOf(certificate []byte) (*algorithm, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	name := ""
	switch cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		name = "ecc"
	case *rsa.PublicKey:
		name = "rsa"
	}
	for i := range algorithms {
		if algorithms[i].name == name {
			return &algorithms[i], nil
		}
	}
	// Some EK certificates call the key one of RSAES-OAEP, which crypto/x509 does not
	// know.
	return nil, hint.New(errors.New("its certificate is of a key that is neither RSA nor ECC"), "let the server pin the key, and give no certificate")
}

// matchEK wants the certificate to be of the key.
func matchEK(key *client.Key, certificate []byte) error {
	if certificate == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(certificate)
	if err == nil {
		err = key.SetCert(cert)
	}
	return hint.New(err, "name that of the TPM's key with --ek-cert; attestctl tpm ek --pem prints the key")
}

// maxCertificate bounds a certificate in a TPM. Real ones have less than 2 KiB.
const maxCertificate = 8 << 10

// nvCertificate returns the certificate at an NV index, without what fills the index
// up behind it, or nil if there is no such index.
func nvCertificate(rw io.ReadWriter, index uint32) ([]byte, error) {
	if there, err := defined(rw, index); err != nil || !there {
		return nil, err
	}
	public, err := tpm2.NVReadPublic(rw, tpmutil.Handle(index))
	if err == nil && public.DataSize > maxCertificate {
		err = fmt.Errorf("it has %d bytes", public.DataSize)
	}
	var data []byte
	if err == nil {
		data, err = readNV(rw, tpmutil.Handle(index))
	}
	if err != nil {
		return nil, fmt.Errorf("certificate at %#x: %w", index, err)
	}
	var der cryptobyte.String
	if s := cryptobyte.String(data); !s.ReadASN1Element(&der, asn1.SEQUENCE) {
		return nil, fmt.Errorf("certificate at %#x: not DER", index)
	}
	return der, nil
}

// readNV reads an index with the owner's authorization, or with the index's own: the
// TCG's profile gives both to those of certificates.
func readNV(rw io.ReadWriter, index tpmutil.Handle) ([]byte, error) {
	data, err := tpm2.NVReadEx(rw, index, tpm2.HandleOwner, "", 0)
	if err != nil {
		data, err = tpm2.NVReadEx(rw, index, index, "", 0)
	}
	return data, err
}
