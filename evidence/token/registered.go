package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// ErrExpired means that the token's life was over at the time of the verification.
var ErrExpired = errors.New("token is expired")

// ErrNotYetValid means that it had not begun.
var ErrNotYetValid = errors.New("token is not valid yet")

// lastTime is the end of the year 9999, beyond which dates cannot be written.
const lastTime = 253402300799

// date reads a NumericDate (RFC 7519 2) that is an integer, in seconds.
func (f fields) date(name string) *int64 {
	v := f.integer(name)
	if v != nil && (*v < 0 || *v > lastTime) {
		f.fail(name, "is out of range")
		return nil
	}
	return v
}

// times are the three dates of a token, none of which is there by default.
type times struct {
	iat, nbf, exp *int64
	err           error
}

func (a *appraisal) times() (t times) {
	f := fieldsOf(a.token.claims, &t.err)
	t.iat, t.nbf, t.exp = f.date("iat"), f.date("nbf"), f.date("exp")
	return t
}

// checkTime checks iat, nbf and exp: integers, required unless the profile's
// tokens lack them, in order, not too far apart, and around Now.
func (a *appraisal) checkTime() error {
	t := a.times()
	if t.err != nil {
		return t.err
	}
	if t.iat == nil {
		return errors.New("iat is missing")
	}
	iat := time.Unix(*t.iat, 0)
	nbf, exp := iat, iat.Add(a.profile.MaxLifetime)
	switch {
	case t.nbf != nil:
		nbf = time.Unix(*t.nbf, 0)
	case !a.profile.mayLack("nbf"):
		return errors.New("nbf is missing")
	}
	switch {
	case t.exp != nil:
		exp = time.Unix(*t.exp, 0)
	case !a.profile.mayLack("exp"):
		return errors.New("exp is missing")
	}
	if err := a.checkWindow(iat, nbf, exp); err != nil {
		return err
	}
	a.claims.IssuedAt, a.claims.NotBefore, a.claims.Expires, a.expires = *t.iat, t.nbf, t.exp, exp
	return nil
}

func (a *appraisal) checkWindow(iat, nbf, exp time.Time) error {
	switch now := a.want.Now; {
	case now.IsZero():
		return errNoTime
	case exp.Before(iat) || exp.Before(nbf):
		return errors.New("exp is before iat or nbf")
	case exp.Sub(iat) > a.profile.MaxLifetime:
		return fmt.Errorf("token is for %v, at most %v are accepted", exp.Sub(iat), a.profile.MaxLifetime)
	case now.Before(iat.Add(-Skew)):
		return fmt.Errorf("%w: issued at %s, verified for %s", ErrNotYetValid, stamp(iat), stamp(now))
	case now.Before(nbf.Add(-Skew)):
		return fmt.Errorf("%w: not before %s, verified for %s", ErrNotYetValid, stamp(nbf), stamp(now))
	case !now.Before(exp.Add(Skew)): // RFC 7519 4.1.4: on or after
		return fmt.Errorf("%w: it ended at %s, verified for %s", ErrExpired, stamp(exp), stamp(now))
	}
	return nil
}

// checkIssuer compares byte for byte (RFC 8725 3.8).
func (a *appraisal) checkIssuer() error {
	n, ok := a.token.claims.Get("iss")
	switch {
	case !ok && a.want.NoIssuer && a.profile.mayLack("iss"):
		return skipError("token names no issuer, as expected")
	case !ok:
		return errors.New("iss is missing")
	case n.Kind != strictjson.Text:
		return fmt.Errorf("iss is %v, want a string", n.Kind)
	case a.want.NoIssuer:
		return fmt.Errorf("issuer is %s, want none", strictjson.Quote(n.Text))
	case a.want.Issuer == "" || n.Text != a.want.Issuer:
		return fmt.Errorf("issuer is %s, want %s", strictjson.Quote(n.Text), strictjson.Quote(a.want.Issuer))
	}
	a.claims.Issuer = n.Text
	return nil
}

// checkAudience wants the expected audience and no other (RFC 8725 3.9).
func (a *appraisal) checkAudience() error {
	var failed error
	aud := fieldsOf(a.token.claims, &failed).textOrTexts("aud")
	_, ok := a.token.claims.Get("aud")
	if a.want.NoAudience {
		return a.checkNoAudience(ok)
	}
	others := slices.ContainsFunc(aud, func(s string) bool { return s != a.want.Audience })
	switch {
	case failed != nil:
		return failed
	case a.want.Audience == "":
		return errors.New("no audience to expect")
	case !ok:
		return errors.New("aud is missing")
	case !slices.Contains(aud, a.want.Audience):
		return fmt.Errorf("token is not for the audience %s", strictjson.Quote(a.want.Audience))
	case others && !a.want.SharedAudience:
		return fmt.Errorf("token is for %d audiences, want %s alone", len(aud), strictjson.Quote(a.want.Audience))
	}
	a.claims.Audience = aud
	return nil
}

func (a *appraisal) checkNoAudience(present bool) error {
	switch {
	case a.want.Audience != "":
		return errors.New("name the audience, or say that the token names none, and not both")
	case !a.profile.mayLack("aud"):
		return fmt.Errorf("tokens of profile %s always name an audience: name the one to expect", a.profile.Name)
	case present:
		return errors.New("token is for an audience, want one for none")
	}
	return skipError("token names no audience, as expected")
}

// checkNonce looks for the expected nonce among those of the token, whose order
// means nothing.
func (a *appraisal) checkNonce() error {
	var failed error
	name := a.profile.NonceClaim
	nonces := fieldsOf(a.token.claims, &failed).textOrTexts(name)
	_, ok := a.token.claims.Get(name)
	switch {
	case failed != nil:
		return failed
	case a.want.NoNonce && a.want.Nonce != "":
		return errors.New("give the nonce, or say that the token carries none, and not both")
	case a.want.NoNonce && !ok:
		return skipError("token carries no nonce, as expected")
	case a.want.NoNonce:
		return errors.New("token carries a nonce, want one without")
	case a.want.Nonce == "":
		return errors.New("no nonce to expect")
	case !ok:
		return fmt.Errorf("%s is missing", name)
	case !slices.Contains(nonces, a.want.Nonce):
		return fmt.Errorf("expected nonce is not among the %d of the token", len(nonces))
	}
	a.claims.EATNonce = nonces
	return nil
}
