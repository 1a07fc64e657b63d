package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// trustFolder is one row of the layout. Files for a new purpose get a new row.
type trustFolder struct {
	path    string
	purpose string // of a file in it, in words
	anchor  bool   // false: what lies here is never trusted itself
	max     int    // bytes of a file
	add     func(*Trust, *TrustFile) error
}

const collateralFolder = "intel/collateral"

var trustFolders = []trustFolder{
	{"ak/roots", "certifies attestation keys", true, maxAnchorSize, (*Trust).addAKRoot},
	{"ak/intermediates", "stands between a root and attestation keys", true, maxAnchorSize, (*Trust).addAKIntermediate},
	{"ak/pins", "attestation key trusted by itself", true, maxAnchorSize, (*Trust).addAKPin},
	{"ek/roots", "certifies endorsement keys", true, maxAnchorSize, (*Trust).addEKRoot},
	{"ek/intermediates", "stands between a root and endorsement keys", true, maxAnchorSize, (*Trust).addEKIntermediate},
	{"ek/pins", "endorsement key trusted by itself", true, maxAnchorSize, (*Trust).addEKPin},
	{"amd/roots", "certifies the keys of SEV-SNP reports", true, maxAnchorSize, addAMDRoot},
	{"amd/keys", "key of SEV-SNP reports, for those that come without", false, maxAnchorSize, (*Trust).addAMDKey},
	{"amd/crls", "keys that AMD revoked", false, maxListSize, (*Trust).addAMDCRL},
	{"intel/roots", "certifies the keys of TDX quotes and collateral", true, maxAnchorSize, addIntelRoot},
	{collateralFolder, "collateral of TDX quotes", false, tdx.MaxCollateralFile, addCollateral},
	{collateralFolder + "/tcbinfo", "TCB levels of a kind of TDX platform", false, tdx.MaxCollateralFile, addTCBInfo},
	{"token/keys", "keys of an issuer of attestation tokens", true, token.MaxJWKS, (*Trust).addTokenKeys},
	{"token/pins", "key of the attestation tokens of one issuer of profile ear", true, token.MaxJWKS, (*Trust).addTokenPin},
	{"token/roots", "certifies the keys of Google's attestation tokens", true, maxAnchorSize, (*Trust).addTokenRoot},
	{"token/crls", "certificates of attestation tokens that Google revoked", false, maxListSize, (*Trust).addTokenCRL},
}

// folderOf returns the row of the folder, or nil.
func folderOf(folder string) *trustFolder {
	i := slices.IndexFunc(trustFolders, func(f trustFolder) bool { return f.path == folder })
	if i < 0 {
		return nil
	}
	return &trustFolders[i]
}

// layoutHint says what there can be where a file or folder lies.
func layoutHint(place string) string {
	if strings.HasPrefix(place, collateralFolder+"/") {
		return collateralHint
	}
	names := make([]string, 0, len(trustFolders))
	for _, f := range trustFolders {
		names = append(names, f.path)
	}
	return "the folders are " + strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// given is the path of a file that came by itself: what it would be called in
// the directory.
func given(folder string, data []byte) string {
	sum := sha256.Sum256(data)
	return folder + "/" + hex.EncodeToString(sum[:8])
}

func (t *Trust) addAKRoot(f *TrustFile) error         { return t.ak.addRoot(f) }
func (t *Trust) addAKIntermediate(f *TrustFile) error { return t.ak.addIntermediate(f) }
func (t *Trust) addAKPin(f *TrustFile) error          { return t.ak.addPin(f, nil) }
func (t *Trust) addEKRoot(f *TrustFile) error         { return t.ek.addRoot(f) }
func (t *Trust) addEKIntermediate(f *TrustFile) error { return t.ek.addIntermediate(f) }
func (t *Trust) addEKPin(f *TrustFile) error          { return t.ek.addPin(f, (*tpm.Public).CheckEK) }

// addAMDRoot leaves it to [snp.NewRoots] how AMD's keys go together.
func addAMDRoot(_ *Trust, f *TrustFile) error { return f.authority() }

func (t *Trust) addAMDKey(f *TrustFile) error {
	if err := f.certificate(); err != nil {
		return err
	}
	c, err := snp.ParseCertificate(f.DER)
	if err != nil {
		return hint.New(err, "give a VCEK or VLEK certificate; those of ARK, ASK and ASVK belong into amd/roots of a trust directory")
	}
	f.amdKey = c
	t.amdKeys = append(t.amdKeys, c)
	return nil
}

func (t *Trust) addAMDCRL(f *TrustFile) error {
	list, err := snp.ParseCRL(f.Data)
	if err != nil {
		return hint.New(err, "give what https://kdsintf.amd.com/vcek/v1/PRODUCT/crl serves; Intel's lists are part of its collateral")
	}
	f.list(list)
	t.amdCRLs = append(t.amdCRLs, list)
	return nil
}

const intelRootName = "Intel SGX Root CA"

// addIntelRoot requires what every chain to an Intel root will require of it
// (Intel SGX PCK Certificate and CRL Profile, 1.3.1).
func addIntelRoot(_ *Trust, f *TrustFile) error {
	if err := f.authority(); err != nil {
		return err
	}
	key, ok := f.Cert.PublicKey.(*ecdsa.PublicKey)
	switch {
	case f.Cert.Subject.CommonName != intelRootName:
		return fmt.Errorf("certificate of %q, want %q", f.Cert.Subject.CommonName, intelRootName)
	case !ok || key.Curve != elliptic.P256():
		return fmt.Errorf("certificate of %q has no key on P-256", intelRootName)
	}
	if err := f.Cert.CheckSignatureFrom(f.Cert); err != nil {
		return fmt.Errorf("certificate of %q is not signed by itself: %w", intelRootName, err)
	}
	return nil
}

// authority reads the file as the certificate of a certification authority.
func (f *TrustFile) authority() error {
	if err := f.certificate(); err != nil {
		return err
	}
	if !f.Cert.BasicConstraintsValid || !f.Cert.IsCA {
		return errors.New("not the certificate of a certification authority")
	}
	return nil
}
