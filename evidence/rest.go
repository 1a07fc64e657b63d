package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/evidence/tpm"
)

// formatREST is the body of a verifyAttestation request of the Confidential
// Computing API (REST reference, projects.locations.challenges.verifyAttestation).
const formatREST = "rest"

func fitsREST(b []byte) bool { return fitsNames(b, formatREST) }

// restRequest is a request for a token: the evidence, and what was asked for it.
type restRequest struct {
	unknown    int // members that the API does not have
	challenge  string
	tpm        *restTPM
	ccel       *restCCEL
	snp        *restSNP
	idTokens   int // of service accounts: they are secrets, and not kept
	signatures int // of container images
	nvidia     bool
	options    restOptions
	attester   string
	instance   string
}

type restTPM struct {
	quotes                []restQuote
	eventLog, cel, akCert []byte
	certChain             [][]byte
}

type restQuote struct {
	hash             int32
	values           []pcrValue
	quote, signature []byte
}

type restCCEL struct{ table, data, cel, quote []byte }

type restSNP struct{ report, auxBlob []byte }

type restOptions struct {
	audience  string
	nonces    []string
	tokenType string
}

// Format implements Bundle.
func (r *restRequest) Format() string { return formatREST }

// Verify implements Bundle.
func (r *restRequest) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(r, trust, want)
}

// parts decodes the structures of the hardware in the request. The AK comes with
// its certificate alone.
func (r *restRequest) parts() *vtpmEvidence {
	v := &vtpmEvidence{format: formatREST, unknown: r.unknown}
	if r.tpm == nil {
		v.only = onlyHardware
	}
	v.malformed = cmp.Or(r.tpm.into(v), r.snp.into(v), r.ccel.into(v))
	return v
}

func (t *restTPM) into(v *vtpmEvidence) error {
	if t == nil {
		return nil
	}
	v.akCert, v.intermediates, v.eventLog, v.cel = t.akCert, t.certChain, t.eventLog, t.cel
	for i, q := range t.quotes {
		parsed, err := parseQuote(q.quote, q.signature)
		if err != nil {
			return fmt.Errorf("tpmAttestation.quotes[%d]: %w", i, err)
		}
		parsed.banks = []bankValues{{tpm.Alg(q.hash), q.values}} //nolint:gosec // was read as 16 bits
		v.quotes = append(v.quotes, parsed)
	}
	return nil
}

func (s *restSNP) into(v *vtpmEvidence) error {
	if s == nil {
		return nil
	}
	report, err := snp.ParseReport(s.report)
	if err != nil {
		return fmt.Errorf("sevSnpAttestation.report: %w", err)
	}
	e := &snpEvidence{report: report}
	if err := e.addTable(s.auxBlob); err != nil {
		return fmt.Errorf("sevSnpAttestation.auxBlob: %w", err)
	}
	v.hw = hardware{kind: teeSNP, snp: e}
	return nil
}

func (c *restCCEL) into(v *vtpmEvidence) error {
	if c == nil {
		return nil
	}
	q, err := tdx.ParseQuote(c.quote)
	if err != nil {
		return fmt.Errorf("tdCcel.tdQuote: %w", err)
	}
	v.hw = hardware{kind: teeTDX, tdx: &tdxEvidence{quote: q}}
	if len(c.data) > 0 {
		v.hw.tdx.ccel = c.data
	}
	switch {
	case len(c.cel) == 0:
	case len(v.cel) == 0:
		v.cel = c.cel
	case string(v.cel) != string(c.cel):
		return errors.New("tpmAttestation and tdCcel have different canonical event logs")
	}
	return nil
}

// Untrusted implements Bundle.
func (r *restRequest) Untrusted() []Field {
	const asked = "asked for by whoever sent the request: not checked"
	f := untrustedParts(r).fields()
	text := func(path, value, remark string) {
		if value != "" {
			f.add(path, "%s (%s)", strconv.QuoteToASCII(value), remark)
		}
	}
	text("challenge", r.challenge, "its nonce is not in the request")
	text("token_options.audience", r.options.audience, asked)
	for i, n := range r.options.nonces {
		text(fmt.Sprintf("token_options.nonce[%d]", i), n, asked)
	}
	text("token_options.token_type", strings.ToLower(strings.TrimPrefix(r.options.tokenType, tokenTypePrefix)), asked)
	text("attester", r.attester, "not checked")
	text("instance", r.instance, "not checked")
	if r.idTokens > 0 {
		f.add("gcp_credentials", "%d id tokens of service accounts: secrets, not shown", r.idTokens)
	}
	if r.signatures > 0 {
		f.add("confidential_space_info", "%d signatures of container images: not checked", r.signatures)
	}
	if r.nvidia {
		f.add("nvidia_attestation", "not decoded and not checked")
	}
	if r.unknown > 0 {
		f.add("unknown_fields", "%d", r.unknown)
	}
	return f
}
