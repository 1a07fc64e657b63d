package localtpm

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm-tools/client"
	"github.com/google/go-tpm/legacy/tpm2"
	"github.com/google/go-tpm/tpmutil"

	"github.com/attestctl/attestctl/internal/hint"
)

// Whose an attestation key is.
const (
	// GCE is the key whose template Google Compute Engine puts into a vTPM, with a
	// certificate beside it.
	GCE = "gce"
	// Own is the key that the TPM derives for the template that gotpm uses too. It is
	// the same as long as the TPM is not cleared, and nobody certifies it.
	Own = "own"
)

// Sources lists whose key an attestation key can be.
func Sources() []string { return []string{GCE, Own} }

// algorithm is what keys of one algorithm are made of, and where.
type algorithm struct {
	name        string
	gceTemplate uint32 // NV index
	gce         func(io.ReadWriter) (*client.Key, error)
	ak, ek      primary
	ekCert      uint32 // NV index (TCG EK Credential Profile 2.5, 2.2.1.4)
}

// primary is a key that a TPM makes again and again out of a template, and the handle
// at which it is kept where somebody did keep it.
type primary struct {
	hierarchy tpmutil.Handle
	template  func() tpm2.Public
	kept      tpmutil.Handle
}

// algorithms are in the order in which they are tried.
var algorithms = []algorithm{
	{
		"ecc", client.GceAKTemplateNVIndexECC, client.GceAttestationKeyECC,
		primary{tpm2.HandleOwner, client.AKTemplateECC, client.DefaultAKECCHandle},
		primary{tpm2.HandleEndorsement, client.DefaultEKTemplateECC, client.EKECCReservedHandle},
		client.EKCertNVIndexECC,
	},
	{
		"rsa", client.GceAKTemplateNVIndexRSA, client.GceAttestationKeyRSA,
		primary{tpm2.HandleOwner, client.AKTemplateRSA, client.DefaultAKRSAHandle},
		primary{tpm2.HandleEndorsement, client.DefaultEKTemplateRSA, client.EKReservedHandle},
		client.EKCertNVIndexRSA,
	},
}

// Algorithms lists the algorithms that keys can have.
func Algorithms() []string {
	names := make([]string, len(algorithms))
	for i := range algorithms {
		names[i] = algorithms[i].name
	}
	return names
}

// load loads the key, or takes the one that is kept. Nothing is kept that was not.
func (p primary) load(rw io.ReadWriter) (*client.Key, error) {
	template := p.template()
	if public, _, _, err := tpm2.ReadPublic(rw, p.kept); err == nil && public.MatchesTemplate(template) {
		return client.LoadCachedKey(rw, p.kept, nil)
	}
	return client.NewKey(rw, p.hierarchy, template)
}

// Check is an error if the TPM does not answer, or has no template of the attestation
// key. It makes no key.
func (t TPM) Check(ctx context.Context) error {
	_, err := call(ctx, t, func(rw io.ReadWriter) (struct{}, error) {
		_, err := t.chooseAK(rw)
		return struct{}{}, err
	})
	return err
}

// AK returns the attestation key's public area, a TPMT_PUBLIC (TPM 2.0 Part 2,
// 12.2.4).
func (t TPM) AK(ctx context.Context) ([]byte, error) {
	return call(ctx, t, func(rw io.ReadWriter) ([]byte, error) {
		key, err := t.loadAK(rw)
		if err != nil {
			return nil, err
		}
		defer key.Close()
		return key.PublicArea().Encode()
	})
}

// loadAK loads the attestation key that is asked for, or the first of GCE's that
// there is, or else the TPM's own.
func (t TPM) loadAK(rw io.ReadWriter) (*client.Key, error) {
	load, err := t.chooseAK(rw)
	if err != nil {
		return nil, err
	}
	key, err := load(rw)
	if err != nil {
		return nil, fmt.Errorf("attestation key: %w", err)
	}
	if err := t.certifyAK(key); err != nil {
		key.Close()
		return nil, err
	}
	return key, nil
}

func (t TPM) chooseAK(rw io.ReadWriter) (func(io.ReadWriter) (*client.Key, error), error) {
	var own *algorithm
	for i := range algorithms {
		a := &algorithms[i]
		if t.Algorithm != "" && t.Algorithm != a.name {
			continue
		}
		if own == nil {
			own = a
		}
		if t.Source == Own {
			break
		}
		if there, err := defined(rw, a.gceTemplate); err != nil || there {
			return a.gce, err
		}
	}
	switch {
	case own == nil:
		return nil, fmt.Errorf("attestation key: no algorithm %q", t.Algorithm)
	case t.Source == GCE:
		return nil, hint.New(errors.New("attestation key: the TPM has no template of Google Compute Engine for it"),
			"with --ak own the TPM makes a key; attestctl tpm ak prints it, for the server to pin")
	}
	return own.ak.load, nil
}

// certifyAK adds the certificate that was given. A certificate of another key is an
// error.
func (t TPM) certifyAK(key *client.Key) error {
	if t.AKCertificate == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(t.AKCertificate)
	if err == nil {
		err = key.SetCert(cert)
	}
	if err != nil {
		return hint.New(fmt.Errorf("certificate of the attestation key: %w", err), "attestctl tpm ak --pem prints the key that it must be for; --ak and --algo choose among several")
	}
	return nil
}

// defined reports whether there is an NV index.
func defined(rw io.ReadWriter, index uint32) (bool, error) {
	_, err := tpm2.NVReadPublic(rw, tpmutil.Handle(index))
	if missing, ok := errors.AsType[tpm2.HandleError](err); ok && missing.Code == tpm2.RCHandle {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("index %#x: %w", index, err)
	}
	return true, nil
}
