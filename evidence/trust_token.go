package evidence

import (
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/hint"
)

// tokenTrust says whose tokens count: the key sets by issuer, the one key that
// the user named, and the roots of tokens that carry their certificates.
type tokenTrust struct {
	tokenSets  map[string]*token.JWKS
	tokenKey   *token.Key
	onlyPin    bool // tokenKey was given for this run: no set counts beside it
	tokenRoots *token.Roots
	tokenCRLs  []*x509.RevocationList
}

// noTokens reports whether no token is trusted.
func (t *tokenTrust) noTokens() bool {
	return t.tokenSets == nil && t.tokenKey == nil && t.tokenRoots == nil
}

// tokenKeys gives the keys of an issuer. Roots and lists are those of Google's
// tokens, the only ones that carry certificates; the one key is of profile ear.
func (t *Trust) tokenKeys(issuer, profile string) token.Keys {
	k := token.Keys{Issuer: issuer, JWKS: t.tokenSets[issuer]}
	if profile == token.EAR && t.tokenKey != nil && (t.onlyPin || k.JWKS == nil) {
		k.JWKS, k.Key = nil, t.tokenKey
	}
	if issuer == token.GoogleIssuer {
		k.Roots, k.CRLs = t.tokenRoots, t.tokenCRLs
	}
	return k
}

// WithJWKS returns a copy of t that trusts this key set, and no other, for the
// tokens of an issuer. The set is what the issuer serves, or what `attestctl
// token fetch-keys` saved, which names its issuer: issuer is then "" or the same.
func (t *Trust) WithJWKS(issuer string, data []byte) (*Trust, error) {
	set, err := token.ParseKeySet(data)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the key set: %w", err)
	case set.Issuer == "" && issuer == "":
		return nil, hint.New(errors.New("the key set does not say whose keys they are"), "name the issuer with --issuer")
	case set.Issuer != "" && issuer != "" && set.Issuer != issuer:
		return nil, fmt.Errorf("the key set is that of %q, and keys of %q are wanted", set.Issuer, issuer)
	}
	issuer = cmp.Or(set.Issuer, issuer)
	c := t.clone()
	c.dropKeys(issuer)
	f := TrustFile{Path: given("token/keys", data) + ".json", Purpose: folderOf("token/keys").purpose, Data: data, DER: data}
	if err := c.addKeySet(&f, set, issuer); err != nil {
		return nil, err
	}
	c.anchors = append(c.anchors, f)
	slices.SortFunc(c.anchors, func(a, b TrustFile) int { return cmp.Compare(a.Path, b.Path) })
	return c, nil
}

// WithTokenKey returns a copy of t that trusts this one JWK, and no other, for
// the tokens of profile ear, whatever issuer the user expects.
func (t *Trust) WithTokenKey(data []byte) (*Trust, error) {
	c := t.clone()
	c.tokenKey = nil
	c.anchors = slices.DeleteFunc(slices.Clone(c.anchors), func(f TrustFile) bool { return f.in("token/pins") })
	if err := c.add("token/pins/pinned.json", data); err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	c.onlyPin = true
	return c, nil
}

// WithTokenCRL returns a copy of t with one more revocation list for the
// certificates of Google's tokens.
func (t *Trust) WithTokenCRL(data []byte) (*Trust, error) {
	c := t.clone()
	if err := c.add(given("token/crls", data), data); err != nil {
		return nil, fmt.Errorf("reading the revocation list: %w", err)
	}
	return c, nil
}

// addTokenKeys reads a key set of a trust directory, which must name its issuer.
func (t *Trust) addTokenKeys(f *TrustFile) error {
	set, err := token.ParseKeySet(f.Data)
	switch {
	case err != nil:
		return err
	case set.Issuer == "":
		return hint.New(errors.New("the key set does not say whose keys they are"),
			"`attestctl token fetch-keys` writes the member \"issuer\"; add it to a set from elsewhere")
	}
	return t.addKeySet(f, set, set.Issuer)
}

// addKeySet adds to what is known of the issuer: keys of several times, of which
// one kid is never two keys.
func (t *Trust) addKeySet(f *TrustFile, set *token.KeySet, issuer string) error {
	merged, err := t.tokenSets[issuer].Merge(set.JWKS)
	if err != nil {
		return fmt.Errorf("keys of %q: %w", issuer, err)
	}
	t.tokenSets = maps.Clone(t.tokenSets)
	if t.tokenSets == nil {
		t.tokenSets = map[string]*token.JWKS{}
	}
	t.tokenSets[issuer] = merged
	f.Kind, f.Subject, f.From = KindKeySet, issuer, set.FetchedAt
	return nil
}

// addTokenPin reads the one key of tokens of profile ear: two would have to be
// tried one after the other.
func (t *Trust) addTokenPin(f *TrustFile) error {
	key, err := token.ParseKey(f.Data)
	if err != nil {
		return err
	}
	if t.tokenKey != nil {
		return errors.New("there is another key: tokens that name none can be of one key only")
	}
	if f.DER, err = x509.MarshalPKIXPublicKey(key.Public); err != nil {
		return err
	}
	f.Kind, f.key, t.tokenKey = KindJWK, key.Public, key
	return nil
}

// addTokenRoot reads a root of Google's tokens, or its digest: a token brings
// the certificate along.
func (t *Trust) addTokenRoot(f *TrustFile) error {
	digest := strings.TrimSuffix(string(f.Data), "\n")
	if path.Ext(f.Path) != ".sha256" {
		if err := f.authority(); err != nil {
			return err
		}
		digest = f.SHA256()
	}
	roots, err := token.PinRoots(digest)
	if err != nil {
		return err
	}
	if f.Kind == "" {
		f.Kind = KindDigest
		f.DER, _ = hex.DecodeString(digest) // PinRoots has
	}
	t.tokenRoots = t.tokenRoots.With(roots)
	return nil
}

func (t *Trust) addTokenCRL(f *TrustFile) error {
	list, err := token.ParseCRL(f.Data)
	if err != nil {
		return err
	}
	f.list(list)
	t.tokenCRLs = append(t.tokenCRLs, list)
	return nil
}

// dropKeys forgets the key sets of an issuer.
func (t *Trust) dropKeys(issuer string) {
	t.tokenSets = maps.Clone(t.tokenSets)
	delete(t.tokenSets, issuer)
	t.anchors = slices.DeleteFunc(slices.Clone(t.anchors), func(f TrustFile) bool { return f.in("token/keys") && f.Subject == issuer })
}
