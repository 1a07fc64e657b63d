package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

// fetch runs the command against the server.
func (s *session) fetch(issuer *issuerServer, dir string, more ...string) int {
	return s.run(append([]string{"token", "fetch-keys", "--issuer", issuer.URL, "--ca", issuer.ca.file, "--out", dir}, more...)...)
}

func readSaved(tb testing.TB, name string) *token.KeySet {
	tb.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	set, err := token.ParseKeySet(data)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// saveBefore puts a key set of before into the directory.
func saveBefore(tb testing.TB, dir, issuer, etag string) {
	tb.Helper()
	data, err := token.NewKeySet(issuer, issuer+"/certs", etag, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), []byte(keysOf(ecJWK("old"))))
	if err != nil {
		tb.Fatal(err)
	}
	if err := writeKeys(dir, keysFolder+"/before.json", data); err != nil {
		tb.Fatal(err)
	}
}

// checkRefused wants exit code 1, the reason and nothing written.
func checkRefused(t *testing.T, name string, issuer *issuerServer, dir, want string, more ...string) {
	t.Helper()
	before := treeBelow(t, dir)
	s := newSession()
	code := s.fetch(issuer, dir, more...)
	words := s.err.String()
	if code != exitTool || !strings.Contains(words, want) || strings.Count(words, "\n") > 2 {
		t.Errorf("%s: exit code %d, %s; want %d and %q", name, code, words, exitTool, want)
	}
	if s.out.Len() > 0 || strings.ContainsAny(words, "\x1b\x07") {
		t.Errorf("%s: output %q, %q", name, s.out.String(), words)
	}
	if !maps.Equal(treeBelow(t, dir), before) {
		t.Errorf("%s: something was written", name)
	}
}

func TestFetchKeys(t *testing.T) {
	issuer := newIssuer(t, newTestCA(t), func(s *issuerServer) {
		s.discovery = func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			s.answer(w, s.document(s.URL, s.URL+"/certs"))
		}
		s.keys = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `W/"1"`)
			w.Header().Set("Content-Type", "application/jwk-set+json")
			write(w, keysOf(ecJWK("a"), as(ecJWK("b"), jwk{"x5u": "kept as it is"})))
		}
	})
	dir := filepath.Join(t.TempDir(), "new", "trust")
	s := newSession()
	if code := s.fetch(issuer, dir); code != exitAccepted || s.err.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	name := filepath.Join(dir, "token", "keys", "127.0.0.1-20261123T080000Z.json")
	want := "new  a  EC  256 bits  ES256\nnew  b  EC  256 bits  ES256\n\nsaved to " + name + "\n"
	if got := s.out.String(); got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
	files := treeBelow(t, dir)
	if len(files) != 4 || files[name] == "" { // three folders and the file
		t.Errorf("files are %q, want %s alone", slices.Sorted(maps.Keys(files)), name)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; want 0644", info.Mode(), err)
	}
	set := readSaved(t, name)
	if set.Issuer != issuer.URL || set.URI != issuer.URL+"/certs" || set.ETag != `W/"1"` || !set.FetchedAt.Equal(s.now()) || len(set.JWKS.Keys()) != 2 {
		t.Errorf("saved %+v", set)
	}
	if !strings.Contains(files[name], "kept as it is") {
		t.Errorf("members of keys were lost: %s", files[name])
	}
	for _, r := range issuer.requests() {
		for name := range r.Header {
			if !slices.Contains([]string{"User-Agent", "Accept", "Connection"}, name) {
				t.Errorf("%s: sends the header %s", r.URL, name)
			}
		}
		if agent := r.UserAgent(); !strings.HasPrefix(agent, "attestctl/") || strings.ContainsAny(agent, " ()") {
			t.Errorf("user agent is %q", agent)
		}
	}
}

// TestFetchKeysMoved: the ETag of one address says nothing of another, whose server
// could call its keys unchanged.
func TestFetchKeysMoved(t *testing.T) {
	const etag = `"one"`
	issuer := newIssuer(t, newTestCA(t), func(s *issuerServer) {
		s.discovery = func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.document(s.URL, s.URL+"/certs?v=2")) }
		s.keys = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", etag)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			s.answer(w, keysOf(ecJWK("next")))
		}
	})
	dir := t.TempDir()
	saveBefore(t, dir, issuer.URL, etag) // of URL/certs
	s := newSession()
	if code := s.fetch(issuer, dir); code != exitAccepted || !strings.Contains(s.out.String(), "new   next  EC") {
		t.Errorf("exit code %d: %s%s; want the key new", code, s.out.String(), s.err.String())
	}
	if got := issuer.requests()[1].Header.Values("If-None-Match"); len(got) > 0 {
		t.Errorf("If-None-Match %q was sent to another address", got)
	}
}

// cancelling is a transport that gives up when the whole body has been read.
type cancelling struct {
	http.RoundTripper

	cancel context.CancelFunc
}

func (c cancelling) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = cancellingBody{resp.Body, c.cancel}
	}
	return resp, err
}

type cancellingBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

func (b cancellingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.cancel()
	}
	return n, err
}

// TestFetchKeysGivenUp: an answer that ends when the time is over may not be whole.
func TestFetchKeysGivenUp(t *testing.T) {
	issuer := newIssuer(t, newTestCA(t), nil)
	client, transport := newFetchClient(issuer.ca.Pool(), false)
	f := &keyFetcher{client: client}
	if a, err := f.get(t.Context(), issuer.URL+"/certs", 1<<20, ""); err != nil || len(a.body) == 0 {
		t.Fatalf("get: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client.Transport = cancelling{transport, cancel}
	if a, err := f.get(ctx, issuer.URL+"/certs", 1<<20, ""); err == nil || a != nil {
		t.Errorf("an answer came after it was given up: %v", err)
	}
}

// TestFetchKeysAgain asks once more, and writes only what is new.
func TestFetchKeysAgain(t *testing.T) {
	const etag = `"one"`
	with304 := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		write(w, keysOf(ecJWK("a"), ecJWK("b")))
	}
	issuer := newIssuer(t, newTestCA(t), func(s *issuerServer) { s.keys = with304 })
	plain := func(keys ...jwk) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { issuer.answer(w, keysOf(keys...)) }
	}
	dir := t.TempDir()
	s := newSession()
	if code := s.fetch(issuer, dir); code != exitAccepted {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	first, now := treeBelow(t, dir), s.now()
	path := filepath.Join(dir, "token", "keys")

	now = now.Add(time.Hour)
	s.now = func() time.Time { return now }
	for name, keys := range map[string]http.HandlerFunc{"304": with304, "same": plain(ecJWK("b"), ecJWK("a"))} {
		issuer.requests()
		issuer.serveKeys(keys)
		code := s.fetch(issuer, dir)
		want := "unchanged: " + filepath.Join(path, "127.0.0.1-20261123T080000Z.json")
		if code != exitAccepted || !strings.Contains(s.out.String(), want) || strings.Contains(s.out.String(), "new") {
			t.Errorf("%s: exit code %d, %s%s", name, code, s.out.String(), s.err.String())
		}
		if got := issuer.requests()[1].Header.Get("If-None-Match"); got != etag {
			t.Errorf("%s: If-None-Match is %q, want %q", name, got, etag)
		}
		if !maps.Equal(treeBelow(t, dir), first) {
			t.Errorf("%s: unchanged keys were written", name)
		}
	}

	issuer.serveKeys(plain(ecJWK("c"), ecJWK("b")))
	if code := s.fetch(issuer, dir, "-o", "json"); code != exitAccepted {
		t.Fatalf("exit code %d: %s", code, s.err.String())
	}
	var doc keyChanges
	if err := json.Unmarshal(s.out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	want := keyChanges{
		Schema: schemaKeyChanges, Issuer: issuer.URL, URI: issuer.URL + "/certs", Changed: true, FetchedAt: "2026-11-23T09:00:00Z",
		File: "token/keys/127.0.0.1-20261123T090000Z.json", Previous: "token/keys/127.0.0.1-20261123T080000Z.json",
		Keys: []keyChange{
			{"new", "c", "ES256", "EC", 256},
			{"kept", "b", "ES256", "EC", 256},
			{"gone", "a", "ES256", "EC", 256},
		},
	}
	if fmt.Sprint(doc) != fmt.Sprint(want) {
		t.Errorf("document is %+v, want %+v", doc, want)
	}
	both := treeBelow(t, dir)
	if len(both) != len(first)+1 || !strings.Contains(both[filepath.Join(dir, doc.File)], `"c"`) {
		t.Errorf("files are %q, want the old and the new one", slices.Sorted(maps.Keys(both)))
	}

	// The newest file counts; one second holds one file; a kid keeps its key for good.
	now = now.Add(time.Hour)
	for _, c := range []struct {
		name string
		keys []jwk
		want string
	}{
		{"same as the newest", []jwk{ecJWK("c"), ecJWK("b")}, ""},
		{"another key for a kid of now", []jwk{as(ecJWK("z"), jwk{"kid": "c"})}, "is that of two keys"},
		{"another key for a kid of before", []jwk{ecJWK("c"), as(ecJWK("z"), jwk{"kid": "a"})}, "is that of two keys"},
		{"another algorithm for a kid", []jwk{as(ecJWK("c"), jwk{"alg": nil}), ecJWK("b")}, "alg is null"},
	} {
		issuer.serveKeys(plain(c.keys...))
		code := s.fetch(issuer, dir)
		if (code == exitAccepted) != (c.want == "") || !strings.Contains(s.err.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %q", c.name, code, s.err.String(), c.want)
		}
		if !maps.Equal(treeBelow(t, dir), both) {
			t.Errorf("%s: something was written", c.name)
		}
	}
	now = now.Add(-time.Hour)
	issuer.serveKeys(plain(ecJWK("d")))
	if code := s.fetch(issuer, dir); code != exitTool || !strings.Contains(s.err.String(), "exists") || !maps.Equal(treeBelow(t, dir), both) {
		t.Errorf("second file of one second: exit code %d, %s", code, s.err.String())
	}
}

// TestFetchKeysNotModified that is said of something else, and an ETag that is
// not sent to whom it is not of.
func TestFetchKeysNotModified(t *testing.T) {
	issuer := newIssuer(t, newTestCA(t), func(s *issuerServer) {
		s.keys = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"two"`)
			w.WriteHeader(http.StatusNotModified)
		}
	})
	dir := t.TempDir()
	saveBefore(t, dir, issuer.URL, `"one"`)
	checkRefused(t, "other etag", issuer, dir, "not modified of something else")

	dir = t.TempDir()
	saveBefore(t, dir, issuer.URL+"/x", `"one"`)
	issuer.requests()
	checkRefused(t, "etag of another issuer", issuer, dir, "status 304")
	if got := issuer.requests()[1].Header.Get("If-None-Match"); got != "" {
		t.Errorf("the etag of another issuer was sent: %q", got)
	}
}

// TestFetchKeysDirectory wants a directory that is whole, and writes nowhere else.
func TestFetchKeysDirectory(t *testing.T) {
	issuer := newIssuer(t, newTestCA(t), nil)
	folder := func(dir string) string {
		keys := filepath.Join(dir, "token", "keys")
		if err := os.MkdirAll(keys, 0o700); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for name, c := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"broken file": {func(dir string) error {
			return os.WriteFile(filepath.Join(folder(dir), "a.json"), []byte(`{"keys":[]}`), 0o600)
		}, "a.json: key set has 0 keys"},
		"huge file": {func(dir string) error {
			return os.WriteFile(filepath.Join(folder(dir), "a.json"), make([]byte, 1<<20), 0o600)
		}, "at most"},
		"link out of it": {func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Symlink(t.TempDir(), filepath.Join(dir, "token"))
		}, "escapes"},
		"file": {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		"file for a folder": {func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "token"), nil, 0o600)
		}, "token"},
	} {
		dir := filepath.Join(t.TempDir(), "trust")
		if err := c.make(dir); err != nil {
			t.Fatal(err)
		}
		checkRefused(t, name, issuer, dir, c.want)
	}
	// What is no key set of the issuer's is passed over.
	dir := filepath.Join(t.TempDir(), "trust")
	if err := os.WriteFile(filepath.Join(folder(dir), "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	saveBefore(t, dir, "https://other.example", "")
	s := newSession()
	if code := s.fetch(issuer, dir); code != exitAccepted || strings.Contains(s.out.String(), "gone") {
		t.Errorf("exit code %d, %s%s", code, s.out.String(), s.err.String())
	}
	s.stdout = brokenWriter{io.ErrShortWrite}
	if code := s.fetch(issuer, dir); code != exitTool {
		t.Errorf("exit code %d without a place to write to, want %d", code, exitTool)
	}
	other := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(other, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{other, other + ".none"} {
		if code := s.fetch(issuer, dir, "--ca", name); code != exitTool || !strings.Contains(s.err.String(), "--ca") {
			t.Errorf("--ca %s: exit code %d, %s", name, code, s.err.String())
		}
	}
}
