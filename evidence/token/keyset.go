package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

const (
	// MaxDiscovery is the size of the largest discovery document in bytes. Genuine
	// ones have 1 to 3 KiB.
	MaxDiscovery = 64 << 10

	maxURL  = 1024
	maxHost = 200 // with NAME-TIME.json it is the name of a file
	maxETag = 256
)

// ErrOtherIssuer means that a discovery document is of another issuer than the
// one that was asked for.
var ErrOtherIssuer = errors.New("issuer is not the one asked for")

// KeySet is the key set of one issuer with where it is from. Its saved form is a
// JWKS (RFC 7517 5) with the further members issuer, jwks_uri, fetched_at and
// etag, which other programs pass over.
type KeySet struct {
	Issuer    string    // byte for byte; empty for a plain JWKS, which says of nobody that it is theirs
	URI       string    // empty if the file does not say
	ETag      string    // of the answer that it came in (RFC 9110 8.8.3)
	FetchedAt time.Time // UTC, in whole seconds; zero if the file does not say
	JWKS      *JWKS
}

// origin lists the members that a saved key set has and a plain JWKS has not.
var origin = [...]string{"issuer", "jwks_uri", "fetched_at", "etag"}

// ParseKeySet decodes a saved key set or a plain JWKS. What ParseJWKS refuses is
// refused, and so are an issuer or jwks_uri that is not an https URL of a host in
// lower case (the issuer without query; both without user and fragment), a
// fetched_at that is not RFC 3339 in UTC and whole seconds, an etag of more than
// printable ASCII, any of them empty, without an issuer, or in other case.
func ParseKeySet(data []byte) (*KeySet, error) {
	n, err := parseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	set, err := parseOrigin(n)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if set.JWKS, err = ParseJWKS(data); err != nil {
		return nil, err
	}
	return set, nil
}

func parseOrigin(n node) (set *KeySet, err error) {
	if err := checkOrigin(n); err != nil {
		return nil, err
	}
	var failed error
	f := fieldsOf(n, &failed)
	set = &KeySet{Issuer: f.text("issuer"), URI: f.text("jwks_uri"), ETag: f.text("etag")}
	at := f.text("fetched_at")
	if failed != nil {
		return nil, failed
	}
	if set.Issuer == "" {
		return set, nil
	}
	if err := checkIssuer(set.Issuer); err != nil {
		return nil, err
	}
	if set.URI != "" {
		if err := checkURL("jwks_uri", set.URI); err != nil {
			return nil, err
		}
	}
	if len(set.ETag) > maxETag || !isPrintable(set.ETag) {
		return nil, fmt.Errorf("etag is not up to %d characters of printable ascii", maxETag)
	}
	if at != "" {
		set.FetchedAt, err = parseFetchTime(at)
	}
	return set, err
}

func parseFetchTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Format(time.RFC3339) != s || t.Year() < 1970 {
		return time.Time{}, fmt.Errorf("fetched_at %s is not a time like 2026-11-23T08:00:00Z", strictjson.Quote(s))
	}
	return t.UTC(), nil
}

// checkOrigin refuses what would make a saved key set look like a plain one.
func checkOrigin(n node) error {
	_, saved := n.Get("issuer")
	for _, name := range origin {
		for _, m := range n.Members {
			switch {
			case !strings.EqualFold(m.Name, name):
			case m.Name != name:
				return fmt.Errorf("member %s is to be written %q", strictjson.Quote(m.Name), name)
			case !saved:
				return fmt.Errorf("has %s and no issuer", name)
			case m.Value.Kind == strictjson.Text && m.Value.Text == "":
				return fmt.Errorf("%s is empty", name)
			}
		}
	}
	return nil
}

// savedKeySet is the saved form, in the order in which a person reads it.
type savedKeySet struct {
	Issuer    string          `json:"issuer"`
	URI       string          `json:"jwks_uri,omitempty"`
	FetchedAt string          `json:"fetched_at"`
	ETag      string          `json:"etag,omitempty"`
	Keys      json.RawMessage `json:"keys"`
}

// NewKeySet returns the saved form of a JWKS, which ParseKeySet reads back: the
// keys with all of their members as they are, and nothing else of the JWKS. The
// time loses its fractions of a second; uri and etag may be empty. What
// ParseKeySet would refuse is an error.
func NewKeySet(issuer, uri, etag string, fetchedAt time.Time, jwks []byte) ([]byte, error) {
	if _, err := ParseJWKS(jwks); err != nil {
		return nil, err
	}
	n, err := parseKeyFile(jwks)
	if err != nil {
		return nil, err
	}
	keys, _ := n.Get("keys")
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	at := fetchedAt.UTC().Format(time.RFC3339)
	if err := e.Encode(savedKeySet{issuer, uri, at, etag, json.RawMessage(keys.Raw)}); err != nil {
		return nil, err
	}
	if _, err := ParseKeySet(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// DiscoveryURL returns where the issuer publishes its discovery document (OpenID
// Connect Discovery 1.0, 4). The issuer must be one that ParseKeySet accepts.
func DiscoveryURL(issuer string) (string, error) {
	if err := checkIssuer(issuer); err != nil {
		return "", err
	}
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration", nil
}

// ParseDiscovery decodes the discovery document of the issuer and returns where
// it says that its keys are: an https URL, of any host. The error for a document
// of another issuer, compared byte for byte, wraps ErrOtherIssuer.
func ParseDiscovery(issuer string, data []byte) (uri string, err error) {
	if len(data) > MaxDiscovery {
		return "", fmt.Errorf("discovery document has %d bytes, at most %d are read", len(data), MaxDiscovery)
	}
	n, err := parseObject(data)
	if err != nil {
		return "", fmt.Errorf("discovery document: %w", err)
	}
	var failed error
	f := fieldsOf(n, &failed)
	got, uri := f.text("issuer"), f.text("jwks_uri")
	if failed != nil {
		return "", fmt.Errorf("discovery document: %w", failed)
	}
	if got != issuer {
		return "", fmt.Errorf("discovery document: %w: it is of %s", ErrOtherIssuer, strictjson.Quote(got))
	}
	if err := checkURL("jwks_uri", uri); err != nil {
		return "", fmt.Errorf("discovery document: %w", err)
	}
	return uri, nil
}

func checkIssuer(issuer string) error {
	err := checkURL("issuer", issuer)
	if err == nil && strings.Contains(issuer, "?") {
		return fmt.Errorf("issuer %s has a query", strictjson.Quote(issuer))
	}
	return err
}

// checkURL wants an https URL that can be read in one way only.
func checkURL(name, s string) error {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURL || !isPrintable(s):
		return fmt.Errorf("%s is not up to %d characters of printable ascii", name, maxURL)
	case err != nil || u.String() != s:
		return fmt.Errorf("%s %s is not a url in its usual form", name, strictjson.Quote(s))
	case u.Scheme != "https" || u.Opaque != "":
		return fmt.Errorf("%s %s is not an https url", name, strictjson.Quote(s))
	case u.User != nil:
		return fmt.Errorf("%s names a user", name)
	case strings.Contains(s, "#"):
		return fmt.Errorf("%s %s has a fragment", name, strictjson.Quote(s))
	case !isHost(u):
		return fmt.Errorf("%s %s has a host that is not letters in lower case, digits, dots and dashes", name, strictjson.Quote(s))
	}
	return nil
}

// isHost wants labels that are neither empty nor begin with a dash, so that the
// host may also begin the name of a file.
func isHost(u *url.URL) bool {
	host := u.Hostname()
	if len(host) > maxHost || host != strings.ToLower(host) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || label[0] == '-' || !only(label, "-") {
			return false
		}
	}
	return true
}

func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
