package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
	wrapping "github.com/attestctl/attestctl/server/wrap"
)

// get is the whole exchange: challenge, evidence, secret.
func (r *request) get(ctx context.Context, c *secretClient, name string) ([]byte, error) {
	priv, jwk, err := seal.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		return nil, err
	}
	local, err := r.openTPM(ctx)
	if err != nil {
		return nil, err
	}
	text, nonce, err := c.challenge(ctx, name, jwk, key.Thumbprint())
	if err != nil {
		return nil, fmt.Errorf("taking a challenge: %w", err)
	}
	made, err := r.evidence(ctx, local, nonce)
	if err != nil {
		return nil, err
	}
	header := map[string]string{
		"Attestctl-Challenge": text, "Attestctl-Key": base64.RawURLEncoding.EncodeToString(jwk),
		"Content-Type": "application/octet-stream",
	}
	if r.tokenCmd != "" {
		delete(header, "Content-Type")
		header["Authorization"] = "Bearer " + string(bytes.TrimSpace(made))
		made = nil
	}
	sealed, err := c.ask(ctx, name, local, header, made)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", name, err)
	}
	got, err := unseal(ctx, local, priv, sealed)
	if err != nil {
		return nil, fmt.Errorf("what the server sent for %s: %w", name, err)
	}
	return got, nil
}

// evidence has the command attest for the nonce, or the TPM.
func (r *request) evidence(ctx context.Context, local *machineTPM, nonce [32]byte) ([]byte, error) {
	if r.words != nil {
		return r.evidenceOfCommand(ctx, hex.EncodeToString(nonce[:]))
	}
	return local.tpm.Attest(ctx, nonce[:], local.log)
}

// ask sends the evidence, and takes no secret but one that is wrapped for the TPM if
// it should be.
func (c *secretClient) ask(ctx context.Context, name string, local *machineTPM, header map[string]string, evidence []byte) ([]byte, error) {
	path, media, limit := "/v1/secrets/"+name, "application/jose", int64(seal.MaxJWE)
	if local.wraps() {
		media, limit = wrapping.ContentType, wrapping.MaxBody
		header["Attestctl-EK"] = base64.RawURLEncoding.EncodeToString(local.ek.Public)
		if local.ek.Certificate != nil {
			header["Attestctl-EK-Certificate"] = base64.RawURLEncoding.EncodeToString(local.ek.Certificate)
		}
	}
	return c.post(ctx, path, header, evidence, media, limit)
}

// unseal opens what the server sent: with the TPM, if it is wrapped, and with the key
// of the request.
func unseal(ctx context.Context, local *machineTPM, priv *ecdsa.PrivateKey, sealed []byte) ([]byte, error) {
	if local.wraps() {
		inner, err := wrapping.Open(sealed, func(credential, seed []byte) ([]byte, error) {
			return local.tpm.Activate(ctx, *local.ek, credential, seed)
		})
		if err != nil && hint.Of(err) == "" {
			return nil, hint.New(err, "it was not wrapped for this TPM and the evidence; look at the server")
		}
		if err != nil {
			return nil, err
		}
		sealed = inner
	}
	got, err := seal.Open(priv, sealed)
	return got, hint.New(err, "it was not encrypted to the key of this request; look at the server")
}

// maxChallenge bounds the answer to a question for a challenge, in bytes.
const maxChallenge = 4 << 10

var errNonce = hint.New(errors.New("the server names a nonce that is not made of its challenge and the key here"),
	"evidence for it could serve somebody else; look at the server, and at what is between")

// challenge takes a challenge for the secret and the key, and computes its nonce.
func (c *secretClient) challenge(ctx context.Context, name string, jwk []byte, thumbprint [32]byte) (text string, nonce [32]byte, err error) {
	body, err := json.Marshal(map[string]any{"secret": name, "key": json.RawMessage(jwk)})
	if err != nil {
		return "", nonce, err
	}
	answer, err := c.post(ctx, "/v1/challenge", map[string]string{"Content-Type": "application/json"}, body, "application/json", maxChallenge)
	if err != nil {
		return "", nonce, err
	}
	text, said, err := parseChallenge(answer)
	if err != nil {
		return "", nonce, fmt.Errorf("what the server sent: %w", err)
	}
	nonce = challenge.Nonce(text, thumbprint)
	if subtle.ConstantTimeCompare([]byte(said), []byte(hex.EncodeToString(nonce[:]))) != 1 {
		return "", nonce, errNonce
	}
	return text, nonce, nil
}

// challengeAnswer is {"challenge": TEXT, "nonce": HEX, "expires": SECONDS}.
var challengeAnswer = strictjson.Form{Depth: 1, Values: 16, Members: 8, Plain: true}

var errChallenge = errors.New("not a challenge")

func parseChallenge(data []byte) (text, nonce string, err error) {
	n, err := challengeAnswer.Parse(data)
	if err != nil || n.Kind != strictjson.Object {
		return "", "", errors.Join(errChallenge, err)
	}
	for _, m := range n.Members {
		switch {
		case m.Value.Kind != strictjson.Text:
		case m.Name == "challenge":
			text = m.Value.Text
		case m.Name == "nonce":
			nonce = m.Value.Text
		}
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(text) != challenge.TextSize {
		return "", "", errChallenge
	}
	return text, nonce, nil
}
