package snp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/snp"
)

var idp = pkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}

func mintCRL(tb testing.TB, by *x509.Certificate, key *rsa.PrivateKey, next time.Time, edit func(*x509.RevocationList), serials ...int64) []byte {
	tb.Helper()
	template := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: mintFrom, NextUpdate: next, SignatureAlgorithm: x509.SHA384WithRSAPSS,
	}
	for _, n := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: mintFrom})
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by, key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func TestRevoked(t *testing.T) {
	h, k := mintHierarchy(t, snp.Milan), keys()
	roots := h.roots(t)
	later, before := mintAt.AddDate(0, 1, 0), mintAt.AddDate(0, -1, 0)
	list := func(next time.Time, serials ...int64) *x509.RevocationList {
		l, err := snp.ParseCRL(mintCRL(t, h.ark, k.ark, next, nil, serials...))
		if err != nil {
			t.Fatalf("ParseCRL: %v", err)
		}
		return l
	}
	posing := *h.ark
	posing.PublicKey = k.ask.Public()
	forged, err := snp.ParseCRL(mintCRL(t, &posing, k.ask, later, nil))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := snp.ParseCRL(mintCRL(t, mintHierarchy(t, snp.Turin).ark, k.ark, later, nil, 0x10001))
	if err != nil {
		t.Fatal(err)
	}
	endless := *list(later)
	endless.NextUpdate = time.Time{} // as crypto/x509 decodes a list without one
	for _, tt := range []struct {
		name  string
		key   snp.SigningKey
		lists []*x509.RevocationList
		want  snp.Revocation
		err   string
	}{
		{"none", snp.VCEK, nil, snp.RevocationUnchecked, ""},
		{"nil", snp.VCEK, []*x509.RevocationList{nil}, snp.RevocationUnchecked, ""},
		{"other product", snp.VCEK, []*x509.RevocationList{elsewhere}, snp.RevocationUnchecked, ""},
		{"empty", snp.VCEK, []*x509.RevocationList{list(later)}, snp.RevocationGood, ""},
		{"ASVK only", snp.VCEK, []*x509.RevocationList{list(later, 0x10101)}, snp.RevocationGood, ""},
		{"ASK", snp.VCEK, []*x509.RevocationList{list(later, 0x20000, 0x10001)}, snp.RevocationRevoked, ""},
		{"ASVK", snp.VLEK, []*x509.RevocationList{list(later, 0x10101)}, snp.RevocationRevoked, ""},
		{"leaf", snp.VCEK, []*x509.RevocationList{list(later, 0)}, snp.RevocationRevoked, ""},
		{"ASK in the second list", snp.VCEK, []*x509.RevocationList{list(later), list(later, 0x10001)}, snp.RevocationRevoked, ""},
		{"ASK in a stale list", snp.VCEK, []*x509.RevocationList{list(later), list(before, 0x10001)}, snp.RevocationRevoked, ""},
		{"stale", snp.VCEK, []*x509.RevocationList{list(before)}, snp.RevocationUnchecked, "stale"},
		{"without an end", snp.VCEK, []*x509.RevocationList{&endless}, snp.RevocationUnchecked, "stale"},
		{"one is current", snp.VCEK, []*x509.RevocationList{list(before), list(later), list(before)}, snp.RevocationGood, ""},
		{"forged", snp.VCEK, []*x509.RevocationList{list(later), forged}, snp.RevocationUnchecked, "is not signed by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chain, err := roots.VerifyChain(newLeaf(t, tt.key, mintMilan).parse(t), mintAt)
			if err != nil {
				t.Fatal(err)
			}
			got, detail, err := chain.Revoked(tt.lists, mintAt)
			if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("Revoked = %v, %q, %v, want %v and an error with %q", got, detail, err, tt.want, tt.err)
			}
			if errors.Is(err, snp.ErrStaleCRL) != (tt.err == "stale") || (detail == "") != (err != nil) {
				t.Errorf("Revoked = %q, %v", detail, err)
			}
		})
	}
	if got, _, err := (snp.Chain{}).Revoked([]*x509.RevocationList{list(later)}, mintAt); err == nil || got != snp.RevocationUnchecked {
		t.Errorf("Revoked of a chain that is not verified = %v, %v", got, err)
	}
}

func TestParseCRLRefuses(t *testing.T) {
	h, k := mintHierarchy(t, snp.Milan), keys()
	next := mintAt
	good := mintCRL(t, h.ark, k.ark, next, nil, 5)
	for _, in := range [][]byte{good, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: good})} {
		if l, err := snp.ParseCRL(in); err != nil || len(l.RevokedCertificateEntries) != 1 {
			t.Errorf("ParseCRL = %v, %v", l, err)
		}
	}
	for name, in := range map[string][]byte{
		"nothing":         nil,
		"trailing":        append(append([]byte(nil), good...), 0),
		"a certificate":   h.ark.Raw,
		"PEM certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good}),
		"huge":            mintCRL(t, h.ark, k.ark, next, nil, make([]int64, 1<<16)...),
		"PKCS #1": mintCRL(t, h.ark, k.ark, next, func(l *x509.RevocationList) {
			l.SignatureAlgorithm = x509.SHA384WithRSA
		}),
		"partial": mintCRL(t, h.ark, k.ark, next, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{idp}
		}),
		"indirect entry": mintCRL(t, h.ark, k.ark, next, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{idp}
		}, 5),
	} {
		if l, err := snp.ParseCRL(in); l != nil || err == nil {
			t.Errorf("%s: ParseCRL = %v, want an error", name, err)
		}
	}
}

func TestRevocationString(t *testing.T) {
	for r, want := range map[snp.Revocation]string{0: "unchecked", snp.RevocationGood: "good", snp.RevocationRevoked: "revoked", 9: "unchecked"} {
		if got := r.String(); got != want {
			t.Errorf("Revocation(%d) = %q, want %q", r, got, want)
		}
	}
}
