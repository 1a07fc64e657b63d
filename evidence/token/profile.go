package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// ErrUnknownIssuer means that no profile has the issuer that was asked for.
var ErrUnknownIssuer = errors.New("issuer has no profile")

// Names of the profiles.
const (
	Google              = "google"                // Google Cloud Attestation: Compute Engine and Confidential Space
	IntelTrustAuthority = "intel-trust-authority" // Intel Trust Authority
	AzureMAA            = "azure-maa"             // Microsoft Azure Attestation
	EAR                 = "ear"                   // EAT attestation results of a verifier that the caller names
)

// GoogleIssuer is the issuer of Google Cloud Attestation.
const GoogleIssuer = "https://confidentialcomputing.googleapis.com"

const (
	maxLifetime = 24 * time.Hour
	azureSuffix = ".attest.azure.net"
)

// Profile says what the tokens of one kind of issuer look like. A token that
// does not fit is refused, whatever its header says (RFC 8725 3.1 and 3.8).
type Profile struct {
	Name       string
	Issuers    []string // byte for byte; none where the caller names the issuer
	Algorithms []string // alg, in the spelling of RFC 7518 3.1
	Header     []string // x5c, jku or jwk where its tokens have them; of those only x5c is ever used
	Optional   []string // of iss, aud, exp and nbf, those that its tokens may lack
	NonceClaim string

	MaxLifetime time.Duration // exp - iat; a token without exp ends that long after iat
	OwnKey      bool          // the caller may name the one key, for tokens without kid
	KeyAlg      bool          // its JWKS names the algorithm of every key
	Platform    bool          // its claims are those of Google's tokens
}

// profiles is the table. Every issuer belongs to at most one row; ear takes
// those of no other row and is never chosen by the issuer alone.
var profiles = [...]Profile{
	{
		Name: Google, Issuers: []string{GoogleIssuer}, Algorithms: []string{"RS256"}, Header: []string{"x5c"},
		NonceClaim: "eat_nonce", MaxLifetime: maxLifetime, KeyAlg: true, Platform: true,
	},
	{
		Name:       IntelTrustAuthority,
		Issuers:    []string{"https://portal.trustauthority.intel.com", "https://portal.eu.trustauthority.intel.com"},
		Algorithms: []string{"PS384", "RS256"}, Header: []string{"jku"}, Optional: []string{"aud"},
		NonceClaim: "eat_nonce", MaxLifetime: maxLifetime, Platform: true,
	},
	{
		Name: AzureMAA, Algorithms: []string{"RS256"}, Header: []string{"jku"}, Optional: []string{"aud"},
		NonceClaim: "nonce", MaxLifetime: maxLifetime,
	},
	{
		Name: EAR, Algorithms: []string{"ES256", "ES384"}, Header: []string{"jwk"}, Optional: []string{"iss", "aud", "exp", "nbf"},
		NonceClaim: "eat_nonce", MaxLifetime: maxLifetime, OwnKey: true,
	},
}

// ProfileFor returns the profile of the issuer: one of the table's, or a tenant
// of Microsoft Azure Attestation, https://NAME.attest.azure.net with nothing
// behind it. The error for any other wraps ErrUnknownIssuer; the profile ear is
// only had by its name, in Expect.
func ProfileFor(issuer string) (Profile, error) {
	p, err := profileFor(issuer)
	if err != nil {
		return Profile{}, err
	}
	q := *p
	q.Issuers, q.Algorithms = slices.Clone(p.Issuers), slices.Clone(p.Algorithms)
	q.Header, q.Optional = slices.Clone(p.Header), slices.Clone(p.Optional)
	return q, nil
}

func profileFor(issuer string) (*Profile, error) {
	for i := range profiles {
		p := &profiles[i]
		if slices.Contains(p.Issuers, issuer) || p.Name == AzureMAA && isAzureTenant(issuer) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownIssuer, strictjson.Quote(issuer))
}

// isAzureTenant wants lower-case labels only: no port, path, user or dot at the end.
func isAzureTenant(issuer string) bool {
	host, https := strings.CutPrefix(issuer, "https://")
	tenant, azure := strings.CutSuffix(host, azureSuffix)
	if !https || !azure || len(tenant) > 200 {
		return false
	}
	for label := range strings.SplitSeq(tenant, ".") {
		if label == "" || !only(label, "-") || label != strings.ToLower(label) {
			return false
		}
	}
	return true
}

// profile returns the row that the expectation asks for.
func (want Expect) profile() (*Profile, error) {
	switch owner, err := profileFor(want.Issuer); {
	case want.Profile == "" || err == nil && owner.Name == want.Profile:
		return owner, err
	case want.Profile != EAR:
		return nil, fmt.Errorf("%w: %s is not one of profile %s", ErrUnknownIssuer, strictjson.Quote(want.Issuer), strictjson.Quote(want.Profile))
	case err == nil:
		return nil, fmt.Errorf("issuer %s has the profile %s, not %s", strictjson.Quote(want.Issuer), owner.Name, EAR)
	}
	if (want.Issuer == "") != want.NoIssuer {
		return nil, errors.New("name the issuer, or say that the token names none, and not both")
	}
	i := slices.IndexFunc(profiles[:], func(p Profile) bool { return p.Name == EAR })
	return &profiles[i], nil
}

func (p *Profile) mayLack(claim string) bool { return slices.Contains(p.Optional, claim) }

// fits reports whether a key can make signatures of the algorithm. A key has
// one use: RFC 7518 3.1 ties each ES algorithm to one curve.
func fits(alg string, key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return alg == "RS256" || alg == "PS384"
	case *ecdsa.PublicKey:
		return alg == "ES256" && k.Curve == elliptic.P256() || alg == "ES384" && k.Curve == elliptic.P384()
	}
	return false
}
