package token

import (
	"crypto/x509"
	"time"
)

// Skew is how far the clocks of issuer and verifier may differ.
const Skew = 30 * time.Second

// Expect is what the caller demands of a token. The zero value accepts nothing.
type Expect struct {
	// Issuer is the iss claim, byte for byte, and picks the profile.
	Issuer string
	// Profile names the profile. It is needed for EAR alone, whose issuers are
	// the caller's own; with others it must be the issuer's.
	Profile string
	// Audience is the aud claim: the string, or the one member of the array.
	Audience string
	// Nonce is the nonce that was asked for: the nonce claim, or a member of it.
	Nonce string
	// Now is the time of the verification.
	Now time.Time
	// Keys are those of Issuer.
	Keys Keys

	// SharedAudience accepts an aud that names others beside Audience, any of
	// whom could have passed the token on.
	SharedAudience bool
	// NoIssuer, NoAudience and NoNonce demand a token without the claim. Each
	// must be said, and the first two only where the profile's tokens may lack it.
	NoIssuer, NoAudience, NoNonce bool
}

// Keys are the keys of one issuer. They verify its tokens and no other's.
type Keys struct {
	// Issuer is whose keys they are: Expect.Issuer, byte for byte.
	Issuer string
	// JWKS is the issuer's key set, for tokens that name a key by kid.
	JWKS *JWKS
	// Roots are trusted at the end of the chains of tokens that carry one (x5c).
	Roots *Roots
	// CRLs are the revocation lists for such chains. Without any, revocation is
	// not checked, and with any there must be a current one of the intermediate.
	CRLs []*x509.RevocationList
	// Key is the one key of an issuer whose tokens name none; profile EAR only.
	Key *Key
}
