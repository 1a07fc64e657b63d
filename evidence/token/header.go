package token

import (
	"errors"
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

const (
	maxKeyID     = 256
	maxX5C       = 8
	maxAlgorithm = 16
)

// header is what a JOSE header says (RFC 7515 4.1), none of which is believed.
type header struct {
	algorithm string
	keyID     string
	x5c       []string
	extra     []string // members that only some profiles bear with
}

// refused says why a member of the header is never accepted.
var refused = map[string]string{
	"crit": "critical extensions are not supported (rfc 7515 4.1.11)",
	"b64":  "an unencoded payload is not supported (rfc 7797)",
	"x5u":  "keys are never fetched from where a token says",
	"enc":  "it belongs to an encrypted token",
	"zip":  "it belongs to an encrypted token",
}

func parseHeader(raw []byte) (header, error) {
	n, err := parseObject(raw)
	if err != nil {
		return header{}, err
	}
	var h header
	if h.extra, err = extraMembers(n); err != nil {
		return header{}, err
	}
	var failed error
	f := fieldsOf(n, &failed)
	h.algorithm, h.keyID, h.x5c = f.text("alg"), f.text("kid"), f.texts("x5c")
	f.text("jku")
	f.child("jwk")
	typ := f.text("typ")
	if failed != nil {
		return header{}, failed
	}
	_, hasType := n.Get("typ")
	_, hasKeyID := n.Get("kid")
	switch {
	case hasType && typ != "JWT": // RFC 8725 3.11
		return header{}, fmt.Errorf("typ is %s, want \"JWT\"", strictjson.Quote(typ))
	case hasKeyID && !isKeyID(h.keyID):
		return header{}, fmt.Errorf("kid is not 1 to %d letters, digits or -_+/=", maxKeyID)
	case len(h.x5c) > maxX5C:
		return header{}, fmt.Errorf("x5c has %d certificates, at most %d are read", len(h.x5c), maxX5C)
	}
	return h, checkAlgorithm(h.algorithm)
}

// extraMembers returns the members beside alg, kid and typ, if it knows them.
func extraMembers(n node) ([]string, error) {
	var extra []string
	for _, m := range n.Members {
		switch m.Name {
		case "alg", "kid", "typ":
		case "x5c", "jku", "jwk":
			extra = append(extra, m.Name)
		default:
			if why := refused[m.Name]; why != "" {
				return nil, fmt.Errorf("member %q: %s", m.Name, why)
			}
			return nil, fmt.Errorf("unknown member %s", strictjson.Quote(m.Name))
		}
	}
	return extra, nil
}

// checkAlgorithm refuses what no profile can ever allow (RFC 8725 3.1 and 3.2).
func checkAlgorithm(alg string) error {
	switch upper := strings.ToUpper(alg); {
	case alg == "":
		return errors.New("no alg")
	case len(alg) > maxAlgorithm || !only(alg, "-"):
		return errors.New("alg is not the name of an algorithm")
	case upper == "NONE":
		return fmt.Errorf("%w: alg %q means no signature", ErrAlgorithm, alg)
	case strings.HasPrefix(upper, "HS"):
		return fmt.Errorf("%w: alg %q is symmetric", ErrAlgorithm, alg)
	}
	return nil
}

// isKeyID reports whether s can name a key. Genuine ones are hex or base64 of
// either alphabet; all that is done with one is to compare it.
func isKeyID(s string) bool { return s != "" && len(s) <= maxKeyID && only(s, "-_+/=") }

// only reports whether s consists of ASCII letters, digits and the extra bytes.
func only(s, extra string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}
