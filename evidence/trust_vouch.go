package evidence

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
)

// checkTPMKeys looks for the roots of the intermediates, of AKs or of EKs.
func (c *trustCheck) checkTPMKeys(of string) {
	trusted, rest := c.in(of+"/roots"), c.in(of+"/intermediates")
	for found := true; found; { // one round for each level
		found = false
		rest = slices.DeleteFunc(rest, func(f TrustFile) bool {
			if slices.ContainsFunc(trusted, func(by TrustFile) bool { return issued(by.Cert, f.Cert) }) {
				trusted, found = append(trusted, f), true
				return true
			}
			return false
		})
	}
	for _, f := range rest {
		if homeIn(&f) == of+"/intermediates" {
			c.error(f.Path, codeUnvouched, "no certificate in %s/roots vouches for it; its issuer is %q", of, f.Cert.Issuer.String())
		}
	}
}

func issued(by, cert *x509.Certificate) bool {
	return bytes.Equal(by.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(by) == nil
}

// checkAMD looks for the ARK of each of AMD's keys and lists.
func (c *trustCheck) checkAMD() {
	var certs []*x509.Certificate
	for _, f := range c.in("amd/roots") {
		certs = append(certs, f.Cert)
	}
	var roots *snp.Roots // trusts nothing
	if len(certs) > 0 {
		var err error
		if roots, err = snp.NewRoots(certs); err != nil {
			c.error("amd/roots", codeIncomplete, "%v", err)
		} else if err := roots.Check(); err != nil {
			c.error("amd/roots", codeUnvouched, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	for _, f := range c.in("amd/keys") {
		if _, err := roots.VerifyChain(f.amdKey, c.at); errors.Is(err, snp.ErrUntrusted) || errors.Is(err, snp.ErrNoRoots) {
			c.error(f.Path, codeUnvouched, "no certificate in amd/roots vouches for it: %v", err)
		}
	}
	for _, f := range c.in("amd/crls") {
		c.checkList(&f, certs, "amd/roots")
	}
}

// checkList looks for the issuer of a revocation list, and on the list for what
// the issuer signed in this directory.
func (c *trustCheck) checkList(f *TrustFile, issuers []*x509.Certificate, folder string) {
	i := slices.IndexFunc(issuers, func(by *x509.Certificate) bool { return bytes.Equal(by.RawSubject, f.crl.RawIssuer) })
	if i < 0 {
		c.error(f.Path, codeUnvouched, "its issuer %q is not in %s", f.Subject, folder)
		return
	}
	if err := f.crl.CheckSignatureFrom(issuers[i]); err != nil {
		c.error(f.Path, codeUnvouched, "not signed by %q: %v", f.Subject, err)
		return
	}
	for _, entry := range f.crl.RevokedCertificateEntries {
		for _, g := range c.files {
			if g.Cert != nil && bytes.Equal(g.Cert.RawIssuer, f.crl.RawIssuer) && g.Cert.SerialNumber.Cmp(entry.SerialNumber) == 0 {
				c.error(g.Path, codeRevoked, "revoked by %s", f.Path)
			}
		}
	}
}

// checkIntel looks for what a platform's collateral needs, and verifies it as
// far as that is possible without a quote.
func (c *trustCheck) checkIntel() {
	files := slices.Concat(c.in(collateralFolder), c.in(collateralFolder+"/tcbinfo"))
	if len(files) == 0 {
		return
	}
	var roots []*x509.Certificate
	for _, f := range c.in("intel/roots") {
		roots = append(roots, f.Cert)
	}
	c.checkCollateralParts(files)
	chains := map[string][]*x509.Certificate{}
	for _, f := range files {
		if f.Kind == KindChain {
			chains[path.Base(f.Path)] = c.checkChain(&f, roots)
		}
	}
	for _, f := range files {
		name := path.Base(f.Path)
		switch f.Kind {
		case KindTCBInfo, KindQEIdentity:
			c.checkDocument(&f, chains["tcb_sign_chain.pem"])
		case KindList:
			if strings.HasPrefix(name, "root_ca") {
				c.checkList(&f, roots, "intel/roots")
			} else if by := chains[strings.TrimSuffix(name, path.Ext(name))+"_chain.pem"]; len(by) > 0 {
				c.checkList(&f, by[:1], "its chain")
			}
		case KindCertificate, KindKey, KindChain, KindKeySet, KindJWK, KindDigest: // not of collateral, or done
		}
	}
}

// collateralParts are what every evaluation of a TDX quote needs.
var collateralParts = []struct{ prefix, what string }{
	{"tcbinfo/", "TCB info: no file below tcbinfo"},
	{"qe_identity.json", "QE identity: no qe_identity.json"},
	{"tcb_sign_chain.pem", "TCB signing chain: no tcb_sign_chain.pem"},
	{"pck_crl_", "PCK revocation list: no pck_crl_platform.der or pck_crl_processor.der"},
	{"root_ca.crl", "revocation list of the root: no root_ca.crl"},
}

func (c *trustCheck) checkCollateralParts(files []TrustFile) {
	for _, part := range collateralParts {
		if !slices.ContainsFunc(files, func(f TrustFile) bool {
			return strings.HasPrefix(f.Path, collateralFolder+"/"+part.prefix) && (f.Kind != KindChain || part.prefix != "pck_crl_")
		}) {
			c.error(collateralFolder, codeIncomplete, "without it no TDX quote is evaluated: %s", part.what)
		}
	}
}

// checkChain returns the certificates of a chain whose last one is a trusted
// root, or was issued under its name and key, and which vouch for each other.
func (c *trustCheck) checkChain(f *TrustFile, roots []*x509.Certificate) []*x509.Certificate {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(f.Data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := parseCertificateDER(block.Bytes)
		if err != nil {
			return nil // did not decode
		}
		certs = append(certs, cert)
	}
	for i := range certs[1:] {
		if !issued(certs[i+1], certs[i]) {
			c.error(f.Path, codeUnvouched, "certificate %d is not signed by the next one", i+1)
			return nil
		}
	}
	last := certs[len(certs)-1]
	if !slices.ContainsFunc(roots, func(root *x509.Certificate) bool {
		return bytes.Equal(root.RawSubject, last.RawSubject) && bytes.Equal(root.RawSubjectPublicKeyInfo, last.RawSubjectPublicKeyInfo)
	}) {
		c.error(f.Path, codeUnvouched, "it ends in %q, which is not in intel/roots", last.Subject.String())
		return nil
	}
	return certs
}

// checkDocument verifies the signature of TCB info or a QE identity (PCS API
// version 4: ECDSA P-256 over the signed member, r ‖ s).
func (c *trustCheck) checkDocument(f *TrustFile, chain []*x509.Certificate) {
	if len(chain) == 0 {
		return // the chain is missing or was reported
	}
	var doc tdx.Document
	if info, err := tdx.ParseTCBInfo(f.Data); err == nil {
		doc = info.Document
	} else if identity, err := tdx.ParseQEIdentity(f.Data); err == nil {
		doc = identity.Document
	}
	digest := sha256.Sum256(doc.Signed)
	r, s := new(big.Int).SetBytes(doc.Signature[:32]), new(big.Int).SetBytes(doc.Signature[32:])
	if key, ok := chain[0].PublicKey.(*ecdsa.PublicKey); !ok || !ecdsa.Verify(key, digest[:], r, s) {
		c.error(f.Path, codeUnvouched, "not signed by the first certificate of tcb_sign_chain.pem")
	}
}
