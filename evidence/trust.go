package evidence

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/hint"
)

// Trust says whose signatures count. Its zero value trusts nothing. It does
// not change while it is used and may be shared.
//
// A trust directory holds one certificate, key or list a file, in PEM or DER,
// and the folder says what the file is for:
//
//	ak/roots          root certificates of the authorities that certify AKs
//	ak/intermediates  certificates between those roots and the AK certificates
//	ak/pins           attestation keys trusted by themselves
//	ek/roots          root certificates of the authorities that certify EKs
//	ek/intermediates  certificates between those roots and the EK certificates
//	ek/pins           endorsement keys trusted by themselves
//	amd/roots         AMD's ARK, ASK and ASVK certificates
//	amd/keys          VCEK and VLEK certificates, for reports that come without
//	amd/crls          revocation lists of the ARKs
//	intel/roots       the Intel SGX Root CA
//	intel/collateral  Intel's collateral, laid out as [tdx.LoadCollateral] says
//	token/keys        key sets of the issuers of attestation tokens
//	token/pins        the one key of tokens of profile ear, a JWK
//	token/roots       roots of Google's tokens with certificates, or their SHA-256
//	token/crls        revocation lists for such certificates
//
// Roots and pins are trusted. All else helps to verify and is itself verified
// with them.
type Trust struct {
	anchors    []TrustFile
	helpers    []TrustFile // what is not trusted itself
	ak, ek     keyTrust
	amd        *snp.Roots // nil: no SEV-SNP report is trusted
	amdKeys    []*snp.Certificate
	amdCRLs    []*x509.RevocationList
	intel      *tdx.Roots         // nil: no TDX quote is trusted
	collateral *tdx.CollateralSet // nil: there is none

	tokenTrust
}

var errNoAnchor = errors.New("it holds no anchor: neither a root nor a key")

// LoadTrust reads a trust directory. Errors are a file or folder that the
// layout does not know, anything but a regular file, a file that is not what its
// folder is for, an AMD key that its ARK did not sign, and a directory without a
// root or pin: material that is passed over in silence is worse than none.
// Whether the material is valid at some time is decided where it is used;
// [CheckTrust] says it beforehand.
func LoadTrust(dir fs.FS) (*Trust, error) {
	t, err := loadTrust(dir)
	if err == nil && t.amd != nil {
		err = t.amd.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading trust directory: %w", err)
	}
	return t, nil
}

// loadTrust is LoadTrust without the signatures among AMD's keys.
func loadTrust(dir fs.FS) (*Trust, error) {
	t := newTrust()
	if err := t.read(dir, "."); err != nil {
		return nil, err
	}
	if t.ak.none() && t.ek.none() && t.amd == nil && t.intel == nil && t.noTokens() {
		return nil, hint.New(errNoAnchor,
			"`attestctl trust export DIR` writes the embedded anchors in the layout that is read")
	}
	return t, nil
}

func newTrust() *Trust { return &Trust{ak: newKeyTrust(), ek: newKeyTrust()} }

// clone returns a copy that can be added to. Appending to it leaves t alone.
func (t *Trust) clone() *Trust {
	if t == nil {
		return newTrust()
	}
	c := *t
	c.anchors, c.helpers = slices.Clip(t.anchors), slices.Clip(t.helpers)
	c.ak, c.ek = t.ak.clone(), t.ek.clone()
	c.amdKeys, c.amdCRLs = slices.Clip(t.amdKeys), slices.Clip(t.amdCRLs)
	c.tokenCRLs = slices.Clip(t.tokenCRLs)
	return &c
}

// PinAK returns a Trust that trusts this attestation key and no other, and the
// embedded roots for hardware reports. The key is PEM or DER
// (SubjectPublicKeyInfo), or a TPM2B_PUBLIC or TPMT_PUBLIC, the binary forms of
// tpm2-tools, which carry its attributes.
func PinAK(key []byte) (*Trust, error) {
	t, err := EmbeddedTrust()
	if err != nil {
		return nil, err
	}
	return t.WithPinnedAK(key)
}

// WithPinnedAK returns a copy of t that trusts this attestation key, in the
// forms that PinAK reads, in place of all AK roots, intermediates and pins. What
// is trusted of EKs and hardware reports stays as it is.
func (t *Trust) WithPinnedAK(key []byte) (*Trust, error) {
	c := t.clone()
	c.ak = newKeyTrust()
	c.anchors = slices.DeleteFunc(slices.Clone(c.anchors), func(f TrustFile) bool { return f.in("ak") })
	if err := c.add("ak/pins/pinned", key); err != nil {
		return nil, fmt.Errorf("reading the pinned key: %w", err)
	}
	return c, nil
}

// WithCRL returns a copy of t with one more revocation list of AMD's, in DER or
// PEM. It counts if a trusted ARK signed it, which is checked where it is used.
// Intel's lists are part of its collateral.
func (t *Trust) WithCRL(data []byte) (*Trust, error) {
	c := t.clone()
	if err := c.add(given("amd/crls", data), data); err != nil {
		return nil, fmt.Errorf("reading the revocation list: %w", err)
	}
	return c, nil
}

// WithKey returns a copy of t with one more certificate of a VCEK or VLEK, in
// DER or PEM, for reports that come without one. It is not trusted: its chain is
// verified like that of one in the evidence.
func (t *Trust) WithKey(data []byte) (*Trust, error) {
	c := t.clone()
	if err := c.add(given("amd/keys", data), data); err != nil {
		return nil, fmt.Errorf("reading the VCEK or VLEK certificate: %w", err)
	}
	return c, nil
}

// WithCollateral returns a copy of t with the collateral of a directory, laid
// out as [tdx.LoadCollateral] says, instead of its own. A file that this layout
// does not know, and a directory without any, are errors.
func (t *Trust) WithCollateral(dir fs.FS) (*Trust, error) {
	c := t.clone()
	c.collateral = nil
	c.helpers = slices.DeleteFunc(slices.Clone(c.helpers), func(f TrustFile) bool { return f.in(collateralFolder) })
	if err := c.read(dir, collateralFolder); err != nil {
		return nil, fmt.Errorf("reading collateral: %w", err)
	}
	if c.collateral == nil {
		return nil, hint.New(errors.New("reading collateral: the directory holds none"), collateralHint)
	}
	return c, nil
}

// Anchors lists what the Trust rests on, and the AK intermediates, ordered by
// path.
func (t *Trust) Anchors() []TrustFile { return slices.Clone(t.anchors) }

// Files lists all the Trust was made of, ordered by path: the anchors, and the
// keys, lists and collateral that help to verify.
func (t *Trust) Files() []TrustFile {
	all := slices.Concat(t.anchors, t.helpers)
	slices.SortFunc(all, func(a, b TrustFile) int { return cmp.Compare(a.Path, b.Path) })
	return all
}
