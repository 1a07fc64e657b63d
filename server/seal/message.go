package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// Sizes of A256GCM in bytes (RFC 7518, 5.3).
const (
	ivSize  = 12
	tagSize = 16
)

// maxHeader is the size of the largest header in bytes. Ours have 300 to 500.
const maxHeader = 1 << 10

// message is a compact JWE, decoded and not decrypted.
type message struct {
	header     header
	ciphertext []byte
}

// header is the protected header of a JWE (RFC 7516, 4.1).
type header struct {
	alg, enc, kid, cty string
	epk                *ClientKey
}

var encoding = base64.RawURLEncoding.Strict()

// decode decodes base64url in its one spelling.
func decode(s string) ([]byte, bool) {
	b, err := encoding.DecodeString(s)
	return b, err == nil && encoding.EncodedLen(len(b)) == len(s) // or there were line ends
}

// parse decodes a JWE in compact serialization (RFC 7516, 7.1). Encoding what it
// returns gives the input back.
func parse(jwe []byte) (*message, error) {
	b, err := split(jwe)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(b[0])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return &message{h, b[3]}, nil
}

// split decodes the five segments and checks their sizes. None of our algorithms
// encrypts a key: ECDH-ES agrees on it, and dir has it (RFC 7516, 5.1).
func split(jwe []byte) (b [5][]byte, err error) {
	if len(jwe) > MaxJWE {
		return b, fmt.Errorf("more than %d KiB", MaxJWE>>10)
	}
	segments := bytes.SplitN(jwe, []byte("."), 6)
	if len(segments) != 5 {
		return b, hint.New(fmt.Errorf("%d segments between dots, want 5", len(segments)), "this takes a jwe in compact serialization")
	}
	for i, s := range segments {
		var ok bool
		if b[i], ok = decode(string(s)); !ok {
			return b, fmt.Errorf("segment %d is not base64url without padding", i+1)
		}
	}
	for _, s := range []struct {
		name            string
		got, least, max int
	}{
		{"header", len(b[0]), 2, maxHeader},
		{"encrypted key", len(b[1]), 0, 0},
		{"initialization vector", len(b[2]), ivSize, ivSize},
		{"ciphertext", len(b[3]), 1, MaxJWE},
		{"authentication tag", len(b[4]), tagSize, tagSize},
	} {
		if s.got < s.least || s.got > s.max {
			return b, fmt.Errorf("the %s has %d bytes, want %d to %d", s.name, s.got, s.least, s.max)
		}
	}
	return b, nil
}

var headerForm = strictjson.Form{Depth: 2, Values: 16, Members: 8, Plain: true}

func parseHeader(in []byte) (header, error) {
	n, err := headerForm.Parse(in)
	if err != nil {
		return header{}, err
	}
	if n.Kind != strictjson.Object {
		return header{}, fmt.Errorf("%s, want an object", n.Kind)
	}
	epk, ok := n.Get("epk")
	if !ok {
		return header{}, errors.New(`no member "epk"`)
	}
	var rest strictjson.Node
	rest.Kind = strictjson.Object
	for _, m := range n.Members {
		if m.Name != "epk" {
			rest.Members = append(rest.Members, m)
		}
	}
	got, err := texts(rest, []string{"alg", "enc", "kid"}, []string{"cty"})
	if err != nil {
		return header{}, err
	}
	key, err := keyOf(epk)
	if err != nil {
		return header{}, fmt.Errorf("epk: %w", err)
	}
	return header{alg: got["alg"], enc: got["enc"], kid: got["kid"], cty: got["cty"], epk: key}, nil
}

// check wants the header of a JWE to this key.
func (h *header) check(to *ClientKey) error {
	switch {
	case h.alg != keyAgreement:
		return fmt.Errorf("alg is %s, want %q", strictjson.Quote(h.alg), keyAgreement)
	case h.enc != contentEncryption:
		return fmt.Errorf("enc is %s, want %q", strictjson.Quote(h.enc), contentEncryption)
	case h.kid != to.kid():
		return fmt.Errorf("kid is %s, and the key's thumbprint is %q", strictjson.Quote(h.kid), to.kid())
	case h.epk.public.Curve != to.public.Curve:
		return errors.New("epk is on another curve than the key")
	}
	return checkType(h.cty)
}
