package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/server/secret"
	"github.com/attestctl/attestctl/server/wrap"
)

// endorsement is what a client says of its TPM's endorsement key. None of it was
// looked at.
type endorsement struct{ public, certificate []byte }

func namesEK(r *http.Request) bool {
	return len(r.Header.Values(headerEK)) > 0 || len(r.Header.Values(headerEKCertificate)) > 0
}

// ekOf reads the headers of the endorsement key. Whether they hold one is judged
// with the evidence.
func ekOf(r *http.Request) (*endorsement, error) {
	if !namesEK(r) {
		return nil, nil //nolint:nilnil // no endorsement key
	}
	if r.Header.Get(headerKey) == "" {
		return nil, reject(http.StatusBadRequest, "what is wrapped for a TPM is encrypted to a key as well: "+headerKey+" is missing")
	}
	public, err := headerBytes(r, headerEK, evidence.MaxEK)
	if err != nil {
		return nil, err
	}
	e := &endorsement{public: public}
	if len(r.Header.Values(headerEKCertificate)) > 0 {
		e.certificate, err = headerBytes(r, headerEKCertificate, evidence.MaxEKCertificate)
	}
	return e, err
}

// headerBytes decodes base64url in its one spelling.
func headerBytes(r *http.Request, name string, limit int) ([]byte, error) {
	text := r.Header.Get(name)
	if len(text) > base64.RawURLEncoding.EncodedLen(limit) {
		return nil, reject(http.StatusBadRequest, name+" is too large")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, reject(http.StatusBadRequest, name+" is not base64url")
	}
	return b, nil
}

var (
	errNoEK     = errors.New("there is no TPM to wrap for")
	errNoAKName = errors.New("the evidence proves no attestation key's Name to wrap for")
)

// judgeEK finds out whether the endorsement key is one of a genuine TPM.
func (d *decision) judgeEK() {
	if d.ek != nil {
		d.tpm, d.tpmErr = d.snap.trust.CheckEK(d.ek.public, d.ek.certificate, d.record.Time)
	}
}

// boundTPM wants a TPM to wrap for where the secret demands it, and of one that the
// client names that it can be wrapped for: a genuine one, and evidence that proves the
// Name of the key in it that signed. That both keys are in one TPM shows when it
// unwraps (TPM 2.0 Part 1, 24).
func (d *decision) boundTPM() error {
	switch {
	case d.ek == nil && d.secret.Requires(secret.AK):
		return d.refuse(checkBound, errNoEK)
	case d.ek == nil:
		return nil
	case d.tpmErr != nil:
		return d.refuse(checkEK, d.tpmErr)
	case d.judged.result.AKName == nil:
		return d.refuse(checkBound, errNoAKName)
	}
	return nil
}

// wrapped is an answer as it leaves: wrapped for the TPM, if there is one.
func (d *decision) wrapped(a *answer) (*answer, error) {
	if d.ek != nil {
		body, err := wrap.Seal(d.server.o.Random, d.tpm, d.judged.result.AKName, a.body)
		if err != nil {
			d.record.Error = "wrap"
			return nil, err
		}
		a = &answer{contentType: wrap.ContentType, body: body}
		d.record.Binding = string(secret.AK)
		sum := sha256.Sum256(d.ek.public)
		d.record.EKSHA256 = hex.EncodeToString(sum[:])
	}
	d.record.Released = true
	return a, nil
}
