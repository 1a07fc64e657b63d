package evidence

import (
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
	tpmpb "github.com/google/go-tpm-tools/proto/tpm"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Limits on an attest.Attestation. A real one has three quotes and two or
// three intermediate certificates.
const (
	maxQuotes        = 8
	maxIntermediates = 16
	maxMessages      = 1024 // messages and map entries in a whole attestation
	maxPCRValues     = 64   // in one quote; the selection check knows that a TPM has 24
)

// Attestation is an attest.Attestation, the message that `gotpm attest`
// writes, in whichever of its encodings it came.
type Attestation struct {
	format  string
	unknown int
	msg     *attest.Attestation
}

// Format names the encoding.
func (a *Attestation) Format() string { return a.format }

// Verify implements Bundle.
func (a *Attestation) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(a, trust, want)
}

// newAttestation applies the limits that hold for every encoding.
func newAttestation(format string, msg *attest.Attestation, unknown int) (*Attestation, error) {
	if n := countMessages(msg); n > maxMessages {
		return nil, fmt.Errorf("%d messages and map entries, at most %d are read", n, maxMessages)
	}
	if n := len(msg.GetQuotes()); n > maxQuotes {
		return nil, fmt.Errorf("%d quotes, at most %d are read", n, maxQuotes)
	}
	if n := len(msg.GetIntermediateCerts()); n > maxIntermediates {
		return nil, fmt.Errorf("%d intermediate certificates, at most %d are read", n, maxIntermediates)
	}
	return &Attestation{format: format, unknown: unknown, msg: msg}, nil
}

// parts gives what verification needs, whichever format it came in.
func (a *Attestation) parts() *vtpmEvidence {
	v := &vtpmEvidence{
		format:        a.format,
		unknown:       a.unknown,
		akCert:        a.msg.GetAkCert(),
		intermediates: a.msg.GetIntermediateCerts(),
		eventLog:      a.msg.GetEventLog(),
		cel:           a.msg.GetCanonicalEventLog(),
	}
	hw, err := hardwareOf(a.msg)
	if err != nil {
		v.malformed = fmt.Errorf("tee_attestation: %w", err)
		return v
	}
	v.hw = hw
	if b := a.msg.GetAkPub(); len(b) != 0 {
		public, err := tpm.ParsePublic(b)
		if err != nil {
			v.malformed = fmt.Errorf("ak_pub: %w", err)
			return v
		}
		v.akPublic = public
	}
	for i, q := range a.msg.GetQuotes() {
		parsed, err := quoteOf(q)
		if err != nil {
			v.malformed = fmt.Errorf("quotes[%d]: %w", i, err)
			return v
		}
		v.quotes = append(v.quotes, parsed)
	}
	return v
}

// quoteOf decodes a quote over one bank. A structure that is no quote at all
// is kept for the check that names it.
func quoteOf(q *tpmpb.Quote) (*quote, error) {
	hash := tpm.Alg(q.GetPcrs().GetHash()) //nolint:gosec // a value beyond 16 bits matches no bank
	if int32(q.GetPcrs().GetHash()) != int32(hash) {
		return nil, fmt.Errorf("pcrs.hash is %d, not a TPM algorithm", q.GetPcrs().GetHash())
	}
	parsed, err := parseQuote(q.GetQuote(), q.GetRawSig())
	if err != nil {
		return nil, err
	}
	if n := len(q.GetPcrs().GetPcrs()); n > maxPCRValues {
		return nil, fmt.Errorf("pcrs has %d values, a TPM has %d PCRs", n, tpm.MaxPCR+1)
	}
	values := make([]pcrValue, 0, len(q.GetPcrs().GetPcrs()))
	for i, v := range q.GetPcrs().GetPcrs() {
		values = append(values, pcrValue{i, v})
	}
	slices.SortFunc(values, func(a, b pcrValue) int { return int(int64(a.index) - int64(b.index)) })
	parsed.banks = []bankValues{{hash, values}}
	return parsed, nil
}

// countMessages counts the messages in m, itself included, and the entries of
// its maps.
func countMessages(m proto.Message) int { return countIn(m.ProtoReflect()) }
