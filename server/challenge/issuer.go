package challenge

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

// Issuer makes and checks challenges. It may be used by many goroutines at once.
// The zero value makes none and accepts none.
type Issuer struct {
	now    func() time.Time
	life   time.Duration
	shared bool

	mu     sync.RWMutex
	random io.Reader
	keys   []held // the first makes challenges, all check them
}

// held is a key and when its last challenge is over: never, if zero.
type held struct {
	key   Key
	id    [keyIDSize]byte
	until time.Time
}

// NewIssuer returns an issuer with a key of its own, which lives in memory only: a
// restart ends all challenges. They last for life, a second to MaxLife. random must
// be fit for keys.
func NewIssuer(now func() time.Time, random io.Reader, life time.Duration) (*Issuer, error) {
	i, err := newIssuer(now, random, life)
	if err != nil {
		return nil, err
	}
	if err := i.Rotate(); err != nil {
		return nil, err
	}
	return i, nil
}

// NewSharedIssuer returns an issuer with keys that replicas have in common, as
// ReadKeys reads them: the first makes challenges, all check them. To change the key,
// give every replica the new one as the second, then as the first, then alone, with
// at least MaxLife between the steps.
func NewSharedIssuer(now func() time.Time, random io.Reader, life time.Duration, keys []Key) (*Issuer, error) {
	i, err := newIssuer(now, random, life)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	i.shared = true
	for _, k := range keys {
		i.keys = append(i.keys, held{key: k, id: k.id()})
	}
	return i, nil
}

func newIssuer(now func() time.Time, random io.Reader, life time.Duration) (*Issuer, error) {
	switch {
	case now == nil || random == nil:
		return nil, errors.New("an issuer of challenges needs a clock and a source of randomness")
	case life < time.Second || life > MaxLife:
		return nil, hint.New(fmt.Errorf("challenges that last %v, want 1s to %v", life, MaxLife), "a few minutes are enough to take a quote")
	}
	return &Issuer{now: now, random: random, life: life}, nil
}

// Format prints nothing of the keys, whatever the verb.
func (i *Issuer) Format(f fmt.State, _ rune) { redact(f) }

// Rotate makes a new key for the challenges to come. Those of the keys before it stay
// good until they are over. On an error nothing has changed. Shared keys are not
// rotated by one replica: that is an error.
func (i *Issuer) Rotate() error {
	if i.now == nil || i.shared {
		return errors.New("the keys of this issuer are not its own to rotate")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var k Key
	if _, err := io.ReadFull(i.random, k[:]); err != nil {
		return fmt.Errorf("making a key for challenges: %w", err)
	}
	now := i.now()
	if len(i.keys) > 0 {
		i.keys[0].until = now.Add(i.life)
	}
	// DeleteFunc zeroes what it drops.
	i.keys = slices.DeleteFunc(i.keys, func(h held) bool { return !h.until.IsZero() && !now.Before(h.until) })
	old := i.keys
	i.keys = append([]held{{key: k, id: k.id()}}, old...)
	clear(old)
	return nil
}

// maxDraws is how often Issue draws for a nonce that it can use. One in 256 is not;
// where so many in a row are not, the source is no source of randomness.
const maxDraws = 32

// Issue makes a challenge for one secret and for the client's key with this RFC 7638
// thumbprint, zero for none. Its nonce does not end in a zero byte: report data of 64
// bytes that is a nonce with zeros behind it could be that of a shorter one, and is
// refused. It is an error if the secret has no name or there is no randomness.
func (i *Issuer) Issue(secret string, thumbprint [32]byte) (Challenge, error) {
	if secret == "" {
		return Challenge{}, errors.New("a challenge is for a secret, and this one has no name")
	}
	i.mu.Lock() // the source of randomness may not be for many at once
	defer i.mu.Unlock()
	if len(i.keys) == 0 {
		return Challenge{}, errors.New("the issuer of challenges has no key")
	}
	for range maxDraws {
		w, err := i.draw(&i.keys[0], secret, thumbprint)
		if err != nil {
			return Challenge{}, fmt.Errorf("making a challenge: %w", err)
		}
		if c := w.challenge(thumbprint); c.Nonce[len(c.Nonce)-1] != 0 {
			return c, nil
		}
	}
	return Challenge{}, errors.New("making a challenge: the source of randomness repeats itself")
}

// draw makes a challenge with a key that the issuer holds.
func (i *Issuer) draw(h *held, secret string, thumbprint [32]byte) (*wire, error) {
	var w wire
	w[0] = version
	copy(w[versionSize:], h.id[:])
	w.setExpires(i.now().Add(i.life))
	if _, err := io.ReadFull(i.random, w[randomOffset:originOffset]); err != nil {
		return nil, err
	}
	origin := h.key.origin(&w)
	copy(w[originOffset:], origin[:])
	mac := h.key.mac(&w, secret, thumbprint)
	copy(w[macOffset:], mac[:])
	return &w, nil
}

// Check returns the challenge with this text, if this server made it for the secret
// and the key and it is not over; otherwise ErrForged, ErrOtherUse or ErrExpired, in
// this order. It does not know whether the challenge was used: ask a Used, after the
// evidence was found genuine.
func (i *Issuer) Check(text, secret string, thumbprint [32]byte) (Challenge, error) {
	w, ok := parseWire(text)
	if !ok || secret == "" {
		return Challenge{}, hint.New(ErrForged, "send back the challenge exactly as it came")
	}
	if err := i.made(w, secret, thumbprint); err != nil {
		return Challenge{}, err
	}
	// One with more time left was made by a clock that was wrong, or by a replica whose
	// challenges last longer: how old it is could not be said.
	left := w.expires().Sub(i.now())
	if left <= 0 || left > i.life+slack {
		return Challenge{}, hint.New(ErrExpired, "take a new challenge")
	}
	return w.challenge(thumbprint), nil
}

// made reports whether one of the keys made the challenge for this use.
func (i *Issuer) made(w *wire, secret string, thumbprint [32]byte) error {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for n := range i.keys {
		h := &i.keys[n]
		if h.id != w.keyID() {
			continue
		}
		origin, mac := h.key.origin(w), h.key.mac(w, secret, thumbprint)
		if !hmac.Equal(origin[:], w[originOffset:macOffset]) {
			continue
		}
		if !hmac.Equal(mac[:], w[macOffset:]) {
			return hint.New(ErrOtherUse, "take a challenge for this secret, with the key that it shall be sealed to")
		}
		return nil
	}
	return hint.New(ErrForged, "take a new challenge: the server may have been restarted")
}

func (w *wire) challenge(thumbprint [32]byte) Challenge {
	text := w.text()
	return Challenge{Text: text, Nonce: Nonce(text, thumbprint), Expires: w.expires()}
}
