// Package challenge makes and checks the challenges of the server without keeping
// them: a challenge carries its end and a MAC, which only the server can make, over
// itself, the name of the secret that it is for and the thumbprint of the key that
// the secret goes to. What has been used is kept, and only that, until it is over.
//
// A challenge proves that evidence is fresh. That it is also the client's own comes
// from its nonce, which is made of the challenge and the client's key: evidence
// passed on from another machine was made for another key's nonce.
package challenge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// What is wrong with a challenge.
var (
	// ErrForged means that no key of this server made the challenge. One from
	// before a restart is such a challenge.
	ErrForged = errors.New("the challenge was not made by this server")
	// ErrExpired means that the challenge is over.
	ErrExpired = errors.New("the challenge is over")
	// ErrOtherUse means that the challenge was made by this server, for another
	// secret or for another key.
	ErrOtherUse = errors.New("the challenge was made for another secret or key")
)

// MaxLife is the longest time between making a challenge and its end.
const MaxLife = 15 * time.Minute

// slack is how far the clocks of replicas may be apart.
const slack = time.Minute

// TextSize is the length of the text of a challenge in characters.
const TextSize = 103

// Challenge is one that Issue made or Check accepted. The zero value is none.
type Challenge struct {
	Text    string    // what the client sends back: 103 characters of base64url
	Nonce   [32]byte  // what the evidence must have been made for: Nonce(Text, thumbprint)
	Expires time.Time // from here on it is refused; whole seconds
}

// ID is what a Used knows the challenge by, and what a log may show of it. It tells
// neither the text nor the nonce.
func (c Challenge) ID() [32]byte {
	return sha256.Sum256([]byte("attestctl challenge id v1" + c.Text))
}

// Nonce returns the nonce that answers the challenge for a key: SHA-256 over a label,
// the text and the thumbprint. A client computes it for its own key and takes nobody's
// word for it; the nonce of a token (eat_nonce) is its 64 lower-case hex digits. The
// zero thumbprint stands for no key.
func Nonce(text string, thumbprint [32]byte) [32]byte {
	var b bytes.Buffer
	b.WriteString("attestctl challenge nonce v1")
	b.WriteString(text)
	b.Write(thumbprint[:])
	return sha256.Sum256(b.Bytes())
}

// The parts of a challenge, in this order. The origin and the MAC are two, so that
// an honest client that mixed up its secrets can be told from a forger.
const (
	version = 1

	versionSize = 1
	keyIDSize   = 4
	expiresSize = 8 // Unix seconds, big endian
	randomSize  = 16
	originSize  = 16 // HMAC-SHA256 of what is before, cut to half (RFC 2104, 5)
	macSize     = 32 // HMAC-SHA256 of what is before and of the use

	randomOffset = versionSize + keyIDSize + expiresSize
	originOffset = randomOffset + randomSize
	macOffset    = originOffset + originSize
	size         = macOffset + macSize
)

// wire is a challenge in binary.
type wire [size]byte

var encoding = base64.RawURLEncoding

func (w *wire) text() string { return encoding.EncodeToString(w[:]) }

func (w *wire) keyID() [keyIDSize]byte { return [keyIDSize]byte(w[versionSize:]) }

func (w *wire) setExpires(t time.Time) {
	binary.BigEndian.PutUint64(w[versionSize+keyIDSize:], uint64(t.Unix())) //nolint:gosec // read back the same way
}

func (w *wire) expires() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(w[versionSize+keyIDSize:])), 0) //nolint:gosec // as above
}

// parseWire decodes a text in its one spelling. The decoder itself passes over line
// ends and the bits behind the last byte.
func parseWire(text string) (*wire, bool) {
	var w wire
	if len(text) != TextSize {
		return nil, false
	}
	if n, err := encoding.Decode(w[:], []byte(text)); err != nil || n != size {
		return nil, false
	}
	return &w, w[0] == version && w.text() == text
}
