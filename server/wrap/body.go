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
	got, err := members(raw)
	if err != nil {
		return body{}, err
	}
	credential, err := decode(got["credential"], maxCredential)
	if err != nil {
		return body{}, fmt.Errorf("credential: %w", err)
	}
	seed, err := decode(got["seed"], maxSeed)
	if err != nil {
		return body{}, fmt.Errorf("seed: %w", err)
	}
	jwe := []byte(got["jwe"])
	if err := seal.CheckWithKey(jwe); err != nil {
		return body{}, fmt.Errorf("jwe: %w", err)
	}
	return body{credential, seed, jwe}, nil
}

// members returns the members of a body: these three, each a string, and by the form
// there is no other.
func members(raw []byte) (map[string]string, error) {
	if len(raw) > MaxBody {
		return nil, fmt.Errorf("more than %d KiB", MaxBody>>10)
	}
	n, err := bodyForm.Parse(raw)
	if err != nil {
		return nil, err
	}
	if n.Kind != strictjson.Object {
		return nil, fmt.Errorf("%s, want an object", n.Kind)
	}
	got := map[string]string{}
	for _, name := range []string{"credential", "seed", "jwe"} {
		v, _ := n.Get(name)
		if v.Kind != strictjson.Text {
			return nil, fmt.Errorf("no member %q that is a string", name)
		}
		got[name] = v.Text
	}
	return got, nil
}

// decode decodes base64url in its one spelling: the form leaves no line ends in it.
func decode(text string, limit int) ([]byte, error) {
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) == 0 || len(b) > limit {
		return nil, fmt.Errorf("not 1 to %d bytes in base64url without padding", limit)
	}
	return b, nil
}
