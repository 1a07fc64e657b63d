package evidence

import (
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/internal/hint"
)

// TCBs is what a hardware report says of the firmware below it. It is decoded
// and not verified: whatever it says may be made up. Exactly one of SNP and TDX
// is set.
type TCBs struct {
	SNP *SNPTCBs `json:"snp,omitempty"`
	TDX *TDXTCBs `json:"tdx,omitempty"`
}

// TCBsOf decodes the TCBs of the hardware report that evidence carries. An SNP
// report is compared with the certificate beside it. Evidence without a hardware
// report, or that does not decode, is a *[FormatError].
func TCBsOf(b Bundle) (*TCBs, error) { return TCBsWithKey(b, nil) }

// TCBsWithKey is [TCBsOf] with the certificate that an SEV-SNP report is compared
// with instead of its own; nil takes its own.
func TCBsWithKey(b Bundle, key *SNPKey) (*TCBs, error) {
	parts := untrustedParts(b)
	if parts.malformed != nil {
		return nil, &FormatError{Format: b.Format(), Err: parts.malformed}
	}
	switch parts.hw.kind {
	case teeSNP:
		return &TCBs{SNP: snpTCBs(parts.hw.snp, key)}, nil
	case teeTDX:
		return &TCBs{TDX: tdxTCBs(parts.hw.tdx.quote)}, nil
	case teeNone:
	}
	return nil, &FormatError{Format: b.Format(), Err: errNoReport}
}

var errNoReport = hint.New(errors.New("the evidence carries no hardware report"),
	"take it with gotpm attest --tee-technology, or give an SEV-SNP report or a TDX quote itself")

// SNPKey is a VCEK or VLEK certificate, of which nothing was checked.
type SNPKey struct {
	cert *snp.Certificate
}

// ParseSNPKey decodes a VCEK or VLEK certificate in DER or as one PEM block.
func ParseSNPKey(data []byte) (*SNPKey, error) {
	der, err := snp.CertificateDER(data)
	if err != nil {
		return nil, err
	}
	cert, err := snp.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("not a VCEK or VLEK certificate: %w", err)
	}
	return &SNPKey{cert}, nil
}

// namedTCB is one of the four TCBs of an SEV-SNP report (AMD 56860).
type namedTCB struct {
	name string
	raw  snp.RawTCB
}

func tcbsOf(r *snp.Report) []namedTCB {
	return []namedTCB{
		{"reported", r.ReportedTCB},
		{"current", r.CurrentTCB},
		{"committed", r.CommittedTCB},
		{"launch", r.LaunchTCB},
	}
}
