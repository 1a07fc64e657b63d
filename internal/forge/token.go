package forge

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// TokenProfile is a kind of attestation token: whose it is, and its shape.
type TokenProfile string

// The profiles. The three shapes of an EAT attestation result are one profile to
// a verifier.
const (
	GoogleProfile TokenProfile = "google" // also ""
	IntelProfile  TokenProfile = "intel-trust-authority"
	AzureProfile  TokenProfile = "azure-maa"
	VeraisonEAR   TokenProfile = "ear-veraison-2023"
	TrusteeEAR    TokenProfile = "ear-trustee-2024"
	DraftEAR      TokenProfile = "ear-draft-03" // draft-ietf-rats-ear-03
)

// DefaultAudience is whom a token is for when [Token] names nobody.
const DefaultAudience = "https://verifier.example"

// Token describes an attestation token. The zero value is an honest one of
// Google Cloud Attestation, signed by a key of its key set, for a machine of
// Compute Engine with AMD SEV and Secure Boot.
type Token struct {
	Keys    *Keys        // nil stands for those of Machine, or NewKeys(DefaultSeed)
	Profile TokenProfile // "" is GoogleProfile
	// PKI signs with the leaf of a chain that the token carries (x5c), as
	// Google's tokens of the type PKI do. Of GoogleProfile only.
	PKI bool
	// Authority names the PKI; "" is the forge's own, and any other one that
	// nobody trusts.
	Authority string
	// Machine is what the token vouches for, in the claims that the service would
	// make for evidence of [Machine.Attest]. nil is a machine that the profile can
	// be of. AzureProfile and EARs are not of the forge's machines.
	Machine  *Machine
	Audience string   // "" is DefaultAudience
	Nonces   []string // nil is one, but for VeraisonEAR and TrusteeEAR; empty is none
	Issued   time.Time

	Edits TokenEdits
}

// TokenEdits change one stage each; nil changes nothing. The later stages go on
// honestly with what an edit returns.
type TokenEdits struct {
	// Chain edits the templates of the PKI before they are signed.
	Chain func(*TokenChain) error
	// Header and Claims edit what the token says.
	Header, Claims func(*Object) error
	// Payload edits the encoded claims.
	Payload func([]byte) ([]byte, error)
	// Signing edits how the token is signed, whatever its header says.
	Signing func(*Signing) error
	// Compact edits the finished token; nothing is signed again.
	Compact func([]byte) ([]byte, error)
}

// TokenDemand is what the verifier of a token must expect. Key is one JWK, that
// of an issuer without a name.
type TokenDemand struct {
	Issuer, Profile, Audience, Nonce string
	// Without lists what the token was made without: "issuer", "audience", "nonce".
	Without []string
	Key     []byte
}

// Mint makes the token. It is to be verified a minute after it was issued, with
// what Evidence.Token demands, under Evidence.TrustFiles: of several nonces the
// last one is demanded.
func (t Token) Mint() (*Evidence, error) {
	t = t.orDefault()
	p, known := tokenProfiles[t.Profile]
	if !known || t.PKI && t.Profile != GoogleProfile {
		return nil, fmt.Errorf("no token of profile %q, with certificates: %t", t.Profile, t.PKI)
	}
	s, err := t.issuer(p)
	if err != nil {
		return nil, err
	}
	header := p.header(t, s)
	claims, err := p.claims(t)
	if err != nil {
		return nil, err
	}
	raw, err := t.Edits.sign(header.strip(), claims.strip(), &Signing{Algorithm: p.algorithm, Key: s.key})
	if err != nil {
		return nil, err
	}
	e := &Evidence{Raw: raw, Token: t.demand(p, s), Now: t.Issued.Add(time.Minute)}
	e.tokenTrust, err = t.trust(p)
	return e, err
}

func (t Token) orDefault() Token {
	t.Profile = cmp.Or(t.Profile, GoogleProfile)
	if t.Machine == nil {
		t.Machine = tokenMachine(t.Profile)
	}
	t.Keys = cmp.Or(t.Keys, t.Machine.Keys)
	if t.Keys == nil {
		t.Keys = NewKeys(DefaultSeed)
	}
	t.Audience = cmp.Or(t.Audience, DefaultAudience)
	if t.Issued.IsZero() {
		t.Issued = Now()
	}
	if t.Nonces == nil && t.Profile != VeraisonEAR && t.Profile != TrusteeEAR {
		t.Nonces = []string{tokenNonce(t.Keys)}
	}
	return t
}

func tokenNonce(keys *Keys) string { return hex.EncodeToString(keys.bytes("token nonce", 32)) }

// tokenMachine is a machine that the service attests.
func tokenMachine(p TokenProfile) *Machine {
	if p == IntelProfile {
		return &Machine{Technology: IntelTDX, Container: DefaultContainer(), Hardware: &Hardware{}}
	}
	return &Machine{Technology: AMDSEV}
}

func (t Token) demand(p tokenProfile, s tokenIssuer) *TokenDemand {
	d := &TokenDemand{Issuer: p.issuer, Profile: p.demanded, Key: s.named}
	if p.issuer == "" {
		d.Without = append(d.Without, "issuer")
	}
	if p.audience {
		d.Audience = t.Audience
	} else {
		d.Without = append(d.Without, "audience")
	}
	if n := len(t.Nonces); n > 0 {
		d.Nonce = t.Nonces[n-1]
	} else {
		d.Without = append(d.Without, "nonce")
	}
	return d
}

// sign makes a compact token (RFC 7515 7.1) of header and claims.
func (x TokenEdits) sign(header, claims *Object, how *Signing) ([]byte, error) {
	if err := apply(x.Header, header); err != nil {
		return nil, fmt.Errorf("editing the header: %w", err)
	}
	if err := apply(x.Claims, claims); err != nil {
		return nil, fmt.Errorf("editing the claims: %w", err)
	}
	head, err := encodeJSON(header)
	if err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	payload, err := encodeJSON(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding the claims: %w", err)
	}
	if payload, err = edited(x.Payload, payload); err != nil {
		return nil, fmt.Errorf("editing the payload: %w", err)
	}
	if err := apply(x.Signing, how); err != nil {
		return nil, fmt.Errorf("editing the signature: %w", err)
	}
	input := base64url(head) + "." + base64url(payload)
	signature, err := how.sign([]byte(input))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return edited(x.Compact, []byte(input+"."+base64url(signature)))
}

func edited(edit func([]byte) ([]byte, error), b []byte) ([]byte, error) {
	if edit == nil {
		return b, nil
	}
	return edit(b)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
