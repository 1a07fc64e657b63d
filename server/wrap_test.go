package server_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/seal"
	"github.com/attestctl/attestctl/server/wrap"
)

// tpmWorld is a world in which secrets are wrapped for TPMs of a manufacturer.
type tpmWorld struct {
	*world

	keys *forge.Keys
	ca   *forge.CA
	key  clientKey
	ek   *forge.EK // of the client's TPM
}

func startedTPM(tb testing.TB, kind forge.KeyType, edits ...func(*tpmWorld)) *tpmWorld {
	tb.Helper()
	w := &tpmWorld{keys: forge.NewKeys(forge.DefaultSeed), key: newClientKey(tb)}
	var err error
	if w.ca, err = forge.NewCA(w.keys, "manufacturer"); err != nil {
		tb.Fatal(err)
	}
	if w.ek, err = forge.NewEK(w.keys, "tpm", kind); err != nil {
		tb.Fatal(err)
	}
	w.world = newWorld(tb)
	w.file("secrets/secrets.yaml", secretsYAML+"  wrapped: {binding: [ak], path: db}\n")
	w.trust["ek/roots/r"], w.trust["ek/intermediates/i"] = w.ca.Root.Raw, w.ca.Intermediate.Raw
	for _, edit := range edits {
		edit(w)
	}
	w.start()
	return w
}

// machine is what takes evidence with the AK.
func (w *tpmWorld) machine(nonce []byte) (raw, akName []byte) {
	w.Helper()
	e, err := forge.Machine{Keys: w.keys, Technology: forge.AMDSEV}.Attest(nonce)
	if err != nil {
		w.Fatal(err)
	}
	if raw, err = e.Binary(); err != nil {
		w.Fatal(err)
	}
	if akName, err = e.AK.Name(); err != nil {
		w.Fatal(err)
	}
	return raw, akName
}

// certify is a certificate of the EK.
func (w *tpmWorld) certify(edit func(*x509.Certificate)) []byte {
	w.Helper()
	c, err := w.ek.Certify(w.ca, edit)
	if err != nil {
		w.Fatal(err)
	}
	return c.Raw
}

// area is the EK's public area after an edit.
func (w *tpmWorld) area(edit func(*tpm.Public)) []byte {
	w.Helper()
	p, err := tpm.ParsePublic(w.ek.TPMTPublic())
	if err != nil {
		w.Fatal(err)
	}
	edit(p)
	return p.Append(nil)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// ask asks for a secret with evidence that answers its challenge, and headers in
// pairs beside those of the challenge and the key.
func (w *tpmWorld) ask(name string, headers ...string) (r reply, akName []byte) {
	w.Helper()
	text, nonce := w.challenge(name, &w.key)
	raw, akName := w.machine(nonce)
	headers = append([]string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", w.key.header()}, headers...)
	return w.send("POST", "/v1/secrets/"+name, string(raw), headers...), akName
}

// of are the headers of an EK.
func of(public, certificate []byte) []string {
	headers := []string{"Attestctl-EK", b64(public)}
	if certificate != nil {
		headers = append(headers, "Attestctl-EK-Certificate", b64(certificate))
	}
	return headers
}

// open unwraps with the TPM that has both keys, and opens what is inside.
func (w *tpmWorld) open(r reply, ek *forge.EK, akName []byte) (string, error) {
	inner, err := wrap.Open([]byte(r.body), func(credential, seed []byte) ([]byte, error) { return ek.Activate(akName, credential, seed) })
	if err != nil {
		return "", err
	}
	plain, err := seal.Open(w.key.priv, inner)
	return string(plain), err
}

// TestWrap: what is released to a client that names its TPM can be read with the
// TPM's two keys and the client's, whether the secret demands that or not.
func TestWrap(t *testing.T) {
	for _, kind := range []forge.KeyType{forge.RSA2048, forge.P256, forge.P384} {
		w := startedTPM(t, kind)
		for _, name := range []string{"wrapped", "db", "nonced"} {
			want := map[string]string{"nonced": noncedSecret}[name]
			if want == "" {
				want = dbSecret
			}
			r, akName := w.ask(name, of(w.ek.TPMTPublic(), w.certify(nil))...)
			if r.status != 200 || r.header.Get("Content-Type") != wrap.ContentType {
				t.Fatalf("%s: POST = %d %s\n%s", name, r.status, r.body, w.out)
			}
			w.noCanary("the answer", r.body)
			if got, err := w.open(r, w.ek, akName); err != nil || got != want {
				t.Errorf("%s: Open = %q, %v", name, got, err)
			}
			if got, err := seal.Open(w.key.priv, []byte(r.body)); err == nil {
				t.Errorf("%s: the key alone opens it: %q", name, got)
			}
		}
		r, _ := w.ask("db")
		if got, err := seal.Open(w.key.priv, []byte(r.body)); err != nil || got == nil || r.header.Get("Content-Type") != "application/jose" {
			t.Errorf("without a TPM: %d %v %v", r.status, r.header, err)
		}
		var bindings []string
		for _, rec := range w.records() {
			if rec.Outcome() != audit.Released {
				t.Errorf("audit %+v", rec)
			}
			bindings = append(bindings, rec.Binding)
			sum, want := sha256.Sum256(w.ek.TPMTPublic()), ""
			if rec.Binding == "ak" {
				want = hex.EncodeToString(sum[:])
			}
			if rec.EKSHA256 != want {
				t.Errorf("EK %q in the audit log, want %q", rec.EKSHA256, want)
			}
		}
		if !slices.Equal(bindings, []string{"ak", "ak", "ak", "key"}) {
			t.Errorf("bindings in the audit log: %q", bindings)
		}
	}
}

// TestWrapPinned: a pinned EK needs no certificate.
func TestWrapPinned(t *testing.T) {
	w := startedTPM(t, forge.P256, func(w *tpmWorld) {
		maps.DeleteFunc(w.trust, func(name string, _ []byte) bool { return strings.HasPrefix(name, "ek/") })
		w.trust["ek/pins/p"] = w.ek.TPMTPublic()
	})
	r, akName := w.ask("wrapped", of(w.ek.TPMTPublic(), nil)...)
	if got, err := w.open(r, w.ek, akName); err != nil || got != dbSecret {
		t.Errorf("%d %s: Open = %q, %v", r.status, r.body, got, err)
	}
}

// TestForeignTPM is RS-49: whoever has the evidence of TPM A and the genuine EK of TPM
// B gets what neither of them opens.
func TestForeignTPM(t *testing.T) {
	w := startedTPM(t, forge.RSA2048)
	b, err := forge.NewEK(w.keys, "tpm b", forge.P256)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := b.Certify(w.ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, akName := w.ask("wrapped", of(b.TPMTPublic(), cert.Raw)...)
	if r.status != 200 {
		t.Fatalf("POST = %d %s", r.status, r.body)
	}
	other := slices.Clone(akName)
	other[len(other)-1] ^= 1
	for what, open := range map[string]func() (string, error){
		"TPM A":                 func() (string, error) { return w.open(r, w.ek, akName) },
		"TPM B with its own AK": func() (string, error) { return w.open(r, b, other) },
	} {
		if got, err := open(); err == nil || got != "" {
			t.Errorf("%s opens it: %q", what, got)
		}
	}
	if got, err := w.open(r, b, akName); err != nil || got != dbSecret {
		t.Errorf("a TPM with both keys: %q, %v", got, err)
	}
}

// TestHostileEK: each of these is the one denial, and the audit log has why.
func TestHostileEK(t *testing.T) {
	w := startedTPM(t, forge.RSA2048)
	ecc := &tpmWorld{world: w.world, ca: w.ca}
	var err error
	if ecc.ek, err = forge.NewEK(w.keys, "ecc", forge.P256); err != nil {
		t.Fatal(err)
	}
	foreign, err := forge.NewCA(w.keys, "another")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := w.ek.Certify(foreign, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, cert := w.ek.TPMTPublic(), w.certify(nil)
	edited := func(edit func(*tpm.Public)) []string { return of(w.area(edit), cert) }
	certified := func(edit func(*x509.Certificate)) []string { return of(public, w.certify(edit)) }
	const bound, untrusted = "evidence.bound", "ek.trusted"
	cases := []struct {
		name, check string
		headers     []string
	}{
		{"no EK", bound, nil},
		{"of another root", untrusted, of(public, stranger.Raw)},
		{"certificate of another key", untrusted, of(public, ecc.certify(nil))},
		{"no certificate", untrusted, of(public, nil)},
		{"a CA", untrusted, of(public, w.ca.Intermediate.Raw)},
		{"an EK that is a CA", untrusted, certified(func(c *x509.Certificate) { c.IsCA = true })},
		{"of an AK", untrusted, certified(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })},
		{"for AKs", untrusted, certified(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, 3}}
		})},
		{"expired", untrusted, certified(func(c *x509.Certificate) { c.NotAfter = forge.Now() })},
		{"trailing bytes in the certificate", untrusted, of(public, append(slices.Clone(cert), 0))},
		{"garbage", untrusted, of([]byte("garbage"), []byte("garbage"))},
		{"trailing bytes", untrusted, of(append(slices.Clone(public), 0), cert)},
		{"cut", untrusted, of(public[:len(public)-1], cert)},
		{"unrestricted", untrusted, edited(func(p *tpm.Public) { p.Attributes &^= tpm.Restricted })},
		{"signs too", untrusted, edited(func(p *tpm.Public) { p.Attributes |= tpm.Sign })},
		{"not fixed", untrusted, edited(func(p *tpm.Public) { p.Attributes &^= tpm.FixedTPM })},
		{"exponent 3", untrusted, edited(func(p *tpm.Public) { p.RSA.Exponent = 3 })},
		{"huge exponent", untrusted, edited(func(p *tpm.Public) { p.RSA.Exponent = 1<<32 - 1 })},
		{"even modulus", untrusted, edited(func(p *tpm.Public) { p.RSA.Modulus[255] &^= 1 })},
		{"off the curve", untrusted, of(ecc.area(func(p *tpm.Public) { p.ECC.Y = p.ECC.X }), ecc.certify(nil))},
		{"at infinity", untrusted, of(ecc.area(func(p *tpm.Public) { clear(p.ECC.X); clear(p.ECC.Y) }), ecc.certify(nil))},
	}
	replies := map[string]reply{}
	for _, tc := range cases {
		replies[tc.name], _ = w.ask("wrapped", tc.headers...)
	}
	checks := make([]string, 0, len(cases)+2)
	for _, tc := range cases {
		checks = append(checks, tc.check)
	}
	replies["no such secret"], _ = w.ask("none", of(public, cert)...)
	replies["policy"], _ = w.ask("strict", of(public, cert)...)
	same(t, replies, 403)
	for i, rec := range w.records()[:len(checks)] {
		if rec.Released || !slices.Equal(rec.Failed, checks[i:i+1]) || rec.Binding == "ak" {
			t.Errorf("%s: audit %+v", cases[i].name, rec)
		}
	}
}

// TestWrapNoAK: where the Name of an AK is not proven there is nothing to wrap for,
// demanded or not.
func TestWrapNoAK(t *testing.T) {
	w := startedTPM(t, forge.P256, func(w *tpmWorld) {
		files, err := forge.HardwareTrust(w.keys)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(w.trust, files)
	})
	ek := of(w.ek.TPMTPublic(), w.certify(nil))
	send := func(name string, evidence func(nonce []byte) []byte) reply {
		text, nonce := w.challenge(name, &w.key)
		return w.send("POST", "/v1/secrets/"+name, string(evidence(nonce)),
			append([]string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", w.key.header()}, ek...)...)
	}
	report := func(nonce []byte) []byte {
		s := forge.SNP{}
		copy(s.ReportData[:], nonce)
		r, err := s.Report(w.keys)
		if err != nil {
			t.Fatal(err)
		}
		return r.Extended()
	}
	token := func(nonce []byte) []byte {
		return []byte(w.token(func(t *forge.Token) { t.Nonces = []string{hex.EncodeToString(nonce)} }))
	}
	child := func(nonce []byte) []byte {
		e, err := forge.Machine{Keys: w.keys, Technology: forge.AMDSEV, Edits: forge.Edits{Quote: func(q *forge.Quote) error {
			q.Signer = slices.Concat([]byte{0, 0x0b}, make([]byte, 32))
			return nil
		}}}.Attest(nonce)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	replies := map[string]reply{
		"token": send("wrapped", token), "token for a key": send("db", token),
		"report": send("wrapped", report), "report for a key": send("db", report),
		"no primary key": send("wrapped", child), "no primary key for a key": send("db", child),
	}
	same(t, replies, 403)
	for _, rec := range w.records() {
		if rec.Verdict != "refused" || !slices.Equal(rec.Failed, []string{"evidence.bound"}) || rec.Released {
			t.Errorf("audit %+v", rec)
		}
	}
}

// TestWrapReplay: neither the evidence nor the challenge is good twice.
func TestWrapReplay(t *testing.T) {
	w := startedTPM(t, forge.P256)
	text, nonce := w.challenge("wrapped", &w.key)
	raw, _ := w.machine(nonce)
	headers := append([]string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", w.key.header()},
		of(w.ek.TPMTPublic(), w.certify(nil))...)
	if r := w.send("POST", "/v1/secrets/wrapped", string(raw), headers...); r.status != 200 {
		t.Fatalf("POST = %d %s", r.status, r.body)
	}
	w.denied("replay", w.send("POST", "/v1/secrets/wrapped", string(raw), headers...), 403)
	w.denied("replay for another secret", w.send("POST", "/v1/secrets/db", string(raw), headers...), 403)
	stranger := newClientKey(t)
	headers[5] = stranger.header()
	w.denied("replay with another key", w.send("POST", "/v1/secrets/wrapped", string(raw), headers...), 403)
}

// TestEKHeaders: what is no request gets a 400, and is not decided about.
func TestEKHeaders(t *testing.T) {
	w := startedTPM(t, forge.P256)
	public, cert := w.ek.TPMTPublic(), w.certify(nil)
	good := of(public, cert)
	text, nonce := w.challenge("wrapped", &w.key)
	raw, _ := w.machine(nonce)
	answer := []string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", w.key.header()}
	for name, headers := range map[string][]string{
		"no key":                     append(slices.Clone(answer[:4]), good...),
		"certificate alone":          append(slices.Clone(answer), good[2:]...),
		"two EKs":                    slices.Concat(answer, good, good[:2]),
		"two certificates":           slices.Concat(answer, good, good[2:]),
		"empty EK":                   slices.Concat(answer, []string{"Attestctl-EK", ""}),
		"empty certificate":          slices.Concat(answer, good[:2], []string{"Attestctl-EK-Certificate", ""}),
		"padding":                    slices.Concat(answer, []string{"Attestctl-EK", base64.URLEncoding.EncodeToString(public[:1])}),
		"standard alphabet":          slices.Concat(answer, []string{"Attestctl-EK", "+/+/"}),
		"bits behind the end":        slices.Concat(answer, []string{"Attestctl-EK", "AB"}),
		"not base64":                 slices.Concat(answer, []string{"Attestctl-EK", "!"}),
		"large EK":                   slices.Concat(answer, of(make([]byte, 1025), cert)),
		"large certificate":          slices.Concat(answer, of(public, make([]byte, 8193))),
		"certificate not base64":     slices.Concat(answer, good[:2], []string{"Attestctl-EK-Certificate", "MII="}),
		"two certificates, list":     slices.Concat(answer, good[:2], []string{"Attestctl-EK-Certificate", b64(cert) + ", " + b64(cert)}),
		"an empty certificate twice": slices.Concat(answer, good[:2], []string{"Attestctl-EK-Certificate", "", "Attestctl-EK-Certificate", ""}),
	} {
		if r := w.send("POST", "/v1/secrets/wrapped", string(raw), headers...); r.status != 400 || problemTitle(r) != "Bad Request" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := w.send("POST", "/v1/appraise", string(raw), slices.Concat(answer, good)...); r.status != 400 {
		t.Errorf("appraise: %d %s", r.status, r.body)
	}
	token := w.token(nil)
	if r := w.send("GET", "/", "", slices.Concat([]string{"Authorization", "Bearer " + token}, good[:2])...); r.status != 400 {
		t.Errorf("GET /: %d %s", r.status, r.body)
	}
	if r := w.send("POST", "/v1/secrets/wrapped", string(raw), slices.Concat(answer, good)...); r.status != 200 {
		t.Errorf("the good one: %d %s", r.status, r.body)
	}
	if records := w.records(); len(records) != 1 {
		t.Errorf("%d decisions, want that of the good one", len(records))
	}
}

// TestWrapFails: when wrapping fails nothing leaves, and the log does not say that
// anything did.
func TestWrapFails(t *testing.T) {
	w := startedTPM(t, forge.P256)
	broken := errors.New("canary")
	text, nonce := w.challenge("wrapped", &w.key)
	raw, _ := w.machine(nonce)
	w.random.fail(broken)
	r := w.send("POST", "/v1/secrets/wrapped", string(raw), slices.Concat(
		[]string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", w.key.header()}, of(w.ek.TPMTPublic(), w.certify(nil)))...)
	if r.status != 500 || strings.Contains(r.body, "canary") {
		t.Errorf("%d %s", r.status, r.body)
	}
	w.random.fail(nil)
	rec := w.records()[0]
	if rec.Released || rec.Error != "wrap" || rec.Binding != "key" {
		t.Errorf("audit %+v", rec)
	}
}

// TestWrapExpires: the certificate has to be valid at the server's time.
func TestWrapExpires(t *testing.T) {
	w := startedTPM(t, forge.P256)
	headers := of(w.ek.TPMTPublic(), w.certify(func(c *x509.Certificate) { c.NotAfter = w.clock.now().Add(time.Second) }))
	if r, _ := w.ask("wrapped", headers...); r.status != 200 {
		t.Errorf("before: %d %s", r.status, r.body)
	}
	w.clock.add(2 * time.Second)
	r, _ := w.ask("wrapped", headers...)
	w.denied("after", r, 403)
	if !bytes.Contains([]byte(strings.Join(w.records()[1].Failed, " ")), []byte("ek.trusted")) {
		t.Error("the audit log does not say why")
	}
}
