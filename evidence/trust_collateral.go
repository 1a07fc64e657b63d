package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/hint"
)

const collateralHint = "lay the answers of Intel's PCS out as tcbinfo/FMSPC.json, qe_identity.json, tcb_sign_chain.pem, " +
	"pck_crl_platform.der, pck_crl_processor.der and root_ca.crl"

// addCollateral says what a file of collateral is. All of it is read together
// by [tdx.LoadCollateral], which decides what names there can be.
func addCollateral(_ *Trust, f *TrustFile) error {
	name := path.Base(f.Path)
	switch {
	case name == "qe_identity.json":
		f.Kind = KindQEIdentity
		q, err := tdx.ParseQEIdentity(f.Data)
		if err != nil {
			return err
		}
		f.document("TDX quoting enclave", &q.Document)
		return nil
	case strings.HasSuffix(name, "_chain.pem"):
		return f.chain()
	case strings.Contains(name, "crl"):
		return f.intelCRL()
	default:
		return hint.New(errors.New("file is not part of the collateral"), collateralHint)
	}
}

func addTCBInfo(_ *Trust, f *TrustFile) error {
	f.Kind = KindTCBInfo
	info, err := tdx.ParseTCBInfo(f.Data)
	if err != nil {
		return err
	}
	f.FMSPC = hex.EncodeToString(info.FMSPC[:])
	f.document("TDX platforms of FMSPC "+f.FMSPC, &info.Document)
	return nil
}

func (f *TrustFile) document(subject string, d *tdx.Document) {
	f.Subject, f.From, f.Until = subject, d.Issued, d.NextUpdate
	f.EvaluationNumber = d.TCBEvaluationDataNumber
}

// chain describes certificates in PEM, of which the first is what the file is
// for. They are valid as long as all of them are.
func (f *TrustFile) chain() error {
	f.Kind = KindChain
	rest := f.Data
	for n := 0; ; n++ {
		block, more := pem.Decode(rest)
		if block == nil || block.Type != pemCertificate {
			break
		}
		cert, err := parseCertificateDER(block.Bytes)
		if err != nil {
			return fmt.Errorf("certificate %d: %w", n+1, err)
		}
		if n == 0 {
			f.Subject, f.From, f.Until = cert.Subject.String(), cert.NotBefore, cert.NotAfter
		}
		if cert.NotBefore.After(f.From) {
			f.From = cert.NotBefore
		}
		if cert.NotAfter.Before(f.Until) {
			f.Until = cert.NotAfter
		}
		rest = more
	}
	if f.Subject == "" || len(bytes.TrimSpace(rest)) != 0 {
		return errors.New("not certificates in PEM and nothing else")
	}
	return nil
}

func (f *TrustFile) intelCRL() error {
	der := f.Data
	if block, rest := pem.Decode(der); block != nil && len(bytes.TrimSpace(rest)) == 0 {
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	if extra := len(der) - len(list.Raw); extra != 0 { // crypto/x509 reads past them
		return fmt.Errorf("revocation list is followed by %d more bytes", extra)
	}
	f.list(list)
	return nil
}

// list describes a revocation list.
func (f *TrustFile) list(l *x509.RevocationList) {
	f.Kind, f.DER, f.crl = KindList, l.Raw, l
	f.Subject, f.From, f.Until = l.Issuer.String(), l.ThisUpdate, l.NextUpdate
}
