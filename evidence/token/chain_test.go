package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

type template3 = func(leaf, intermediate, root *x509.Certificate)

// JW-06 and FACTS 1.1: the profile of the chain.
func TestChain(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(mintIat+s, 0) }
	for _, c := range []struct {
		name   string
		change template3
		words  string // empty: verified
	}{
		{"as google's", nil, ""},
		{"leaf may sign", func(l, _, _ *x509.Certificate) { l.KeyUsage = x509.KeyUsageDigitalSignature }, ""},
		{"leaf is an authority", func(l, _, _ *x509.Certificate) { l.IsCA = true }, "leaf is a certificate authority"},
		{"leaf for encryption", func(l, _, _ *x509.Certificate) { l.KeyUsage = x509.KeyUsageKeyEncipherment }, "another usage"},
		{"leaf of a server", func(l, _, _ *x509.Certificate) { l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "another purpose"},
		{"leaf of an ek", func(l, _, _ *x509.Certificate) { l.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ekPurpose} }, "another purpose"},
		{"leaf expired at iat", func(l, _, _ *x509.Certificate) { l.NotAfter = at(-1) }, "expired"},
		{"leaf expired since iat", func(l, _, _ *x509.Certificate) { l.NotAfter = at(30) }, "expired"},
		{"leaf younger than the token", func(l, _, _ *x509.Certificate) { l.NotBefore = at(30) }, "not yet valid"},
		{"leaf of sha-512", func(l, _, _ *x509.Certificate) { l.SignatureAlgorithm = x509.SHA512WithRSA }, "signed with"},
		{"intermediate expired", func(_, i, _ *x509.Certificate) { i.NotAfter = at(-1) }, "expired"},
		{"intermediate is no authority", func(_, i, _ *x509.Certificate) { i.IsCA, i.KeyUsage = false, 0 }, "not one of a certificate authority"},
		{"intermediate may not certify", func(_, i, _ *x509.Certificate) { i.KeyUsage = x509.KeyUsageCRLSign }, "not one of a certificate authority"},
		{"intermediate of no purpose", func(_, i, _ *x509.Certificate) { i.UnknownExtKeyUsage = nil }, "another purpose"},
		{"intermediate of two purposes", func(_, i, _ *x509.Certificate) { i.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "another purpose"},
		{"root expired", func(_, _, r *x509.Certificate) { r.NotAfter = at(-1) }, "expired"},
	} {
		p := newPKI(t, c.change)
		want := p.want(t)
		_, steps := token.Appraise(parse(t, p.token()), want)
		checkOnly(t, c.name, p.token(), want, token.StepChain, c.words)
		if _, notRun := failing(steps); c.words != "" && fmt.Sprint(notRun) != "[token.revocation token.signature]" {
			t.Errorf("%s: not run %v", c.name, notRun)
		}
	}
}

// The number, order and spelling of x5c, and the leaf's key.
func TestX5C(t *testing.T) {
	p := newPKI(t, nil)
	whole := x5c(p.leaf, p.intermediate, p.root)
	ec := newEC(elliptic.P256())
	for _, c := range []struct {
		name, words string
		x5c         []string
	}{
		{"as it is", "", whole},
		{"none", "0 certificates", []string{}},
		{"one", "1 certificates", whole[:1]},
		{"two", "2 certificates", whole[:2]},
		{"four", "4 certificates", append(whole[:3:3], whole[2])},
		{"base64url", "canonical base64", []string{b64(p.leaf.Raw), whole[1], whole[2]}},
		{"line end", "canonical base64", []string{whole[0][:64] + "\n" + whole[0][64:], whole[1], whole[2]}},
		{"more bytes", "parsing certificate", []string{whole[0], whole[1], b64std(append(slices.Clip(p.root.Raw), 0))}},
		{"no certificate", "parsing certificate", []string{"AAAA", whole[1], whole[2]}},
		{"ec leaf", "want rsa", []string{b64std(ecLeaf(t, p, ec)), whole[1], whole[2]}},
		{"weak leaf", "1024 bits", []string{b64std(certify(t, template("weak leaf", false), p.intermediate, weakRSA(), p.caKey).Raw), whole[1], whole[2]}},
	} {
		raw := mint("RS256", p.leafKey, header("RS256", object{"x5c": c.x5c}), googleClaims())
		checkOnly(t, c.name, raw, p.want(t), token.StepKey, c.words)
	}
	swapped := mint("RS256", p.leafKey, header("RS256", object{"x5c": []string{whole[0], whole[2], whole[1]}}), googleClaims())
	checkOnly(t, "root in the middle", swapped, p.want(t), token.StepChain, "trusted root")
}

func ecLeaf(tb testing.TB, p *pki, k *ecdsa.PrivateKey) []byte {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template("ec leaf", false), p.intermediate, &k.PublicKey, p.caKey)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// A chain that is right in itself proves nothing, and neither does the true root
// behind a foreign chain.
func TestForeignChain(t *testing.T) {
	trusted, foreign := newPKI(t, nil), newPKI(t, func(_, _, root *x509.Certificate) { root.Subject.CommonName = "test root of another" })
	want := trusted.want(t)
	checkOnly(t, "foreign chain", foreign.token(), want, token.StepChain, "trusted root")
	mixed := func(certs ...*x509.Certificate) []byte {
		return mint("RS256", foreign.leafKey, header("RS256", object{"x5c": x5c(certs...)}), googleClaims())
	}
	checkOnly(t, "true root behind", mixed(foreign.leaf, foreign.intermediate, trusted.root), want, token.StepChain, "unknown authority")
	// Same names and another key: only the signature tells them apart.
	fakeRoot := certify(t, template("test root", true), template("test root", true), rsaKey(), rsaKey())
	fakeCA := template("test intermediate", true)
	fakeCA.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ekPurpose}
	fakeCA = certify(t, fakeCA, fakeRoot, rsaKey(), rsaKey())
	fakeLeaf := certify(t, template("test leaf", false), fakeCA, rsaKey(), rsaKey())
	checkOnly(t, "forged intermediate", mixed(fakeLeaf, fakeCA, trusted.root), want, token.StepChain, "verification error")
	checkOnly(t, "forged leaf", mixed(fakeLeaf, trusted.intermediate, trusted.root), want, token.StepChain, "verification error")
	checkOnly(t, "forged root", mixed(fakeLeaf, fakeCA, fakeRoot), want, token.StepChain, "trusted root")
	// A leaf of the root itself needs no intermediate, and is none of ours.
	direct := certify(t, template("direct leaf", false), trusted.root, rsaKey(), trusted.rootKey)
	checkOnly(t, "leaf of the root", mixed(direct, trusted.intermediate, trusted.root), want, token.StepChain, "not the token's")
	// The leaf's key signs, and no other of the chain.
	byCA := mint("RS256", trusted.caKey, header("RS256", object{"x5c": x5c(trusted.leaf, trusted.intermediate, trusted.root)}), googleClaims())
	checkOnly(t, "signed by the intermediate", byCA, want, token.StepSignature, "does not verify")
}

// The result ends with whatever ends first.
func TestValidUntil(t *testing.T) {
	for _, c := range []struct{ leaf, want int64 }{{7200, 3600}, {1800, 1800}} {
		p := newPKI(t, func(l, _, _ *x509.Certificate) { l.NotAfter = time.Unix(mintIat+c.leaf, 0) })
		v, err := token.Verify(parse(t, p.token()), p.want(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.ValidUntil.Unix() - mintIat; got != c.want || len(v.Chain) != 3 {
			t.Errorf("leaf for %d s: valid for %d s, want %d", c.leaf, got, c.want)
		}
	}
}

func TestRoots(t *testing.T) {
	if _, err := token.NewRoots(nil); !errors.Is(err, token.ErrNoRoots) {
		t.Errorf("NewRoots(nil) = %v, want %v", err, token.ErrNoRoots)
	}
	if _, err := token.PinRoots(); !errors.Is(err, token.ErrNoRoots) {
		t.Errorf("PinRoots() = %v, want %v", err, token.ErrNoRoots)
	}
	for _, bad := range []string{"", "00", "zz", token.GoogleRootSHA256 + "00"} {
		if _, err := token.PinRoots(bad); err == nil {
			t.Errorf("PinRoots(%q) = nil, want an error", bad)
		}
	}
	if _, err := token.NewRoots([]*x509.Certificate{nil}); err == nil {
		t.Error("NewRoots of no certificate = nil, want an error")
	}
	p := newPKI(t, nil)
	want := p.want(t)
	want.Keys.Roots = &token.Roots{}
	checkOnly(t, "zero roots", p.token(), want, token.StepChain, "no root is trusted")
}

func crl(tb testing.TB, p *pki, change func(*x509.RevocationList), serials ...*big.Int) *x509.RevocationList {
	tb.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: mintTime.Add(-time.Hour), NextUpdate: mintTime.Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: mintTime})
	}
	if change != nil {
		change(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, p.intermediate, p.caKey)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := token.ParseCRL(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	if err != nil {
		tb.Fatal(err)
	}
	again, err := token.ParseCRL(der)
	if err != nil || again.Number.Cmp(parsed.Number) != 0 {
		tb.Fatalf("ParseCRL of DER = %v", err)
	}
	return parsed
}

func TestRevocation(t *testing.T) {
	p := newPKI(t, nil)
	foreign := newPKI(t, func(_, i, _ *x509.Certificate) { i.Subject = pkix.Name{CommonName: "another intermediate"} })
	ofRoot := *p
	ofRoot.intermediate, ofRoot.caKey = p.root, p.rootKey
	impostor := *p
	impostor.caKey = rsaKey()
	impostor.intermediate = certify(t, template("test intermediate", true), p.root, rsaKey(), p.rootKey)
	for _, c := range []struct {
		name, words string
		lists       []*x509.RevocationList
	}{
		{"current", "", []*x509.RevocationList{crl(t, p, nil, big.NewInt(77))}},
		{"revoked", "is revoked", []*x509.RevocationList{crl(t, p, nil, p.leaf.SerialNumber)}},
		{"revoked in the second", "is revoked", []*x509.RevocationList{crl(t, p, nil), crl(t, p, nil, p.leaf.SerialNumber)}},
		{"stale", "revocation list of", []*x509.RevocationList{crl(t, p, func(l *x509.RevocationList) { l.NextUpdate = mintTime.Add(-time.Minute) })}},
		{"from the future", "revocation list of", []*x509.RevocationList{crl(t, p, func(l *x509.RevocationList) { l.ThisUpdate = mintTime.Add(time.Minute) })}},
		{"of the root alone", "no revocation list of", []*x509.RevocationList{crl(t, &ofRoot, nil)}},
		{"of both", "", []*x509.RevocationList{crl(t, &ofRoot, nil), crl(t, p, nil)}},
		{"intermediate revoked", "is revoked", []*x509.RevocationList{crl(t, &ofRoot, nil, p.intermediate.SerialNumber), crl(t, p, nil)}},
		{"of another", "no revocation list of", []*x509.RevocationList{crl(t, foreign, nil), nil}},
		{"signed by another", "not signed by", []*x509.RevocationList{crl(t, &impostor, nil)}},
	} {
		want := p.want(t)
		want.Keys.CRLs = c.lists
		checkOnly(t, c.name, p.token(), want, token.StepRevocation, c.words)
	}
	_, steps := token.Appraise(parse(t, p.token()), p.want(t))
	for _, s := range steps {
		if s.ID == token.StepRevocation && s.Status != token.Skip {
			t.Errorf("without a list: %+v, want a skip", s)
		}
	}
	critical := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: mintTime, NextUpdate: mintTime.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}},
	}
	der, err := x509.CreateRevocationList(rand.Reader, critical, p.intermediate, p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl(t, p, nil).Raw})
	for name, in := range map[string][]byte{
		"critical extension": der, "trailing": append(crl(t, p, nil).Raw, 0), "empty": nil, "two": append(block, block...),
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.leaf.Raw}), "long": make([]byte, 1<<20+1),
	} {
		if _, err := token.ParseCRL(in); err == nil {
			t.Errorf("%s: ParseCRL = nil, want an error", name)
		}
	}
}
