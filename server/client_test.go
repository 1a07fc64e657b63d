package server_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
)

// clientKey is the key of a client.
type clientKey struct {
	priv *ecdsa.PrivateKey
	jwk  string
}

func newClientKey(tb testing.TB) clientKey {
	tb.Helper()
	priv, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return clientKey{priv, string(jwk)}
}

func (k clientKey) header() string { return base64.RawURLEncoding.EncodeToString([]byte(k.jwk)) }

func (k clientKey) thumbprint(tb testing.TB) [32]byte {
	tb.Helper()
	p, err := seal.ParseKey([]byte(k.jwk))
	if err != nil {
		tb.Fatal(err)
	}
	return p.Thumbprint()
}

// challenge takes a challenge for a secret and a key, and returns its text and the
// nonce that the client computes.
func (w *world) challenge(name string, k *clientKey) (text string, nonce []byte) {
	w.Helper()
	doc, thumbprint := map[string]any{}, [32]byte{}
	if name != "" {
		doc["secret"] = name
	}
	if k != nil {
		doc["key"], thumbprint = json.RawMessage(k.jwk), k.thumbprint(w)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		w.Fatal(err)
	}
	r := w.send("POST", "/v1/challenge", string(body), "Content-Type", "application/json")
	var made struct{ Challenge, Nonce string }
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || r.status != 200 {
		w.Fatalf("challenge: %d %s", r.status, r.body)
	}
	n := challenge.Nonce(made.Challenge, thumbprint)
	return made.Challenge, n[:]
}

// answer sends evidence for a challenge.
func (w *world) answer(path, text string, k *clientKey, evidence []byte) reply {
	w.Helper()
	headers := []string{"Content-Type", octets, "Attestctl-Challenge", text}
	if k != nil {
		headers = append(headers, "Attestctl-Key", k.header())
	}
	return w.send("POST", path, string(evidence), headers...)
}
