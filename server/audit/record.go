package audit

import (
	"encoding/json"
	"errors"
	"time"
)

// Record is one decision. Texts in it may come from whoever asked; the log writes
// them in ASCII, so that none of them ends a line or moves a terminal. It must hold
// no secret, token, nonce key or evidence.
type Record struct {
	Seq  uint64 `json:"seq"`  // the number of its line; [Log.Append] sets it
	Prev Hash   `json:"prev"` // of the line before; [Log.Append] sets it

	DecisionID string    `json:"decision_id"`
	Time       time.Time `json:"timestamp"` // of the decision; [Log.Append] sets it if it is zero
	RequestID  string    `json:"request_id,omitempty"`
	Remote     string    `json:"remote,omitempty"` // address of the client, with or without the port
	Route      string    `json:"route,omitempty"`
	Secret     string    `json:"secret,omitempty"` // its name

	EvidenceSHA256 string   `json:"evidence_sha256,omitempty"`
	Format         string   `json:"format,omitempty"`
	Verdict        string   `json:"verdict,omitempty"` // a word of evidence.Verdict; "" if nothing was verified
	Failed         []string `json:"failed,omitempty"`  // the checks that failed

	Policy       string  `json:"policy,omitempty"` // where it was read from
	PolicyDigest string  `json:"policy_digest,omitempty"`
	Result       Result  `json:"result"`
	Shadow       *Shadow `json:"shadow,omitempty"`

	Released  bool   `json:"released"`            // the secret was given out; only where Result allows it
	Binding   string `json:"binding,omitempty"`   // how the evidence was bound to the client
	Challenge string `json:"challenge,omitempty"` // digest of the challenge
	EKSHA256  string `json:"ek_sha256,omitempty"` // of the public area that it was wrapped for
	Error     string `json:"error,omitempty"`     // the class of what went wrong, one word

	// InputDigest is "sha256:" and hex of the bytes of Input as they are in the
	// line; it is computed wherever there is an Input, and stands for one that is
	// left out.
	InputDigest string `json:"input_digest,omitempty"`
	// Input is the claims document that the policy saw, an object.
	Input json.RawMessage `json:"input,omitempty"`
}

// Result is what the policy said. Its zero value denies.
type Result struct {
	Allow   bool     `json:"allow"`
	Reasons []Reason `json:"reasons"`
}

// Reason is one reason for a denial, as in package policy.
type Reason struct {
	Code string `json:"code"`
	Msg  string `json:"msg"`
}

// Shadow is what the shadow policy said of the same input. It releases nothing.
type Shadow struct {
	Policy       string   `json:"policy"`
	PolicyDigest string   `json:"policy_digest"`
	Allow        bool     `json:"allow"`
	Reasons      []Reason `json:"reasons"`
}

// What came of a request, in one word.
const (
	Released = "released" // the policy allowed it and the secret was given out
	Allowed  = "allowed"  // the policy allowed it; no secret was asked for or given
	Denied   = "denied"   // by the policy
	Refused  = "refused"  // the evidence was not accepted
	Failed   = "error"    // something else went wrong; Error says of what kind
)

// Outcomes lists the words that [Record.Outcome] returns.
var Outcomes = []string{Released, Allowed, Denied, Refused, Failed}

// Outcome says in one word what came of the request.
func (r Record) Outcome() string {
	switch {
	case r.Released:
		return Released
	case r.Error != "":
		return Failed
	case r.Verdict != "accepted":
		return Refused
	case !r.Result.Allow:
		return Denied
	default:
		return Allowed
	}
}

var (
	errNoID     = errors.New("a record without a decision id")
	errReleased = errors.New("a record of a secret that was released and not allowed")
	errInput    = errors.New("a record whose input is not an object of JSON in utf-8")
)

// check refuses what no server may log.
func (r Record) check() error {
	switch {
	case r.DecisionID == "":
		return errNoID
	case r.Released && !r.Result.Allow:
		return errReleased
	}
	return nil
}
