package forge

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// GoogleIssuer is the issuer of Google Cloud Attestation.
const GoogleIssuer = "https://confidentialcomputing.googleapis.com"

// Issuers of the other profiles: Intel's own, a tenant of Microsoft's service,
// and a verifier by the forge's name.
const (
	intelIssuer = "https://portal.trustauthority.intel.com"
	azureIssuer = "https://attestctl-forge.weu.attest.azure.net"
	earIssuer   = "https://verifier.attestctl-forge.example"
)

// tokenProfile is what all tokens of one profile have in common.
type tokenProfile struct {
	demanded  string // the verifier's name of the profile
	issuer    string
	algorithm string
	audience  bool // its tokens name one
	kid       func(*Keys) string
	header    func(Token, tokenIssuer) *Object
	claims    func(Token) (*Object, error)
	keySet    func(*Keys) ([]byte, error) // nil where the verifier names the key
}

// tokenProfiles has what is known of each service: FACTS of its tokens and key
// sets, in their order of members.
var tokenProfiles = map[TokenProfile]tokenProfile{
	GoogleProfile: {
		demanded: "google", issuer: GoogleIssuer, algorithm: "RS256", audience: true, kid: hexKid("google", 20),
		header: googleHeader, claims: googleClaims, keySet: GoogleKeySet,
	},
	IntelProfile: {
		demanded: "intel-trust-authority", issuer: intelIssuer, algorithm: "PS384", audience: true, kid: hexKid("intel", 48),
		header: jkuHeader("PS384", intelIssuer), claims: intelClaims, keySet: intelKeySet,
	},
	AzureProfile: {
		demanded: "azure-maa", issuer: azureIssuer, algorithm: "RS256", kid: azureKid,
		header: jkuHeader("RS256", azureIssuer), claims: azureClaims, keySet: azureKeySet,
	},
	VeraisonEAR: {
		demanded: "ear", algorithm: "ES256",
		header: earHeader, claims: veraisonClaims,
	},
	TrusteeEAR: {
		demanded: "ear", algorithm: "ES256",
		header: trusteeHeader, claims: trusteeClaims,
	},
	DraftEAR: {
		demanded: "ear", issuer: earIssuer, algorithm: "ES384", kid: hexKid("ear", 32),
		header: kidHeader("ES384"), claims: draftClaims, keySet: draftKeySet,
	},
}

// TokenProfiles lists the profiles.
func TokenProfiles() []TokenProfile {
	return []TokenProfile{GoogleProfile, IntelProfile, AzureProfile, VeraisonEAR, TrusteeEAR, DraftEAR}
}

func hexKid(name string, size int) func(*Keys) string {
	return func(k *Keys) string { return hex.EncodeToString(k.bytes("token kid "+name, size)) }
}

// azureKid is in the shape of Microsoft's: base64 of a digest, not base64url.
func azureKid(k *Keys) string {
	return base64.StdEncoding.EncodeToString(k.bytes("token kid azure", 32))
}

// tokenIssuer is what signs one token.
type tokenIssuer struct {
	key   crypto.Signer
	kid   string
	x5c   []string
	jwk   *Object
	named []byte // jwk, where a verifier must name the key
}

func (t Token) issuer(p tokenProfile) (tokenIssuer, error) {
	if t.PKI {
		return t.pkiIssuer()
	}
	key, err := t.Keys.tokenKey(t.Profile)
	if err != nil {
		return tokenIssuer{}, err
	}
	s := tokenIssuer{key: key}
	if p.kid != nil {
		s.kid = p.kid(t.Keys)
	}
	if s.jwk, err = publicJWK(key.Public()); err != nil || p.keySet != nil {
		return s, err
	}
	s.named, err = encodeJSON(s.jwk)
	return s, err
}

// pkiIssuer signs with a leaf. Google does not say what the kid of such a token
// is made of.
func (t Token) pkiIssuer() (tokenIssuer, error) {
	pki, err := t.pki()
	if err != nil {
		return tokenIssuer{}, err
	}
	digest := sha256.Sum256(pki.Leaf.Raw)
	return tokenIssuer{key: pki.key, kid: base64url(digest[:]), x5c: X5C(pki.Leaf, pki.Intermediate, pki.Root)}, nil
}

// tokenKey is the key that signs the tokens of a profile.
func (k *Keys) tokenKey(p TokenProfile) (crypto.Signer, error) {
	profile, known := tokenProfileKeys[p]
	if !known {
		return nil, fmt.Errorf("no key for profile %q", p)
	}
	return k.Key("token "+string(p), profile)
}

// tokenProfileKeys are the types of keys, apart from the table that is made with
// functions that need them.
var tokenProfileKeys = map[TokenProfile]KeyType{
	GoogleProfile: RSA2048, IntelProfile: RSA2048, AzureProfile: RSA2048, VeraisonEAR: P256, TrusteeEAR: P256, DraftEAR: P384,
}

// trust are the files of a trust directory for a token: the issuer's key set or,
// for one with certificates, the root of the forge's own PKI.
func (t Token) trust(p tokenProfile) (map[string][]byte, error) {
	switch {
	case t.PKI:
		pki, err := newTokenPKI(t.Keys, "", Now(), nil)
		if err != nil {
			return nil, err
		}
		return map[string][]byte{"token/roots/forge_token_root.pem": certificatePEM(pki.Root)}, nil
	case p.keySet == nil:
		return map[string][]byte{}, nil
	}
	set, err := p.keySet(t.Keys)
	return map[string][]byte{"token/keys/" + p.issuer[len("https://"):] + ".json": set}, err
}

func googleHeader(_ Token, s tokenIssuer) *Object {
	return &Object{{"alg", "RS256"}, {"kid", s.kid}, {"typ", "JWT"}, {"x5c", texts(s.x5c)}}
}

func jkuHeader(alg, issuer string) func(Token, tokenIssuer) *Object {
	return func(_ Token, s tokenIssuer) *Object {
		return &Object{{"alg", alg}, {"jku", issuer + "/certs"}, {"kid", s.kid}, {"typ", "JWT"}}
	}
}

func kidHeader(alg string) func(Token, tokenIssuer) *Object {
	return func(_ Token, s tokenIssuer) *Object {
		return &Object{{"alg", alg}, {"kid", s.kid}, {"typ", "JWT"}}
	}
}

func earHeader(Token, tokenIssuer) *Object { return &Object{{"alg", "ES256"}, {"typ", "JWT"}} }

// trusteeHeader carries the key that verifies it, which proves nothing.
func trusteeHeader(_ Token, s tokenIssuer) *Object {
	jwk := append(Object{{"alg", "ES256"}}, *s.jwk...)
	return &Object{{"typ", "JWT"}, {"alg", "ES256"}, {"jwk", &jwk}}
}

// after is a NumericDate (RFC 7519 2).
func (t Token) after(d time.Duration) int64 { return t.Issued.Add(d).Unix() }
