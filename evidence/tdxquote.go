package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tdx-guest/abi"
	pb "github.com/google/go-tdx-guest/proto/tdx"
	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// formatTDX is a TDX quote as the quoting enclave gives it.
const formatTDX = "tdx-quote"

// fitsTDX reports whether b begins with a version, the attestation key type 2 and
// the TEE type of TDX (Intel TDX DCAP Quote Generation Library, A.3.1).
func fitsTDX(b []byte) bool {
	const header = 8
	return len(b) > header && b[0] > 0 && b[1] == 0 && bytes.Equal(b[2:header], []byte{2, 0, 0x81, 0, 0, 0})
}

func decodeTDXQuote(b []byte) (Bundle, error) {
	q, err := tdx.ParseQuote(b)
	if err != nil {
		return nil, err
	}
	return &hardwareReport{format: formatTDX, hw: hardware{kind: teeTDX, tdx: &tdxEvidence{quote: q}}}, nil
}

// LoadTDXQuote reads a TDX quote and the CCEL of its trust domain, the event log
// of RTMR 0 to 2. What is wrong with either is a *FormatError.
func LoadTDXQuote(quote, ccel io.Reader) (Bundle, error) {
	b, err := LoadAs(quote, formatTDX)
	if err != nil {
		return nil, err
	}
	log, err := readInput(ccel, formatTDX)
	if err != nil {
		return nil, err
	}
	r, ok := b.(*hardwareReport)
	if !ok {
		return nil, &FormatError{Format: formatTDX, Err: errors.New("not a TDX quote")}
	}
	r.hw.tdx.ccel = log
	return r, nil
}

// tdxOf takes a TDX quote out of go-tdx-guest's message, which must have no
// second reading: the quote's bytes give the message again.
func tdxOf(msg *pb.QuoteV4) (*tdxEvidence, error) {
	raw, err := abi.QuoteToAbiBytes(msg)
	if err != nil {
		return nil, err
	}
	q, err := tdx.ParseQuote(raw)
	if err != nil {
		return nil, err
	}
	again, err := abi.QuoteToProto(raw) // of bytes that were decoded strictly
	if err != nil {
		return nil, err
	}
	if m, ok := again.(*pb.QuoteV4); !ok || !proto.Equal(m, msg) {
		return nil, fmt.Errorf("%w: its bytes give another message", errSecondReading)
	}
	return &tdxEvidence{quote: q}, nil
}

// hardwareOf takes the hardware report out of an attestation.
func hardwareOf(msg *attest.Attestation) (hardware, error) {
	switch t := msg.GetTeeAttestation().(type) {
	case *attest.Attestation_SevSnpAttestation:
		e, err := snpOf(t.SevSnpAttestation)
		return hardware{kind: teeSNP, snp: e}, err
	case *attest.Attestation_TdxAttestation:
		e, err := tdxOf(t.TdxAttestation)
		return hardware{kind: teeTDX, tdx: e}, err
	}
	return hardware{}, nil
}
