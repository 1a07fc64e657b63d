package secret

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
)

const (
	vaultTimeout = 10 * time.Second // of one request, from dialing to the last byte
	maxAnswer    = 1 << 20          // bytes
	maxHeader    = 16 << 10         // bytes
	maxToken     = 8 << 10          // bytes
	maxCA        = 1 << 20          // bytes
	defaultField = "value"
)

// vaultStore is a KV engine of version 2 of HashiCorp Vault or OpenBao. Its paths
// may end in #FIELD.
type vaultStore struct {
	base   string // https://HOST
	mount  string
	field  string
	token  location
	client *http.Client
}

// openVault checks the files that the store needs. It does not ask the server.
func openVault(c storeConfig, dir string) (Store, error) {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Resolver: &net.Resolver{}}).DialContext, // not one that others could exchange
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
	if c.CAFile != "" {
		roots, err := readRoots(locate(dir, c.CAFile))
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.TLSClientConfig.RootCAs = roots
	}
	s := &vaultStore{
		base:  strings.TrimSuffix(c.Location, "/"),
		mount: c.Mount,
		field: c.Field,
		token: locate(dir, c.TokenFile),
		client: &http.Client{
			Transport:     t,
			Timeout:       vaultTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if s.field == "" {
		s.field = defaultField
	}
	if _, err := s.readToken(); err != nil {
		return nil, err
	}
	return s, nil
}

// readRoots reads certificates in PEM, and nothing else.
func readRoots(file location) (*x509.CertPool, error) {
	data, err := file.read(maxCA, ownfile.Unwritable)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	n := 0
	for rest := bytes.TrimSpace(data); len(rest) > 0; n++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		rest = bytes.TrimSpace(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("holds something that is not a certificate in PEM")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n+1, err)
		}
		roots.AddCert(cert)
	}
	if n == 0 {
		return nil, errors.New("holds no certificate")
	}
	return roots, nil
}

// readToken reads the token anew, as whoever renews it writes it anew. The error
// never holds a byte of it.
func (s *vaultStore) readToken() (string, error) {
	data, err := s.token.read(maxToken, ownfile.Private)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	defer wipe(data)
	token := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case token == "":
		return "", errors.New("token_file: is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", hint.New(errors.New("token_file: is not a token"), "want the token on one line, and nothing else")
	}
	return token, nil
}

func (s *vaultStore) Get(ctx context.Context, path string) (*Value, error) {
	path, field, named := strings.Cut(path, "#")
	if !named {
		field = s.field
	}
	body, err := s.ask(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("vault at %s: %w", s.base, err)
	}
	defer wipe(body)
	v, err := parseAnswer(body, field)
	if err != nil {
		return nil, fmt.Errorf("vault at %s: %w", s.base, err)
	}
	return v, nil
}

// ask returns the body of an answer that is a success.
func (s *vaultStore) ask(ctx context.Context, path string) ([]byte, error) {
	token, err := s.readToken()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/v1/"+s.mount+"/data/"+path, http.NoBody)
	if err != nil {
		return nil, errors.New("no such address") // decodeConfig lets none through
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true") // proof for an agent that no browser was tricked into asking
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, plainTransportError(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if err := checkHead(resp); err != nil {
		return nil, err
	}
	limit := maxAnswer
	if n := resp.ContentLength; n >= 0 {
		limit = int(min(n, maxAnswer))
	}
	body, err := ownfile.ReadAll(resp.Body, limit)
	switch {
	case errors.Is(err, ownfile.ErrTooLarge):
		return nil, fmt.Errorf("answer is larger than %d KiB", maxAnswer>>10)
	case err != nil:
		return nil, plainTransportError(ctx, err)
	}
	return body, nil
}

// plainTransportError says why there is no answer, in words that hold nothing of
// what the server sent: package http quotes lines that it cannot read.
func plainTransportError(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if bad, ok := errors.AsType[net.Error](err); ok && bad.Timeout() {
		return fmt.Errorf("no whole answer within %v: %w", vaultTimeout, context.DeadlineExceeded)
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return hint.New(bad, "somebody else may have answered; ca_file names other roots than the system's")
	}
	if bad, ok := errors.AsType[*net.OpError](err); ok {
		return hint.New(bad, "look at the address and the network; no proxy is used")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return hint.New(errors.New("does not speak tls"), "look at the port")
	}
	return errors.New("no answer that can be read, or half of one")
}

// Close closes connections that are not in use.
func (s *vaultStore) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
