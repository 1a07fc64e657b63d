package server

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/secret"
)

// refuse is a denial by such a check.
func (d *decision) refuse(check string, cause error) error {
	d.record.Verdict = evidence.Refused.String()
	d.record.Failed = append(d.record.Failed, check)
	return denied(fmt.Errorf("%s: %w", check, cause))
}

var (
	errNoChallenge = errors.New("it answers no challenge")
	errNoKey       = errors.New("there is no key to encrypt to")
	errLooseKey    = errors.New("a key counts by a challenge that was made for it")
	errNoIssued    = errors.New("the token does not say when it was issued")
	errNoEnd       = errors.New("the token does not say when it ends")
)

// forAppraisal stands for a secret in the challenges of POST /v1/appraise. No secret
// can have this name.
const forAppraisal = "/v1/appraise"

// challenged wants the challenge, if there is one, to be for this secret and key. Only
// then has the evidence anything to answer.
func (d *decision) challenged() error {
	if d.answers == "" {
		return nil
	}
	var thumbprint [32]byte
	d.record.Binding = string(secret.Nonce)
	if d.key != nil {
		thumbprint = d.key.Thumbprint()
		d.record.Binding = string(secret.Key)
	}
	c, err := d.server.issuer.Check(d.answers, cmp.Or(d.name, forAppraisal), thumbprint)
	if err != nil {
		return d.refuse(checkFresh, err)
	}
	id := c.ID()
	d.challenge, d.record.Challenge = c, hex.EncodeToString(id[:])
	return nil
}

// bound wants the evidence tied to challenge and key as the secret demands.
func (d *decision) bound() error {
	none := d.challenge.Text == ""
	switch {
	case none && (d.name == "" || !takesBareToken(d.secret)):
		return d.refuse(checkBound, errNoChallenge)
	case none && d.key != nil:
		return d.refuse(checkBound, errLooseKey)
	case d.name != "" && d.key == nil && !d.secret.Plaintext:
		return d.refuse(checkBound, errNoKey)
	}
	return d.boundTPM()
}

// expect says what the evidence must have been made for.
func (d *decision) expect() evidence.Expect {
	o := &d.server.o
	x := evidence.Expect{
		Now: d.record.Time, RequirePCRs: o.RequirePCRs, VMPL: o.VMPL,
		MaxAge: o.CollateralAge, MinEvaluationDataNumber: o.MinEvaluationDataNumber,
		Token: evidence.TokenExpect{Issuer: o.Issuer, Profile: o.TokenProfile, Audience: o.Audience},
	}
	switch {
	case d.challenge.Text != "":
		x.Nonce = d.challenge.Nonce[:]
		x.Token.Nonce = hex.EncodeToString(x.Nonce)
	case o.TokenNonce != "":
		x.Token.Nonce = o.TokenNonce
	default:
		x.Token.Without = []string{"nonce"}
	}
	return x
}

// fresh wants evidence that is as new as the secret demands.
func (d *decision) fresh() error {
	limit := cmp.Or(d.secret.MaxAge, d.server.o.MaxAge)
	if limit == 0 {
		return nil
	}
	issued := d.challenge.Expires.Add(-d.server.o.ChallengeLife)
	if d.challenge.Text == "" {
		iat := d.judged.result.Claims.Iat
		if iat == nil {
			return d.refuse(checkAge, errNoIssued)
		}
		issued = time.Unix(*iat, 0)
	}
	if age := d.record.Time.Sub(issued); age > limit {
		return d.refuse(checkAge, fmt.Errorf("%v, want at most %v", age, limit))
	}
	return nil
}

// unused marks the challenge, or the token that answers none, as used.
func (d *decision) unused() error {
	err := d.use()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, challenge.ErrUsed), errors.Is(err, challenge.ErrExpired), errors.Is(err, errNoEnd):
		return d.refuse(checkUnused, err)
	}
	d.record.Error = "used"
	return fmt.Errorf("what was used: %w", err)
}

func (d *decision) use() error {
	if d.challenge.Text != "" {
		return d.server.used.Use(d.challenge.ID(), d.challenge.Expires)
	}
	if d.secret.Reuse {
		return nil
	}
	exp := d.judged.result.Claims.Exp
	if exp == nil {
		return errNoEnd
	}
	return d.server.usedTokens.Use(tokenID(d.evidence), time.Unix(*exp, 0).Add(tokenSlack))
}
