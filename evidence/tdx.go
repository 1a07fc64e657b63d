package evidence

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/replay"
)

// tdxEvidence is a TDX quote with the event log of its registers.
type tdxEvidence struct {
	quote *tdx.Quote
	ccel  []byte // event log of RTMR 0 to 2 (UEFI 2.10, 38.4.1); nil if none came
}

// tdxFindings is what a verified quote rests on.
type tdxFindings struct {
	pck      tdx.PCK
	status   *tdx.Status // nil where no collateral was given
	replayed []int       // RTMRs that an event log explains
}

// tdxChecks are the checks of a TDX quote.
var tdxChecks = []string{"tdx.chain", "tdx.signature", "tdx.attributes", "tdx.collateral", "tdx.rtmr"}

// checkTDX verifies a TDX quote. The floors hold whatever the policy says.
func (s *verification) checkTDX() {
	q := s.hw.tdx.quote
	s.record("tdx.attributes", fmt.Sprintf("%016x, not under debug", uint64(q.Attributes)), checkTDXAttributes(q.Attributes))
	pck, err := s.tdxChain(q)
	trusted := s.record("tdx.chain", fmt.Sprintf("PCK of the %s CA, FMSPC %x", pck.CA, pck.FMSPC), err)
	signed := s.record("tdx.signature", fmt.Sprintf("version %d, ECDSA P-256", q.Version), cmp.Or(q.VerifySignature(), checkQE(&q.QEReport)))
	if !trusted || !signed {
		s.notRun("the quote is not proven", "tdx.collateral", "tdx.rtmr")
		return
	}
	f := &tdxFindings{pck: pck}
	current := s.checkCollateral(q, f)
	if s.checkRTMRs(q, f) && current {
		s.found.tdx = f
	}
}

// The quoting enclave of Intel for TDX. A platform's provisioning enclave certifies
// the keys of any enclave that may ask it, so that the signature alone says nothing
// of who made the quote (Intel PCS API 4, enclave identity of id TD_QE).
const (
	qeSigner    = "dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5"
	qeProductID = 2
	qeDebug     = 1 << 1 // of the first byte of ATTRIBUTES (Intel SDM 3D, 38.7.1)
)

// checkQE refuses a quote that another enclave made.
func checkQE(e *tdx.QEReport) error {
	switch {
	case hex.EncodeToString(e.MRSigner[:]) != qeSigner:
		return fmt.Errorf("the quoting enclave is signed by %x, which is not Intel", e.MRSigner)
	case e.ISVProdID != qeProductID:
		return fmt.Errorf("the quoting enclave is product %d of Intel, want %d", e.ISVProdID, qeProductID)
	case e.Attributes[0]&qeDebug != 0:
		return errors.New("the quoting enclave is under debug: whoever runs the platform can read its keys")
	}
	return nil
}

// checkTDXAttributes refuses a trust domain that the host can look into.
func checkTDXAttributes(a tdx.Attributes) error {
	if a.UnderDebug() {
		return hint.New(fmt.Errorf("the attributes %016x put the trust domain under debug: the host can read its memory", uint64(a)),
			"start the trust domain without debug attributes")
	}
	return nil
}

func (s *verification) tdxChain(q *tdx.Quote) (tdx.PCK, error) {
	if s.want.Now.IsZero() {
		return tdx.PCK{}, errNoTime
	}
	pck, err := s.trust.intel.VerifyPCK(q, s.want.Now)
	if err == nil {
		s.rests(pck.NotAfter)
	}
	return pck, err
}

// checkCollateral judges how current the platform was, if there is collateral.
// A platform that is not up to date is genuine all the same: whether it will do
// is for the policy, which reads tee.tdx.tcb_status.
func (s *verification) checkCollateral(q *tdx.Quote, f *tdxFindings) bool {
	if s.trust.collateral == nil {
		if s.want.MaxAge > 0 || s.want.MinEvaluationDataNumber > 0 {
			return s.record("tdx.collateral", "", hint.New(errors.New("an age or evaluation number is asked for, and there is no collateral"), "give it with --collateral"))
		}
		s.skip("tdx.collateral", "no collateral given")
		return true
	}
	c, err := s.trust.collateral.For(f.pck)
	if err != nil {
		return s.record("tdx.collateral", "", hint.New(err, "fetch the TCB info of this platform"))
	}
	status, err := c.Evaluate(q, f.pck, s.trust.intel, s.want.Now, tdx.Options{MinEvaluationDataNumber: s.want.MinEvaluationDataNumber})
	switch {
	case err != nil:
	case status.TCBStatus == tdx.Revoked:
		err = errors.New("this platform's TCB level is revoked by Intel")
	default:
		err = s.stale("the collateral", status.Issued)
	}
	if err != nil {
		return s.record("tdx.collateral", "", hint.New(err, "fetch the current collateral, or give the time of the evidence with --at"))
	}
	f.status = &status
	s.rests(status.NotAfter)
	return s.record("tdx.collateral", fmt.Sprintf("%s, evaluation data number %d", status.TCBStatus, status.TCBEvaluationDataNumber), nil)
}

// checkRTMRs replays the event logs of the run-time measurement registers. A log
// that is there is replayed or refused.
func (s *verification) checkRTMRs(q *tdx.Quote, f *tdxFindings) bool {
	var details []string
	if len(s.hw.tdx.ccel) > 0 {
		detail, err := replayCCEL(s.hw.tdx.ccel, q, f)
		if err != nil {
			return s.record("tdx.rtmr", "", err)
		}
		details = append(details, detail)
	}
	if log, err := replay.ParseCEL(s.cel); len(s.cel) > 0 && err == nil && ofRTMR3(log) {
		if err := compareRTMR3(log, q); err != nil {
			return s.record("tdx.rtmr", "", err)
		}
		f.replayed = append(f.replayed, rtmr3)
		details = append(details, fmt.Sprintf("RTMR 3: %d records", len(log.Records)))
	}
	if len(details) == 0 {
		s.skip("tdx.rtmr", "no event log of an RTMR")
		return true
	}
	return s.record("tdx.rtmr", strings.Join(details, "; "), nil)
}

const rtmr3 = 3

// compareRTMR3 compares the replay of a launch log with the quoted register.
func compareRTMR3(log *replay.CEL, q *tdx.Quote) error {
	value, _, err := log.Replay(replay.ContainerRTMR, tpm.AlgSHA384)
	if err != nil {
		return err
	}
	if !bytes.Equal(value, q.RTMR[rtmr3][:]) {
		return hint.New(fmt.Errorf("the launch log leads to RTMR 3 = %x, quoted is %x", value, q.RTMR[rtmr3]),
			"take log and quote again, together")
	}
	return nil
}

// unlogged reports whether a CCEL need not explain a register: one that was never
// extended, RTMR 3, which the guest extends later, and index 0, which is MRTD.
func unlogged(c replay.Comparison) bool {
	return c.Outcome == replay.AtReset || c.PCR-1 == rtmr3 && c.Events == 0 || c.PCR == 0 && c.Outcome == replay.NotQuoted
}

// replayCCEL compares the replay of a CCEL with RTMR 0 to 3. It must explain
// every one that was extended, but for RTMR 3, which the guest extends later.
func replayCCEL(raw []byte, q *tdx.Quote, f *tdxFindings) (string, error) {
	log, err := replay.ParseLog(raw, replay.LogOptions{AllowPadding: true})
	if err != nil {
		return "", fmt.Errorf("CCEL: %w", err)
	}
	bank, err := log.Replay(tpm.AlgSHA384)
	if err != nil {
		return "", fmt.Errorf("CCEL: %w", err)
	}
	quoted := map[int][]byte{}
	for i := range q.RTMR {
		quoted[i+1] = q.RTMR[i][:]
	}
	for _, c := range bank.Compare(quoted) {
		if c.Outcome == replay.Matched {
			f.replayed = append(f.replayed, c.PCR-1)
		} else if !unlogged(c) {
			return "", hint.New(fmt.Errorf("RTMR %d: %d events of the CCEL lead to %x, quoted is %x", c.PCR-1, c.Events, c.Replayed, c.Quoted),
				"take log and quote again, together")
		}
	}
	if len(f.replayed) == 0 {
		return "", errors.New("the CCEL explains no register")
	}
	return fmt.Sprintf("CCEL: %d events", len(log.Events)), nil
}
