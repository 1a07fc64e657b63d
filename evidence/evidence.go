// Package evidence reads confidential-computing evidence and verifies it
// offline.
//
// Load turns bytes into a Bundle, which is untrusted. Verify checks it against
// a Trust, which says whose signatures count, and an Expect, which says what
// this evidence must have been made for. Only if every check passes does a
// Result carry claims. Nothing in this package opens a socket or reads a clock.
package evidence

import (
	"errors"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
)

// MaxSize is the largest evidence in bytes that Load reads.
const MaxSize = 4 << 20

// Bundle is one piece of decoded, untrusted evidence.
type Bundle interface {
	// Format names the format, one of Formats.
	Format() string
	// Verify checks the evidence. The Result is never nil and lists every
	// check; its claims are present if and only if the error is nil. The error
	// is an *Refusal for evidence that is not genuine or not as expected.
	Verify(trust *Trust, want Expect) (*Result, error)
	// Untrusted lists what the evidence says, in the order it says it. None of
	// it was checked.
	Untrusted() []Field
}

// Expect says what evidence must have been made for. Its zero value accepts
// nothing. The Insecure fields each switch one check off; whoever sets one
// finds it named in the result.
type Expect struct {
	// Nonce is the qualifying data that the quotes must contain, 16 to 64 bytes.
	Nonce []byte
	// Now is the time at which certificates must be valid.
	Now time.Time
	// AtLogged verifies what Cloud Logging recorded as of the time when it did,
	// which the log alone vouches for, in place of Now.
	AtLogged bool
	// RequirePCRs are the PCRs that every quote must cover and the event log
	// explain. None means DefaultPCRs.
	RequirePCRs []int

	// TEENonce is a nonce of the hardware report's own, where the guest gave it
	// another than the quotes; nil if it did not.
	TEENonce []byte
	// ReportData is all 64 bytes of report data that the hardware report must
	// have; nil leaves it to the formulas.
	ReportData []byte
	// TEEExtra is what the workload bound into the report data besides nonce and
	// key, for formulas that take it.
	TEEExtra []byte
	// Binding names the one formula that may bind the hardware report, one of
	// Bindings; "" allows all of them.
	Binding string
	// VMPL is the privilege level that an SEV-SNP report must have been asked for
	// at.
	VMPL uint32
	// MaxAge is how old revocation lists and collateral may be; 0 means as old as
	// they themselves say.
	MaxAge time.Duration
	// MinEvaluationDataNumber is the lowest tcbEvaluationDataNumber that Intel's
	// collateral may have.
	MinEvaluationDataNumber uint32

	// Token is what an attestation token must have been made for.
	Token TokenExpect

	// InsecureSharedAudience accepts a token for other audiences beside the
	// expected one, any of whom could have passed it on.
	InsecureSharedAudience bool
	// InsecureNoHardwareReport accepts evidence without the hardware report that
	// the measured technology calls for: the claims then say nothing of it.
	InsecureNoHardwareReport bool
	// InsecureMigrationAgent accepts an SEV-SNP guest policy that allows a
	// migration agent.
	InsecureMigrationAgent bool
	// InsecureShortNonce accepts a nonce of fewer than 16 bytes.
	InsecureShortNonce bool
	// InsecureNoEventLog accepts evidence without an event log: the claims
	// then say nothing of the boot.
	InsecureNoEventLog bool
	// InsecureNoNonce does not compare the nonce. The result is never accepted.
	InsecureNoNonce bool
	// InsecureEvidenceAK takes the AK from the evidence itself. The result is
	// never accepted.
	InsecureEvidenceAK bool
}

// DefaultPCRs are the PCRs that a quote must cover unless told otherwise:
// firmware, boot loader and Secure Boot (0-7), GRUB (8, 9) and shim (14).
func DefaultPCRs() []int { return []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14} }

func (x Expect) requiredPCRs() []int {
	if len(x.RequirePCRs) == 0 {
		return DefaultPCRs()
	}
	return x.RequirePCRs
}

// expectsReport reports whether something is expected of a hardware report.
func (x Expect) expectsReport() bool {
	return x.TEENonce != nil || x.ReportData != nil || x.TEEExtra != nil || x.Binding != "" || x.VMPL != 0
}

// insecure names the options in force, as flags.
func (x Expect) insecure() []string {
	var names []string
	for _, o := range []struct {
		on   bool
		name string
	}{
		{x.InsecureEvidenceAK, "insecure-evidence-ak"},
		{x.InsecureMigrationAgent, "insecure-migration-agent"},
		{x.InsecureNoEventLog, "insecure-no-event-log"},
		{x.InsecureNoHardwareReport, "insecure-no-hardware-report"},
		{x.InsecureNoNonce, "insecure-no-nonce"},
		{x.InsecureSharedAudience, "insecure-shared-audience"},
		{x.InsecureShortNonce, "insecure-short-nonce"},
	} {
		if o.on {
			names = append(names, o.name)
		}
	}
	return names
}

// Verdict is the outcome of a verification. Its zero value refuses.
type Verdict int

// The verdicts.
const (
	Refused   Verdict = iota // malformed, not genuine or not as expected
	Untrusted                // nothing else failed, but an option took the ground of trust away
	Accepted                 // every check that applies has passed
)

// String returns the word that every output uses.
func (v Verdict) String() string {
	switch v {
	case Refused:
		return "refused"
	case Untrusted:
		return "untrusted"
	case Accepted:
		return "accepted"
	default:
		return "refused"
	}
}

// MarshalText makes verdicts words in JSON and YAML.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Result is the outcome of verifying one piece of evidence.
type Result struct {
	// Format names the evidence format, or is "" if it was not recognised.
	Format string
	// Verdict is Accepted if and only if Claims is present.
	Verdict Verdict
	// Checks lists every check of the table in its order.
	Checks []Check
	// Claims is what was proven; nil unless every check passed.
	Claims *claims.Claims
	// ValidUntil is when the first certificate, revocation list or collateral
	// that the verification rests on ends; zero if nothing of that kind does.
	ValidUntil time.Time
	// AKName is the Name of the key that signed the quotes, nameAlg and digest (TPM
	// 2.0 Part 1, 16); nil unless Claims is present and the key's public area is
	// proven: pinned, or the one whose qualified name a certified key signed.
	AKName []byte
	// Insecure names the options that switched checks off.
	Insecure []string
	// UnknownFields counts fields of a binary message that this version of the
	// format does not define. They are not used.
	UnknownFields int
}

// Failures lists the checks that failed.
func (r *Result) Failures() []Check {
	var list []Check
	for _, c := range r.Checks {
		if c.Status == Fail {
			list = append(list, c)
		}
	}
	return list
}

// Refusal is the error for evidence that was not accepted. Check is the first
// check that failed.
type Refusal struct { //nolint:errname // it is the refusal, and reads so where it is handled
	Verdict Verdict
	Check   Check
}

// Error names the check and what it saw.
func (e *Refusal) Error() string { return e.Check.ID + ": " + e.Check.Detail }

// RefuseInput returns the result for input that Load did not accept: a failed
// format check and nothing else run.
func RefuseInput(err error) (*Result, error) {
	id := "format.detected"
	var fe *FormatError
	if errors.As(err, &fe) && fe.Format != "" {
		id = "format.strict"
	}
	var c checklist
	if id == "format.strict" {
		c.record("format.detected", fe.Format, nil)
	}
	c.record(id, "", err)
	res := &Result{Checks: c.complete()}
	if fe != nil {
		res.Format = fe.Format
	}
	return res.refuse()
}

// refuse ends a verification that failed.
func (r *Result) refuse() (*Result, error) {
	r.Claims = nil
	r.Verdict = Refused
	for _, c := range r.Checks {
		if c.Status == Fail {
			return r, &Refusal{r.Verdict, c}
		}
	}
	return r, &Refusal{r.Verdict, Check{ID: "format.strict", Detail: "no check was made"}}
}
