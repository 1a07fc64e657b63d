// Package testca makes certificates for the TLS servers and clients of tests.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

// CA is an authority that lasts an hour.
type CA struct {
	Cert *x509.Certificate
	PEM  []byte

	key    *ecdsa.PrivateKey
	serial int64
	now    time.Time
}

// New makes an authority that nobody trusts yet.
func New(tb testing.TB, now time.Time) *CA {
	tb.Helper()
	c := &CA{key: newKey(tb), now: now}
	template := c.template()
	template.Subject, template.KeyUsage = pkix.Name{CommonName: "test"}, x509.KeyUsageCertSign
	template.IsCA, template.BasicConstraintsValid = true, true
	der := c.sign(tb, template, template, &c.key.PublicKey)
	var err error
	if c.Cert, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	c.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return c
}

// Issue makes a certificate for 127.0.0.1, which change may edit before it is signed.
func (c *CA) Issue(tb testing.TB, change func(*x509.Certificate)) tls.Certificate {
	tb.Helper()
	template := c.template()
	template.IPAddresses = append(template.IPAddresses, []byte{127, 0, 0, 1})
	if change != nil {
		change(template)
	}
	key := newKey(tb)
	return tls.Certificate{Certificate: [][]byte{c.sign(tb, template, c.Cert, &key.PublicKey)}, PrivateKey: key}
}

// Pool trusts the authority and no other.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Cert)
	return pool
}

// Write writes a certificate and its key in PEM.
func Write(tb testing.TB, c tls.Certificate, certFile, keyFile string) {
	tb.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func (c *CA) template() *x509.Certificate {
	c.serial++
	return &x509.Certificate{SerialNumber: big.NewInt(c.serial), NotBefore: c.now.Add(-time.Hour), NotAfter: c.now.Add(time.Hour)}
}

func (c *CA) sign(tb testing.TB, template, parent *x509.Certificate, key *ecdsa.PublicKey) []byte {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, c.key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
