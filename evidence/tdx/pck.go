package tdx

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// CA names the issuer of a PCK certificate.
type CA string

// The two CAs below Intel's root. Multi-socket server platforms register with
// the platform CA; the processor CA serves single-package ones.
const (
	PlatformCA  CA = "platform"
	ProcessorCA CA = "processor"
)

// PCK is the verified identity of the platform that made a quote. Only
// [Roots.VerifyPCK] makes one; the zero value is refused by Evaluate.
type PCK struct {
	SGXExtension
	CA           CA
	Certificate  *x509.Certificate
	Intermediate *x509.Certificate
	Root         *x509.Certificate // the trusted one, not the copy in the quote
	NotAfter     time.Time         // the earliest end of the three certificates

	quote *Quote
}

// VerifyPCK checks the PCK certificate of a quote at the given time: exactly the
// chain PCK ← PCK Platform CA or PCK Processor CA ← trusted root, names, key
// usages, validity of all three and the SGX extension of the PCK. Revocation is
// checked with the collateral, in [Collateral.Evaluate].
//
// Source: Intel SGX PCK Certificate and CRL Profile, section 1.3.
func (r *Roots) VerifyPCK(q *Quote, at time.Time) (PCK, error) {
	pck, err := r.verifyPCK(q, at)
	if err != nil {
		return PCK{}, fmt.Errorf("pck certificate: %w", err)
	}
	return pck, nil
}

var errNoTime = errors.New("no time to verify at")

func (r *Roots) verifyPCK(q *Quote, at time.Time) (PCK, error) {
	if at.IsZero() {
		return PCK{}, errNoTime
	}
	if q == nil || len(q.chain) != 3 {
		return PCK{}, errors.New("the quote has no chain of three certificates")
	}
	leaf, mid := q.chain[0], q.chain[1]
	root, err := r.trusted(q.chain[2])
	if err != nil {
		return PCK{}, err
	}
	for _, err := range []error{
		isCA(root, nameRoot),
		isCA(mid, namePlatform, nameProc),
		isLeaf(leaf, namePCK),
		usableAt(at, leaf, mid, root, q.chain[2]),
		issuedBy(mid, root),
		issuedBy(leaf, mid),
	} {
		if err != nil {
			return PCK{}, err
		}
	}
	ext, err := sgxExtension(leaf)
	if err != nil {
		return PCK{}, err
	}
	ca := PlatformCA
	if mid.Subject.CommonName == nameProc {
		ca = ProcessorCA
	}
	return PCK{
		SGXExtension: ext, CA: ca,
		Certificate: leaf, Intermediate: mid, Root: root,
		NotAfter: earliest(leaf.NotAfter, mid.NotAfter, root.NotAfter, q.chain[2].NotAfter),
		quote:    q,
	}, nil
}
