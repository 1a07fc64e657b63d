package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/testca"
)

// authority certifies servers and clients.
type authority struct{ *testca.CA }

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	return &authority{testca.New(tb, time.Now())}
}

// issue makes a certificate with these names.
func (a *authority) issue(tb testing.TB, usage x509.ExtKeyUsage, names ...string) tls.Certificate {
	tb.Helper()
	return a.Issue(tb, func(c *x509.Certificate) { c.DNSNames, c.ExtKeyUsage = names, []x509.ExtKeyUsage{usage} })
}

// serve writes the certificate and key of a server.
func (a *authority) serve(tb testing.TB, certFile, keyFile string) {
	tb.Helper()
	testca.Write(tb, a.issue(tb, x509.ExtKeyUsageServerAuth, "server.example"), certFile, keyFile)
}

// client trusts the authority and shows certificates, if there are any.
func (a *authority) client(certs ...tls.Certificate) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.Pool(), Certificates: slices.Clone(certs), MinVersion: tls.VersionTLS12}, DisableCompression: true,
	}}
}
