package forge

import (
	"encoding/binary"
	"fmt"
	"slices"

	tpmpb "github.com/google/go-tpm-tools/proto/tpm"
	"github.com/google/go-tpm/tpm2"
)

// Quote is a quote of one bank before it is signed. Whatever an edit leaves
// alone stays honest: digest and signature are made of what is here.
type Quote struct {
	// Bank is the label of the PCR values that are shipped with the quote.
	Bank Alg
	// Magic and Type open TPMS_ATTEST (TPM 2.0 Part 2, 10.12.12). Another
	// Type alone relabels a quote; with Attested it is a genuine structure.
	Magic     uint32
	Type      tpm2.TPMST
	Signer    []byte // qualified name of the key
	ExtraData []byte // the nonce
	Clock     tpm2.TPMSClockInfo
	Firmware  uint64
	// Selection is TPML_PCR_SELECTION; the values come from all Machine banks.
	Selection []tpm2.TPMSPCRSelection
	// PCRDigest overrides the digest of the selected values.
	PCRDigest []byte
	// PCRs override the values that are shipped with the quote; nil stands
	// for the values of the first selection.
	PCRs Bank
	// Attested replaces the quote information.
	Attested *tpm2.TPMUAttest
	// Scheme and Hash are those of the signature.
	Scheme Alg
	Hash   Alg
}

// Select returns a selection of PCRs with the usual bitmap of three bytes.
func Select(bank Alg, pcrs ...uint) tpm2.TPMSPCRSelection {
	return tpm2.TPMSPCRSelection{Hash: bank, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}
}

// newQuote is a quote of all PCRs of a bank, as gotpm takes it.
func newQuote(bank Alg, ak *AK, hash Alg, nonce []byte) (*Quote, error) {
	signer, err := ak.QualifiedName()
	if err != nil {
		return nil, err
	}
	scheme := tpm2.TPMAlgECDSA
	if ak.Public.Type == tpm2.TPMAlgRSA {
		scheme = tpm2.TPMAlgRSASSA
	}
	return &Quote{
		Bank: bank, Magic: uint32(tpm2.TPMGeneratedValue), Type: tpm2.TPMSTAttestQuote,
		Signer: signer, ExtraData: nonce,
		Clock:     tpm2.TPMSClockInfo{Clock: 3723004, ResetCount: 7, RestartCount: 0, Safe: true},
		Firmware:  0x2016_0511_0016_2800,
		Selection: []tpm2.TPMSPCRSelection{{Hash: bank, PCRSelect: []byte{0xff, 0xff, 0xff}}},
		Scheme:    scheme, Hash: hash,
	}, nil
}

// selected returns the PCRs of a bitmap.
func selected(bitmap []byte) []uint32 {
	var out []uint32
	for i := range size32(bitmap) * 8 {
		if bitmap[i/8]>>(i%8)&1 == 1 {
			out = append(out, i)
		}
	}
	return out
}

// pcrDigest hashes the selected values in the order of TPM 2.0 Part 1, 17.5.
func (q *Quote) pcrDigest(banks Banks) ([]byte, error) {
	if q.PCRDigest != nil {
		return q.PCRDigest, nil
	}
	var values [][]byte
	for _, s := range q.Selection {
		for _, i := range selected(s.PCRSelect) {
			values = append(values, banks[s.Hash][i])
		}
	}
	return digest(q.Hash, values...)
}

// shipped returns the PCR values that the evidence shows.
func (q *Quote) shipped(banks Banks) Bank {
	if q.PCRs != nil {
		return q.PCRs
	}
	out := Bank{}
	if len(q.Selection) == 0 {
		return out
	}
	for _, i := range selected(q.Selection[0].PCRSelect) {
		out[i] = banks[q.Bank][i]
	}
	return out
}

// attest encodes TPMS_ATTEST. go-tpm would refuse another magic, and another
// type for the same body, so these two are written over its encoding.
func (q *Quote) attest(banks Banks) ([]byte, error) {
	pcrDigest, err := q.pcrDigest(banks)
	if err != nil {
		return nil, fmt.Errorf("digest of the selected PCRs: %w", err)
	}
	typ := tpm2.TPMSTAttestQuote
	attested := tpm2.NewTPMUAttest(typ, &tpm2.TPMSQuoteInfo{
		PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: slices.Clone(q.Selection)},
		PCRDigest: tpm2.TPM2BDigest{Buffer: pcrDigest},
	})
	if q.Attested != nil {
		typ, attested = q.Type, *q.Attested
	}
	out := tpm2.Marshal(tpm2.TPMSAttest{
		Magic: tpm2.TPMGeneratedValue, Type: typ,
		QualifiedSigner: tpm2.TPM2BName{Buffer: q.Signer},
		ExtraData:       tpm2.TPM2BData{Buffer: q.ExtraData},
		ClockInfo:       q.Clock,
		FirmwareVersion: q.Firmware,
		Attested:        attested,
	})
	binary.BigEndian.PutUint32(out, q.Magic)
	binary.BigEndian.PutUint16(out[4:], uint16(q.Type))
	return out, nil
}

// sign encodes and signs the quote and puts it into a message.
func (q *Quote) sign(ak *AK, banks Banks) (*tpmpb.Quote, error) {
	attest, err := q.attest(banks)
	if err != nil {
		return nil, err
	}
	signature, err := ak.Sign(q.Scheme, q.Hash, attest)
	if err != nil {
		return nil, err
	}
	return &tpmpb.Quote{
		Quote:  attest,
		RawSig: tpm2.Marshal(*signature),
		Pcrs:   &tpmpb.PCRs{Hash: tpmpb.HashAlgo(q.Bank), Pcrs: q.shipped(banks)},
	}, nil
}
