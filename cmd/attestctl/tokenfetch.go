package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// maxHeader bounds the header of an answer in bytes.
const maxHeader = 16 << 10

// keyFetcher fetches the key set of an issuer.
type keyFetcher struct {
	client  *http.Client
	agent   string
	keyHost string // the host, with the port if it has one, that jwks_uri must name
}

// dialer opens a connection, as [net.Dialer] does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// fetchedKeys is a key set as it came.
type fetchedKeys struct {
	uri, etag string
	jwks      []byte
	unchanged bool // jwks is what it was when it had the ETag that was sent
}

// newFetchClient makes a client that speaks https alone: it follows no redirect,
// keeps no cookie and decompresses nothing.
func newFetchClient(roots *x509.CertPool, proxyFromEnv bool) (*http.Client, *http.Transport) {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Resolver: &net.Resolver{}}).DialContext, // not one that others could exchange
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		DisableCompression:     true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	if proxyFromEnv {
		t.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, t
}

// fetch asks the issuer where its keys are, and for the keys unless they still
// are those of the saved set.
func (f *keyFetcher) fetch(ctx context.Context, issuer string, saved *token.KeySet) (*fetchedKeys, error) {
	address, err := token.DiscoveryURL(issuer)
	if err != nil {
		return nil, err
	}
	document, err := f.get(ctx, address, token.MaxDiscovery, "")
	if err != nil {
		return nil, err
	}
	uri, err := token.ParseDiscovery(issuer, document.body)
	if err != nil {
		return nil, discoveryAdvice(fmt.Errorf("%s: %w", report.Quote(address), err))
	}
	if err := f.checkKeyHost(uri); err != nil {
		return nil, err
	}
	etag := ""
	if saved != nil && saved.URI == uri {
		etag = saved.ETag
	}
	answer, err := f.get(ctx, uri, token.MaxJWKS, etag)
	if err != nil {
		return nil, err
	}
	return &fetchedKeys{uri, answer.etag, answer.body, answer.unchanged}, nil
}

func discoveryAdvice(err error) error {
	if errors.Is(err, token.ErrOtherIssuer) {
		return hint.New(err, "give --issuer byte for byte as the tokens (iss) and the discovery document spell it")
	}
	return hint.New(err, "this is not the discovery document of an issuer of tokens; look at the address")
}

// checkKeyHost pins the host of the keys.
func (f *keyFetcher) checkKeyHost(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host != f.keyHost {
		return hint.New(fmt.Errorf("jwks_uri %s is not on the host %s", report.Quote(uri), f.keyHost),
			"if the issuer does keep its keys there, name the host with --jwks-host")
	}
	return nil
}

// answer is what came back.
type answer struct {
	body      []byte
	etag      string
	unchanged bool
}

// get fetches one JSON document of at most limit bytes.
func (f *keyFetcher) get(ctx context.Context, address string, limit int64, etag string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", f.agent)
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, transportAdvice(address, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if etag != "" && resp.StatusCode == http.StatusNotModified {
		return notModified(address, resp, etag)
	}
	if err := checkHead(resp); err != nil {
		return nil, fmt.Errorf("%s: %w", report.Quote(address), err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil {
		err = ctx.Err() // a server may end its answer when it sees that the client gives up
	}
	switch {
	case err != nil:
		return nil, transportAdvice(address, err)
	case int64(len(body)) > limit:
		return nil, hint.New(fmt.Errorf("%s: answer is larger than %d KiB", report.Quote(address), limit>>10),
			"no issuer has so much to say; look at the address")
	}
	return &answer{body: body, etag: resp.Header.Get("ETag")}, nil
}

// notModified wants the ETag that was sent, or none (RFC 9110 15.4.5).
func notModified(address string, resp *http.Response, etag string) (*answer, error) {
	strong := func(s string) string { return strings.TrimPrefix(s, "W/") } // RFC 9110 8.8.3.2: compared weakly
	if got := resp.Header.Get("ETag"); got != "" && strong(got) != strong(etag) {
		return nil, fmt.Errorf("%s: answer says not modified of something else than what was asked for", report.Quote(address))
	}
	return &answer{unchanged: true}, nil
}

// checkHead judges an answer before its body is read.
func checkHead(resp *http.Response) error {
	if c := resp.StatusCode; c != http.StatusOK {
		err := fmt.Errorf("status %d %s, want 200", c, strings.ToLower(http.StatusText(c)))
		if c >= 300 && c < 400 && c != http.StatusNotModified {
			return hint.New(err, "redirects are not followed; an issuer serves its keys where its discovery document says")
		}
		return hint.New(err, "look at the address; if it is right, try again later")
	}
	for _, e := range resp.Header.Values("Content-Encoding") {
		if !strings.EqualFold(e, "identity") {
			return fmt.Errorf("answer has the content encoding %s, and none was asked for", brief(e))
		}
	}
	types := resp.Header.Values("Content-Type")
	if len(types) != 1 {
		return fmt.Errorf("answer has %d content types, want one", len(types))
	}
	media, _, err := mime.ParseMediaType(types[0])
	if err != nil || !slices.Contains([]string{"application/json", "application/jwk-set+json"}, media) {
		return hint.New(fmt.Errorf("answer has the content type %s, want application/json", brief(types[0])),
			"this is not what an issuer serves; look at the address")
	}
	return nil
}

// brief quotes what a server said, and not at any length.
func brief(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return report.Quote(s)
}

// transportAdvice explains why there is no answer.
func transportAdvice(address string, err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the address, and with its type
	}
	advice := "look at the network; proxies of the environment are used with --proxy-from-env only"
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err, advice = errors.New("no whole answer within the time limit"), "--timeout raises the limit"
	case certificate:
		advice = "somebody else may have answered; --ca FILE names other roots than the system's"
	case alert, record, strings.Contains(err.Error(), "tls: "):
		advice = "the server must speak TLS 1.2 or later"
	}
	return hint.New(fmt.Errorf("%s: %w", report.Quote(address), err), advice)
}
