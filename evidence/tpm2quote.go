package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

const formatTPM2Quote = "tpm2-quote"

// TPM2Quote is the output of tpm2_quote: a TPMS_ATTEST, its TPMT_SIGNATURE
// (-f tss, the default) and the PCR values (-o with -F serialized or values),
// with the event log where there is one.
type TPM2Quote struct {
	Message, Signature, PCRs, EventLog io.Reader
}

// tpm2Quote is a decoded TPM2Quote.
type tpm2Quote struct {
	quote    *quote
	eventLog []byte
}

// LoadTPM2Quote reads the parts of a tpm2_quote and decodes them strictly.
// EventLog may be nil. What is wrong with a part is a *FormatError; an error of
// a reader is returned as it is.
func LoadTPM2Quote(t TPM2Quote) (Bundle, error) {
	parts := map[string][]byte{}
	for _, p := range []struct {
		name string
		from io.Reader
	}{{"message", t.Message}, {"signature", t.Signature}, {"PCR values", t.PCRs}, {"event log", t.EventLog}} {
		if p.from == nil {
			continue
		}
		data, err := readInput(p.from, formatTPM2Quote)
		if fe, ok := errors.AsType[*FormatError](err); ok {
			fe.Err = fmt.Errorf("%s: %w", p.name, fe.Err)
		}
		if err != nil {
			return nil, err
		}
		parts[p.name] = data
	}
	q, err := decodeTPM2Quote(parts["message"], parts["signature"], parts["PCR values"])
	if err != nil {
		return nil, &FormatError{Format: formatTPM2Quote, Err: err}
	}
	return &tpm2Quote{q, parts["event log"]}, nil
}

func fitsTPM2Quote(b []byte) bool {
	return bytes.HasPrefix(b, binary.BigEndian.AppendUint32(nil, tpm.Magic))
}

// decodeTPM2QuoteAlone is what Load finds of a tpm2_quote: the message only.
func decodeTPM2QuoteAlone([]byte) (Bundle, error) {
	return nil, hint.New(errors.New("this is the message of a tpm2_quote without its signature and PCR values"),
		"give them too: --sig FILE --pcrs FILE, and the event log with --log FILE")
}

func decodeTPM2Quote(msg, sig, pcrs []byte) (q *quote, err error) {
	defer func() {
		if p := recover(); p != nil {
			q, err = nil, fmt.Errorf("internal error while decoding: %v", p)
		}
	}()
	if q, err = parseQuote(msg, sig); err != nil {
		return nil, hint.New(err, "write the signature with tpm2_quote -f tss, the default")
	}
	if q.notOne != nil {
		return q, nil
	}
	if q.banks, err = decodePCRs(pcrs, q.attest.Selections); err != nil {
		return nil, fmt.Errorf("PCR values: %w", err)
	}
	return q, nil
}

// Format returns "tpm2-quote".
func (t *tpm2Quote) Format() string { return formatTPM2Quote }

// Verify implements Bundle. There is no certificate in this format, so that
// the key must be pinned.
func (t *tpm2Quote) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(t, trust, want)
}

func (t *tpm2Quote) parts() *vtpmEvidence {
	return &vtpmEvidence{format: formatTPM2Quote, quotes: []*quote{t.quote}, eventLog: t.eventLog}
}

// Sizes of the C structures that tpm2-tools write as they lie in memory,
// little endian: TPML_PCR_SELECTION, and TPML_DIGEST of up to eight TPM2B_DIGEST.
const (
	sizeSelectionList = 4 + 16*sizeSelection
	sizeSelection     = 8
	sizeDigest        = 2 + 64
	digestsPerList    = 8
	sizeDigestList    = 4 + digestsPerList*sizeDigest
	maxDigestLists    = 16
)

// decodePCRs decodes PCR values in either form of tpm2-tools. The plain form
// is the values in the order of the selection; its length tells it from the
// other.
func decodePCRs(b []byte, selections []tpm.Selection) ([]bankValues, error) {
	banks, size := emptyBanks(selections)
	if size == len(b) {
		return fillBanks(banks, func(n int) ([]byte, error) {
			v := b[:n]
			b = b[n:]
			return v, nil
		})
	}
	values, err := decodeSerialized(b, selections)
	if err != nil {
		return nil, err
	}
	banks, err = fillBanks(banks, func(int) ([]byte, error) {
		if len(values) == 0 {
			return nil, errors.New("fewer values than the quote selects")
		}
		v := values[0]
		values = values[1:]
		return v, nil
	})
	if err == nil && len(values) > 0 {
		err = fmt.Errorf("%d values more than the quote selects", len(values))
	}
	return banks, err
}

// emptyBanks makes room for the selected PCRs and gives the size of their values.
func emptyBanks(selections []tpm.Selection) ([]bankValues, int) {
	var banks []bankValues
	size := 0
	for _, sel := range selections {
		bank := bankValues{alg: sel.Hash}
		for _, i := range sel.PCRs() {
			bank.values = append(bank.values, pcrValue{index: uint32(i)}) //nolint:gosec // below 64
		}
		size += len(bank.values) * sel.Hash.Size()
		banks = append(banks, bank)
	}
	return banks, size
}

func fillBanks(banks []bankValues, next func(size int) ([]byte, error)) ([]bankValues, error) {
	for _, b := range banks {
		for i := range b.values {
			v, err := next(b.alg.Size())
			if err != nil {
				return nil, err
			}
			b.values[i].value = v
		}
	}
	return banks, nil
}

// decodeSerialized decodes the default form: the selection, the number of
// digest lists, and the lists. The selection must be the signed one, and what is
// not used must be zero.
func decodeSerialized(b []byte, signed []tpm.Selection) ([][]byte, error) {
	if len(b) < sizeSelectionList+4 {
		return nil, fmt.Errorf("%d bytes are neither the values nor the serialized form of tpm2_quote", len(b))
	}
	if !bytes.Equal(b[:sizeSelectionList], selectionList(signed)) {
		return nil, errors.New("the selection in the file is not the one that the quote was made for")
	}
	lists := binary.LittleEndian.Uint32(b[sizeSelectionList:])
	rest := b[sizeSelectionList+4:]
	if lists > maxDigestLists || int(lists)*sizeDigestList != len(rest) {
		return nil, fmt.Errorf("%d digest lists in %d bytes, want %d bytes each", lists, len(rest), sizeDigestList)
	}
	var values [][]byte
	for ; len(rest) > 0; rest = rest[sizeDigestList:] {
		count := binary.LittleEndian.Uint32(rest)
		if count > digestsPerList {
			return nil, fmt.Errorf("digest list of %d, at most %d fit", count, digestsPerList)
		}
		for i := range int(count) {
			d := rest[4+i*sizeDigest : 4+(i+1)*sizeDigest]
			n := int(binary.LittleEndian.Uint16(d))
			if n > sizeDigest-2 {
				return nil, fmt.Errorf("digest of %d bytes", n)
			}
			values = append(values, d[2:2+n])
			if !isZero(d[2+n:]) {
				return nil, errors.New("bytes beside a digest are not zero")
			}
		}
		if !isZero(rest[4+int(count)*sizeDigest : sizeDigestList]) {
			return nil, errors.New("bytes behind the digests are not zero")
		}
	}
	return values, nil
}

// selectionList encodes a TPML_PCR_SELECTION as it lies in memory.
func selectionList(list []tpm.Selection) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(list))) //nolint:gosec // at most 16
	for _, s := range list {
		slot := make([]byte, sizeSelection)
		binary.LittleEndian.PutUint16(slot, uint16(s.Hash))
		slot[2] = byte(len(s.Bitmap)) //nolint:gosec // at most 8
		copy(slot[3:7], s.Bitmap)
		out = append(out, slot...)
	}
	return append(out, make([]byte, max(0, sizeSelectionList-len(out)))...)
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
