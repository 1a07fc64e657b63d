package token

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// Status is what came of a step. The zero value counts against the token.
type Status int

// The four ends of a step.
const (
	Fail   Status = iota
	Pass          //
	Skip          // does not apply; Detail says why
	NotRun        // an earlier failure made it meaningless; counts against the token
)

// Step is one named check of a token.
type Step struct {
	ID     string
	Status Status
	Detail string // what a Skip or NotRun is due to
	Err    error  // of a Fail
}

// IDs of the steps, in the order of Appraise.
const (
	StepForm       = "token.form"
	StepAlgorithm  = "token.algorithm"
	StepKey        = "token.key"
	StepChain      = "token.chain"
	StepRevocation = "token.revocation"
	StepSignature  = "token.signature"
	StepTime       = "token.time"
	StepIssuer     = "token.issuer"
	StepAudience   = "token.audience"
	StepNonce      = "token.nonce"
	StepClaims     = "token.claims"
)

// Verified is a token that met every expectation.
type Verified struct {
	Profile   string
	Algorithm string
	KeyID     string              // kid of the key that signed; empty with a chain
	Chain     []*x509.Certificate // leaf, intermediate, root; none with a JWKS
	Claims    Claims
	// ValidUntil is when the first of token and certificates ends.
	ValidUntil time.Time
	payload    node
}

// Raw returns all claims as the token spells them, decoded as encoding/json
// does with UseNumber: numbers are json.Number and lose nothing.
func (v *Verified) Raw() map[string]any { return v.payload.Map() }

// appraisal is one run over a token.
type appraisal struct {
	token   *Token
	want    Expect
	profile *Profile
	steps   []Step

	claims  Claims
	expires time.Time
	chain   []*x509.Certificate
	key     crypto.PublicKey
	keyID   string
}

// skipError is returned by a step that does not apply.
type skipError string

func (e skipError) Error() string { return string(e) }

// Verify returns the token's claims if it meets every expectation. The error is
// that of the first step that failed, "ID: cause".
func Verify(t *Token, want Expect) (*Verified, error) {
	v, steps := Appraise(t, want)
	if v != nil {
		return v, nil
	}
	for _, s := range steps {
		if s.Status == Fail {
			return nil, fmt.Errorf("%s: %w", s.ID, s.Err)
		}
	}
	return nil, errors.New("token is not verified")
}

// Appraise checks the token and returns every step, in a fixed order and each
// exactly once. The result is nil unless all of them passed or did not apply.
// Steps that need no key are taken even if the signature fails: what they say
// is then worth no more than the token.
func Appraise(t *Token, want Expect) (*Verified, []Step) {
	a := &appraisal{token: t, want: want, steps: make([]Step, 0, 11)}
	var err error
	if a.profile, err = want.profile(); t == nil || err != nil {
		return nil, a.nothing(err)
	}
	a.run(StepForm, a.checkForm)                               // RFC 7515 4.1
	a.run(StepAlgorithm, a.checkAlgorithm)                     // RFC 8725 3.1
	a.run(StepKey, a.checkKey, StepForm, StepAlgorithm)        // RFC 8725 3.10
	a.run(StepChain, a.checkChain, StepKey)                    // RFC 5280 6
	a.run(StepRevocation, a.checkRevocation, StepChain)        // RFC 5280 6.3
	a.run(StepSignature, a.checkSignature, StepKey, StepChain) // RFC 7515 5.2
	a.run(StepTime, a.checkTime)                               // RFC 7519 4.1.4 to 4.1.6
	a.run(StepIssuer, a.checkIssuer)                           // RFC 7519 4.1.1
	a.run(StepAudience, a.checkAudience)                       // RFC 7519 4.1.3
	a.run(StepNonce, a.checkNonce)                             // RFC 9711 4.1
	a.run(StepClaims, a.checkClaims)                           // types of what is left
	if slices.ContainsFunc(a.steps, func(s Step) bool { return s.Status != Pass && s.Status != Skip }) {
		return nil, a.steps
	}
	return a.result(), a.steps
}

// nothing is the outcome when there is no token or no profile to check it by.
func (a *appraisal) nothing(err error) []Step {
	failed := StepIssuer
	if a.token == nil {
		failed, err = StepForm, errors.New("no token")
	}
	for _, id := range []string{
		StepForm, StepAlgorithm, StepKey, StepChain, StepRevocation, StepSignature,
		StepTime, StepIssuer, StepAudience, StepNonce, StepClaims,
	} {
		s := Step{ID: id, Status: NotRun, Detail: failed + " failed"}
		if id == failed {
			s = Step{ID: id, Err: err}
		}
		a.steps = append(a.steps, s)
	}
	return a.steps
}

// run takes the step, unless one that it needs did not pass.
func (a *appraisal) run(id string, step func() error, needs ...string) {
	s := Step{ID: id}
	for _, earlier := range a.steps {
		if slices.Contains(needs, earlier.ID) && (earlier.Status == Fail || earlier.Status == NotRun) {
			s.Status, s.Detail = NotRun, earlier.ID+" failed"
			a.steps = append(a.steps, s)
			return
		}
	}
	var skip skipError
	switch err := step(); {
	case err == nil:
		s.Status = Pass
	case errors.As(err, &skip):
		s.Status, s.Detail = Skip, string(skip)
	default:
		s.Err = err
	}
	a.steps = append(a.steps, s)
}

func (a *appraisal) result() *Verified {
	v := &Verified{
		Profile: a.profile.Name, Algorithm: a.token.header.algorithm, KeyID: a.keyID, Chain: a.chain,
		Claims: a.claims, ValidUntil: a.expires, payload: a.token.claims,
	}
	for _, c := range a.chain {
		if c.NotAfter.Before(v.ValidUntil) {
			v.ValidUntil = c.NotAfter
		}
	}
	return v
}

func (a *appraisal) checkForm() error {
	for _, name := range a.token.header.extra {
		if !slices.Contains(a.profile.Header, name) {
			return fmt.Errorf("header has the member %q, which tokens of profile %s do not have", name, a.profile.Name)
		}
	}
	return nil
}

func (a *appraisal) checkAlgorithm() error {
	if alg := a.token.header.algorithm; !slices.Contains(a.profile.Algorithms, alg) {
		return fmt.Errorf("algorithm is %s, want one of %v", strictjson.Quote(alg), a.profile.Algorithms)
	}
	return nil
}

func (a *appraisal) checkSignature() error {
	return verifySignature(a.token, a.token.header.algorithm, a.key)
}
