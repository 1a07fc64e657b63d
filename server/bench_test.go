package server_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/challenge"
)

// gcPercent is what serve sets.
const gcPercent = 400

// byEither runs a benchmark with either engine, on a server that holds nobody back.
func byEither(b *testing.B, edit func(*world), run func(*testing.B, *world)) {
	b.Helper()
	for name, wasm := range map[string]bool{"rego": false, "wasm": true} {
		b.Run(name, func(b *testing.B) {
			collectLess(b)
			run(b, started(b, func(w *world) {
				w.o.Limits = server.Limits{Rate: 1e9, Burst: 1e9, Poll: -1}
				w.o.Log = slog.New(slog.DiscardHandler)
				w.o.WASM = wasm
				edit(w)
			}))
		})
	}
}

// collectLess makes a benchmark collect garbage as often as serve does.
func collectLess(b *testing.B) {
	b.Helper()
	before := debug.SetGCPercent(gcPercent)
	b.Cleanup(func() { debug.SetGCPercent(before) })
}

// BenchmarkToken releases a secret for a token, with policy and audit log on disk, by
// either engine.
func BenchmarkToken(b *testing.B) {
	byEither(b, func(*world) {}, func(b *testing.B, w *world) {
		b.Helper()
		load(b, w.client, w.url("/v1/secrets/again"), w.token(nil))
		b.StopTimer()
		for _, r := range w.records() {
			if !r.Released {
				b.Errorf("audit %+v", r)
				break
			}
		}
	})
}

// BenchmarkDenial denies the same good evidence for reasons that only the server
// knows. How long that takes must not tell them apart.
func BenchmarkDenial(b *testing.B) {
	collectLess(b)
	w := started(b, func(w *world) {
		w.o.Limits = server.Limits{Rate: 1e9, Burst: 1e9, Poll: -1}
		w.o.Log = slog.New(slog.DiscardHandler)
	})
	m := forge.Machine{Technology: forge.AMDSEV, Keys: forge.NewKeys(forge.DefaultSeed)}
	for _, c := range []struct{ name, secret string }{
		{"no such secret", "nobody-has-this"}, {"no key", "db"}, {"used challenge", "nonced"},
	} {
		b.Run(c.name, func(b *testing.B) {
			text, nonce := w.challenge(c.secret, nil)
			e, err := m.Attest(nonce)
			if err != nil {
				b.Fatal(err)
			}
			raw, err := e.Binary()
			if err != nil {
				b.Fatal(err)
			}
			if c.secret == "nonced" { // used once, it is denied from then on
				w.answer("/v1/secrets/nonced", text, nil, raw)
			}
			for b.Loop() {
				if r := w.answer("/v1/secrets/"+c.secret, text, nil, raw); r.status != http.StatusForbidden {
					b.Fatalf("%d %s", r.status, r.body)
				}
			}
		})
	}
}

// BenchmarkTokenAlone is the least that a server can do for the same token, behind the
// same TLS: verify the signature under the one key that it has, and decode the claims.
func BenchmarkTokenAlone(b *testing.B) {
	collectLess(b)
	w := newWorld(b)
	raw := w.token(nil)
	pair, err := tls.LoadX509KeyPair(w.path("cert.pem"), w.path("key.pem"))
	if err != nil {
		b.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
	if err != nil {
		b.Fatal(err)
	}
	keys := w.keysOf(raw)
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !verifies(keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		if _, err := io.WriteString(rw, helloSecret); err != nil {
			b.Error(err)
		}
	})}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	}()
	b.Cleanup(func() { closing(b, srv) })
	load(b, w.ca.client(), "https://"+l.Addr().String()+"/v1/secrets/again", raw)
}

// answered is evidence that answers a challenge.
type answered struct {
	text string
	raw  []byte
}

// answers takes as many challenges, and has the machine answer each.
func (w *world) answers(n int) []answered {
	w.Helper()
	m := forge.Machine{Technology: forge.AMDSEV, Keys: forge.NewKeys(forge.DefaultSeed)} // made once
	list := make([]answered, n)
	for i := range list {
		text, nonce := w.challenge("nonced", nil)
		e, err := m.Attest(nonce)
		if err != nil {
			w.Fatal(err)
		}
		raw, err := e.Binary()
		if err != nil {
			w.Fatal(err)
		}
		list[i] = answered{text, raw}
	}
	return list
}

// BenchmarkEvidence releases a secret for the evidence of a machine, by either engine.
func BenchmarkEvidence(b *testing.B) {
	byEither(b, func(w *world) {
		w.o.UsedDir = "" // used challenges are kept in memory
		w.file("secrets/secrets.yaml", "stores: {files: {dir: store}}\nsecrets:\n  nonced: {plaintext: true, binding: [nonce]}\n")
	}, func(b *testing.B, w *world) {
		b.Helper()
		list := w.answers(b.N)
		var next atomic.Int64
		parallel(b, w.client, func() error {
			a := list[next.Add(1)-1]
			return once(b, w.client, w.url("/v1/secrets/nonced"), noncedSecret, a.raw, "Content-Type", octets, "Attestctl-Challenge", a.text)
		})
	})
}

// BenchmarkEvidenceAlone verifies such evidence, and does nothing else.
func BenchmarkEvidenceAlone(b *testing.B) {
	collectLess(b)
	w := started(b)
	a := w.answers(1)[0]
	trust, err := loadTrust(w.trust)
	if err != nil {
		b.Fatal(err)
	}
	nonce := challenge.Nonce(a.text, [32]byte{})
	parallel(b, w.client, func() error {
		bundle, err := evidence.Load(bytes.NewReader(a.raw))
		if err != nil {
			return err
		}
		_, err = bundle.Verify(trust, evidence.Expect{Nonce: nonce[:], Now: w.clock.now()})
		return err
	})
}

// keysOf returns the RSA key of the trust directory that signed the token.
func (w *world) keysOf(raw string) *rsa.PublicKey {
	w.Helper()
	for name, data := range w.trust {
		var set struct{ Keys []struct{ Kty, N string } }
		if !strings.HasPrefix(name, "token/keys/") {
			continue
		}
		if err := json.Unmarshal(data, &set); err != nil {
			w.Fatal(err)
		}
		for _, k := range set.Keys {
			n, err := base64.RawURLEncoding.DecodeString(k.N)
			key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
			if err == nil && k.Kty == "RSA" && verifies(key, raw) {
				return key
			}
		}
	}
	w.Fatal("no key verifies the token")
	return nil
}

func verifies(key *rsa.PublicKey, raw string) bool {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return false
	}
	var claims map[string]any
	return json.Unmarshal(payload, &claims) == nil && claims["aud"] == audience
}

// load sends the request with the token from many clients at once.
func load(b *testing.B, c *http.Client, url, token string) {
	b.Helper()
	parallel(b, c, func() error { return once(b, c, url, helloSecret, nil, "Authorization", "Bearer "+token) })
}

// parallel is what many clients do at once.
func parallel(b *testing.B, c *http.Client, do func() error) {
	b.Helper()
	if t, ok := c.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = 64
	}
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := do(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

var errAnswer = errors.New("not the secret")

func once(b *testing.B, c *http.Client, url, secret string, body []byte, headers ...string) error {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer closing(b, resp.Body)
	data, err := io.ReadAll(resp.Body)
	if err == nil && string(data) != secret {
		err = fmt.Errorf("%w: %d %s", errAnswer, resp.StatusCode, data)
	}
	return err
}
