package evidence_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/forge"
)

// ekWorld is a software EK, and the authority that certifies it.
type ekWorld struct {
	testing.TB

	keys *forge.Keys
	ca   *forge.CA
	ek   *forge.EK
}

func newEK(tb testing.TB, kind forge.KeyType) *ekWorld {
	tb.Helper()
	w := &ekWorld{TB: tb, keys: forge.NewKeys("ek")}
	var err error
	if w.ca, err = forge.NewCA(w.keys, "manufacturer"); err != nil {
		tb.Fatal(err)
	}
	if w.ek, err = forge.NewEK(w.keys, "tpm", kind); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *ekWorld) cert(edit func(*x509.Certificate)) []byte {
	w.Helper()
	c, err := w.ek.Certify(w.ca, edit)
	if err != nil {
		w.Fatal(err)
	}
	return c.Raw
}

// area is the public area after an edit.
func (w *ekWorld) area(edit func(*tpm.Public)) []byte {
	w.Helper()
	p, err := tpm.ParsePublic(w.ek.TPMTPublic())
	if err != nil {
		w.Fatal(err)
	}
	if edit != nil {
		edit(p)
	}
	return p.Append(nil)
}

func (w *ekWorld) trust(files map[string][]byte) *evidence.Trust {
	w.Helper()
	dir := fstest.MapFS{}
	for name, data := range files {
		dir[name] = &fstest.MapFile{Data: data}
	}
	t, err := evidence.LoadTrust(dir)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// vendor trusts the authority.
func (w *ekWorld) vendor() *evidence.Trust {
	w.Helper()
	return w.trust(map[string][]byte{"ek/roots/r": w.ca.Root.Raw, "ek/intermediates/i": w.ca.Intermediate.Raw})
}

func TestCheckEK(t *testing.T) {
	for _, kind := range []forge.KeyType{forge.RSA2048, forge.P256, forge.P384} {
		w := newEK(t, kind)
		public := w.ek.TPMTPublic()
		sized := tpm2.Marshal(tpm2.New2B(w.ek.Public))
		parsed, err := tpm.ParsePublic(public)
		if err != nil {
			t.Fatal(err)
		}
		key, err := parsed.Key()
		if err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct {
			trust *evidence.Trust
			cert  []byte
		}{
			"certificate":                        {w.vendor(), w.cert(nil)},
			"without extended key usage":         {w.vendor(), w.cert(func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil })},
			"pinned as TPMT_PUBLIC":              {w.trust(map[string][]byte{"ek/pins/p": public}), nil},
			"pinned as TPM2B_PUBLIC":             {w.trust(map[string][]byte{"ek/pins/p": sized}), nil},
			"pinned as PEM":                      {w.trust(map[string][]byte{"ek/pins/p": publicKeyPEM(t, key)}), nil},
			"pinned, with a foreign certificate": {w.trust(map[string][]byte{"ek/pins/p": public}), []byte("garbage")},
		} {
			if !tc.trust.TrustsEKs() {
				t.Errorf("%v, %s: TrustsEKs = false", kind, name)
			}
			if p, err := tc.trust.CheckEK(public, tc.cert, forge.Now()); err != nil || !bytes.Equal(p.Append(nil), public) {
				t.Errorf("%v, %s: CheckEK = %v", kind, name, err)
			}
		}
	}
}

func publicKeyPEM(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestCheckEKRefuses(t *testing.T) {
	w, other := newEK(t, forge.RSA2048), newEK(t, forge.P256)
	public := w.ek.TPMTPublic()
	good := w.cert(nil)
	vendor := w.vendor()
	foreign, err := forge.NewCA(w.keys, "another")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := w.ek.Certify(foreign, nil)
	if err != nil {
		t.Fatal(err)
	}
	testInstance, err := forge.Instance{NonProduction: true}.DER()
	if err != nil {
		t.Fatal(err)
	}
	usage := func(u x509.KeyUsage) []byte { return w.cert(func(c *x509.Certificate) { c.KeyUsage = u }) }
	extension := func(id asn1.ObjectIdentifier, value []byte, critical bool) []byte {
		return w.cert(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: id, Value: value, Critical: critical}}
		})
	}
	for _, tc := range []struct {
		name, want string
		trust      *evidence.Trust
		public     []byte
		cert       []byte
	}{
		{"no trust", "what is trusted", nil, public, good},
		{"zero trust", "no root", new(evidence.Trust), public, good},
		{"roots of AKs alone", "no root", w.trust(map[string][]byte{"ak/roots/r": w.ca.Root.Raw, "ak/intermediates/i": w.ca.Intermediate.Raw}), public, good},
		{"no intermediate", "unknown authority", w.trust(map[string][]byte{"ek/roots/r": w.ca.Root.Raw}), public, good},
		{"of another root", "unknown authority", vendor, public, stranger.Raw},
		{"no certificate", "not pinned", vendor, public, nil},
		{"another key pinned", "not pinned", w.trust(map[string][]byte{"ek/pins/p": other.ek.TPMTPublic()}), public, nil},
		{"pinned as an AK", "not pinned", w.trust(map[string][]byte{"ak/pins/p": public}), public, nil},
		{"pinned with another area", "differs", w.trust(map[string][]byte{"ek/pins/p": public}), w.area(func(p *tpm.Public) { p.Symmetric.KeyBits = 256 }), nil},

		{"certificate of another key", "another key", vendor, public, other.cert(nil)},
		{"trailing bytes", "trailing", vendor, public, append(slices.Clone(good), 0)},
		{"garbage", "", vendor, public, []byte("garbage")},
		{"PEM", "", vendor, public, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good})},
		{"certificate of the CA", "another key", vendor, public, w.ca.Intermediate.Raw},
		{"a CA", "certification authority", vendor, public, w.cert(func(c *x509.Certificate) { c.IsCA = true })},
		{"perhaps a CA", "basicConstraints", vendor, public, w.cert(func(c *x509.Certificate) { c.BasicConstraintsValid = false })},
		{"of an AK", "digitalSignature", vendor, public, usage(x509.KeyUsageDigitalSignature)},
		{"signs too", "digitalSignature+keyEncipherment", vendor, public, usage(x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment)},
		{"usage of an ECC key", "keyAgreement", vendor, public, usage(x509.KeyUsageKeyAgreement)},
		{"no usage", "absent", vendor, public, usage(0)},
		{"purpose of an AK", "2.23.133.8.3", vendor, public, w.cert(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, 3}}
		})},
		{"two purposes", "2.23.133.8.3", vendor, public, w.cert(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}, {2, 23, 133, 8, 3}}
		})},
		{"of a web server", "purpose", vendor, public, w.cert(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		{"of a test instance", "isProduction", vendor, public, extension(forge.InstanceOID(), testInstance, false)},
		{"of a garbled instance", "instance extension", vendor, public, extension(forge.InstanceOID(), []byte("x"), false)},
		{"critical and unknown", "critical", vendor, public, extension(asn1.ObjectIdentifier{1, 2, 3}, []byte("x"), true)},
		{"expired", "expired", vendor, public, w.cert(func(c *x509.Certificate) { c.NotAfter = forge.Now().Add(-time.Second) })},
		{"of the future", "not yet valid", vendor, public, w.cert(func(c *x509.Certificate) { c.NotBefore = forge.Now().Add(time.Second) })},

		{"no area", "TPMT_PUBLIC", vendor, nil, good},
		{"area with its size", "", vendor, tpm2.Marshal(tpm2.New2B(w.ek.Public)), good},
		{"area with trailing bytes", "trailing", vendor, append(slices.Clone(public), 0), good},
		{"area cut", "", vendor, public[:len(public)-1], good},
		{"huge area", "at most", vendor, make([]byte, evidence.MaxEK+1), good},
		{"keyed hash", "key type", vendor, append([]byte{0, 8}, public[2:]...), good},
		{"unrestricted", "restricted", vendor, w.area(func(p *tpm.Public) { p.Attributes &^= tpm.Restricted }), good},
		{"signs", "sign", vendor, w.area(func(p *tpm.Public) { p.Attributes |= tpm.Sign }), good},
		{"leaves the TPM", "fixedTPM", vendor, w.area(func(p *tpm.Public) { p.Attributes &^= tpm.FixedTPM }), good},
		{"leaves its parent", "fixedParent", vendor, w.area(func(p *tpm.Public) { p.Attributes &^= tpm.FixedParent }), good},
		{"an AK's area", "lacks", vendor, w.area(func(p *tpm.Public) { p.Attributes = 0x50072 }), good},
		{"exponent 3", "exponent", vendor, w.area(func(p *tpm.Public) { p.RSA.Exponent = 3 }), good},
		{"huge exponent", "exponent", vendor, w.area(func(p *tpm.Public) { p.RSA.Exponent = 1<<32 - 1 }), good},
		{"another modulus", "another key", vendor, w.area(func(p *tpm.Public) { p.RSA.Modulus = slices.Repeat([]byte{255}, 256) }), good},
		{"off the curve", "curve", other.vendor(), other.area(func(p *tpm.Public) { p.ECC.Y = p.ECC.X }), other.cert(nil)},
	} {
		p, err := tc.trust.CheckEK(tc.public, tc.cert, forge.Now())
		if err == nil || p != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: CheckEK = %v, want an error with %q", tc.name, err, tc.want)
		}
	}
	if _, err := vendor.CheckEK(public, good, time.Time{}); err == nil {
		t.Error("CheckEK takes the machine's clock")
	}
	if _, err := vendor.CheckEK(public, good, forge.Now()); err != nil {
		t.Errorf("CheckEK of the good one: %v", err)
	}
}

// TestGoogleEK judges real certificates of EKs, and of AKs, whose issuers are
// embedded.
func TestGoogleEK(t *testing.T) {
	dir := filepath.Join(corpus.Module(t, "github.com/google/go-tpm-tools"), "internal", "test", "certificates")
	for _, hierarchy := range []string{"pca", "uca"} {
		for _, alg := range []string{"rsa", "ecc"} {
			for _, purpose := range []string{"enc", "sign"} {
				name := hierarchy + "_tpm_" + alg + "_" + purpose + "_cert.pem"
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				block, _ := pem.Decode(text)
				_, err = embeddedTrust(t).CheckEK(areaOf(t, block.Bytes), block.Bytes, forge.Now())
				if (err == nil) != (purpose == "enc") {
					t.Errorf("%s: CheckEK = %v", name, err)
				}
				if purpose == "sign" && !strings.Contains(err.Error(), "digitalSignature") {
					t.Errorf("%s: CheckEK = %v, want it to be refused as that of an AK", name, err)
				}
			}
		}
	}
}

// areaOf is the public area of an EK with the certificate's key.
func areaOf(tb testing.TB, der []byte) []byte {
	tb.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	kind := forge.RSA2048
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		kind = map[string]forge.KeyType{"P-256": forge.P256, "P-384": forge.P384}[key.Params().Name]
	}
	return newEK(tb, kind).area(func(p *tpm.Public) {
		switch key := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			p.RSA.Modulus = key.N.Bytes()
		case *ecdsa.PublicKey:
			point, err := key.Bytes()
			if err != nil {
				tb.Fatal(err)
			}
			half := (1 + len(point)) / 2
			p.ECC.X, p.ECC.Y = point[1:half], point[half:]
		}
	})
}

// TestSoftwareEK judges the certificates of an authority for software TPMs that
// nobody here wrote.
func TestSoftwareEK(t *testing.T) {
	issuer, err := exec.LookPath("swtpm_localca")
	if err != nil {
		t.Skip("swtpm_localca is not installed (Debian package swtpm-tools)")
	}
	dir := t.TempDir()
	file := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, text := range map[string]string{
		"ca.conf":    "statedir = " + dir + "\nsigningkey = " + dir + "/key.pem\nissuercert = " + dir + "/issuer.pem\ncertserial = " + dir + "/serial\n",
		"setup.conf": "create_certs_tool = " + issuer + "\ncreate_certs_tool_config = " + dir + "/ca.conf\nactive_pcr_banks = sha256\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "swtpm_setup", "--tpm2", "--tpmstate", "dir://"+dir,
		"--config", filepath.Join(dir, "setup.conf"), "--create-ek-cert", "--write-ek-cert-files", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("swtpm_setup: %v\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "ek-*.crt"))
	if err != nil || len(found) == 0 {
		t.Fatalf("swtpm_setup wrote no certificates: %v", err)
	}
	roots := newEK(t, forge.P256)
	vendor := roots.trust(map[string][]byte{"ek/roots/r": file("swtpm-localca-rootca-cert.pem"), "ek/intermediates/i": file("issuer.pem")})
	for _, name := range found {
		der := file(filepath.Base(name))
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vendor.CheckEK(areaOf(t, der), der, cert.NotBefore.Add(time.Minute)); err != nil {
			t.Errorf("%s: CheckEK = %v", filepath.Base(name), err)
		}
		if _, err := roots.vendor().CheckEK(areaOf(t, der), der, cert.NotBefore.Add(time.Minute)); err == nil {
			t.Errorf("%s: CheckEK by another's root accepts it", filepath.Base(name))
		}
	}
}

// TestAKName: the Name is known where the public area is proven, and only of
// evidence that was accepted.
func TestAKName(t *testing.T) {
	nonce := []byte("sixteen bytes of nonce")
	verdict := func(m forge.Machine, trust func(*forge.Evidence) *evidence.Trust, want evidence.Expect) (*evidence.Result, []byte) {
		t.Helper()
		e, err := m.Attest(nonce)
		if err != nil {
			t.Fatal(err)
		}
		name, err := e.AK.Name()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		res, _ := verify(raw, trust(e), want)
		return res, name
	}
	certified := func(e *forge.Evidence) *evidence.Trust {
		return newEK(t, forge.P256).trust(e.TrustFiles())
	}
	pinned := func(form func(*forge.AK) []byte) func(*forge.Evidence) *evidence.Trust {
		return func(e *forge.Evidence) *evidence.Trust {
			trust, err := evidence.PinAK(form(e.AK))
			if err != nil {
				t.Fatal(err)
			}
			return trust
		}
	}
	want := evidence.Expect{Nonce: nonce, Now: forge.Now()}
	notPrimary := forge.Edits{Quote: func(q *forge.Quote) error {
		q.Signer = slices.Concat([]byte{0, 0x0b}, make([]byte, 32))
		return nil
	}}
	for _, tc := range []struct {
		name  string
		m     forge.Machine
		trust func(*forge.Evidence) *evidence.Trust
		want  evidence.Expect
		known bool
	}{
		{"certified", forge.Machine{}, certified, want, true},
		{"certified, on a curve", forge.Machine{AK: forge.P256}, certified, want, true},
		{"certified, not a primary key", forge.Machine{Edits: notPrimary}, certified, want, false},
		{"certified, with a Name over SHA-1", forge.Machine{Edits: forge.Edits{AK: func(a *forge.AK) error {
			a.Public.NameAlg = forge.SHA1
			return nil
		}}}, certified, want, false},
		{"pinned with its area", forge.Machine{NoCertificate: true}, pinned((*forge.AK).TPM2BPublic), want, true},
		{"pinned with its area, not a primary key", forge.Machine{NoCertificate: true, Edits: notPrimary}, pinned((*forge.AK).TPM2BPublic), want, true},
		{"pinned without", forge.Machine{NoCertificate: true}, pinned(func(a *forge.AK) []byte { return publicKeyPEM(t, a.Key()) }), want, false},
	} {
		res, name := verdict(tc.m, tc.trust, tc.want)
		if res.Verdict != evidence.Accepted || tc.known && !bytes.Equal(res.AKName, name) || !tc.known && res.AKName != nil {
			t.Errorf("%s: %v, AKName %x, want %x: %t", tc.name, res.Verdict, res.AKName, name, tc.known)
		}
	}
	for name, edit := range map[string]func(*evidence.Expect){
		"another nonce":     func(x *evidence.Expect) { x.Nonce = make([]byte, 32) },
		"no nonce":          func(x *evidence.Expect) { x.InsecureNoNonce = true },
		"the evidence's AK": func(x *evidence.Expect) { x.InsecureEvidenceAK = true },
	} {
		x := want
		edit(&x)
		if res, _ := verdict(forge.Machine{}, certified, x); res.Verdict == evidence.Accepted || res.AKName != nil {
			t.Errorf("%s: %v, AKName %x", name, res.Verdict, res.AKName)
		}
	}
}
