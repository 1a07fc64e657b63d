package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// secretClient speaks to one server.
type secretClient struct {
	client *http.Client
	agent  string
	server *url.URL
}

// client makes the client that the flags ask for. It speaks TLS 1.3, follows no
// redirect and knows no proxy.
func (r *request) client() (*secretClient, error) {
	var roots *x509.CertPool
	if r.ca != "" {
		data, err := r.sys.readFile(r.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca %s: %w", report.Quote(r.ca), err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(data) {
			return nil, hint.New(fmt.Errorf("--ca %s: no certificate in it", report.Quote(r.ca)), "give certificates in PEM")
		}
	}
	client, transport := newFetchClient(roots, false)
	transport.TLSClientConfig.MinVersion = tls.VersionTLS13
	if r.clientCert != "" {
		pair, err := tls.LoadX509KeyPair(r.clientCert, r.clientKey)
		if err != nil {
			return nil, fmt.Errorf("--client-cert and --client-key: %w", err)
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return &secretClient{client, userAgent(), r.server}, nil
}

// post sends a body and returns the one of the answer, which must be of the type and
// have at most limit bytes.
func (c *secretClient) post(ctx context.Context, path string, header map[string]string, body []byte, media string, limit int64) ([]byte, error) {
	address := c.server.JoinPath(path).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, requestAdvice(address, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, requestAdvice(address, err)
	case resp.StatusCode != http.StatusOK:
		return nil, problemOf(resp, data)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s: answer is larger than %d KiB", report.Quote(address), limit>>10)
	}
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err == nil && got == media:
		return data, nil
	case err == nil && got == "application/jose":
		return nil, hint.New(fmt.Errorf("%s: the secret is not wrapped for the TPM", report.Quote(address)), "the server does not know --wrap: it must be as new as this command")
	}
	return nil, hint.New(fmt.Errorf("%s: answer has the content type %s, want %s", report.Quote(address), brief(resp.Header.Get("Content-Type")), media),
		"this is not attestctl serve; look at the address")
}

// requestAdvice is transportAdvice for a server of the user's own.
func requestAdvice(address string, err error) error {
	err = transportAdvice(address, err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case certificate, errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(err.Error(), "tls: "):
		return hint.New(err, "the server must speak TLS 1.3; if it wants to know its clients, --client-cert shows a certificate")
	case strings.Contains(hint.Of(err), "proxies"):
		return hint.New(err, "is the server running, and is this its address? no proxy is used")
	}
	return err
}

// problemOf is the error for an answer that is none of what was asked for. What the
// server says is quoted, and not at any length.
func problemOf(resp *http.Response, data []byte) error {
	p := struct{ Title, Detail, Instance string }{Title: http.StatusText(resp.StatusCode)}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && media == "application/problem+json" {
		_ = json.Unmarshal(data, &p) // what does not decode leaves the words of the status
	}
	text := strings.ToLower(brief(p.Title))
	if p.Detail != "" {
		text += ": " + brief(p.Detail)
	}
	err = fmt.Errorf("the server answers %d %s", resp.StatusCode, text)
	if p.Instance != "" {
		err = fmt.Errorf("%w (request %s)", err, brief(p.Instance))
	}
	return statusAdvice(resp.StatusCode, err)
}

func statusAdvice(status int, err error) error {
	switch {
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return hint.New(&exitError{exitDenied, err}, "the server tells nobody why; its operator finds the reasons with attestctl audit show FILE --request ID")
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return hint.New(err, "the server is busy; try again in a second or more")
	case status >= 300 && status < 400:
		return hint.New(err, "redirects are not followed; name the address of the server itself")
	case status == http.StatusMisdirectedRequest:
		return hint.New(err, "the server answers for what its --host names, and the url has another host")
	}
	return err
}
