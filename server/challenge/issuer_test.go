package challenge_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/challenge"
)

func TestExpiry(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c, 1)
	got := issue(t, i, thumb)
	c.pass(life - time.Nanosecond)
	accepts(t, i, got, thumb)
	c.pass(time.Nanosecond)
	refuses(t, i, got.Text, "db-key", thumb, challenge.ErrExpired)
	refuses(t, i, got.Text, "other", thumb, challenge.ErrOtherUse) // what it is comes first
	c.pass(1000 * time.Hour)
	refuses(t, i, got.Text, "db-key", thumb, challenge.ErrExpired)
	c.pass(-2000 * time.Hour) // the clock was wrong when it was made, or is now
	refuses(t, i, got.Text, "db-key", thumb, challenge.ErrExpired)
}

func TestRotate(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c, 1)
	rotate := func() {
		t.Helper()
		if err := i.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	first := issue(t, i, thumb)
	rotate()
	second := issue(t, i, thumb)
	if first.Text[:7] == second.Text[:7] {
		t.Error("the key did not change")
	}
	accepts(t, i, first, thumb)
	accepts(t, i, second, thumb)

	c.pass(life - time.Second)
	rotate()
	rotate()
	accepts(t, i, first, thumb)
	third := issue(t, i, thumb)
	c.pass(time.Second)
	refuses(t, i, first.Text, "db-key", thumb, challenge.ErrExpired)
	rotate() // the first key goes: it is not even known that it was ours
	refuses(t, i, first.Text, "db-key", thumb, challenge.ErrForged)
	refuses(t, i, second.Text, "db-key", thumb, challenge.ErrExpired)
	accepts(t, i, third, thumb)
	accepts(t, i, issue(t, i, thumb), thumb)
}

func TestRestart(t *testing.T) {
	c := newClock()
	old := issue(t, newIssuer(t, c, 1), thumb)
	refuses(t, newIssuer(t, c, 2), old.Text, "db-key", thumb, challenge.ErrForged)
}

func TestReplicas(t *testing.T) {
	c := newClock()
	keys := []challenge.Key{{1}, {2}, {3}}
	shared := func(seed byte, k ...challenge.Key) *challenge.Issuer {
		i, err := challenge.NewSharedIssuer(c.now, random(seed), life, k)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a, b := shared(1, keys[0], keys[1]), shared(2, keys[1], keys[0])
	ofA, ofB := issue(t, a, thumb), issue(t, b, thumb)
	accepts(t, b, ofA, thumb)
	accepts(t, a, ofB, thumb)
	accepts(t, shared(3, keys[0], keys[1]), ofA, thumb) // a restart
	refuses(t, b, ofA.Text, "other", thumb, challenge.ErrOtherUse)
	refuses(t, shared(4, keys[2]), ofA.Text, "db-key", thumb, challenge.ErrForged)
	refuses(t, shared(5, keys[1]), ofA.Text, "db-key", thumb, challenge.ErrForged)
	if err := a.Rotate(); err == nil {
		t.Error("a replica rotated keys that are not its own")
	}
	accepts(t, a, ofA, thumb)
}

func TestNewIssuerRefuses(t *testing.T) {
	c := newClock()
	one := []challenge.Key{{1}}
	nine := make([]challenge.Key, 9)
	for i := range nine {
		nine[i][0] = byte(i + 1)
	}
	for _, tc := range []struct {
		name   string
		now    func() time.Time
		random io.Reader
		life   time.Duration
		keys   []challenge.Key
	}{
		{"no clock", nil, random(1), life, one},
		{"no randomness", c.now, nil, life, one},
		{"no life", c.now, random(1), 0, one},
		{"negative life", c.now, random(1), -life, one},
		{"short life", c.now, random(1), time.Second - 1, one},
		{"long life", c.now, random(1), challenge.MaxLife + 1, one},
		{"no keys", c.now, random(1), life, nil},
		{"zero key", c.now, random(1), life, []challenge.Key{{1}, {}}},
		{"key twice", c.now, random(1), life, []challenge.Key{{1}, {2}, {1}}},
		{"many keys", c.now, random(1), life, nine},
	} {
		if i, err := challenge.NewSharedIssuer(tc.now, tc.random, tc.life, tc.keys); err == nil || i != nil {
			t.Errorf("%s: shared: %v", tc.name, err)
		}
		if strings.Contains(tc.name, "key") {
			continue
		}
		if i, err := challenge.NewIssuer(tc.now, tc.random, tc.life); err == nil || i != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestNoRandomness(t *testing.T) {
	c := newClock()
	if _, err := challenge.NewIssuer(c.now, strings.NewReader("short"), life); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("NewIssuer = %v", err)
	}
	broken := errors.New("broken")
	i, err := challenge.NewIssuer(c.now, io.MultiReader(io.LimitReader(random(1), 32+16), iotest.ErrReader(broken)), life)
	if err != nil {
		t.Fatal(err)
	}
	got := issue(t, i, thumb)
	if c, err := i.Issue("db-key", thumb); !errors.Is(err, broken) || c != (challenge.Challenge{}) {
		t.Errorf("Issue = %+v, %v", c, err)
	}
	if err := i.Rotate(); !errors.Is(err, broken) {
		t.Errorf("Rotate = %v", err)
	}
	c.pass(life - 1)
	accepts(t, i, got, thumb)
}

// TestNonceEnds: report data that is the nonce with zeros behind it is refused if the
// nonce ends in a zero byte, so no honest client is given such a nonce.
func TestNonceEnds(t *testing.T) {
	i := newIssuer(t, newClock(), 1)
	for n := range 4096 { // 16 would, by chance
		thumbprint := [32]byte{byte(n), byte(n >> 8)}
		c := issue(t, i, thumbprint)
		if c.Nonce[31] == 0 {
			t.Fatalf("challenge %d has the nonce %x", n, c.Nonce)
		}
		accepts(t, i, c, thumbprint)
	}
}

// sevens is a source of randomness that says the same for ever.
type sevens struct{}

func (sevens) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = 7
	}
	return len(p), nil
}

// TestRepeatedRandomness: drawing for another nonce ends.
func TestRepeatedRandomness(t *testing.T) {
	i, err := challenge.NewIssuer(newClock().now, sevens{}, life)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := range 4096 {
		c, err := i.Issue("db-key", [32]byte{byte(n), byte(n >> 8)})
		switch {
		case err == nil && c.Nonce[31] == 0:
			t.Fatalf("thumbprint %d has the nonce %x", n, c.Nonce)
		case err != nil && c != challenge.Challenge{}:
			t.Fatalf("%v comes with %+v", err, c)
		case err != nil:
			refused++
		}
	}
	if refused == 0 {
		t.Error("no nonce of 4096 ends in a zero byte")
	}
}

func TestZeroIssuer(t *testing.T) {
	var i challenge.Issuer
	refuses(t, &i, issue(t, newIssuer(t, newClock(), 1), thumb).Text, "db-key", thumb, challenge.ErrForged)
	if _, err := i.Issue("db-key", thumb); err == nil {
		t.Error("the zero issuer makes challenges")
	}
	if err := i.Rotate(); err == nil {
		t.Error("the zero issuer makes keys")
	}
}

func TestManyAtOnce(t *testing.T) {
	i := newIssuer(t, newClock(), 1)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 200 {
				if n == 0 {
					if err := i.Rotate(); err != nil {
						t.Error(err)
					}
					continue
				}
				c, err := i.Issue("db-key", thumb)
				if err != nil {
					t.Error(err)
					continue
				}
				accepts(t, i, c, thumb)
			}
		})
	}
	wg.Wait()
}

// No way of printing shows a key.
func TestKeysAreNotPrinted(t *testing.T) {
	const canary = "canary-canary-canary-canary-0123"
	key := challenge.Key([]byte(canary))
	i, err := challenge.NewSharedIssuer(newClock().now, random(1), life, []challenge.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{key, &key, []challenge.Key{key}, struct{ K challenge.Key }{key}, i} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(b)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for _, form := range []string{"canary", hex.EncodeToString([]byte("canary")), "99 97 110", "0x63, 0x61", "99,97,110"} {
		if strings.Contains(strings.ToLower(out.String()), form) {
			t.Errorf("printed as %q", form)
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that there is a key")
	}
}

func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	const a = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	b := strings.Repeat("b7", 32)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys, err := challenge.ReadKeys(write("good", "# the old one last\n"+b+"\r\n\n"+a, 0o600))
	if err != nil || len(keys) != 2 || keys[0][0] != 0xb7 || keys[1][1] != 0x11 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"empty", "", 0o600, "0 keys"},
		{"comments only", "# x\n", 0o600, "0 keys"},
		{"readable by the group", a, 0o640, "mode 0640 lets others than its owner in"},
		{"readable by all", a, 0o604, "mode 0604 lets others than its owner in"},
		{"short", a[:62], 0o600, "line 1"},
		{"long", a + "00", 0o600, "line 1"},
		{"odd", a[:63], 0o600, "line 1"},
		{"upper case", strings.ToUpper(a), 0o600, "line 1"},
		{"space behind", a + "\n" + b + " \n", 0o600, "line 2"},
		{"not hex", "zz" + a[2:], 0o600, "line 1"},
		{"two in a line", a + " " + b, 0o600, "line 1"},
		{"twice", a + "\n" + b + "\n" + a, 0o600, "twice"},
		{"zeros", strings.Repeat("0", 64), 0o600, "zeros"},
		{"huge", strings.Repeat("#\n", 3000), 0o600, "larger than 4 KiB"},
	} {
		keys, err := challenge.ReadKeys(write(tc.name, tc.text, tc.mode))
		if err == nil || keys != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d keys, %v, want an error with %q", tc.name, len(keys), err, tc.want)
			continue
		}
		if said := err.Error() + hint.Of(err); strings.Contains(said, a[:8]) || strings.Contains(said, "U+") {
			t.Errorf("%s: the error shows the key: %v", tc.name, err)
		}
	}
	if err := os.Symlink("good", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := challenge.ReadKeys(filepath.Join(dir, "link")); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("a link: %v", err)
	}
	if _, err := challenge.ReadKeys(dir); err == nil {
		t.Error("a directory is a key file")
	}
	if _, err := challenge.ReadKeys(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
