package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// quote is a signed TPMS_ATTEST with the PCR values that came beside it.
type quote struct {
	raw    []byte
	attest *tpm.Attest        // nil if notOne says that it is no quote
	notOne *tpm.NotQuoteError // nil for a quote
	sig    *tpm.Signature
	banks  []bankValues // what the evidence says the PCRs are
}

// bankValues are the PCR values of one bank, by ascending index.
type bankValues struct {
	alg    tpm.Alg
	values []pcrValue
}

type pcrValue struct {
	index uint32
	value []byte
}

// get returns the value of PCR i, or nil.
func (b bankValues) get(i int) []byte {
	for _, v := range b.values {
		if int64(v.index) == int64(i) {
			return v.value
		}
	}
	return nil
}

func parseQuote(msg, sig []byte) (*quote, error) {
	q := &quote{raw: msg}
	var err error
	if q.attest, err = tpm.ParseAttest(msg); err != nil && !errors.As(err, &q.notOne) {
		return nil, err
	}
	q.sig, err = tpm.ParseSignature(sig)
	return q, err
}

// name is the bank of the quote, or its banks joined by "+".
func (q *quote) name() string {
	names := make([]string, len(q.banks))
	for i, b := range q.banks {
		names[i] = b.alg.String()
	}
	return strings.Join(names, "+")
}

// minSignatureHash are the digests that a quote may be signed over.
var signatureHashes = []tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA384, tpm.AlgSHA512}

// checkSignature verifies the signature by key over the TPMS_ATTEST. public is
// the key's public area where it is known: a restricted key signs with its own
// scheme only.
func (q *quote) checkSignature(key crypto.PublicKey, public *tpm.Public) error {
	if !slices.Contains(signatureHashes, q.sig.Hash) {
		return fmt.Errorf("signature over a %v digest, want sha256, sha384 or sha512", q.sig.Hash)
	}
	if public != nil && (public.Scheme != tpm.Scheme{Alg: q.sig.Scheme, Hash: q.sig.Hash}) {
		return fmt.Errorf("signature is %v with %v, the key signs only %v with %v",
			q.sig.Scheme, q.sig.Hash, public.Scheme.Alg, public.Scheme.Hash)
	}
	digest := digestOf(q.sig.Hash, q.raw)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if q.sig.Scheme != tpm.AlgRSASSA {
			return fmt.Errorf("signature scheme %v does not fit an RSA key, want rsassa", q.sig.Scheme)
		}
		if err := rsa.VerifyPKCS1v15(key, q.sig.Hash.Hash(), digest, q.sig.RSA); err != nil {
			return errBadSignature()
		}
	case *ecdsa.PublicKey:
		if q.sig.Scheme != tpm.AlgECDSA {
			return fmt.Errorf("signature scheme %v does not fit an ECC key, want ecdsa", q.sig.Scheme)
		}
		r, s := new(big.Int).SetBytes(q.sig.R), new(big.Int).SetBytes(q.sig.S)
		if !ecdsa.Verify(key, digest, r, s) {
			return errBadSignature()
		}
	default:
		return errors.New("no attestation key")
	}
	return nil
}

func errBadSignature() error {
	return hint.New(errors.New("the signature is not the attestation key's over this quote"),
		"the quote or its signature was altered, or the key is another machine's")
}

// checkMagic reports a structure that is no quote of a TPM.
func (q *quote) checkMagic() error {
	if q.notOne == nil {
		return nil
	}
	return hint.New(q.notOne, "only TPM2_Quote output is evidence")
}

// checkNonce compares the qualifying data with the expected nonce.
func (q *quote) checkNonce(want []byte) error {
	if subtle.ConstantTimeCompare(q.attest.ExtraData, want) != 1 {
		return hint.New(fmt.Errorf("the quote was made for nonce %x, want %x", q.attest.ExtraData, want),
			"pass the nonce that this evidence was requested with, or request new evidence for yours")
	}
	return nil
}

// checkSelection compares the signed selection with the values beside it and
// with the PCRs that are required.
func (q *quote) checkSelection(required []int) error {
	if len(q.attest.Selections) != len(q.banks) {
		return fmt.Errorf("%d banks are quoted, values are given for %d", len(q.attest.Selections), len(q.banks))
	}
	for i, sel := range q.attest.Selections {
		if err := checkBankSelection(sel, q.banks[i], required); err != nil {
			return fmt.Errorf("%v: %w", sel.Hash, err)
		}
	}
	return nil
}

func checkBankSelection(sel tpm.Selection, bank bankValues, required []int) error {
	if sel.Hash != bank.alg {
		return fmt.Errorf("the values beside the quote are of bank %v", bank.alg)
	}
	selected := sel.PCRs()
	if len(selected) == 0 {
		return errors.New("no PCR is quoted")
	}
	if last := selected[len(selected)-1]; last > tpm.MaxPCR {
		return fmt.Errorf("PCR %d is quoted, a PC Client TPM has PCR 0 to %d", last, tpm.MaxPCR)
	}
	if !slices.EqualFunc(selected, bank.values, func(i int, v pcrValue) bool { return int64(i) == int64(v.index) }) {
		return fmt.Errorf("PCRs %s are quoted, values are given for %s", ranges(selected), ranges(indexes(bank)))
	}
	for _, i := range required {
		if !sel.Has(i) {
			return hint.New(fmt.Errorf("PCR %d is required and not quoted (quoted: %s)", i, ranges(selected)),
				"quote all PCRs, or name those you need with --require-pcrs")
		}
	}
	return nil
}

// checkPCRs compares the digest in the quote with the values beside it. The
// digest covers the concatenation of the values only, so that each value must
// first have the length of its bank.
func (q *quote) checkPCRs() error {
	var all []byte
	for _, b := range q.banks {
		for _, v := range b.values {
			if len(v.value) != b.alg.Size() {
				return fmt.Errorf("%v: PCR %d has %d bytes, want %d", b.alg, v.index, len(v.value), b.alg.Size())
			}
			all = append(all, v.value...)
		}
	}
	if got := digestOf(q.sig.Hash, all); !bytes.Equal(got, q.attest.PCRDigest) {
		return hint.New(fmt.Errorf("the values have %v digest %x, the quote has %x", q.sig.Hash, got, q.attest.PCRDigest),
			"the values beside the quote are not the quoted ones: take the evidence again")
	}
	return nil
}

func indexes(b bankValues) []int {
	list := make([]int, len(b.values))
	for i, v := range b.values {
		list[i] = int(v.index)
	}
	return list
}

// ranges writes a list of PCRs as "0-9,14".
func ranges(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d", list[i])
		if j > i {
			fmt.Fprintf(&b, "-%d", list[j])
		}
		i = j + 1
	}
	return b.String()
}

func digestOf(alg tpm.Alg, data []byte) []byte {
	h := alg.Hash()
	if h == 0 {
		return nil
	}
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}
