package appraise_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/forge"
)

// machine mints the evidence of an honest machine and what accepts it.
func machine(t *testing.T) (*forge.Evidence, appraise.Appraiser) {
	t.Helper()
	e, err := forge.Machine{}.Attest(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := evidence.PinAK(e.AK.TPM2BPublic())
	if err != nil {
		t.Fatal(err)
	}
	return e, appraise.Appraiser{Trust: trust, Expect: evidence.Expect{Nonce: e.Nonce, Now: e.Now}}
}

func TestAppraise(t *testing.T) {
	e, a := machine(t)
	raw, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Appraise(bytes.NewReader(raw))
	if err != nil || res.Verdict != evidence.Accepted || res.Claims == nil {
		t.Fatalf("Appraise = %+v, %v; want it accepted", res, err)
	}
	for name, weaker := range map[string]appraise.Appraiser{
		"zero":        {},
		"no trust":    {Expect: a.Expect},
		"no nonce":    {Trust: a.Trust, Expect: evidence.Expect{Now: e.Now}},
		"wrong nonce": {Trust: a.Trust, Expect: evidence.Expect{Nonce: make([]byte, 32), Now: e.Now}},
		"format":      {Trust: a.Trust, Expect: a.Expect, Format: "tcg-eventlog"},
	} {
		refused(t, name)(weaker.Appraise(bytes.NewReader(raw)))
	}
}

// refused requires a complete result without claims.
func refused(t *testing.T, name string) func(*evidence.Result, error) {
	t.Helper()
	return func(res *evidence.Result, err error) {
		t.Helper()
		if _, ok := errors.AsType[*evidence.Refusal](err); !ok || res == nil || res.Verdict == evidence.Accepted || res.Claims != nil {
			t.Errorf("%s: Appraise = %+v, %v; want a refusal", name, res, err)
			return
		}
		if len(res.Checks) < len(evidence.Checks) {
			t.Errorf("%s: %d checks, want all %d", name, len(res.Checks), len(evidence.Checks))
		}
	}
}

func TestAppraiseMalformed(t *testing.T) {
	_, a := machine(t)
	for name, in := range map[string]io.Reader{
		"empty":   bytes.NewReader(nil),
		"garbage": bytes.NewReader([]byte("garbage")),
		"endless": endless{},
	} {
		refused(t, name)(a.Appraise(in))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestReadErrorIsNoVerdict tells a disk that fails from evidence that lies.
func TestReadErrorIsNoVerdict(t *testing.T) {
	_, a := machine(t)
	broken := errors.New("disk on fire")
	res, err := a.Appraise(iotest.ErrReader(broken))
	if !errors.Is(err, broken) || res != nil {
		t.Errorf("Appraise = %+v, %v; want no result and %v", res, err, broken)
	}
	if _, ok := errors.AsType[*evidence.FormatError](err); ok {
		t.Errorf("Appraise = %v, want no *evidence.FormatError", err)
	}
	ok := func() io.Reader { return bytes.NewReader([]byte{1}) }
	res, err = a.AppraiseTPM2Quote(evidence.TPM2Quote{Message: ok(), Signature: ok(), PCRs: iotest.ErrReader(broken)})
	if !errors.Is(err, broken) || res != nil {
		t.Errorf("AppraiseTPM2Quote = %+v, %v; want no result and %v", res, err, broken)
	}
}

func TestAppraiseTPM2Quote(t *testing.T) {
	e, a := machine(t)
	triple, err := e.Triple(forge.Alg(tpm.AlgSHA256))
	if err != nil {
		t.Fatal(err)
	}
	parts := func() evidence.TPM2Quote {
		return evidence.TPM2Quote{
			Message: bytes.NewReader(triple.Message), Signature: bytes.NewReader(triple.Signature),
			PCRs: bytes.NewReader(triple.PCRs), EventLog: bytes.NewReader(e.Attestation.GetEventLog()),
		}
	}
	res, err := a.AppraiseTPM2Quote(parts())
	if err != nil || res.Verdict != evidence.Accepted {
		t.Fatalf("AppraiseTPM2Quote = %+v, %v; want it accepted", res, err)
	}
	swapped := parts()
	swapped.Message, swapped.Signature = swapped.Signature, swapped.Message
	refused(t, "swapped")(a.AppraiseTPM2Quote(swapped))
}
