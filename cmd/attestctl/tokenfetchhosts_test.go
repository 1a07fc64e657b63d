package main

import (
	"context"
	"fmt"
	"go/parser"
	gotoken "go/token"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

// dialed sends every connection to the server, and notes where it was meant to go.
type dialed struct {
	mu    sync.Mutex
	names []string
	to    string
}

func (d *dialed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.names = append(d.names, address)
	d.mu.Unlock()
	return (&net.Dialer{Resolver: &net.Resolver{}}).DialContext(ctx, network, d.to)
}

// TestFetchKeysHosts pins where the keys of an issuer are.
func TestFetchKeysHosts(t *testing.T) {
	const azure = "https://tenant.weu.attest.azure.net"
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	for _, c := range []struct {
		issuer, uri, jwksHost string
		proxy                 bool
		want                  string   // of the error; empty: fetched
		dialed                []string // hosts
	}{
		{issuer: token.GoogleIssuer, uri: "https://www.googleapis.com/certs", dialed: []string{"confidentialcomputing.googleapis.com:443", "www.googleapis.com:443"}},
		{issuer: token.GoogleIssuer, uri: token.GoogleIssuer + "/certs", want: "is not on the host www.googleapis.com"},
		{issuer: token.GoogleIssuer, uri: "https://www.googleapis.com.evil.example/certs", want: "is not on the host"},
		{issuer: token.GoogleIssuer, uri: "https://www.googleapis.com:8443/certs", want: "is not on the host"},
		{issuer: token.GoogleIssuer, uri: "https://wWw.googleapis.com/certs", want: "lower case"},
		{issuer: token.GoogleIssuer, jwksHost: "keys.example", want: "--jwks-host is for issuers that are not known"},
		{issuer: azure, uri: azure + "/certs", dialed: []string{"tenant.weu.attest.azure.net:443", "tenant.weu.attest.azure.net:443"}},
		{issuer: azure, uri: "https://other.weu.attest.azure.net/certs", want: "is not on the host"},
		{issuer: azure, jwksHost: "keys.example", want: "--jwks-host"},
		{issuer: "https://issuer.example", uri: "https://issuer.example/certs", dialed: []string{"issuer.example:443", "issuer.example:443"}},
		{issuer: "https://issuer.example", uri: "https://keys.example/certs", want: "name the host with --jwks-host"},
		{issuer: "https://issuer.example", uri: "https://keys.example/certs", jwksHost: "keys.example", dialed: []string{"issuer.example:443", "keys.example:443"}},
		{issuer: "https://issuer.example", uri: "https://issuer.example/certs", jwksHost: "keys.example", want: "is not on the host keys.example"},
		{issuer: "https://issuer.example", jwksHost: "keys.example/certs", want: "is not a host"},
		{issuer: "https://issuer.example", jwksHost: "a@keys.example", want: "is not a host"},
		{issuer: "https://issuer.example", uri: "https://issuer.example/certs", proxy: true, want: "issuer.example", dialed: []string{"proxy.example:3128"}},
	} {
		issuer := newIssuer(t, newTestCA(t), func(s *issuerServer) {
			s.discovery = func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.document(c.issuer, c.uri)) }
		})
		s, to := newSession(), &dialed{to: issuer.Listener.Addr().String()}
		dir := filepath.Join(t.TempDir(), "trust")
		k := &fetchKeys{
			sys: s.system, issuer: c.issuer, out: dir, ca: issuer.ca.file, jwksHost: c.jwksHost, timeout: time.Minute, proxyFromEnv: c.proxy, dial: to.dial,
		}
		err := k.run(nil)
		name := fmt.Sprintf("%s %s %s", c.issuer, c.uri, c.jwksHost)
		if c.want == "" && err != nil || c.want != "" && (err == nil || s.fail(err) == exitAccepted || !strings.Contains(s.err.String(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if c.dialed != nil && !slices.Equal(to.names, c.dialed) {
			t.Errorf("%s: dialed %q, want %q", name, to.names, c.dialed)
		}
		if files := treeBelow(t, dir); (len(files) > 0) != (c.want == "") {
			t.Errorf("%s: wrote %q", name, slices.Sorted(maps.Keys(files)))
		}
		for _, r := range issuer.requests() {
			if "https://"+r.Host != c.issuer && !strings.HasPrefix(c.uri, "https://"+r.Host+"/") {
				t.Errorf("%s: asked for %s", name, r.Host)
			}
		}
	}
}

// TestFetchKeysIssuers that are no host to ask, before anything is asked.
func TestFetchKeysIssuers(t *testing.T) {
	for _, issuer := range []string{
		"", "issuer.example", "http://issuer.example", "HTTPS://issuer.example", "https://", "https://user@issuer.example", "https://issuer.example?a",
		"https://issuer.example#a", "https://Issuer.example", "https://..", "https://../../x", "https://a..b", "https://.a.example", "https://-a.example",
		"https://%2e%2e%2fx", `https://a\..\b`, "https://a.example\x00", "https://issuer.example:", "https://issuer.example:x", "https://" + strings.Repeat("a.", 120) + "b",
		"https://127.0.0.1", "https://127.0.0.1:8443", "https://127.1", "https://127.0x1", "https://2130706433", "https://0x7f000001", "https://[::1]",
		"https://169.254.169.254", "https://localhost", "https://a.localhost", "https://metadata", "https://issuer.example.",
	} {
		dir := filepath.Join(t.TempDir(), "trust")
		k := &fetchKeys{issuer: issuer, out: dir, timeout: time.Second, dial: func(context.Context, string, string) (net.Conn, error) {
			t.Errorf("%q: a socket was opened", issuer)
			return nil, net.ErrClosed
		}}
		s := newSession()
		k.sys = s.system
		if code := s.fail(k.run(nil)); code != exitUsage || !strings.Contains(s.err.String(), "hint: ") {
			t.Errorf("%q: exit code %d, %s; want %d and a hint", issuer, code, s.err.String(), exitUsage)
		}
		if len(treeBelow(t, dir)) > 0 {
			t.Errorf("%q: something was written", issuer)
		}
	}
}

// TestKnownIssuers keeps the list for completion and the table of profiles one.
func TestKnownIssuers(t *testing.T) {
	for _, issuer := range knownIssuers {
		p, err := token.ProfileFor(issuer)
		if err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
		for _, one := range p.Issuers {
			if !slices.Contains(knownIssuers, one) {
				t.Errorf("%s is not offered", one)
			}
		}
	}
	for issuer := range keyHosts {
		if !slices.Contains(knownIssuers, issuer) {
			t.Errorf("%s has a host and is not known", issuer)
		}
	}
}

// TestOneFileOpensSockets reads the imports of this package.
func TestOneFileOpensSockets(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		online := []string{"tokenfetch.go", "requestclient.go", "serverun.go"}
		if strings.HasSuffix(file, "_test.go") || slices.Contains(online, file) {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Imports {
			p, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains([]string{"net", "net/http", "net/rpc", "crypto/tls", "syscall"}, p) {
				t.Errorf("%s imports %s, which only those that open sockets may", file, p)
			}
		}
	}
}
