package challenge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
)

// Key makes the MAC of challenges. It is never printed. The zero value is refused.
type Key [32]byte

// Format prints nothing of the key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { redact(f) }

// MarshalText writes nothing of the key, in JSON and in logs.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

func redact(w io.Writer) { io.WriteString(w, redacted) } //nolint:errcheck,gosec // fmt has nowhere to put it

// The labels keep apart what one key is used for. None begins another.
const (
	labelKeyID  = "attestctl challenge key id v1"
	labelOrigin = "attestctl challenge origin v1"
	labelMAC    = "attestctl challenge mac v1"
)

// sum is HMAC-SHA256 over the parts (RFC 2104). Each part but the last has one length.
func (k *Key) sum(parts ...[]byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, k[:])
	for _, p := range parts {
		h.Write(p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// id names the key in a challenge, in the same way for all who share it.
func (k *Key) id() [keyIDSize]byte {
	s := k.sum([]byte(labelKeyID))
	return [keyIDSize]byte(s[:])
}

// origin says that the key made the challenge, whatever for.
func (k *Key) origin(w *wire) [originSize]byte {
	s := k.sum([]byte(labelOrigin), w[:originOffset])
	return [originSize]byte(s[:])
}

// mac says that the key made the challenge for this secret and this client's key.
func (k *Key) mac(w *wire, secret string, thumbprint [32]byte) [macSize]byte {
	name := sha256.Sum256([]byte(secret))
	return k.sum([]byte(labelMAC), w[:macOffset], name[:], thumbprint[:])
}

const (
	maxKeyFile = 4 << 10 // bytes
	maxKeys    = 8
)

// ReadKeys reads the keys that replicas share from a file that only its owner can
// read and that is no link: one key a line in 64 lower-case hex digits, at most 8;
// empty lines and those that begin with # do not count. No error shows what the file
// holds.
func ReadKeys(path string) ([]Key, error) {
	data, err := ownfile.ReadPrivate(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the keys for challenges: %s: %w", path, err)
	}
	defer clear(data)
	keys, err := parseKeys(string(data))
	if err != nil {
		return nil, hint.New(fmt.Errorf("%s: %w", path, err), "openssl rand -hex 32 makes a key")
	}
	return keys, nil
}

func parseKeys(text string) ([]Key, error) {
	var keys []Key
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		var k Key
		// The decoder's error would show a character of the key.
		if m, err := hex.Decode(k[:], []byte(line[:min(len(line), 2*len(k))])); err != nil || m != len(k) || hex.EncodeToString(k[:]) != line {
			return nil, fmt.Errorf("line %d: want a key of 64 lower-case hex digits", n)
		}
		keys = append(keys, k)
	}
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	return keys, nil
}

func checkKeys(keys []Key) error {
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Errorf("%d keys for challenges, want 1 to %d", len(keys), maxKeys)
	}
	for i, k := range keys {
		switch {
		case k == Key{}:
			return errors.New("a key for challenges is all zeros")
		case slices.Contains(keys[:i], k):
			return errors.New("a key for challenges is listed twice")
		}
	}
	return nil
}
