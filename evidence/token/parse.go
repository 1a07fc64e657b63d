package token

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// MaxSize is the longest input that Parse reads. Genuine tokens have 1 to 11 KiB.
const MaxSize = 64 << 10

// Reasons for which Parse refuses the form of its input as a whole.
var (
	ErrJSONForm  = errors.New("token is in a json serialization of jws, want the compact one")
	ErrEncrypted = errors.New("token has five segments, which is an encrypted one (jwe), want a signed one of three")
	ErrAlgorithm = errors.New("token names an algorithm that proves nothing to a holder of the public key")
)

// Token is a token in the one form that is accepted. Nothing in it is to be
// believed before Verify.
type Token struct {
	compact   []byte
	signed    int
	header    header
	headerRaw []byte
	payload   []byte
	claims    node
	signature []byte
}

// Parse is the gate before any library call: raw is a JWS in compact
// serialization (RFC 7515 7.1), header.payload.signature, and at most one line
// end. Each segment is canonical base64url without padding; header and payload
// are one JSON object each, in UTF-8, without duplicate members and of limited
// size. The header may have alg, kid, typ and, where the issuer's profile bears
// with them, x5c, jku and jwk; every other member is refused. So are alg none
// and symmetric algorithms, in any spelling. Parse keeps no reference to raw.
func Parse(raw []byte) (*Token, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("token has %d bytes, at most %d are read", len(raw), MaxSize)
	}
	compact := oneLine(raw)
	segments, err := split(compact)
	if err != nil {
		return nil, err
	}
	t := &Token{compact: bytes.Clone(compact), signed: bytes.LastIndexByte(compact, '.')}
	for i, s := range []struct {
		name string
		to   *[]byte
	}{{"header", &t.headerRaw}, {"payload", &t.payload}, {"signature", &t.signature}} {
		if *s.to, err = decodeSegment(segments[i]); err != nil {
			return nil, fmt.Errorf("token %s %w", s.name, err)
		}
	}
	if t.header, err = parseHeader(t.headerRaw); err != nil {
		return nil, fmt.Errorf("token header: %w", err)
	}
	if t.claims, err = parseObject(t.payload); err != nil {
		return nil, fmt.Errorf("token payload: %w", err)
	}
	return t, nil
}

// oneLine cuts the line end off that a shell puts behind a file of one line.
func oneLine(raw []byte) []byte {
	if line, ok := bytes.CutSuffix(raw, []byte("\r\n")); ok {
		return line
	}
	return bytes.TrimSuffix(raw, []byte("\n"))
}

func split(compact []byte) ([][]byte, error) {
	if bytes.HasPrefix(bytes.TrimLeft(compact, "\xef\xbb\xbf \t\r\n"), []byte("{")) {
		return nil, ErrJSONForm
	}
	switch n := bytes.Count(compact, []byte(".")); n {
	case 2:
		return bytes.Split(compact, []byte(".")), nil
	case 4:
		return nil, ErrEncrypted
	default:
		return nil, fmt.Errorf("token has %d segments, want 3", n+1)
	}
}

var (
	base64url = base64.RawURLEncoding.Strict()
	base64std = base64.StdEncoding.Strict()
)

// decodeSegment decodes base64url in its one canonical spelling (RFC 7515 2):
// encoding/base64 passes over line ends, and only Strict looks at unused bits.
func decodeSegment(s []byte) ([]byte, error) {
	if len(s) == 0 {
		return nil, errors.New("is empty")
	}
	if bytes.IndexByte(s, '\n') >= 0 || bytes.IndexByte(s, '\r') >= 0 {
		return nil, errors.New("has a line end in it")
	}
	out := make([]byte, base64url.DecodedLen(len(s)))
	n, err := base64url.Decode(out, s)
	if err != nil || n == 0 {
		return nil, errors.New("is not canonical base64url without padding")
	}
	return out[:n:n], nil
}

// UntrustedAlgorithm returns what the header names as alg.
func (t *Token) UntrustedAlgorithm() string { return t.header.algorithm }

// UntrustedKeyID returns what the header names as kid, or nothing.
func (t *Token) UntrustedKeyID() string { return t.header.keyID }

// UntrustedIssuer returns the iss claim if it is a string, or nothing.
func (t *Token) UntrustedIssuer() string {
	if n, ok := t.claims.Get("iss"); ok && n.Kind == strictjson.Text {
		return n.Text
	}
	return ""
}

// UntrustedClaims returns the payload as encoding/json would decode it with
// UseNumber: numbers are json.Number and lose nothing.
func (t *Token) UntrustedClaims() map[string]any { return t.claims.Map() }
