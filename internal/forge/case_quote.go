package forge

import (
	"bytes"
	"fmt"

	"github.com/google/go-tpm-tools/proto/attest"
	tpmpb "github.com/google/go-tpm-tools/proto/tpm"
	"github.com/google/go-tpm/tpm2"
)

// nonceCases: the quote must answer the verifier's own question.
func nonceCases() []Case {
	asked := func(edit func([]byte) []byte) func(*Evidence) error {
		return func(e *Evidence) error { e.Nonce = edit(bytes.Clone(e.Nonce)); return nil }
	}
	none := func([]byte) []byte { return nil }
	return inRow(18, "empty_or_missing_nonce", "tpm.quote.nonce",
		Case{Name: "quote_without", edit: quoting(func(q *Quote) { q.ExtraData = nil })},
		Case{Name: "none_asked", trust: asked(none)},
		Case{Name: "both_empty", edit: quoting(func(q *Quote) { q.ExtraData = nil }), trust: asked(none)},
		Case{Name: "shortened", edit: quoting(func(q *Quote) { q.ExtraData = q.ExtraData[:16] })},
		Case{Name: "padded", edit: quoting(func(q *Quote) { q.ExtraData = append(bytes.Clone(q.ExtraData), make([]byte, 32)...) })},
		Case{Name: "one_bit", trust: asked(func(n []byte) []byte { n[31] ^= 1; return n })},
		Case{Name: "other_in_one_bank", edit: quoting(func(q *Quote) {
			if q.Bank == SHA256 {
				q.ExtraData = bytes.Repeat([]byte{0x5a}, 32)
			}
		})},
	)
}

// attestCases: TPMS_ATTEST must be a quote that a TPM made.
func attestCases() []Case {
	magic := func(value uint32) func(*Machine) { return quoting(func(q *Quote) { q.Magic = value }) }
	structure := func(t tpm2.TPMST, attested tpm2.TPMUAttest) func(*Machine) {
		return quoting(func(q *Quote) { q.Type, q.Attested = t, &attested })
	}
	name := tpm2.TPM2BName{Buffer: append([]byte{0, 0x0b}, make([]byte, 32)...)}
	return inRow(21, "not_a_quote", "tpm.quote.magic",
		Case{Name: "magic_zero", edit: magic(0)},
		Case{Name: "magic_tcg1", edit: magic(0x54434731)},
		Case{Name: "magic_little_endian", edit: magic(0x474354ff)},
		Case{Name: "type_relabelled", edit: quoting(func(q *Quote) { q.Type = tpm2.TPMSTAttestCertify })},
		Case{Name: "certify", edit: structure(tpm2.TPMSTAttestCertify, tpm2.NewTPMUAttest(tpm2.TPMSTAttestCertify,
			&tpm2.TPMSCertifyInfo{Name: name, QualifiedName: name}))},
		Case{Name: "creation", edit: structure(tpm2.TPMSTAttestCreation, tpm2.NewTPMUAttest(tpm2.TPMSTAttestCreation,
			&tpm2.TPMSCreationInfo{ObjectName: name, CreationHash: tpm2.TPM2BDigest{Buffer: make([]byte, 32)}}))},
		Case{Name: "time", edit: structure(tpm2.TPMSTAttestTime, tpm2.NewTPMUAttest(tpm2.TPMSTAttestTime,
			&tpm2.TPMSTimeAttestInfo{FirmwareVersion: 1}))},
		Case{Name: "nv", edit: structure(tpm2.TPMSTAttestNV, tpm2.NewTPMUAttest(tpm2.TPMSTAttestNV,
			&tpm2.TPMSNVCertifyInfo{IndexName: name}))},
		Case{Name: "nv_digest", edit: structure(tpm2.TPMSTAttestNVDigest, tpm2.NewTPMUAttest(tpm2.TPMSTAttestNVDigest,
			&tpm2.TPMSNVDigestCertifyInfo{IndexName: name}))},
	)
}

// selectionCases: the quote must select one bank, every required PCR, and
// nothing but what the evidence shows.
func selectionCases() []Case {
	sel := func(pcrs ...uint) func(*Machine) {
		return quoting(func(q *Quote) { q.Selection = []tpm2.TPMSPCRSelection{Select(q.Bank, pcrs...)} })
	}
	return inRow(22, "selection_empty_subset_24_relabel", "tpm.quote.selection",
		Case{Name: "no_selection", edit: quoting(func(q *Quote) { q.Selection = nil })},
		Case{Name: "no_pcr", edit: sel()},
		Case{Name: "only_0", edit: sel(0)},
		Case{Name: "only_16_and_23", edit: sel(16, 23)},
		Case{Name: "without_14", edit: sel(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23)},
		Case{Name: "two_banks", edit: quoting(func(q *Quote) {
			other := SHA256
			if q.Bank == SHA256 {
				other = SHA384
			}
			q.Selection = append(q.Selection, tpm2.TPMSPCRSelection{Hash: other, PCRSelect: []byte{0, 0, 0}})
		})},
		Case{Name: "index_24", edit: selectIndex24},
		Case{Name: "relabelled", edit: relabel},
	)
}

func selectIndex24(m *Machine) {
	m.Edits.Banks = func(banks Banks) error {
		for _, bank := range banks {
			bank[24] = make([]byte, len(bank[0]))
		}
		return nil
	}
	m.Edits.Quote = func(q *Quote) error {
		q.Selection[0].PCRSelect = []byte{0xff, 0xff, 0xff, 1}
		return nil
	}
}

// relabel quotes PCR 16, which the owner can reset and extend at will, and
// shows its value as PCR 8: both come last, so that the digest still fits.
func relabel(m *Machine) {
	var quoted Banks
	m.Edits.Banks = func(banks Banks) error {
		for _, bank := range banks {
			bank[16] = bytes.Clone(bank[8])
		}
		quoted = banks
		return nil
	}
	m.Edits.Quote = func(q *Quote) error {
		q.Selection = []tpm2.TPMSPCRSelection{Select(q.Bank, 0, 1, 2, 3, 4, 5, 6, 7, 16)}
		q.PCRs = Bank{8: quoted[q.Bank][16]}
		for i := range uint32(8) {
			q.PCRs[i] = quoted[q.Bank][i]
		}
		return nil
	}
}

// valueCases: the values shown must be those that were signed. PCR 12 and 13
// are outside the required set and without events, so no replay notices.
func valueCases() []Case {
	values := func(edit func(Bank)) func(*Machine) {
		return sending(func(a *attest.Attestation) {
			for _, q := range a.GetQuotes() {
				shown := Bank(q.GetPcrs().GetPcrs()).Clone()
				edit(shown)
				q.Pcrs.Pcrs = shown
			}
		})
	}
	const selection, pcrs = "tpm.quote.selection", "tpm.quote.pcrs"
	return inRow(23, "pcr_values_edited_or_resplit", pcrs,
		Case{Name: "flipped", edit: values(func(b Bank) { b[12][0] ^= 1 })},
		Case{Name: "dropped", Check: selection, Also: []string{pcrs}, edit: values(func(b Bank) { delete(b, 12) })},
		Case{Name: "added", Check: selection, Also: []string{pcrs}, edit: values(func(b Bank) { b[24] = make([]byte, len(b[0])) })},
		Case{Name: "resplit", edit: values(func(b Bank) {
			both := append(bytes.Clone(b[12]), b[13]...)
			b[12], b[13] = both[:1], both[1:]
		})},
		Case{Name: "resplit_to_nothing", edit: values(func(b Bank) {
			b[12], b[13] = nil, append(bytes.Clone(b[12]), b[13]...)
		})},
	)
}

// bankOf returns the label of the PCR values in a quote.
func bankOf(q *tpmpb.Quote) Alg {
	return Alg(q.GetPcrs().GetHash()) //nolint:gosec // the forge writes algorithms of 16 bits
}

// quoteOf returns the first quote of a bank.
func quoteOf(a *attest.Attestation, bank Alg) (*tpmpb.Quote, error) {
	for _, q := range a.GetQuotes() {
		if bankOf(q) == bank {
			return q, nil
		}
	}
	return nil, fmt.Errorf("no quote of bank %#04x", uint16(bank))
}
