package token_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/attestctl/attestctl/evidence/token"
)

// BenchmarkVerify verifies a genuine token of Google's with its saved key set
// (RSA of 2048 bits), beside the bare verification of its signature.
func BenchmarkVerify(b *testing.B) {
	raw := genuine(b, "synddb-token0.jwt")
	want := google(b, "https://synddb-sequencer.example.com", "", "2025-12-02T20:51:00Z")
	line := strings.TrimSpace(string(raw))
	dot := strings.LastIndexByte(line, '.')
	sig, err := base64.RawURLEncoding.DecodeString(line[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	key, ok := want.Keys.JWKS.Keys()[1].Public.(*rsa.PublicKey)
	if !ok {
		b.Fatal("key is not rsa")
	}
	tok := parse(b, raw)
	for name, op := range map[string]func() error{
		"bare": func() error {
			digest := sha256.Sum256([]byte(line[:dot]))
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig)
		},
		"library": func() error {
			_, err := jws.Verify([]byte(line), jws.WithCompact(), jws.WithKey(jwa.RS256, key))
			return err
		},
		"parse":  func() error { _, err := token.Parse(raw); return err },
		"verify": func() error { _, err := token.Verify(tok, want); return err },
		"parse and verify": func() error {
			_, err := token.Verify(parse(b, raw), want)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
