package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
)

// The bugs of the codelab's server that have to do with where keys come from.

// sealedOff counts what is asked of the clients and resolvers that are there for
// everybody, and answers nothing.
func sealedOff(tb testing.TB) *atomic.Int32 {
	tb.Helper()
	var asked atomic.Int32
	transport, dial, own := http.DefaultTransport, net.DefaultResolver.Dial, net.DefaultResolver.PreferGo
	tb.Cleanup(func() {
		http.DefaultTransport, net.DefaultResolver.Dial, net.DefaultResolver.PreferGo = transport, dial, own
	})
	http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) {
		asked.Add(1)
		return nil, errSealedOff
	})
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(context.Context, string, string) (net.Conn, error) {
		asked.Add(1)
		return nil, errSealedOff
	}
	return &asked
}

var errSealedOff = errors.New("nobody is to be asked")

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestCodelabBug09KeysFetched: the keys are those that were loaded. No request makes
// the server ask anybody, whether it has the token's key or not.
func TestCodelabBug09KeysFetched(t *testing.T) {
	asked := sealedOff(t)
	w := started(t)
	if r := w.get(w.token(nil)); r.status != 200 {
		t.Errorf("a key that is there: %d %s", r.status, r.body)
	}
	w.denied("a key that is not", w.get(w.token(func(t *forge.Token) {
		t.Edits.Header = func(o *forge.Object) error { o.Set("kid", "of tomorrow"); return nil }
	})), 401)
	w.denied("an issuer that is not", w.get(w.token(set("iss", "https://issuer.example"))), 401)
	if n := asked.Load(); n != 0 {
		t.Errorf("the server asked %d times", n)
	}
}

// outgoing are the names with which a program asks somebody.
var outgoing = map[string]*regexp.Regexp{
	"net/http":                          regexp.MustCompile(`^(Get|Head|Post|PostForm|NewRequest.*|DefaultClient|DefaultTransport|Client|Transport|RoundTripper)$`),
	"net":                               regexp.MustCompile(`^(Dial.*|Lookup.*|Resolver|DefaultResolver)$`),
	"crypto/tls":                        regexp.MustCompile(`^(Dial.*|Client)$`),
	"net/http/httputil":                 regexp.MustCompile(`.`),
	"net/rpc":                           regexp.MustCompile(`.`),
	"net/smtp":                          regexp.MustCompile(`.`),
	"log/syslog":                        regexp.MustCompile(`.`),
	"syscall":                           regexp.MustCompile(`^(Socket|Connect)$`),
	"golang.org/x/sys/unix":             regexp.MustCompile(`^(Socket|Connect)$`),
	"github.com/lestrrat-go/jwx/v2/jwk": regexp.MustCompile(`Fetch|Cache|Refresh`),
}

// TestCodelabBug10ClientWithoutLimits: on the way to a secret there is one client, that
// of Vault, and it has limits. How long it waits is for TestVaultTimeout of package
// secret.
func TestCodelabBug10ClientWithoutLimits(t *testing.T) {
	const vault = "../server/secret/vault.go"
	found := 0
	for path, names := range outgoing {
		for _, use := range uses(t, "..", path, names) {
			if strings.HasPrefix(use, vault+":") {
				found++
				continue
			}
			t.Errorf("%s: only %s may ask somebody", use, vault)
		}
	}
	if found == 0 {
		t.Errorf("%s is not found", vault)
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", r.URL.Path+"/elsewhere")
			w.WriteHeader(status)
			io.WriteString(w, body) //nolint:errcheck // who has enough of it closes
		}
	}
	kv := `{"data":{"data":{"value":"` + helloSecret + `"},"metadata":{}}}`
	for what, c := range map[string]struct {
		first http.HandlerFunc
		want  int
	}{
		"a secret":             {answer(200, kv), 200},
		"a redirect":           {answer(307, kv), 500},
		"another status":       {answer(503, kv), 500},
		"two MiB and a secret": {answer(200, strings.Repeat(" ", 2<<20)+kv), 500},
	} {
		t.Run(what, func(t *testing.T) { fromVault(t, c.first, c.want) })
	}
}

// fromVault takes the default secret from a Vault that answers like this, and like an
// honest one elsewhere.
func fromVault(t *testing.T, first http.HandlerFunc, want int) {
	t.Helper()
	var asked []string
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		first(w, r)
	}))
	t.Cleanup(vault.Close)
	w := started(t, func(w *world) {
		w.file("secrets/token", "canary-token")
		w.file("secrets/secrets.yaml", fmt.Sprintf("default: hello\nstores: {v: {vault: %q, mount: kv, token_file: token, insecure_http: true}}\n"+
			"secrets: {hello: {plaintext: true, binding: []}}\n", vault.URL))
	})
	r := w.get(w.token(nil))
	if r.status != want || want == 200 && r.body != helloSecret {
		t.Errorf("%d %s, want %d", r.status, r.body, want)
	}
	if want != 200 {
		w.noCanary("the answer", r.body)
	}
	if len(asked) != 1 {
		t.Errorf("asked for %q, want one request", asked)
	}
}

// TestCodelabBug11KeyAddress: what a token says of where keys are leads nowhere.
func TestCodelabBug11KeyAddress(t *testing.T) {
	w := started(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, l)
	address := "https://" + l.Addr().String()
	for _, name := range []string{"jku", "x5u"} {
		w.denied(name, w.get(w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set(name, address); return nil }
		})), 401)
	}
	w.denied("issuer", w.get(w.token(set("iss", address))), 401)
	if r := w.get(w.token(set("jwks_uri", address))); r.status != 200 { // a claim that nothing reads
		t.Errorf("jwks_uri: %d %s", r.status, r.body)
	}
	// Who asked stands in the queue before this connection.
	last, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, last)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, c)
	if c.RemoteAddr().String() != last.LocalAddr().String() {
		t.Error("the server asked somebody")
	}
}

// TestCodelabBug12AnyKey: a key set with one key in it that could not be meant for
// tokens is not loaded at all, be the others what they are.
func TestCodelabBug12AnyKey(t *testing.T) {
	w := newWorld(t)
	for name := range w.trust {
		if !strings.HasPrefix(name, "token/keys/") {
			continue
		}
		for _, s := range forge.HostileKeySets() {
			w.trust[name] = s.Data
			if _, err := server.LoadSnapshot(w.o); err == nil || !strings.HasPrefix(err.Error(), "trust: ") {
				t.Errorf("%s: LoadSnapshot = %v, want the key set refused", s.Name, err)
			}
		}
		return
	}
	t.Error("the world has no key set")
}

// TestCodelabBug18AnyKeyID: a token without a usable kid is denied.
func TestCodelabBug18AnyKeyID(t *testing.T) {
	w := started(t)
	for name, kid := range map[string]any{"number": 7, "null": nil, "empty": "", "other": "other", "list": []string{"a"}} {
		w.denied(name, w.get(w.token(func(t *forge.Token) {
			t.Edits.Header = func(o *forge.Object) error { o.Set("kid", kid); return nil }
		})), 401)
	}
	w.denied("absent", w.get(w.token(func(t *forge.Token) {
		t.Edits.Header = func(o *forge.Object) error { o.Delete("kid"); return nil }
	})), 401)
}
