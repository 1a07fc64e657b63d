package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/testca"
)

// testCA is an authority with its certificate in a file.
type testCA struct {
	*testca.CA

	file string // PEM
}

func newTestCA(tb testing.TB) *testCA {
	tb.Helper()
	ca := &testCA{testca.New(tb, time.Now()), filepath.Join(tb.TempDir(), "ca.pem")}
	if err := os.WriteFile(ca.file, ca.PEM, 0o600); err != nil {
		tb.Fatal(err)
	}
	return ca
}

// certify makes the certificate of a server, which change may edit.
func (ca *testCA) certify(tb testing.TB, change func(*x509.Certificate)) tls.Certificate {
	tb.Helper()
	return ca.Issue(tb, func(c *x509.Certificate) {
		c.DNSNames = []string{"confidentialcomputing.googleapis.com", "www.googleapis.com", "issuer.example", "keys.example", "tenant.weu.attest.azure.net"}
		if change != nil {
			change(c)
		}
	})
}

// issuerServer plays an issuer: a TLS server on the loopback.
type issuerServer struct {
	*httptest.Server

	ca *testCA

	mu        sync.Mutex
	discovery http.HandlerFunc
	keys      http.HandlerFunc
	seen      []*http.Request
}

// newIssuer starts a server, which change may edit before.
func newIssuer(tb testing.TB, ca *testCA, change func(*issuerServer)) *issuerServer {
	tb.Helper()
	s := &issuerServer{ca: ca}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.certify(tb, nil)}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.discovery = func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.document(s.URL, s.URL+"/certs")) }
	s.keys = func(w http.ResponseWriter, _ *http.Request) { s.answer(w, keysOf(ecJWK("a"), ecJWK("b"))) }
	if change != nil {
		change(s)
	}
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

func (s *issuerServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	discovery, keys := s.discovery, s.keys
	s.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		discovery(w, r)
	case "/certs":
		keys(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveKeys replaces what is served as keys.
func (s *issuerServer) serveKeys(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = h
}

// requests returns what came since it was asked before.
func (s *issuerServer) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

func (*issuerServer) answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	write(w, body)
}

func (*issuerServer) document(issuer, uri string) string {
	out, err := json.Marshal(map[string]any{"issuer": issuer, "jwks_uri": uri, "response_types_supported": []string{"id_token"}})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// write writes what the client may not want to read to the end.
func write(w io.Writer, text string) {
	_, _ = io.WriteString(w, text)
}

type jwk = map[string]any

// ecKeys are the keys of issuers by kid.
var ecKeys = struct {
	mu   sync.Mutex
	keys map[string]*ecdsa.PrivateKey
}{keys: map[string]*ecdsa.PrivateKey{}}

// ecJWK is the key of the kid, the same each time.
func ecJWK(kid string) jwk {
	ecKeys.mu.Lock()
	defer ecKeys.mu.Unlock()
	key, ok := ecKeys.keys[kid]
	if !ok {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			panic(err)
		}
		ecKeys.keys[kid] = key
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return jwk{"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// as is a key with other members.
func as(key, changes jwk) jwk {
	maps.Copy(key, changes)
	return key
}

func keysOf(keys ...jwk) string {
	out, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// treeBelow returns the files below dir with their content; none if there is no dir.
func treeBelow(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	if _, err := os.Lstat(dir); err != nil {
		return files
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files[name] = d.Type().String()
		if d.Type().IsRegular() {
			data, err := os.ReadFile(name)
			files[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}
