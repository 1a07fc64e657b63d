package forge

import (
	"encoding/binary"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm/tpm2"
)

// signatureCases: one scheme for each key type, one hash function for the
// signature and for the digest of the PCRs, nothing after the structure.
func signatureCases() []Case {
	const strict = "format.strict"
	ecc := Machine{AK: P256}
	sig := func(edit func([]byte) []byte) func(*Machine) {
		return sending(func(a *attest.Attestation) {
			for _, q := range a.GetQuotes() {
				q.RawSig = edit(q.GetRawSig())
			}
		})
	}
	return inRow(25, "sig_scheme_confusion", "tpm.quote.signature",
		Case{Name: "pss", edit: quoting(func(q *Quote) { q.Scheme = tpm2.TPMAlgRSAPSS })},
		Case{Name: "pss_labelled_rsassa", edit: func(m *Machine) {
			quoting(func(q *Quote) { q.Scheme = tpm2.TPMAlgRSAPSS })(m)
			sig(func(s []byte) []byte { return relabelled(s, tpm2.TPMAlgRSASSA) })(m)
		}},
		Case{Name: "rsassa_labelled_pss", edit: sig(func(s []byte) []byte { return relabelled(s, tpm2.TPMAlgRSAPSS) })},
		Case{Name: "ecdsa_label_on_rsa_key", edit: sig(func(s []byte) []byte {
			raw := s[6:] // scheme, hash, length
			return tpm2.Marshal(*ECDSASignature(SHA256, raw[:len(raw)/2], raw[len(raw)/2:]))
		})},
		Case{Name: "rsassa_label_on_ecc_key", machine: ecc, edit: sig(func(s []byte) []byte {
			return tpm2.Marshal(*RSASignature(tpm2.TPMAlgRSASSA, SHA256, s[6:38]))
		})},
		Case{Name: "ecdsa_zero", machine: ecc, edit: sig(func([]byte) []byte {
			return tpm2.Marshal(*ECDSASignature(SHA256, make([]byte, 32), make([]byte, 32)))
		})},
		Case{Name: "ecdsa_empty", machine: ecc, edit: sig(func([]byte) []byte {
			return tpm2.Marshal(*ECDSASignature(SHA256, nil, nil))
		})},
		Case{Name: "null_scheme", Check: strict, edit: sig(func([]byte) []byte { return []byte{0, 0x10} })},
		Case{Name: "no_signature", Check: strict, edit: sig(func([]byte) []byte { return nil })},
		Case{Name: "unknown_hash", Also: []string{"tpm.quote.pcrs"}, edit: sig(func(s []byte) []byte {
			binary.BigEndian.PutUint16(s[2:], uint16(tpm2.TPMAlgSM3256))
			return s
		})},
		Case{Name: "sha1", edit: func(m *Machine) { m.AKHash = SHA1 }},
		Case{Name: "trailing_byte", Check: strict, edit: sig(func(s []byte) []byte { return append(s, 0) })},
		Case{Name: "digest_of_other_hash", Check: "tpm.quote.pcrs", machine: Machine{AKHash: SHA384}, edit: otherDigestHash},
		Case{
			Name: "sha384_throughout", Want: "accepted: signature and digest use the hash of the key's scheme",
			machine: Machine{AKHash: SHA384},
		},
	)
}

// relabelled writes another scheme over TPMT_SIGNATURE.sigAlg.
func relabelled(signature []byte, scheme Alg) []byte {
	binary.BigEndian.PutUint16(signature, uint16(scheme))
	return signature
}

// otherDigestHash signs with SHA-384 over a PCR digest made with SHA-256.
func otherDigestHash(m *Machine) {
	var banks Banks
	m.Edits.Banks = func(b Banks) error { banks = b; return nil }
	m.Edits.Quote = func(q *Quote) error {
		other := *q
		other.Hash = SHA256
		var err error
		q.PCRDigest, err = other.pcrDigest(banks)
		return err
	}
}
