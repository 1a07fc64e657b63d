package snp_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestVerifyChain(t *testing.T) {
	roots := mintHierarchy(t, snp.Milan).roots(t)
	for _, key := range []snp.SigningKey{snp.VCEK, snp.VLEK} {
		chain, err := roots.VerifyChain(newLeaf(t, key, mintMilan).parse(t), mintAt)
		if err != nil || chain.Key != key || chain.Product != snp.Milan || !chain.NotAfter.Equal(mintTo) {
			t.Errorf("VerifyChain(%v) = %+v, %v", key, chain, err)
		}
	}
}

func TestVerifyChainRefuses(t *testing.T) {
	h := mintHierarchy(t, snp.Milan)
	roots := h.roots(t)
	for _, tt := range []struct {
		name string
		key  snp.SigningKey
		tcb  snp.TCB
		edit func(*leafSpec)
	}{
		{"VLEK under the ASK", snp.VLEK, mintMilan, func(s *leafSpec) { s.issuer = h.ask }},
		{"VCEK under the ASVK", snp.VCEK, mintMilan, func(s *leafSpec) { s.issuer = h.asvk }},
		{"VCEK under the ARK", snp.VCEK, mintMilan, func(s *leafSpec) { s.issuer = h.ark }},
		{"of another product", snp.VCEK, mintTurin, nil},
		{"of another product under this ASK", snp.VCEK, mintTurin, func(s *leafSpec) { s.issuer = h.ask }},
		{"by a nameless one", snp.VCEK, mintMilan, func(s *leafSpec) { s.issuer = authorityTemplate("SEV-Nobody", 1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newLeaf(t, tt.key, tt.tcb)
			if tt.edit != nil {
				tt.edit(s)
			}
			issuer := *s.issuer
			issuer.PublicKey = nil // so that the certificate can be made although the key does not fit
			s.issuer = &issuer
			chain, err := roots.VerifyChain(s.parse(t), mintAt)
			if !errors.Is(err, snp.ErrUntrusted) || chain.Leaf != nil {
				t.Errorf("VerifyChain = %+v, %v, want ErrUntrusted", chain, err)
			}
		})
	}
	if _, err := roots.VerifyChain(nil, mintAt); err == nil {
		t.Error("VerifyChain accepts no certificate")
	}
	if _, err := roots.VerifyChain(new(snp.Certificate), mintAt); err == nil {
		t.Error("VerifyChain accepts a zero certificate")
	}
}

func TestVerifyChainSignature(t *testing.T) {
	good := newLeaf(t, snp.VCEK, mintMilan).der(t)
	good[len(good)-1] ^= 1
	c, err := snp.ParseCertificate(good)
	if err != nil {
		t.Fatal(err)
	}
	roots := mintHierarchy(t, snp.Milan).roots(t)
	for range 2 { // a failure is not remembered as a success
		if _, err := roots.VerifyChain(c, mintAt); !errors.Is(err, snp.ErrUntrusted) || !errors.Is(err, rsa.ErrVerification) {
			t.Errorf("VerifyChain = %v, want ErrUntrusted by reason of the signature", err)
		}
	}
	if got := roots.Remembered(); got != 0 {
		t.Errorf("%d failures are remembered", got)
	}
}

func TestNoRoots(t *testing.T) {
	c := newLeaf(t, snp.VCEK, mintMilan).parse(t)
	for name, r := range map[string]*snp.Roots{"nil": nil, "zero": new(snp.Roots)} {
		if _, err := r.VerifyChain(c, mintAt); !errors.Is(err, snp.ErrNoRoots) {
			t.Errorf("%s: VerifyChain = %v, want ErrNoRoots", name, err)
		}
		if err := r.CheckCarried(mintHierarchy(t, snp.Milan).certs()); !errors.Is(err, snp.ErrForeignRoot) {
			t.Errorf("%s: CheckCarried = %v, want ErrForeignRoot", name, err)
		}
	}
	if _, err := snp.NewRoots(nil); !errors.Is(err, snp.ErrNoRoots) {
		t.Errorf("NewRoots(nil) = %v, want ErrNoRoots", err)
	}
}

func TestCheckCarried(t *testing.T) {
	h := mintHierarchy(t, snp.Milan)
	roots := h.roots(t)
	if err := roots.CheckCarried(h.certs()); err != nil {
		t.Errorf("CheckCarried of the trusted ones: %v", err)
	}
	again := issue(t, authorityTemplate("SEV-Milan", 0x10001), h.ark, keys().ask.Public(), keys().ark)
	if err := roots.CheckCarried([]*x509.Certificate{h.ark, again}); !errors.Is(err, snp.ErrForeignRoot) {
		t.Errorf("CheckCarried of other bytes for the same key = %v, want ErrForeignRoot", err)
	}
	if err := roots.CheckCarried([]*x509.Certificate{nil}); !errors.Is(err, snp.ErrForeignRoot) {
		t.Errorf("CheckCarried of nil = %v, want ErrForeignRoot", err)
	}
}

// TestMemo verifies a leaf again: its validity is checked anew, and other Roots
// know nothing of it.
func TestMemo(t *testing.T) {
	roots := mintHierarchy(t, snp.Milan).roots(t)
	c := newLeaf(t, snp.VCEK, mintMilan).parse(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := roots.VerifyChain(c, mintAt); err != nil {
				t.Errorf("VerifyChain: %v", err)
			}
		})
	}
	wg.Wait()
	if got := roots.Remembered(); got != 1 {
		t.Errorf("%d links are remembered, want 1", got)
	}
	for _, at := range []time.Time{mintFrom.Add(-time.Second), mintTo.Add(time.Second), {}} {
		if _, err := roots.VerifyChain(c, at); !errors.Is(err, snp.ErrNotValidAt) {
			t.Errorf("VerifyChain at %s = %v, want ErrNotValidAt", at, err)
		}
	}
	if _, err := mintHierarchy(t, snp.Turin).roots(t).VerifyChain(c, mintAt); !errors.Is(err, snp.ErrUntrusted) {
		t.Errorf("VerifyChain with other roots = %v, want ErrUntrusted", err)
	}
	lied := *c // the caller changed what was decoded: the memo must not cover it
	lied.Product = snp.Turin
	if _, err := roots.VerifyChain(&lied, mintAt); !errors.Is(err, snp.ErrUntrusted) {
		t.Errorf("VerifyChain of a changed certificate = %v, want ErrUntrusted", err)
	}
}

// TestIntermediateExpires has an ASK that ends before the leaf.
func TestIntermediateExpires(t *testing.T) {
	h := mintHierarchy(t, snp.Milan)
	brief := authorityTemplate("SEV-Milan", 7)
	brief.NotAfter = mintAt
	ask := issue(t, brief, h.ark, keys().ask.Public(), keys().ark)
	roots, err := snp.NewRoots([]*x509.Certificate{h.ark, ask})
	if err != nil {
		t.Fatal(err)
	}
	s := newLeaf(t, snp.VCEK, mintMilan)
	s.issuer = ask
	if chain, err := roots.VerifyChain(s.parse(t), mintAt); err != nil || !chain.NotAfter.Equal(mintAt) {
		t.Errorf("VerifyChain at the last second = to %s, %v, want %s", chain.NotAfter, err, mintAt)
	}
	if _, err := roots.VerifyChain(s.parse(t), mintAt.Add(time.Second)); !errors.Is(err, snp.ErrNotValidAt) || !strings.Contains(err.Error(), "SEV-Milan") {
		t.Errorf("VerifyChain after the ASK = %v, want ErrNotValidAt of SEV-Milan", err)
	}
}

// TestRenewedASK trusts two ASKs of one name, as AMD had for Genoa.
func TestRenewedASK(t *testing.T) {
	h := mintHierarchy(t, snp.Milan)
	old := issue(t, authorityTemplate("SEV-Milan", 5), h.ark, keys().ark.Public(), keys().ark)
	roots, err := snp.NewRoots(append([]*x509.Certificate{old}, h.certs()...))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := roots.VerifyChain(newLeaf(t, snp.VCEK, mintMilan).parse(t), mintAt)
	if err != nil || !bytes.Equal(chain.Intermediate.Raw, h.ask.Raw) {
		t.Errorf("VerifyChain = %v, want the ASK that signed", err)
	}
}

func TestNewRootsRefuses(t *testing.T) {
	k, h := keys(), mintHierarchy(t, snp.Milan)
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(edit func(*x509.Certificate)) *x509.Certificate {
		template := authorityTemplate("SEV-Milan", 1)
		edit(template)
		return issue(t, template, h.ark, k.ask.Public(), k.ark)
	}
	ark := func(name string, key *rsa.PrivateKey) *x509.Certificate {
		template := authorityTemplate(name, 1)
		return issue(t, template, template, key.Public(), key)
	}
	nameless := *h.ark
	nameless.RawSubject = nil
	nameless.Subject = amdSubject("ARK-Elsewhere")
	weak := *h.ark
	weak.PublicKey = &rsa.PublicKey{N: k.ark.N, E: 3}
	for _, tt := range []struct {
		name, want string
		certs      []*x509.Certificate
	}{
		{"nil", "is nil", []*x509.Certificate{nil}},
		{"too many", "at most 64", make([]*x509.Certificate, 65)},
		{"ASK alone", "without the ARK of Milan", []*x509.Certificate{h.ask}},
		{"ASK of another ARK", "without the ARK of Milan", []*x509.Certificate{h.ask, mintHierarchy(t, snp.Turin).ark}},
		{"ARK issued by another", "want by itself", []*x509.Certificate{issue(t, authorityTemplate("ARK-Genoa", 1), h.ark, k.ask.Public(), k.ark)}},
		{"two ARKs", "two different ARKs for Milan", []*x509.Certificate{h.ark, ark("ARK-Milan", k.ask)}},
		{"ASK in another name", `is issued by "ARK-Elsewhere"`, []*x509.Certificate{h.ark, issue(t, authorityTemplate("SEV-Milan", 1), &nameless, k.ask.Public(), k.ark)}},
		{"unknown ARK", "no known product", []*x509.Certificate{ark("ARK-Naples", k.ark)}},
		{"unknown ASK", "known product", []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.Subject.CommonName = "SEV-Naples" })}},
		{"another name", "known product", []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.Subject.CommonName = "Milan" })}},
		{"another organization", `organization ["Mallory"]`, []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.Subject.Organization = []string{"Mallory"} })}},
		{"no authority", "certificate authority", []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.IsCA = false })}},
		{"no certificate signing", "certificate authority", []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })}},
		{"PKCS #1", "is signed with SHA384-RSA,", []*x509.Certificate{h.ark, ask(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA384WithRSA })}},
		{"2048 bits", "2048 bits", []*x509.Certificate{ark("ARK-Milan", small)}},
		{"exponent", "exponent 3", []*x509.Certificate{&weak}},
		{"EC key", "has a ECDSA key", []*x509.Certificate{h.ark, issue(t, authorityTemplate("SEV-Milan", 1), h.ark, k.chip.Public(), k.ark)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := snp.NewRoots(tt.certs)
			if r != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewRoots = %v, %v, want an error with %q", r, err, tt.want)
			}
		})
	}
}

// TestBrokenLink has an ASK that its ARK did not sign, and an ARK that did not
// sign itself. Check names them; without it nothing they would vouch for is
// trusted, and another product is.
func TestBrokenLink(t *testing.T) {
	broken := func(c *x509.Certificate) *x509.Certificate {
		der := bytes.Clone(c.Raw)
		der[len(der)-1] ^= 1
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	h, other := mintHierarchy(t, snp.Milan), mintHierarchy(t, snp.Turin)
	for _, tt := range []struct {
		name, want string
		certs      []*x509.Certificate
	}{
		{"ASK", `"SEV-Milan" is not signed by "ARK-Milan"`, []*x509.Certificate{h.ark, broken(h.ask)}},
		{"ARK", `"ARK-Milan" is not signed by itself`, []*x509.Certificate{broken(h.ark), h.ask}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			roots, err := snp.NewRoots(append(other.certs(), tt.certs...))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a failure is not verified away
				_, err = roots.VerifyChain(newLeaf(t, snp.VCEK, mintMilan).parse(t), mintAt)
				if !errors.Is(err, snp.ErrUntrusted) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("VerifyChain = %v, want ErrUntrusted: %s", err, tt.want)
				}
			}
			if err := roots.Check(); err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want only %s", err, tt.want)
			}
			if _, err := roots.VerifyChain(newLeaf(t, snp.VCEK, mintTurin).parse(t), mintAt); err != nil {
				t.Errorf("VerifyChain of the other product: %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	if err := mintHierarchy(t, snp.Milan).roots(t).Check(); err != nil {
		t.Errorf("Check of sound roots: %v", err)
	}
	for name, r := range map[string]*snp.Roots{"nil": nil, "zero": new(snp.Roots)} {
		if err := r.Check(); !errors.Is(err, snp.ErrNoRoots) {
			t.Errorf("%s: Check = %v, want ErrNoRoots", name, err)
		}
	}
}
