package secret_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/testca"
	"github.com/attestctl/attestctl/server/secret"
)

const vaultToken = "hvs." + canary + "-token"

// newCA makes a certificate authority and a certificate of it for 127.0.0.1.
func newCA(tb testing.TB) (caPEM string, server tls.Certificate) {
	tb.Helper()
	ca := testca.New(tb, time.Now())
	return string(ca.PEM), ca.Issue(tb, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
}

// serveTLS starts a server with a certificate of a CA of its own.
func serveTLS(tb testing.TB, h http.Handler) (address, caPEM string) {
	tb.Helper()
	caPEM, cert := newCA(tb)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s.URL, caPEM
}

func vaultTree(tb testing.TB, address, caPEM string) string {
	tb.Helper()
	return tree(tb, map[string]string{
		"secrets.yaml": fmt.Sprintf("stores: {bao: {vault: %q, mount: team/kv, token_file: token, ca_file: ca.pem}}\n"+
			"secrets: {db: {}, deep: {path: \"a/b_c.d#pass.word\"}}\n", address),
		"token": vaultToken + "\n", "ca.pem": caPEM,
	})
}

// kv answers as version 2 of the KV engine does.
func kv(fields map[string]any) string {
	out, err := json.Marshal(map[string]any{
		"request_id": "e5e8d3e3-1f80-4bc3-b2b7-8c6b0e2f4d7b", "lease_id": "", "renewable": false, "lease_duration": 0, "wrap_info": nil, "warnings": nil, "auth": nil,
		"data": map[string]any{
			"data":     fields,
			"metadata": map[string]any{"created_time": "2026-01-01T00:00:00Z", "custom_metadata": nil, "deletion_time": "", "destroyed": false, "version": 3},
		},
	})
	if err != nil {
		panic(err)
	}
	return string(out)
}

func answerJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestVault(t *testing.T) {
	var seen []string
	address, ca := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-Vault-Token"))
		if r.Header.Get("Accept-Encoding") != "" || r.Header.Get("X-Vault-Request") != "true" {
			t.Errorf("header = %v", r.Header)
		}
		answerJSON(http.StatusOK, kv(map[string]any{"value": " s3cret\n\u20ac\x00", "VALUE": "other", "pass.word": "deep"}))(w, r)
	}))
	dir := vaultTree(t, address, ca)
	s := open(t, dir)
	if len(seen) != 0 {
		t.Errorf("Open asked the server: %q", seen)
	}
	if got, want := get(t, s, "db"), " s3cret\n\u20ac\x00"; got != want {
		t.Errorf("Get = %q, want %q", got, want)
	}
	write(t, dir, "token", "another")
	if got := get(t, s, "deep"); got != "deep" {
		t.Errorf("Get = %q, want deep", got)
	}
	want := []string{"GET /v1/team/kv/data/db " + vaultToken, "GET /v1/team/kv/data/a/b_c.d another"}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the server saw %q, want %q", seen, want)
	}
}

// TestVaultField: the store's own field stands in for "value".
func TestVaultField(t *testing.T) {
	address, ca := serveTLS(t, answerJSON(http.StatusOK, kv(map[string]any{"value": "no", "pw": "yes"})))
	dir := vaultTree(t, address, ca)
	write(t, dir, "secrets.yaml", fmt.Sprintf("stores: {bao: {vault: %q, mount: kv, token_file: token, ca_file: ca.pem, field: pw}}\nsecrets: {db: {}}\n", address+"/"))
	if got := get(t, open(t, dir), "db"); got != "yes" {
		t.Errorf("Get = %q, want yes", got)
	}
}

// TestVaultInsecureHTTP: where it is asked for, and on this machine.
func TestVaultInsecureHTTP(t *testing.T) {
	srv := httptest.NewServer(answerJSON(http.StatusOK, kv(map[string]any{"value": "plain"})))
	t.Cleanup(srv.Close)
	dir := tree(t, map[string]string{
		"secrets.yaml": fmt.Sprintf("stores: {v: {vault: %q, mount: kv, token_file: token, insecure_http: true}}\nsecrets: {db: {}}\n", srv.URL), "token": vaultToken,
	})
	if got := get(t, open(t, dir), "db"); got != "plain" {
		t.Errorf("Get = %q, want plain", got)
	}
}

// TestVaultAnswers: what is no success gives no secret, and no word of the answer.
func TestVaultAnswers(t *testing.T) {
	header := func(name, value string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			next(w, r)
		}
	}
	good := answerJSON(http.StatusOK, kv(map[string]any{"value": canary}))
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h, ok := w.(http.Hijacker)
			if !ok {
				t.Error("no Hijacker")
				return
			}
			c, _, err := h.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}
	ok := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	say := canary + vaultToken
	for _, tc := range []struct {
		name, want string
		answer     http.HandlerFunc
	}{
		{"400", "status 400", answerJSON(400, say)},
		{"403", "status 403 forbidden", answerJSON(403, `{"errors":["`+say+`"]}`)},
		{"404", "no such secret", answerJSON(404, `{"errors":[]}`)},
		{"404 of a deleted version", "no such secret", answerJSON(404, kv(nil))},
		{"429", "status 429", answerJSON(429, say)},
		{"473", "status 473", answerJSON(473, say)},
		{"500", "status 500", answerJSON(500, say)},
		{"503", "status 503", answerJSON(503, say)},
		{"201 with a secret", "status 201", answerJSON(201, kv(map[string]any{"value": canary}))},
		{"204", "status 204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"redirect", "status 307", header("Location", "http://127.0.0.1:1/"+say, answerJSON(307, say))},
		{"redirect to itself", "status 302", header("Location", "/v1/team/kv/data/other", answerJSON(302, say))},
		{"gzip that nobody asked for", "content encoding", header("Content-Encoding", "gzip", good)},
		{"an encoding of secrets", "content encoding", header("Content-Encoding", say, good)},
		{"html", "content type", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>"+say) }},
		{"a type of secrets", "content type", raw("HTTP/1.1 200 OK\r\nContent-Type: " + say + "\r\n\r\n{}")},
		{"two types", "content type", raw(ok + "Content-Type: text/html\r\n\r\n{}")},
		{"a huge header", "no answer that can be read", header("X", strings.Repeat("x", 1<<20), good)},
		{"too large", "larger than 1024 KiB", answerJSON(200, `{"data":"`+strings.Repeat("x", 1<<20))},
		{"too large, of unknown length", "larger than 1024 KiB", func(w http.ResponseWriter, r *http.Request) {
			answerJSON(200, "")(w, r)
			for range 64 {
				_, _ = io.WriteString(w, strings.Repeat(" ", 32<<10))
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{"half", "half", raw(ok + "Content-Length: 1000\r\n\r\n" + kv(map[string]any{"value": canary}))},
		{"half of the chunks", "half", raw(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n" + canary[:5] + "\r\n")},
		{"no http", "no answer that can be read", raw(say + "\r\n\r\n")},
		{"a bad status", "no answer that can be read", raw("HTTP/1.1 " + say + "\r\n\r\n")},
		{"a bad header", "no answer that can be read", raw("HTTP/1.1 200 OK\r\n" + say + "\r\n\r\n")},
		{"a bad length", "no answer that can be read", raw(ok + "Content-Length: " + say + "\r\n\r\n")},
		{"a bad chunk", "no answer that can be read", raw(ok + "Transfer-Encoding: chunked\r\n\r\n" + say + "\r\n")},
		{"a bad encoding", "no answer that can be read", raw(ok + "Transfer-Encoding: " + say + "\r\n\r\n")},
		{"nothing", "no answer that can be read", raw("")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address, ca := serveTLS(t, tc.answer)
			s := open(t, vaultTree(t, address, ca))
			v, x, err := s.Get(t.Context(), "db")
			if v != nil || x.Name != "" {
				t.Error("Get returns something beside an error")
			}
			sayNothing(t, err)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Get = %v, want an error with %q", err, tc.want)
			}
			if gone := strings.HasPrefix(tc.name, "404"); errors.Is(err, secret.ErrNotFound) != gone {
				t.Errorf("Get = %v, want ErrNotFound: %t", err, gone)
			}
		})
	}
}

// TestVaultBodies: answers of the right type that do not hold a secret.
func TestVaultBodies(t *testing.T) {
	const notKV = "not that of a kv engine"
	for _, tc := range []struct{ name, want, body string }{
		{"empty", notKV, ""},
		{"no json", notKV, canary},
		{"half", notKV, kv(map[string]any{"value": canary})[:60]},
		{"two documents", notKV, kv(map[string]any{"value": canary}) + "{}"},
		{"a list", notKV, `["` + canary + `"]`},
		{"version 1", notKV, `{"data":{"value":"` + canary + `"}}`},
		{"version 1 with a field called data", notKV, `{"data":{"data":"` + canary + `"}}`},
		{"no metadata", notKV, `{"data":{"data":{"value":"` + canary + `"}}}`},
		{"other case", notKV, `{"data":{"Data":{"value":"` + canary + `"},"metadata":{}}}`},
		{"data twice", notKV, `{"data":{"data":{"value":"a"},"data":{"value":"` + canary + `"},"metadata":{}}}`},
		{"field twice", notKV, `{"data":{"data":{"value":"a","value":"` + canary + `"},"metadata":{}}}`},
		{"deep", notKV, strings.Repeat(`{"data":`, 5000)},
		{"not utf-8", notKV, `{"data":{"data":{"value":"` + "\xff" + `"},"metadata":{}}}`},
		{"wrapped", notKV, `{"wrap_info":{"token":"` + canary + `"},"data":null}`},
		{"deleted", "latest version is deleted", kv(nil)},
		{"no field", `no field "value"`, kv(map[string]any{"Value": canary})},
		{"number", "is a number", kv(map[string]any{"value": 5})},
		{"boolean", "is a boolean", kv(map[string]any{"value": true})},
		{"null", "is null", kv(map[string]any{"value": nil})},
		{"object", "is an object", kv(map[string]any{"value": map[string]any{"a": canary}})},
		{"empty text", "is empty", kv(map[string]any{"value": ""})},
		{"too large", "larger than 64 KiB", kv(map[string]any{"value": canary + strings.Repeat("x", secret.MaxSize)})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address, ca := serveTLS(t, answerJSON(http.StatusOK, tc.body))
			v, _, err := open(t, vaultTree(t, address, ca)).Get(t.Context(), "db")
			if v != nil {
				t.Error("Get returns something beside an error")
			}
			sayNothing(t, err)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Get = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestVaultTrustsItsCA: a server with another certificate learns no token.
func TestVaultTrustsItsCA(t *testing.T) {
	asked := false
	address, ca := serveTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	other, _ := newCA(t)
	named := strings.Replace(address, "127.0.0.1", "localhost", 1) // no name of the certificate
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(plain.Close)
	for _, tc := range []struct{ name, address, ca, want string }{
		{"another CA", address, other, "failed to verify certificate"},
		{"another name", named, ca, "failed to verify certificate"},
		{"no tls", strings.Replace(plain.URL, "http:", "https:", 1), ca, "does not speak tls"},
		{"nobody there", "https://127.0.0.1:1", ca, "connection refused"},
	} {
		v, _, err := open(t, vaultTree(t, tc.address, tc.ca)).Get(t.Context(), "db")
		if v != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Get = %v, %v, want an error with %q", tc.name, v, err, tc.want)
		}
		sayNothing(t, err)
	}
	if asked {
		t.Error("a request was sent to a server that is not trusted")
	}
}

// TestVaultSlow: the context ends a request at any point.
func TestVaultSlow(t *testing.T) {
	for _, tc := range []struct {
		name  string
		begin func(w http.ResponseWriter)
	}{
		{"no header", func(http.ResponseWriter) {}},
		{"half of the body", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":{"data":{"value":"`+canary)
			_ = http.NewResponseController(w).Flush()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			address, ca := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tc.begin(w)
				cancel()
				<-r.Context().Done()
			}))
			v, _, err := open(t, vaultTree(t, address, ca)).Get(ctx, "db")
			if v != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("Get = %v, %v, want context.Canceled", v, err)
			}
			sayNothing(t, err)
		})
	}
}

// TestVaultFiles: the files of a store, at load and, for the token, later.
func TestVaultFiles(t *testing.T) {
	address, ca := serveTLS(t, answerJSON(http.StatusOK, kv(map[string]any{"value": "good"})))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(canary)}))
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(canary)}))
	for _, tc := range []struct {
		name, file, content, want string
		mode                      os.FileMode
	}{
		{"token is empty", "token", "", "token_file: is empty", 0o600},
		{"token is a line end", "token", "\n", "token_file: is empty", 0o600},
		{"token on two lines", "token", vaultToken + "\n" + vaultToken, "token_file: is not a token", 0o600},
		{"token with a space", "token", vaultToken + " ", "token_file: is not a token", 0o600},
		{"token that is not ASCII", "token", canary + "\xff", "token_file: is not a token", 0o600},
		{"token with a header", "token", canary + "\r\nX-Vault-Namespace: a", "token_file: is not a token", 0o600},
		{"token is huge", "token", strings.Repeat(canary, 1000), "token_file: token: larger than 8 KiB", 0o600},
		{"token that others may read", "token", vaultToken, "token_file: token: mode 0644", 0o644},
		{"no certificate", "ca.pem", "", "ca_file: holds no certificate", 0o600},
		{"words", "ca.pem", canary, "ca_file: holds something", 0o600},
		{"a key", "ca.pem", ca + key, "ca_file: holds something", 0o600},
		{"words after", "ca.pem", ca + canary, "ca_file: holds something", 0o600},
		{"a broken certificate", "ca.pem", ca + broken, "ca_file: certificate 2", 0o600},
		{"a CA that others may write", "ca.pem", ca, "ca_file: ca.pem: mode 0622", 0o622},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := vaultTree(t, address, ca)
			s := open(t, dir)
			write(t, dir, tc.file, tc.content)
			chmod(t, dir, tc.file, tc.mode)
			refused(t, dir, "stores.bao: "+tc.want)
			v, _, err := s.Get(t.Context(), "db")
			if token := tc.file == "token"; (v == nil) != token || (err != nil) != token {
				t.Errorf("Get = %v, %v", v, err)
			}
			if err != nil {
				sayNothing(t, err)
			}
		})
	}
	dir := vaultTree(t, address, ca)
	if err := errors.Join(os.Rename(filepath.Join(dir, "token"), filepath.Join(dir, "t")), os.Symlink("t", filepath.Join(dir, "token"))); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "token_file: token: is a link")
}

// TestAbsolutePaths: files may lie elsewhere.
func TestAbsolutePaths(t *testing.T) {
	address, ca := serveTLS(t, answerJSON(http.StatusOK, kv(map[string]any{"value": "remote"})))
	id := newIdentity(t)
	there := tree(t, map[string]string{"token": vaultToken, "ca.pem": ca, "id": id.String(), "sealed/b.age": seal(t, "sealed", id.Recipient()), "files/c": "file"})
	text := "stores:\n  v: {vault: URL, mount: kv, token_file: DIR/token, ca_file: DIR/ca.pem}\n  a: {age: DIR/sealed, identity: DIR/id}\n  d: {dir: DIR/files}\n" +
		"secrets: {a: {}, b: {store: a}, c: {store: d, policy: DIR/p, config: DIR/c.json}, e: {policy: p/q, config: c.json}, f: {policy: \"builtin:codelab\"}}\n"
	dir := tree(t, map[string]string{"secrets.yaml": strings.NewReplacer("DIR", there, "URL", address).Replace(text)})
	s := open(t, dir)
	if got := get(t, s, "a") + get(t, s, "b") + get(t, s, "c"); got != "remotesealedfile" {
		t.Errorf("Get = %q", got)
	}
	for name, want := range map[string]string{"c": there + "/p " + there + "/c.json", "e": dir + "/p/q " + dir + "/c.json", "f": "builtin:codelab ", "a": " "} {
		if x, _ := s.Secret(name); x.Policy+" "+x.Config != want {
			t.Errorf("%s: policy and config = %q %q, want %q", name, x.Policy, x.Config, want)
		}
	}
}
