package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
)

// SchemaDecision names the version of the decision document.
const SchemaDecision = "attestctl.decision/v1"

// Engine decides over one input. It is safe for concurrent use. The error is
// for the host only (a closed engine); whatever the policy does wrong is a
// Decision that denies.
type Engine interface {
	Decide(ctx context.Context, in Input) (Decision, error)
}

// Decision is what a policy says of one input. Its zero value denies.
type Decision struct {
	// Allow is true only if the policy's allow is exactly true, its deny is
	// empty, and nothing went wrong.
	Allow bool
	// Reasons says why not, sorted by code and message, without repetition.
	Reasons []Reason
	// Policy is the digest of the policy that decided: "sha256:" and hex.
	Policy string
	// Detail says for people and logs what went wrong in an evaluation, such as
	// the function that failed and where. It is no part of the document: engines
	// word it in their own ways.
	Detail string
}

// Reason is one reason for a denial. Codes that begin with "policy." are this
// package's own: the evaluation failed or gave no decision.
type Reason struct {
	Code string `json:"code"`
	Msg  string `json:"msg"`
}

// Codes of this package's own reasons.
const (
	CodeNotAllowed   = "policy.not-allowed"   // allow is false, and no deny rule says why
	CodeUndefined    = "policy.undefined"     // allow has no value
	CodeType         = "policy.type"          // allow or deny is of another type than the contract's
	CodeConflict     = "policy.conflict"      // a rule has two values
	CodeBuiltinError = "policy.builtin-error" // a builtin function failed
	CodeTimeout      = "policy.timeout"       // the deadline passed
	CodeMemory       = "policy.memory"        // the memory limit was reached
	CodeInput        = "policy.input"         // the input is not a claims document
	CodeDisagree     = "policy.engines-disagree"
	CodeInternal     = "policy.internal"
)

// messages holds the words that go with this package's own codes. They say
// nothing that differs between engines.
var messages = map[string]string{
	CodeNotAllowed:   "allow is false",
	CodeUndefined:    "allow has no value",
	CodeType:         "allow is not a boolean, or a member of deny is neither a string nor a code with a msg",
	CodeConflict:     "a rule has two values",
	CodeBuiltinError: "a builtin function failed",
	CodeTimeout:      "the policy did not decide in time",
	CodeMemory:       "the policy needed more memory than it may",
	CodeInput:        "the input is not a claims document",
	CodeDisagree:     "the engines decide differently",
	CodeInternal:     "the policy could not be evaluated",
}

// deny denies for one of this package's own reasons.
func deny(digest, code, detail string) Decision {
	d := Deny(digest, Reason{code, messages[code]})
	d.Detail = detail
	return d
}

// Deny returns a decision that denies for the given reasons. They are sorted
// and repetitions removed, so that engines which find them in another order
// agree.
func Deny(digest string, reasons ...Reason) Decision {
	slices.SortFunc(reasons, func(a, b Reason) int { return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Msg, b.Msg)) })
	return Decision{Reasons: slices.Compact(reasons), Policy: digest}
}

// MarshalJSON gives the decision document. Equal decisions give equal bytes.
func (d Decision) MarshalJSON() ([]byte, error) {
	reasons := d.Reasons
	if reasons == nil {
		reasons = []Reason{}
	}
	return json.Marshal(struct {
		Schema  string   `json:"schema"`
		Allow   bool     `json:"allow"`
		Reasons []Reason `json:"reasons"`
		Policy  string   `json:"policy"`
	}{SchemaDecision, d.Allow, reasons, d.Policy})
}
