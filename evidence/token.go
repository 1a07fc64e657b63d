package evidence

import (
	"bytes"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/token"
)

const formatToken = "jwt"

// FormatToken is the format of an attestation token by itself.
const FormatToken = formatToken

// TokenExpect says what an attestation token must have been made for. Its zero
// value accepts none.
type TokenExpect struct {
	// Issuer is the iss claim, byte for byte, as [GoogleIssuer]. It picks the
	// profile that decides algorithm, keys and claims.
	Issuer string
	// Profile names the profile, one of [TokenProfiles]; "" is that of the issuer.
	// Only "ear", whose issuers are the caller's own, must be named.
	Profile string
	// Audience is the aud claim.
	Audience string
	// Nonce is the nonce that the workload asked for, as it wrote it.
	Nonce string
	// Without names the claims that the token was made without, of TokenLacks. It
	// must not have them, and not every profile's tokens may lack each.
	Without []string
}

// GoogleIssuer is the issuer of the tokens of Google Cloud Attestation.
const GoogleIssuer = token.GoogleIssuer

// TokenProfiles lists the kinds of issuers whose tokens are understood.
func TokenProfiles() []string {
	return []string{token.Google, token.IntelTrustAuthority, token.AzureMAA, token.EAR}
}

// TokenLacks lists what TokenExpect.Without may name.
func TokenLacks() []string { return []string{lackNonce, lackAudience, lackIssuer} }

const (
	lackNonce    = "nonce"
	lackAudience = "audience"
	lackIssuer   = "issuer"
)

// MinTokenNonce is how many characters the nonce of a token must have, which is
// what Google asks for.
const MinTokenNonce = 8

// TakesTextNonce reports whether evidence of a format is made for a nonce that
// is any text. All other evidence is made for bytes.
func TakesTextNonce(format string) bool { return format == formatToken || format == formatCloudLog }

// tokenEvidence is a token as it came, with the error if it is none.
type tokenEvidence struct {
	token *token.Token
	err   error
}

func parseToken(raw []byte) *tokenEvidence {
	t, err := token.Parse(raw)
	return &tokenEvidence{t, err}
}

// fitsToken takes what is or was meant to be a token in any serialization, so
// that token.form says what is wrong with it: one word in the alphabet of base64
// and dots, with what people copy along, or a JSON object with members of a JWS,
// a JWE or of claims.
func fitsToken(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if !isText(b) {
		return false
	}
	if firstByte(b) == '{' {
		return fitsNames(b, formatToken)
	}
	text := strings.TrimLeft(string(b[:min(len(b), tokenHead)]), " \t\r\n")
	text = strings.TrimLeft(strings.TrimPrefix(text, "Bearer "), "\"' ")
	word := text
	if end := strings.IndexFunc(text, func(c rune) bool { return !isTokenChar(c) }); end >= 0 {
		word = text[:end]
		if !strings.ContainsRune("\"' \t\r\n", rune(text[end])) {
			return false
		}
	}
	return strings.HasPrefix(word, "eyJ") || strings.Contains(word, ".") && len(word) == len(strings.TrimRight(text, "\r\n"))
}

// tokenHead is how much of a text is looked at.
const tokenHead = 4 << 10

func isTokenChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.+/=", c)
}

// joseNames are the members of the JSON serializations (RFC 7515 7.2, RFC 7516
// 7.2), and the registered claims of what nobody signed (RFC 7519 4.1).
var joseNames = []string{
	"payload", "protected", "header", "signature", "signatures",
	"unprotected", "recipients", "encrypted_key", "aad", "iv", "ciphertext", "tag",
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
}

func decodeToken(b []byte) (Bundle, error) { return &jwt{parseToken(b)}, nil }

// jwt is an attestation token by itself.
type jwt struct{ *tokenEvidence }

// Format implements Bundle.
func (j *jwt) Format() string { return formatToken }

// Verify implements Bundle.
func (j *jwt) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(j, trust, want)
}

func (j *jwt) parts() *vtpmEvidence {
	return &vtpmEvidence{format: formatToken, token: j.tokenEvidence, only: onlyToken}
}

// Untrusted implements Bundle.
func (j *jwt) Untrusted() []Field { return untrustedParts(j).fields() }

// tokenFields lists what a token says and what is wrong with it whatever is
// expected of it.
func (f *fields) token(t *tokenEvidence) {
	if t.err != nil {
		f.add("malformed", "%v", t.err)
		return
	}
	for _, line := range t.token.DescribeUnverified() {
		f.add(line.Path, "%s", line.Value)
	}
}

// expect gives the demands of the user in the words of package token.
func (s *verification) expectToken() token.Expect {
	x := s.want.Token
	lacks := func(what string) bool { return slices.Contains(x.Without, what) }
	return token.Expect{
		Issuer: x.Issuer, Profile: x.Profile, Audience: x.Audience, Nonce: x.Nonce, Now: s.want.Now,
		Keys:           s.trust.tokenKeys(x.Issuer, x.Profile),
		SharedAudience: s.want.InsecureSharedAudience,
		NoIssuer:       lacks(lackIssuer), NoAudience: lacks(lackAudience), NoNonce: lacks(lackNonce),
	}
}
