package evidence

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/attestctl/attestctl/internal/hint"
)

// Trust says whose signatures count. Its zero value trusts nothing. It does
// not change while it is used and may be shared.
//
// A trust directory holds one certificate or key a file, in PEM or DER, and
// the folder says what the file is trusted for:
//
//	ak/roots          root certificates of the authorities that certify AKs
//	ak/intermediates  certificates between those roots and the AK certificates
//	ak/pins           attestation keys trusted by themselves
type Trust struct {
	anchors         []Anchor
	akRoots         *x509.CertPool
	akIntermediates *x509.CertPool
	akPins          []pin
}

// trustFolder is one row of the layout. Files for a new purpose get a new row.
type trustFolder struct {
	path string
	add  func(*Trust, []byte) (Anchor, error)
}

var trustFolders = []trustFolder{
	{"ak/roots", (*Trust).addAKRoot},
	{"ak/intermediates", (*Trust).addAKIntermediate},
	{"ak/pins", (*Trust).addAKPin},
}

const maxTrustFiles = 1024

// LoadTrust reads a trust directory. A file or folder that the layout does not
// know, anything but a regular file, and a directory without a single anchor
// are errors: material that is passed over in silence is worse than none.
func LoadTrust(dir fs.FS) (*Trust, error) {
	t := newTrust()
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if len(t.anchors) >= maxTrustFiles {
			return fmt.Errorf("more than %d files", maxTrustFiles)
		}
		if err := t.visit(dir, name, d); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading trust directory: %w", err)
	}
	if len(t.anchors) == 0 {
		return nil, hint.New(errors.New("reading trust directory: it holds no anchor"),
			"`attestctl trust export DIR` writes the embedded anchors in the layout that is read")
	}
	return t, nil
}

func newTrust() *Trust {
	return &Trust{akRoots: x509.NewCertPool(), akIntermediates: x509.NewCertPool()}
}

func (t *Trust) visit(dir fs.FS, name string, d fs.DirEntry) error {
	if d.IsDir() {
		if !slices.ContainsFunc(trustFolders, func(f trustFolder) bool {
			return f.path == name || path.Dir(f.path) == name
		}) {
			return hint.New(errors.New("folder is not part of the layout"), "the folders are ak/roots, ak/intermediates and ak/pins")
		}
		return nil
	}
	i := slices.IndexFunc(trustFolders, func(f trustFolder) bool { return f.path == path.Dir(name) })
	switch {
	case name == "README.md":
		return nil
	case i < 0:
		return hint.New(errors.New("file lies outside of the layout"), "the folders are ak/roots, ak/intermediates and ak/pins")
	case !d.Type().IsRegular():
		return errors.New("not a regular file")
	}
	data, err := readCapped(dir, name)
	if err != nil {
		return err
	}
	a, err := trustFolders[i].add(t, data)
	if err != nil {
		return err
	}
	a.Path = name
	t.anchors = append(t.anchors, a)
	return nil
}

func readCapped(dir fs.FS, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxAnchorSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnchorSize {
		return nil, fmt.Errorf("file is larger than %d KiB", maxAnchorSize>>10)
	}
	return data, nil
}

func (t *Trust) addAKRoot(b []byte) (Anchor, error) {
	cert, err := parseCACertificate(b)
	if err != nil {
		return Anchor{}, err
	}
	t.akRoots.AddCert(cert)
	return Anchor{DER: cert.Raw, Cert: cert}, nil
}

func (t *Trust) addAKIntermediate(b []byte) (Anchor, error) {
	cert, err := parseCACertificate(b)
	if err != nil {
		return Anchor{}, err
	}
	t.akIntermediates.AddCert(cert)
	return Anchor{DER: cert.Raw, Cert: cert}, nil
}

func (t *Trust) addAKPin(b []byte) (Anchor, error) {
	p, err := parsePin(b)
	if err != nil {
		return Anchor{}, err
	}
	t.akPins = append(t.akPins, *p)
	der, err := x509.MarshalPKIXPublicKey(p.key)
	if err != nil {
		return Anchor{}, err
	}
	return Anchor{DER: der}, nil
}

func parseCACertificate(b []byte) (*x509.Certificate, error) {
	cert, err := parseCertificate(b)
	if err != nil {
		return nil, err
	}
	if !cert.BasicConstraintsValid || !cert.IsCA {
		return nil, errors.New("not the certificate of a certification authority")
	}
	return cert, nil
}

// PinAK returns a Trust that trusts one attestation key by itself and nothing
// else. The key is PEM or DER (SubjectPublicKeyInfo), or a TPM2B_PUBLIC or
// TPMT_PUBLIC, the binary forms of tpm2-tools, which carry its attributes.
func PinAK(key []byte) (*Trust, error) {
	t := newTrust()
	a, err := t.addAKPin(key)
	if err != nil {
		return nil, fmt.Errorf("reading the pinned key: %w", err)
	}
	a.Path = "ak/pins/pinned"
	t.anchors = append(t.anchors, a)
	return t, nil
}

// Anchors lists what the Trust rests on, ordered by path.
func (t *Trust) Anchors() []Anchor { return slices.Clone(t.anchors) }

// pinned returns the pin of the key, or nil.
func (t *Trust) pinned(key crypto.PublicKey) *pin {
	for i := range t.akPins {
		if equalKeys(t.akPins[i].key, key) {
			return &t.akPins[i]
		}
	}
	return nil
}
