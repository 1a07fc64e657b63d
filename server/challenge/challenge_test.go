package challenge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/server/challenge"
)

// clock is a clock that stands still until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

const life = 5 * time.Minute

func newIssuer(tb testing.TB, c *clock, seed byte) *challenge.Issuer {
	tb.Helper()
	i, err := challenge.NewIssuer(c.now, random(seed), life)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func issue(tb testing.TB, i *challenge.Issuer, thumbprint [32]byte) challenge.Challenge {
	tb.Helper()
	c, err := i.Issue("db-key", thumbprint)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

var sentinels = []error{challenge.ErrForged, challenge.ErrOtherUse, challenge.ErrExpired}

// refuses wants exactly this error, and nothing beside it.
func refuses(tb testing.TB, i *challenge.Issuer, text, secret string, thumbprint [32]byte, want error) {
	tb.Helper()
	got, err := i.Check(text, secret, thumbprint)
	for _, s := range sentinels {
		if errors.Is(err, s) != errors.Is(want, s) {
			tb.Errorf("Check(%q, %q) = %v, want %v", text, secret, err, want)
		}
	}
	if got != (challenge.Challenge{}) {
		tb.Errorf("Check(%q, %q) = %+v and an error", text, secret, got)
	}
}

func accepts(tb testing.TB, i *challenge.Issuer, c challenge.Challenge, thumbprint [32]byte) {
	tb.Helper()
	if got, err := i.Check(c.Text, "db-key", thumbprint); err != nil || got != c {
		tb.Errorf("Check = %+v, %v, want %+v", got, err, c)
	}
}

var thumb = sha256.Sum256([]byte("a client's key"))

func TestIssueCheck(t *testing.T) {
	c := newClock()
	c.pass(700 * time.Millisecond)
	i := newIssuer(t, c, 1)
	got := issue(t, i, thumb)
	accepts(t, i, got, thumb)
	accepts(t, i, got, thumb) // it is not Check that counts
	if len(got.Text) != challenge.TextSize {
		t.Errorf("the text has %d characters", len(got.Text))
	}
	if want := time.Unix(1_700_000_300, 0); !got.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", got.Expires, want)
	}
	if want := sha256.Sum256([]byte("attestctl challenge nonce v1" + got.Text + string(thumb[:]))); got.Nonce != want {
		t.Errorf("nonce %x, want %x", got.Nonce, want)
	}
	if got.Nonce != challenge.Nonce(got.Text, thumb) {
		t.Error("Nonce does not give the challenge's nonce")
	}
	other := issue(t, i, thumb)
	if other.Text == got.Text || other.Nonce == got.Nonce || other.ID() == got.ID() {
		t.Error("two challenges are the same")
	}
	if got.ID() == got.Nonce || got.ID() != (challenge.Challenge{Text: got.Text}).ID() {
		t.Error("the ID is not made of the text alone")
	}
	accepts(t, i, issue(t, i, [32]byte{}), [32]byte{}) // no key
	if c, err := i.Issue("", thumb); err == nil || c != (challenge.Challenge{}) {
		t.Errorf("Issue without a secret = %+v, %v", c, err)
	}
}

// A relay hands the server's challenge to an honest machine under a key of its own:
// the nonce that machine answers is another.
func TestRelayGetsAnotherNonce(t *testing.T) {
	i := newIssuer(t, newClock(), 1)
	got := issue(t, i, thumb)
	relay := thumb
	relay[31] ^= 1
	if challenge.Nonce(got.Text, relay) == got.Nonce {
		t.Error("two keys have one nonce")
	}
	refuses(t, i, got.Text, "db-key", relay, challenge.ErrOtherUse)
}

// The format is written down here a second time: replicas of two versions share it.
func TestFormat(t *testing.T) {
	c := newClock()
	key := challenge.Key(sha256.Sum256([]byte("shared")))
	i, err := challenge.NewSharedIssuer(c.now, random(1), life, []challenge.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(parts ...string) string {
		h := hmac.New(sha256.New, key[:])
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return string(h.Sum(nil))
	}
	name := sha256.Sum256([]byte("db-key"))
	build := func(version string, expires int64) string {
		head := version + sum("attestctl challenge key id v1")[:4] +
			string(binary.BigEndian.AppendUint64(nil, uint64(expires))) + "sixteen byte rnd"
		head += sum("attestctl challenge origin v1", head)[:16]
		head += sum("attestctl challenge mac v1", head, string(name[:]), string(thumb[:]))
		return base64.RawURLEncoding.EncodeToString([]byte(head))
	}
	now := c.now().Unix()
	text := build("\x01", now+300)
	accepts(t, i, challenge.Challenge{Text: text, Nonce: challenge.Nonce(text, thumb), Expires: time.Unix(now+300, 0)}, thumb)

	refuses(t, i, build("\x02", now+300), "db-key", thumb, challenge.ErrForged)
	refuses(t, i, build("\x00", now+300), "db-key", thumb, challenge.ErrForged)
	for _, end := range []int64{0, -1, now, now - 1, now + 361, 1<<63 - 1, -1 << 63} {
		refuses(t, i, build("\x01", end), "db-key", thumb, challenge.ErrExpired)
	}
	for _, end := range []int64{now + 1, now + 360} { // a replica may be a minute ahead
		if _, err := i.Check(build("\x01", end), "db-key", thumb); err != nil {
			t.Errorf("%d seconds left: %v", end-now, err)
		}
	}
}

func TestOneBit(t *testing.T) {
	i := newIssuer(t, newClock(), 1)
	const secret = "db-key"
	got := issue(t, i, thumb)
	for n := range 8 * len(got.Text) {
		text := []byte(got.Text)
		text[n/8] ^= 1 << (n % 8)
		if c, err := i.Check(string(text), secret, thumb); err == nil || c != (challenge.Challenge{}) {
			t.Errorf("bit %d of the text: %+v, %v", n, c, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(got.Text)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 * len(raw) {
		b := slices.Clone(raw)
		b[n/8] ^= 1 << (n % 8)
		want := challenge.ErrForged
		if n/8 >= len(raw)-32 {
			want = challenge.ErrOtherUse
		}
		refuses(t, i, base64.RawURLEncoding.EncodeToString(b), secret, thumb, want)
	}
	for n := range 8 * len(secret) {
		name := []byte(secret)
		name[n/8] ^= 1 << (n % 8)
		refuses(t, i, got.Text, string(name), thumb, challenge.ErrOtherUse)
	}
	for n := range 256 {
		other := thumb
		other[n/8] ^= 1 << (n % 8)
		refuses(t, i, got.Text, secret, other, challenge.ErrOtherUse)
	}
	accepts(t, i, got, thumb)
}

// Halves of two genuine challenges are no challenge, wherever they are cut.
func TestSplice(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c, 1)
	a := issue(t, i, thumb)
	c.pass(time.Minute)
	b := issue(t, i, thumb)
	rawA, _ := base64.RawURLEncoding.DecodeString(a.Text)
	rawB, _ := base64.RawURLEncoding.DecodeString(b.Text)
	for n := range rawA {
		text := base64.RawURLEncoding.EncodeToString(slices.Concat(rawA[:n], rawB[n:]))
		if text == a.Text || text == b.Text {
			continue // they begin alike
		}
		if got, err := i.Check(text, "db-key", thumb); err == nil {
			t.Errorf("cut at %d: %+v", n, got)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c, 1)
	text := issue(t, i, thumb).Text
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	for _, tc := range []struct {
		name, text, secret string
		thumbprint         [32]byte
		want               error
	}{
		{"empty", "", "db-key", thumb, challenge.ErrForged},
		{"cut", text[:len(text)-1], "db-key", thumb, challenge.ErrForged},
		{"twice", text + text, "db-key", thumb, challenge.ErrForged},
		{"padded", text + "=", "db-key", thumb, challenge.ErrForged},
		{"line end behind", text + "\n", "db-key", thumb, challenge.ErrForged},
		{"line end inside", text[:50] + "\n" + text[50:], "db-key", thumb, challenge.ErrForged},
		{"line ends for characters", text[:50] + "\r\n\r\n" + text[54:], "db-key", thumb, challenge.ErrForged},
		{"space before", " " + text, "db-key", thumb, challenge.ErrForged},
		{"bits behind the end", text[:len(text)-1] + string(alphabet[last|1]), "db-key", thumb, challenge.ErrForged},
		{"zeros", strings.Repeat("A", challenge.TextSize), "db-key", thumb, challenge.ErrForged},
		{"long", strings.Repeat("A", 1<<20), "db-key", thumb, challenge.ErrForged},
		{"no secret", text, "", thumb, challenge.ErrForged},
		{"other secret", text, "db-key2", thumb, challenge.ErrOtherUse},
		{"case of the secret", text, "DB-KEY", thumb, challenge.ErrOtherUse},
		{"no key", text, "db-key", [32]byte{}, challenge.ErrOtherUse},
	} {
		t.Run(tc.name, func(t *testing.T) { refuses(t, i, tc.text, tc.secret, tc.thumbprint, tc.want) })
	}
}

// FuzzCheck wants one text to be accepted, and nothing but errors beside the others.
func FuzzCheck(f *testing.F) {
	c := newClock()
	i := newIssuer(f, c, 1)
	known := issue(f, i, thumb)
	f.Add(known.Text, "db-key", thumb[:])
	f.Add(known.Text+"\n", "db-key", thumb[:])
	f.Add(issue(f, newIssuer(f, c, 2), thumb).Text, "db-key", thumb[:])
	f.Add("", "", []byte{})
	f.Fuzz(func(t *testing.T, text, secret string, key []byte) {
		var th [32]byte
		copy(th[:], key)
		got, err := i.Check(text, secret, th)
		ours := text == known.Text && secret == "db-key" && th == thumb
		if ours != (err == nil) || ours && got != known || !ours && got != (challenge.Challenge{}) {
			t.Errorf("Check(%q, %q, %x) = %+v, %v", text, secret, th, got, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	i := newIssuer(b, newClock(), 1)
	text := issue(b, i, thumb).Text
	for b.Loop() {
		if _, err := i.Check(text, "db-key", thumb); err != nil {
			b.Fatal(err)
		}
	}
}
