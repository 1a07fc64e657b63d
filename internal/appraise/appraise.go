// Package appraise owns the one way from bytes to a verdict. Every command and
// server that judges evidence goes through an [Appraiser], which is what makes
// their answers the same.
package appraise

import (
	"errors"
	"io"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/policy"
)

// Appraiser loads evidence, verifies it, and asks a policy about what it proved.
// Its zero value accepts nothing.
type Appraiser struct {
	// Trust says whose signatures count; nil trusts nobody.
	Trust *evidence.Trust
	// Expect says what the evidence must have been made for.
	Expect evidence.Expect
	// Format names the evidence format, one of [evidence.Formats]; "" detects it.
	Format string
	// Engine is the policy that decides over accepted evidence; nil decides
	// nothing.
	Engine policy.Engine
	// Request is what the policy sees as input.request. It never comes from
	// evidence.
	Request map[string]any
}

// Appraise reads one piece of evidence and judges it. Evidence that is not
// accepted, and input that is no evidence, give a complete result and an
// *[evidence.Refusal]. Any other error is one of the reader, nothing was judged,
// and the result is nil.
func (a Appraiser) Appraise(r io.Reader) (*evidence.Result, error) {
	return a.verify(evidence.LoadAs(r, a.Format))
}

// AppraiseTPM2Quote is [Appraiser.Appraise] for the separate files of a
// tpm2_quote. Format is not used.
func (a Appraiser) AppraiseTPM2Quote(q evidence.TPM2Quote) (*evidence.Result, error) {
	return a.verify(evidence.LoadTPM2Quote(q))
}

// AppraiseTDXQuote is [Appraiser.Appraise] for a TDX quote with the event log of
// its trust domain beside it. Format is not used.
func (a Appraiser) AppraiseTDXQuote(quote, ccel io.Reader) (*evidence.Result, error) {
	return a.verify(evidence.LoadTDXQuote(quote, ccel))
}

func (a Appraiser) verify(b evidence.Bundle, err error) (*evidence.Result, error) {
	if err != nil {
		if _, ok := errors.AsType[*evidence.FormatError](err); ok {
			return evidence.RefuseInput(err)
		}
		return nil, err
	}
	trust := a.Trust
	if trust == nil {
		trust = &evidence.Trust{}
	}
	res, err := b.Verify(trust, a.Expect)
	if err == nil && (res == nil || res.Verdict != evidence.Accepted) {
		return nil, errors.New("internal error: evidence was neither accepted nor refused")
	}
	return res, err
}
