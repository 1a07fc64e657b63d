package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// homeOf returns the folder that a certificate belongs into by its names and
// its kind, and "" for the certificate of an end entity that no folder is for.
func homeOf(c *x509.Certificate) string {
	name, prefixed := c.Subject.CommonName, func(p string) bool { return strings.HasPrefix(c.Subject.CommonName, p) }
	switch {
	case name == "SEV-VCEK" || name == "SEV-VLEK":
		return "amd/keys"
	case slices.Contains(c.Subject.Organization, "Advanced Micro Devices") && (prefixed("ARK-") || prefixed("SEV-")):
		return "amd/roots"
	case name == intelRootName:
		return "intel/roots"
	case prefixed("Intel SGX "):
		return collateralFolder
	case prefixed("Confidential Space "):
		return "token/roots"
	case !c.IsCA:
		return ""
	case selfIssued(c):
		return "ak/roots"
	default:
		return "ak/intermediates"
	}
}

// homeIn is homeOf for a file where it lies. An authority that certifies TPM keys may
// certify both kinds of them: no name says which.
func homeIn(f *TrustFile) string {
	home := homeOf(f.Cert)
	if rest, ok := strings.CutPrefix(home, "ak/"); ok && f.in("ek") {
		return "ek/" + rest
	}
	return home
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// checkPurpose compares the folder of a certificate with the one it is for.
func (c *trustCheck) checkPurpose(f *TrustFile) {
	if f.Cert == nil {
		return
	}
	folder, home := path.Dir(f.Path), homeIn(f)
	switch {
	case home == folder, home == "ak/roots" && folder == "token/roots": // a root, as above
	case home == "":
		c.error(f.Path, codePurpose, "the certificate of an end entity (%q), not of a certification authority", f.Subject)
	case path.Base(home) == "intermediates" && folder == path.Dir(home)+"/roots":
		c.report(SeverityNote, f.Path, codePurpose,
			"not self-signed: it is trusted as a root, whatever becomes of its issuer %q", f.Cert.Issuer.String())
	case path.Base(folder) == "intermediates" && home == path.Dir(folder)+"/roots":
		c.error(f.Path, codePurpose, "self-signed: a root, which belongs into %s if it is to be trusted", home)
	default:
		c.error(f.Path, codePurpose, "the certificate of %q, which belongs into %s", f.Subject, home)
	}
}

// checkTime judges the validity of a file, and the age of a list or collateral.
func (c *trustCheck) checkTime(f *TrustFile) {
	switch f.StatusAt(c.at) {
	case StatusNotYetValid:
		c.error(f.Path, codeNotYetValid, "not valid before %s", f.From.UTC().Format(time.RFC3339))
	case StatusExpired:
		c.error(f.Path, codeExpired, "expired at %s", f.Until.UTC().Format(time.RFC3339))
	case StatusStale:
		if f.Until.IsZero() {
			c.error(f.Path, codeStale, "names no next update")
			return
		}
		c.error(f.Path, codeStale, "the next update was due at %s", f.Until.UTC().Format(time.RFC3339))
	case StatusValid:
		c.checkAge(f)
	}
}

func (c *trustCheck) checkAge(f *TrustFile) {
	switch f.Kind {
	case KindCertificate, KindChain:
		if c.at.Add(expiresSoon).After(f.Until) {
			c.report(SeverityNote, f.Path, codeExpiresSoon, "expires at %s", f.Until.UTC().Format(time.RFC3339))
		}
	case KindList, KindTCBInfo, KindQEIdentity:
		if age := f.AgeAt(c.at); c.maxAge > 0 && age > c.maxAge {
			c.error(f.Path, codeStale, "%s old, the limit is %s", inWords(age), inWords(c.maxAge))
		}
	case KindKey, KindKeySet, KindJWK, KindDigest:
	}
}

// inWords gives a duration in days, below two of them in hours.
func inWords(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

const minWeakRSA, minWeakCurve = 2048, 256 // bits

// checkStrength judges keys and signatures.
func (c *trustCheck) checkStrength(f *TrustFile) {
	switch {
	case f.Cert != nil:
		c.checkKey(f, f.Cert.PublicKey)
		c.checkSignature(f, f.Cert.SignatureAlgorithm)
	case f.key != nil:
		c.checkKey(f, f.key)
	case f.crl != nil:
		c.checkSignature(f, f.crl.SignatureAlgorithm)
	}
}

func (c *trustCheck) checkKey(f *TrustFile, key crypto.PublicKey) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minWeakRSA {
			c.error(f.Path, codeWeak, "RSA key of %d bits, want %d or more", bits, minWeakRSA)
		}
	case *ecdsa.PublicKey:
		if bits := key.Params().BitSize; bits < minWeakCurve {
			c.error(f.Path, codeWeak, "key on %s, want a curve of %d bits or more", key.Params().Name, minWeakCurve)
		}
	}
}

// checkSignature only notes how a root signed itself: nobody relies on that.
func (c *trustCheck) checkSignature(f *TrustFile, a x509.SignatureAlgorithm) {
	if !slices.Contains([]x509.SignatureAlgorithm{
		x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
	}, a) {
		return
	}
	severity := SeverityError
	if f.Cert != nil && selfIssued(f.Cert) {
		severity = SeverityNote
	}
	c.report(severity, f.Path, codeWeak, "signed with %v", a)
}
