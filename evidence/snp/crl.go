package snp

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// ErrStaleCRL means that the newest revocation list at hand is past its
// nextUpdate, or has none: it says nothing of now.
var ErrStaleCRL = errors.New("revocation list is stale")

const maxCRL = 1 << 20

// Revocation says what revocation lists say of a chain.
type Revocation int

// The zero value is the one that vouches for nothing.
const (
	RevocationUnchecked Revocation = iota // no list of this ARK was at hand
	RevocationGood                        // a current list has none of the serial numbers
	RevocationRevoked                     // a list has one of them
)

// String returns "unchecked", "good" or "revoked".
func (r Revocation) String() string {
	switch r {
	case RevocationGood:
		return "good"
	case RevocationRevoked:
		return "revoked"
	case RevocationUnchecked:
	}
	return "unchecked"
}

// ParseCRL decodes a certificate revocation list as AMD serves it, in DER or as
// one PEM block. It refuses lists over 1 MiB, trailing bytes, other signatures
// than RSASSA-PSS with SHA-384, and critical extensions, of the list or of an
// entry: they would make it an indirect, partial or delta list (RFC 5280 5.2 and
// 5.3). The signature and the times are checked by Chain.Revoked.
func ParseCRL(data []byte) (*x509.RevocationList, error) {
	if len(data) > maxCRL {
		return nil, fmt.Errorf("revocation list has %d bytes, at most %d are read", len(data), maxCRL)
	}
	der, err := derOf(data, "X509 CRL")
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("parsing revocation list: %w", err)
	}
	if extra := len(der) - len(list.Raw); extra != 0 { // crypto/x509 passes over them
		return nil, fmt.Errorf("revocation list is followed by %d more bytes", extra)
	}
	if list.SignatureAlgorithm != x509.SHA384WithRSAPSS {
		return nil, fmt.Errorf("revocation list is signed with %v, want %v", list.SignatureAlgorithm, x509.SHA384WithRSAPSS)
	}
	if err := checkCritical(list); err != nil {
		return nil, err
	}
	return list, nil
}

func checkCritical(list *x509.RevocationList) error {
	for _, x := range list.Extensions {
		if x.Critical {
			return fmt.Errorf("revocation list has the critical extension %v", x.Id)
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, x := range entry.Extensions {
			if x.Critical {
				return fmt.Errorf("revocation list entry %x has the critical extension %v", entry.SerialNumber, x.Id)
			}
		}
	}
	return nil
}

// Revoked looks up the serial numbers of the ASK or ASVK and of the leaf in the
// lists that the chain's ARK issued; others are passed over. A list that has
// one of them counts even when it is stale. Otherwise one that is current at
// the given time gives RevocationGood; only stale ones give ErrStaleCRL, and
// none at all gives RevocationUnchecked. A list in the ARK's name that it did
// not sign, and one from the future, are errors. The detail says in words which
// list or serial number decided. With an error the status is
// RevocationUnchecked.
//
// AMD numbers every VCEK and VLEK 0, so a list that has serial number 0 revokes
// them all.
func (c Chain) Revoked(crls []*x509.RevocationList, at time.Time) (Revocation, string, error) {
	if c.Leaf == nil || c.Intermediate == nil || c.Root == nil {
		return RevocationUnchecked, "", errors.New("chain is not verified")
	}
	var newest *x509.RevocationList // the one that stays valid longest
	for _, list := range crls {
		if list == nil || !bytes.Equal(list.RawIssuer, c.Root.RawSubject) {
			continue
		}
		if err := c.checkList(list, at); err != nil {
			return RevocationUnchecked, "", err
		}
		if name, serial := c.listed(list); serial != nil {
			return RevocationRevoked, fmt.Sprintf("%s, serial number 0x%x, is revoked by %s", name, serial, nameOf(c.Root)), nil
		}
		if newest == nil || list.NextUpdate.After(newest.NextUpdate) {
			newest = list
		}
	}
	return c.unlisted(newest, at)
}

// unlisted is the verdict when no list has any of the serial numbers.
func (c Chain) unlisted(newest *x509.RevocationList, at time.Time) (Revocation, string, error) {
	if newest == nil {
		return RevocationUnchecked, fmt.Sprintf("no revocation list of %s", nameOf(c.Root)), nil
	}
	span := fmt.Sprintf("that of %s for %s to %s", nameOf(c.Root),
		newest.ThisUpdate.Format(time.RFC3339), newest.NextUpdate.Format(time.RFC3339))
	if at.After(newest.NextUpdate) {
		return RevocationUnchecked, "", fmt.Errorf("%w: %s", ErrStaleCRL, span)
	}
	return RevocationGood, "not in the revocation list: " + span, nil
}

func (c Chain) checkList(list *x509.RevocationList, at time.Time) error {
	if err := list.CheckSignatureFrom(c.Root); err != nil {
		return fmt.Errorf("revocation list is not signed by %s: %w", nameOf(c.Root), err)
	}
	if at.Before(list.ThisUpdate) {
		return fmt.Errorf("revocation list of %s is from %s, after %s", nameOf(c.Root),
			list.ThisUpdate.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}

// listed returns the name and the number of the certificate that list revokes.
func (c Chain) listed(list *x509.RevocationList) (string, *big.Int) {
	for _, entry := range list.RevokedCertificateEntries {
		for _, cert := range []*x509.Certificate{c.Intermediate, c.Leaf} {
			if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				return nameOf(cert), cert.SerialNumber
			}
		}
	}
	return "", nil
}
