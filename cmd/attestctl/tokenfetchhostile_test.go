package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

// TestFetchKeysAnswers that are refused, each for its reason, without a file.
func TestFetchKeysAnswers(t *testing.T) {
	ca := newTestCA(t)
	var elsewhere atomic.Int32
	other := newIssuer(t, ca, func(s *issuerServer) {
		s.keys = func(w http.ResponseWriter, _ *http.Request) { elsewhere.Add(1); s.answer(w, keysOf(ecJWK("evil"))) }
	})
	insecure := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		other.answer(w, keysOf(ecJWK("evil")))
	}))
	defer insecure.Close()

	body := func(text string) func(*issuerServer) http.HandlerFunc {
		return func(s *issuerServer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { s.answer(w, text) }
		}
	}
	document := func(issuer, uri string) func(*issuerServer) http.HandlerFunc {
		return func(s *issuerServer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				s.answer(w, s.document(strings.ReplaceAll(issuer, "URL", s.URL), strings.ReplaceAll(uri, "URL", s.URL)))
			}
		}
	}
	redirect := func(code int, to string) func(*issuerServer) http.HandlerFunc {
		return func(s *issuerServer) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, strings.ReplaceAll(to, "URL", s.URL), code)
			}
		}
	}
	header := func(status int, values http.Header, text string) func(*issuerServer) http.HandlerFunc {
		return func(*issuerServer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				maps.Copy(w.Header(), values)
				w.WriteHeader(status)
				write(w, text)
			}
		}
	}
	good := keysOf(ecJWK("a"))
	zipped := zip(t, good)
	var endless atomic.Int64
	stream := func(*issuerServer) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			block := make([]byte, 64<<10)
			for n := 0; n < 1<<30; n += len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
				endless.Add(int64(len(block)))
			}
		}
	}
	slow := func(flush bool) func(*issuerServer) http.HandlerFunc {
		return func(s *issuerServer) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if flush {
					s.answer(w, `{"keys":[`)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
				}
				<-r.Context().Done()
			}
		}
	}
	for _, c := range []struct {
		name            string
		discovery, keys func(*issuerServer) http.HandlerFunc
		want            string
		more            []string
	}{
		{name: "discovery redirects", discovery: redirect(302, "URL/certs"), want: "status 302 found"},
		{name: "redirect on the host", keys: redirect(301, "URL/.well-known/openid-configuration"), want: "status 301"},
		{name: "redirect to another host", keys: redirect(302, other.URL+"/certs"), want: "redirects are not followed"},
		{name: "redirect to http on the loopback", keys: redirect(307, insecure.URL+"/certs"), want: "status 307"},
		{name: "permanent redirect", keys: redirect(308, other.URL+"/certs"), want: "status 308"},
		{name: "redirect to a file", keys: redirect(302, "file:///etc/passwd"), want: "status 302"},
		{name: "keys on another host", discovery: document("URL", other.URL+"/certs"), want: "is not on the host 127.0.0.1:"},
		{name: "keys on another name of the host", discovery: document("URL", "https://localhost/certs"), want: "is not on the host"},
		{name: "keys over http", discovery: document("URL", insecure.URL+"/certs"), want: "not an https url"},
		{name: "keys with a user", discovery: document("URL", "https://127.0.0.1@evil.example/certs"), want: "names a user"},
		{name: "keys in a file", discovery: document("URL", "file:///etc/passwd"), want: "not an https url"},
		{name: "no address of keys", discovery: document("URL", ""), want: "jwks_uri"},
		{name: "issuer with a slash", discovery: document("URL/", "URL/certs"), want: "byte for byte"},
		{name: "issuer in capitals", discovery: document("HTTPS://127.0.0.1", "URL/certs"), want: "byte for byte"},
		{name: "another issuer", discovery: document(token.GoogleIssuer, "URL/certs"), want: "issuer is not the one asked for"},
		{name: "no issuer", discovery: body(`{"jwks_uri":"https://a.example"}`), want: "issuer is not the one"},
		{name: "two issuers", discovery: body(`{"issuer":"https://a.example","issuer":"https://b.example","jwks_uri":"https://a.example"}`), want: "of one object"},
		{name: "two issuers in two cases", discovery: body(`{"issuer":"https://a.example","ISSUER":"https://b.example"}`), want: "of one object"},
		{name: "discovery is a page", discovery: body(`<html>`), want: "not a json object"},
		{name: "discovery is too large", discovery: body(strings.Repeat(" ", token.MaxDiscovery+1)), want: "larger than 64 KiB"},
		{name: "discovery is endless", discovery: stream, want: "larger than 64 KiB"},
		{name: "discovery fails", discovery: header(500, nil, "a\x1b[2J"), want: "status 500 internal server error"},
		{name: "unasked not modified", keys: header(304, nil, ""), want: "304"},
		{name: "keys fail", keys: header(500, nil, good), want: "status 500"},
		{name: "keys are partial", keys: header(206, nil, good), want: "status 206"},
		{name: "keys are created", keys: header(201, nil, good), want: "status 201"},
		{name: "keys are empty", keys: body(""), want: "not a json object"},
		{name: "keys are endless", keys: stream, want: "larger than 256 KiB"},
		{name: "keys are too large", keys: body(good + strings.Repeat(" ", token.MaxJWKS)), want: "larger than 256 KiB"},
		{name: "compressed", keys: header(200, http.Header{"Content-Encoding": {"gzip"}}, zipped), want: `content encoding gzip`},
		{name: "compressed twice", keys: header(200, http.Header{"Content-Encoding": {"identity", "br"}}, good), want: `content encoding br`},
		{name: "compressed in secret", keys: body(zipped), want: "utf-8"},
		{name: "a page", keys: header(200, http.Header{"Content-Type": {"text/html"}}, good), want: "content type text/html"},
		{name: "no type", keys: header(200, http.Header{"Content-Type": {}}, good), want: "content type"},
		{name: "two types", keys: header(200, http.Header{"Content-Type": {"application/json", "text/html"}}, good), want: "2 content types"},
		{name: "hostile type", keys: header(200, http.Header{"Content-Type": {"application/json\x1b[2J"}}, good), want: "error"},
		{name: "hostile etag", keys: header(200, http.Header{"Etag": {"\"\x1b[2J\""}}, good), want: "error"},
		{name: "etag beyond ascii", keys: header(200, http.Header{"Etag": {"\"\xe9\""}}, good), want: "etag"},
		{name: "long etag", keys: header(200, http.Header{"Etag": {strings.Repeat("a", 300)}}, good), want: "etag"},
		{name: "long type", keys: header(200, http.Header{"Content-Type": {strings.Repeat("a", 5000)}}, good), want: strings.Repeat("a", 80) + "..., want"},
		{name: "huge header", keys: header(200, http.Header{"X-A": {strings.Repeat("a", 1<<20)}}, good), want: "header"},
		{name: "no keys", keys: body(`{"keys":[]}`), want: "0 keys"},
		{name: "symmetric key", keys: body(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`), want: "symmetric"},
		{name: "private key", keys: body(keysOf(as(ecJWK("p"), jwk{"d": "AAAA"}))), want: "private"},
		{name: "kid is a path", keys: body(keysOf(as(ecJWK("p"), jwk{"kid": "../../x"}))), want: "kid"},
		{name: "one kid twice", keys: body(keysOf(ecJWK("a"), ecJWK("a"))), want: "of another key"},
		{name: "two key lists", keys: body(`{"keys":[],` + good[1:]), want: "of one object"},
		{name: "slow discovery", discovery: slow(false), want: "time limit", more: []string{"--timeout", "100ms"}},
		{name: "slow keys", keys: slow(true), want: "time limit", more: []string{"--timeout", "300ms"}},
	} {
		issuer := newIssuer(t, ca, func(s *issuerServer) {
			if c.discovery != nil {
				s.discovery = c.discovery(s)
			}
			if c.keys != nil {
				s.keys = c.keys(s)
			}
		})
		dir := filepath.Join(t.TempDir(), "trust")
		checkRefused(t, c.name, issuer, dir, c.want, c.more...)
		if len(treeBelow(t, dir)) > 0 {
			t.Errorf("%s: the directory was made", c.name)
		}
		saveBefore(t, dir, issuer.URL, "")
		checkRefused(t, c.name+", with keys from before", issuer, dir, c.want, c.more...)
		issuer.Close()
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	if n := endless.Load(); n > 256<<20 { // four streams, and what the sockets hold
		t.Errorf("%d bytes of endless answers were taken", n)
	}
}

func TestFetchKeysTLS(t *testing.T) {
	ca := newTestCA(t)
	for _, c := range []struct {
		name   string
		change func(*issuerServer)
		want   string
	}{
		{"other authority", func(s *issuerServer) { s.TLS.Certificates[0] = newTestCA(t).certify(t, nil) }, "unknown authority"},
		{"other name", func(s *issuerServer) {
			s.TLS.Certificates[0] = ca.certify(t, func(c *x509.Certificate) { c.IPAddresses = nil })
		}, "certificate"},
		{"expired", func(s *issuerServer) {
			s.TLS.Certificates[0] = ca.certify(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, "expired"},
		{"tls 1.1", func(s *issuerServer) { s.TLS.MinVersion, s.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "TLS 1.2 or later"},
	} {
		checkRefused(t, c.name, newIssuer(t, ca, c.change), filepath.Join(t.TempDir(), "trust"), c.want)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	checkRefused(t, "no tls", &issuerServer{Server: &httptest.Server{URL: "https://" + plain.Listener.Addr().String()}, ca: ca},
		filepath.Join(t.TempDir(), "trust"), "127.0.0.1")

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it never answered
	checkRefused(t, "silence", &issuerServer{Server: &httptest.Server{URL: "https://" + silent.Addr().String()}, ca: ca},
		filepath.Join(t.TempDir(), "trust"), "time limit", "--timeout", "100ms")

	tls12 := newIssuer(t, ca, func(s *issuerServer) { s.TLS.MaxVersion = tls.VersionTLS12 })
	if s := newSession(); s.fetch(tls12, t.TempDir()) != exitAccepted {
		t.Errorf("tls 1.2: %s", s.err.String())
	}
}

func zip(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	write(z, text)
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
