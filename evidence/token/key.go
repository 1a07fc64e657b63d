package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// ErrNoKey means that none of the issuer's keys is the one that the token names.
var ErrNoKey = errors.New("no such key of the issuer")

// checkKey finds the one key that may have signed the token: the leaf of its
// chain, the issuer's key of its kid, or the one key that the caller names.
func (a *appraisal) checkKey() error {
	keys := a.want.Keys
	if keys.Issuer != a.want.Issuer {
		return fmt.Errorf("%w: the keys given are those of %s", ErrNoKey, strictjson.Quote(keys.Issuer))
	}
	if slices.Contains(a.token.header.extra, "x5c") {
		return a.useChain()
	}
	key, err := a.find(keys)
	if err != nil {
		return err
	}
	alg := a.token.header.algorithm
	switch {
	case key.Algorithm == "" && a.profile.KeyAlg:
		return errors.New("key of the issuer names no algorithm")
	case key.Algorithm != "" && key.Algorithm != alg, !fits(alg, key.Public):
		return fmt.Errorf("key of the issuer is not for the algorithm %s", alg)
	}
	a.key, a.keyID = key.Public, key.ID
	return nil
}

// find never tries one key after another: a kid is in the set, or it is not.
func (a *appraisal) find(keys Keys) (Key, error) {
	kid := a.token.header.keyID
	if own := keys.Key; own != nil {
		switch {
		case !a.profile.OwnKey || keys.JWKS != nil:
			return Key{}, fmt.Errorf("one key was named, and profile %s wants a key set or only one of both was to be given", a.profile.Name)
		case own.ID != "" && kid != "" && own.ID != kid:
			return Key{}, fmt.Errorf("%w: kid %s", ErrNoKey, strictjson.Quote(kid))
		}
		return *own, nil
	}
	if kid == "" {
		return Key{}, fmt.Errorf("%w: the token names none", ErrNoKey)
	}
	key, ok := keys.JWKS.byID(kid)
	if !ok {
		return Key{}, fmt.Errorf("%w: kid %s", ErrNoKey, strictjson.Quote(kid))
	}
	return key, nil
}

func (a *appraisal) useChain() error {
	chain, err := parseChain(a.token.header.x5c)
	if err != nil {
		return err
	}
	if !fits(a.token.header.algorithm, chain[0].PublicKey) {
		return fmt.Errorf("leaf's key is not for the algorithm %s", a.token.header.algorithm)
	}
	a.chain, a.key = chain, chain[0].PublicKey
	return nil
}

// checkChain verifies the chain at the time the token was issued and at the time
// of the verification.
func (a *appraisal) checkChain() error {
	if a.chain == nil {
		return skipError("token has no certificates")
	}
	var failed error
	iat := fieldsOf(a.token.claims, &failed).date("iat")
	if failed != nil || iat == nil {
		return errors.New("token does not say when it was issued")
	}
	if a.want.Now.IsZero() {
		return errNoTime
	}
	return a.want.Keys.Roots.verifyChain(a.chain, time.Unix(*iat, 0), a.want.Now)
}

func (a *appraisal) checkRevocation() error {
	switch {
	case a.chain == nil:
		return skipError("token has no certificates")
	case len(a.want.Keys.CRLs) == 0:
		return skipError("no revocation list was given")
	}
	return checkRevocation(a.chain, a.want.Keys.CRLs, a.want.Now)
}

var errNoTime = errors.New("no time to verify at")
