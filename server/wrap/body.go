package wrap

import (
	"encoding/base64"
	"fmt"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/server/seal"
)

// Limits in bytes of what is for the TPM: an HMAC and an encrypted digest of 32
// bytes, each with its size field; a ciphertext of RSA 4096.
const (
	maxCredential = 2 + 64 + 2 + seal.KeySize
	maxSeed       = 512
)

// body is what leaves, decoded.
type body struct {
	credential, seed []byte
	jwe              []byte // in compact serialization
}

var encoding = base64.RawURLEncoding.Strict()

func (b body) encode() []byte {
	return fmt.Appendf(nil, "{\"credential\":%q,\"seed\":%q,\"jwe\":%q}\n",
		encoding.EncodeToString(b.credential), encoding.EncodeToString(b.seed), b.jwe)
}

var bodyForm = strictjson.Form{Depth: 1, Values: 4, Members: 3, Plain: true}

// parse decodes a body. Encoding what it returns gives the same members back.
func parse(raw []byte) (body, error) {
	if len(raw) > MaxBody {
		return body{}, fmt.Errorf("more than %d KiB", MaxBody>>10)
	}
	n, err := bodyForm.Parse(raw)
	if err != nil {
		return body{}, err
	}
	if n.Kind != strictjson.Object {
		return body{}, fmt.Errorf("%s, want an object", n.Kind)
	}
	var b body
	for _, m := range []struct {
		name string
		to   *[]byte
		max  int
	}{
		{"credential", &b.credential, maxCredential},
		{"seed", &b.seed, maxSeed},
		{"jwe", &b.jwe, seal.MaxJWE},
	} {
		v, ok := n.Get(m.name)
		switch {
		case !ok:
			return body{}, fmt.Errorf("no member %q", m.name)
		case v.Kind != strictjson.Text:
			return body{}, fmt.Errorf("%s is %s, want a string", m.name, v.Kind)
		}
		*m.to = []byte(v.Text)
		if m.name != "jwe" {
			if *m.to, err = encoding.DecodeString(v.Text); err != nil || len(*m.to) == 0 || len(*m.to) > m.max {
				return body{}, fmt.Errorf("%s is not 1 to %d bytes in base64url without padding", m.name, m.max)
			}
		}
	}
	if len(n.Members) != 3 {
		return body{}, fmt.Errorf("%d members, want 3", len(n.Members))
	}
	if err := seal.CheckWithKey(b.jwe); err != nil {
		return body{}, fmt.Errorf("jwe: %w", err)
	}
	return b, nil
}
