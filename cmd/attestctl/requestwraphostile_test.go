//go:build unix

package main

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/server/seal"
	wrapping "github.com/attestctl/attestctl/server/wrap"
)

// wrapsFor is the answer of a server that wraps for whatever keys a test says.
func wrapsFor(tb testing.TB, ek []byte, akName []byte, sealed func(*seal.ClientKey) []byte) http.HandlerFunc {
	tb.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		jwk, err := base64.RawURLEncoding.Strict().DecodeString(r.Header.Get("Attestctl-Key"))
		if err != nil {
			tb.Error(err)
		}
		key, err := seal.ParseKey(jwk)
		if err != nil {
			tb.Error(err)
			return
		}
		sent, err := base64.RawURLEncoding.Strict().DecodeString(r.Header.Get("Attestctl-EK"))
		if err != nil || len(sent) == 0 {
			tb.Errorf("the endorsement key that was sent: %x, %v", sent, err)
		}
		if ek == nil {
			ek = sent
		}
		public, err := tpm.ParsePublic(ek)
		if err != nil {
			tb.Error(err)
			return
		}
		body, err := wrapping.Seal(rand.Reader, public, akName, sealed(key))
		if err != nil {
			tb.Error(err)
		}
		w.Header().Set("Content-Type", wrapping.ContentType)
		write(w, string(body))
	}
}

// TestRequestHostileWrapping: what does not open at this TPM, with this attestation
// key and with the key of the request, is no secret.
func TestRequestHostileWrapping(t *testing.T) {
	m, other := bootVM(t), bootVM(t)
	name := func(args ...string) []byte {
		p, err := tpm.ParseSizedPublic(m.key(t, args...))
		if err != nil {
			t.Fatal(err)
		}
		return p.Name()
	}
	ak := name("ak")
	toKey := func(key *seal.ClientKey) []byte {
		jwe, err := key.Seal([]byte(dbSecret), "")
		if err != nil {
			t.Error(err)
		}
		return jwe
	}
	toAnother := func(*seal.ClientKey) []byte { return []byte(sealedToAnother(t)) }
	asIs := func(media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			write(w, body)
		}
	}
	ca := newTestCA(t)
	for what, c := range map[string]struct {
		secret http.HandlerFunc
		want   string // "" is the secret
	}{
		"honest":                      {wrapsFor(t, nil, ak, toKey), ""},
		"another attestation key":     {wrapsFor(t, nil, name("ak", "--algo", "rsa"), toKey), "activating the credential"},
		"no attestation key":          {wrapsFor(t, nil, name("ek"), toKey), "activating the credential"},
		"endorsement key of another":  {wrapsFor(t, other.key(t, "ek")[2:], ak, toKey), "activating the credential"},
		"sealed to another":           {wrapsFor(t, nil, ak, toAnother), "what the server sent for db"},
		"not sealed":                  {wrapsFor(t, nil, ak, func(*seal.ClientKey) []byte { return []byte(dbSecret) }), "what the server sent for db"},
		"not wrapped":                 {asIs("application/jose", sealedToAnother(t)), "the secret is not wrapped for the TPM"},
		"not wrapped, but called so":  {asIs(wrapping.ContentType, sealedToAnother(t)), "reading what is wrapped"},
		"plaintext":                   {asIs("text/plain", dbSecret), "has the content type text/plain"},
		"garbage":                     {asIs(wrapping.ContentType, "garbage"), "hint: it was not wrapped for this TPM"},
		"nothing":                     {asIs(wrapping.ContentType, ""), "reading what is wrapped"},
		"members twice":               {asIs(wrapping.ContentType, `{"credential":"AA","credential":"AA","seed":"AA","jwe":"a.b.c.d.e"}`), "reading what is wrapped"},
		"too large":                   {asIs(wrapping.ContentType, strings.Repeat("a", wrapping.MaxBody+1)), "answer is larger than"},
		"a credential of other bytes": {asIs(wrapping.ContentType, `{"credential":"AAAA","seed":"AAAA","jwe":"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA"}`), "activating the credential"},
	} {
		s := &served{TB: t, ca: ca}
		s.url = hostileServer(t, ca, honest(t), c.secret).URL
		args := append([]string{"db", "--wrap", "tpm"}, m.flags()...)
		if c.want == "" {
			if x := s.request(args...); x.out.String() != dbSecret {
				t.Errorf("%s: prints %q", what, x.out.String())
			}
			continue
		}
		s.refuses(t, exitTool, c.want, args...)
	}
	m.checkLeft(t)
}
