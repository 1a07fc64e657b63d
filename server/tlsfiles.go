package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// tlsFiles is the TLS configuration by files. Each reading makes a new one, which
// only connections to come are under; there are no session tickets, by which a
// client could go on under an old one.
type tlsFiles struct {
	inForce atomic.Pointer[tls.Config]
}

// readTLS reads certificate, key and the authorities of clients.
func readTLS(o *Options) (*tls.Config, error) {
	cert, err := readCapped(o.CertFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := readCapped(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s and key %s: %w", o.CertFile, o.KeyFile, err)
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true,
	}
	if o.ClientCAFile == "" {
		return c, nil
	}
	data, err := readCapped(o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of clients: %w", err)
	}
	if c.ClientCAs, err = parseCAs(data); err != nil {
		return nil, fmt.Errorf("authorities of clients: %s: %w", o.ClientCAFile, err)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if names := o.ClientNames; len(names) > 0 {
		c.VerifyConnection = func(s tls.ConnectionState) error { return checkClient(s.PeerCertificates, names) }
	}
	return c, nil
}

var errClient = errors.New("the client's certificate has none of the names that are let in")

// checkClient wants a name of the list in the client's certificate, exactly as it is
// written there: no wildcard means anything.
func checkClient(chain []*x509.Certificate, names []string) error {
	if len(chain) > 0 && slices.ContainsFunc(chain[0].DNSNames, func(n string) bool { return slices.Contains(names, n) }) {
		return nil
	}
	return errClient
}

// config implements tls.Config.GetConfigForClient.
func (t *tlsFiles) config(*tls.ClientHelloInfo) (*tls.Config, error) { return t.inForce.Load(), nil }
