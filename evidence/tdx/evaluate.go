package tdx

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options of an evaluation. The zero value asks for nothing beyond Intel's own
// rules.
type Options struct {
	// MinEvaluationDataNumber is the lowest tcbEvaluationDataNumber that TCB info
	// and QE identity may have. It keeps an attester from serving an older issue
	// that is still valid and does not know the latest advisories.
	MinEvaluationDataNumber uint32
}

// Evaluate checks the collateral and says how current the platform of a quote was
// at the given time. pck comes from [Roots.VerifyPCK] for the same quote. All of
// the following must hold, or there is an error and no status:
//
//   - the quote's signatures verify, and the PCK chain was still valid;
//   - root CRL and PCK CRL are signed by the root and by the PCK's CA, current,
//     and list none of the certificates;
//   - TCB info and QE identity are signed by a TCB signing certificate of the same
//     root, current, and not older than the options ask for;
//   - the TCB info is for the FMSPC and the PCEID of the PCK;
//   - the quoting enclave is the one the QE identity describes, and the TDX module
//     one the TCB info describes;
//   - each of the three reaches a TCB level.
//
// A status of any kind, Revoked included, is no error: what is good enough is for
// the caller to decide. For a TDX 1.5 body both SVNs are judged, those at launch and
// those of the module that runs now, and the worse one counts.
//
// Source: PCS API version 4, "Get TDX TCB Info"; Intel SGX PCK Certificate and CRL
// Profile, 1.4.
func (c *Collateral) Evaluate(q *Quote, pck PCK, roots *Roots, at time.Time, opts Options) (Status, error) {
	if err := evaluable(q, pck, roots, at); err != nil {
		return Status{}, err
	}
	e := &evaluation{Collateral: c, pck: pck, at: at, floor: opts.MinEvaluationDataNumber, notAfter: pck.NotAfter}
	info, qe, err := e.verify()
	if err != nil {
		return Status{}, fmt.Errorf("collateral: %w", err)
	}
	s := Status{
		TCBEvaluationDataNumber: min(info.TCBEvaluationDataNumber, qe.TCBEvaluationDataNumber),
		Issued:                  earliest(e.crlsIssued, info.Issued, qe.Issued),
		NextUpdate:              e.nextUpdate,
		NotAfter:                earliest(e.notAfter, e.nextUpdate),
	}
	if err := s.appraise(q, pck, info, qe); err != nil {
		return Status{}, fmt.Errorf("tcb: %w", err)
	}
	return s, nil
}

// evaluable checks the arguments of Evaluate: a verified PCK of this quote, under
// a root that is trusted, at a time when its chain is valid.
func evaluable(q *Quote, pck PCK, roots *Roots, at time.Time) error {
	if at.IsZero() {
		return errNoTime
	}
	if q == nil || pck.quote != q || pck.Root == nil || pck.Intermediate == nil || pck.Certificate == nil {
		return errors.New("pck certificate: not verified for this quote")
	}
	root, err := roots.trusted(pck.Root)
	if err != nil {
		return fmt.Errorf("pck certificate: %w", err)
	}
	if !root.Equal(pck.Root) {
		return errors.New("pck certificate: verified under another root")
	}
	if err := usableAt(at, q.chain...); err != nil {
		return fmt.Errorf("pck certificate: %w", err)
	}
	return q.VerifySignature()
}

// evaluation verifies the pieces of collateral for one platform and collects when
// they end.
type evaluation struct {
	*Collateral
	pck        PCK
	at         time.Time
	floor      uint32
	rootCRL    *x509.RevocationList
	nextUpdate time.Time
	crlsIssued time.Time // the earlier issue of both CRLs
	notAfter   time.Time
}

// verify checks everything in the collateral that does not depend on the quote
// beyond its certificates.
func (e *evaluation) verify() (*TCBInfo, *QEIdentity, error) {
	if e.Collateral == nil {
		return nil, nil, errMissing
	}
	if err := e.revocation(); err != nil {
		return nil, nil, err
	}
	info, err := e.tcbInfo()
	if err != nil {
		return nil, nil, err
	}
	qe, err := e.qeIdentity()
	if err != nil {
		return nil, nil, err
	}
	return info, qe, nil
}

// revocation checks both CRLs, and that the PCK and its CA are on neither.
func (e *evaluation) revocation() error {
	var err error
	if e.rootCRL, err = issuedCRL(e.RootCRL, e.pck.Root, e.at); err != nil {
		return fmt.Errorf("root crl: %w", err)
	}
	if err := notRevoked(e.rootCRL, e.pck.Intermediate, e.pck.Root); err != nil {
		return err
	}
	issuer, err := e.pckCRLIssuer()
	if err != nil {
		return fmt.Errorf("pck crl chain: %w", err)
	}
	crl, err := issuedCRL(e.PCKCRL, issuer, e.at)
	if err != nil {
		return fmt.Errorf("pck crl: %w", err)
	}
	e.nextUpdate = earliest(e.rootCRL.NextUpdate, crl.NextUpdate)
	e.crlsIssued = earliest(e.rootCRL.ThisUpdate, crl.ThisUpdate)
	return notRevoked(crl, e.pck.Certificate)
}

// pckCRLIssuer returns the CA that has to have signed the PCK CRL: the PCK's own,
// or, where the collateral has a chain, another certificate of the same CA and key.
func (e *evaluation) pckCRLIssuer() (*x509.Certificate, error) {
	if len(e.PCKCRLChain) == 0 {
		return e.pck.Intermediate, nil
	}
	ca, err := e.chain(e.PCKCRLChain, func(c *x509.Certificate) error { return isCA(c, namePlatform, nameProc) })
	if err != nil {
		return nil, err
	}
	mid := e.pck.Intermediate
	if !bytes.Equal(ca.RawSubject, mid.RawSubject) || !bytes.Equal(ca.RawSubjectPublicKeyInfo, mid.RawSubjectPublicKeyInfo) {
		return nil, errors.New("not the ca of the pck certificate")
	}
	return ca, nil
}

// chain verifies a PEM chain of one certificate and the root, which must be the
// root of the PCK, and returns the certificate.
func (e *evaluation) chain(text []byte, role func(*x509.Certificate) error) (*x509.Certificate, error) {
	certs, err := pemFile(text, 2)
	if err != nil {
		return nil, err
	}
	first := certs[0]
	if _, err := NewRoots(e.pck.Root).trusted(certs[1]); err != nil {
		return nil, err
	}
	for _, err := range []error{
		role(first),
		usableAt(e.at, certs...),
		issuedBy(first, e.pck.Root),
		notRevoked(e.rootCRL, first),
	} {
		if err != nil {
			return nil, err
		}
	}
	e.notAfter = earliest(e.notAfter, first.NotAfter, certs[1].NotAfter)
	return first, nil
}

// document verifies a signed document under its chain.
func (e *evaluation) document(d *Document, chain []byte) error {
	signer, err := e.chain(chain, func(c *x509.Certificate) error { return isLeaf(c, nameTCB) })
	if err != nil {
		return fmt.Errorf("tcb signing chain: %w", err)
	}
	e.nextUpdate = earliest(e.nextUpdate, d.NextUpdate)
	return d.verify(signer, e.at, e.floor)
}

func (e *evaluation) tcbInfo() (*TCBInfo, error) {
	info, err := ParseTCBInfo(e.TCBInfo)
	if err != nil {
		return nil, err
	}
	err = e.document(&info.Document, e.TCBInfoChain)
	switch {
	case err != nil:
	case info.FMSPC != e.pck.FMSPC:
		err = fmt.Errorf("is for the fmspc %x, the platform has %x", info.FMSPC, e.pck.FMSPC)
	case info.PCEID != e.pck.PCEID:
		err = fmt.Errorf("is for the pceid %x, the platform has %x", info.PCEID, e.pck.PCEID)
	}
	if err != nil {
		return nil, fmt.Errorf("tcb info: %w", err)
	}
	return info, nil
}

func (e *evaluation) qeIdentity() (*QEIdentity, error) {
	qe, err := ParseQEIdentity(e.QEIdentity)
	if err != nil {
		return nil, err
	}
	if err := e.document(&qe.Document, e.QEIdentityChain); err != nil {
		return nil, fmt.Errorf("qe identity: %w", err)
	}
	return qe, nil
}

// appraise finds the TCB levels of platform, TDX module and quoting enclave.
func (s *Status) appraise(q *Quote, pck PCK, info *TCBInfo, id *QEIdentity) error {
	tees := [][16]byte{q.TeeTCBSVN}
	if q.BodyType == bodyTDX15 {
		tees = append(tees, q.TeeTCBSVN2)
	}
	var platform, module []level
	for _, tee := range slices.Compact(tees) {
		l, err := info.platform(pck, tee)
		if err != nil {
			return err
		}
		platform = append(platform, l)
		m, ok, err := info.moduleLevel(&q.Body, tee)
		if err != nil {
			return err
		}
		if ok {
			module = append(module, m)
		}
	}
	qe, err := id.match(&q.QEReport)
	if err != nil {
		return err
	}
	s.summary(platform, module, qe)
	return nil
}
