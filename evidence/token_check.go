package evidence

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/hint"
)

// tokenChecks are the checks of a token, in order. The steps of package token
// have the same names.
var tokenChecks = []string{
	token.StepForm, token.StepAlgorithm, token.StepKey, token.StepChain, token.StepRevocation, token.StepSignature,
	token.StepTime, token.StepIssuer, token.StepAudience, token.StepNonce, token.StepClaims,
}

// checkToken verifies the token, if there is one.
func (s *verification) checkToken() {
	switch {
	case s.token == nil:
		s.skipAll(tokenChecks, "no attestation token")
	case s.token.err != nil:
		s.refuseToken(s.token.err)
	default:
		s.appraiseToken()
	}
}

// refuseToken files what the gate refused before anything was verified.
func (s *verification) refuseToken(err error) {
	id, rest := token.StepForm, tokenChecks[1:]
	if errors.Is(err, token.ErrAlgorithm) {
		s.record(token.StepForm, "", nil)
		id, rest = token.StepAlgorithm, tokenChecks[2:]
	}
	s.record(id, "", err)
	s.notRun(id+" failed", rest...)
}

func (s *verification) appraiseToken() {
	want := s.expectToken()
	if err := knownLacks(s.want.Token.Without); err != nil {
		s.record(token.StepForm, "", err)
		s.notRun("the expectation is not understood", tokenChecks[1:]...)
		return
	}
	verified, steps := token.Appraise(s.token.token, want)
	for _, step := range steps {
		switch step.Status {
		case token.Pass:
			s.record(step.ID, s.tokenDetail(step.ID), s.tokenFloor(step.ID))
		case token.Skip:
			if err := s.tokenFloor(step.ID); err != nil {
				s.record(step.ID, "", err)
				continue
			}
			s.skip(step.ID, step.Detail)
		case token.NotRun:
			s.notRun(step.Detail, step.ID)
		case token.Fail:
			s.record(step.ID, "", s.tokenHint(step))
		}
	}
	if verified != nil && !s.failed(token.StepNonce) {
		s.verified = verified
		s.rests(verified.ValidUntil)
	}
}

// tokenFloor is what package token leaves open: a nonce that can be guessed, and
// one that is not to be compared.
func (s *verification) tokenFloor(id string) error {
	n := len(s.want.Token.Nonce)
	switch {
	case id != token.StepNonce:
	case s.want.InsecureNoNonce:
		return errors.New("the nonce is not compared (--insecure-no-nonce)")
	case n < MinTokenNonce && n > 0 && !s.want.InsecureShortNonce:
		return fmt.Errorf("the expected nonce has %d characters, fewer than %d can be guessed", n, MinTokenNonce)
	}
	return nil
}

// knownLacks refuses a word that would be passed over in silence.
func knownLacks(names []string) error {
	for _, name := range names {
		if !slices.Contains(TokenLacks(), name) {
			return fmt.Errorf("a token without %q is expected, which is none of %v", name, TokenLacks())
		}
	}
	return nil
}

// tokenDetail says what a step that passed has seen.
func (s *verification) tokenDetail(id string) string {
	t := s.token.token
	switch id {
	case token.StepForm:
		return "compact, one reading only"
	case token.StepChain:
		return "to a trusted root, when it was issued and at the chosen time"
	case token.StepTime:
		return "valid at " + s.want.Now.UTC().Format(time.RFC3339)
	case token.StepAlgorithm:
		return t.UntrustedAlgorithm()
	case token.StepKey:
		if kid := t.UntrustedKeyID(); kid != "" {
			return "kid " + kid
		}
	case token.StepIssuer:
		return s.want.Token.Issuer
	case token.StepAudience:
		return s.want.Token.Audience
	}
	return ""
}

// tokenHint adds advice to a step that failed, where it depends on the cause.
func (s *verification) tokenHint(step token.Step) error {
	switch issuer := s.token.token.UntrustedIssuer(); {
	case errors.Is(step.Err, token.ErrExpired):
		return hint.New(step.Err, "take a new token, or judge this one as of its own time with --at")
	case errors.Is(step.Err, token.ErrNoKey) && s.trust.tokenSets[s.want.Token.Issuer] == nil && s.trust.tokenKey == nil:
		fetch := "attestctl token fetch-keys --out DIR"
		if s.want.Token.Issuer != token.GoogleIssuer {
			fetch = "attestctl token fetch-keys --issuer URL --out DIR"
		}
		return hint.New(fmt.Errorf("%w: none are trusted", step.Err), "`"+fetch+"` saves them; give them with --trust DIR or --jwks FILE")
	case errors.Is(step.Err, token.ErrNoKey):
		return hint.New(step.Err, "the issuer has changed its keys: give a key set of the token's time")
	case step.ID == token.StepIssuer && issuer != "" && s.knownIssuer(issuer):
		return hint.New(step.Err, "the token names another known issuer: if you expect that one, name it with --issuer")
	}
	return step.Err
}

func (s *verification) knownIssuer(issuer string) bool {
	_, err := token.ProfileFor(issuer)
	return err == nil && issuer != s.want.Token.Issuer
}
