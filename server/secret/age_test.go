package secret_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/attestctl/attestctl/server/secret"
)

const ageYAML = "stores: {vault: {age: sealed, identity: keys/id}}\nsecrets: {db: {}}\n"

func newIdentity(tb testing.TB) *age.X25519Identity {
	tb.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func seal(tb testing.TB, plaintext string, to ...age.Recipient) string {
	tb.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = io.WriteString(w, plaintext)
	if err := errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func armored(tb testing.TB, file string) string {
	tb.Helper()
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	_, err := io.WriteString(w, file)
	if err := errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func ageTree(tb testing.TB, identity, sealed string) string {
	tb.Helper()
	return tree(tb, map[string]string{"secrets.yaml": ageYAML, "keys/id": identity, "sealed/db.age": sealed})
}

func TestAge(t *testing.T) {
	id, other := newIdentity(t), newIdentity(t)
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	file := "# created: 2026-01-01\r\n# public key: " + id.Recipient().String() + "\r\n" + other.String() + "\n\n" + id.String() + "\n" + pq.String()
	for _, tc := range []struct{ name, want, sealed string }{
		{"binary", "secret \n", seal(t, "secret \n", id.Recipient())},
		{"armored", "\r\nsecret", armored(t, seal(t, "\r\nsecret", id.Recipient()))},
		{"to many", "x", seal(t, "x", newIdentity(t).Recipient(), other.Recipient(), newIdentity(t).Recipient())},
		{"post-quantum", "x", seal(t, "x", pq.Recipient())},
		{"of the largest size", strings.Repeat("y", secret.MaxSize), armored(t, seal(t, strings.Repeat("y", secret.MaxSize), id.Recipient()))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := ageTree(t, file, tc.sealed)
			chmod(t, dir, "sealed/db.age", 0o644) // encrypted: others may read it
			chmod(t, dir, "sealed", 0o755)
			if got := get(t, open(t, dir), "db"); got != tc.want {
				t.Errorf("Get = %.40q of %d bytes, want %d", got, len(got), len(tc.want))
			}
		})
	}
}

// TestAgeRefusesFiles: at load, and later.
func TestAgeRefusesFiles(t *testing.T) {
	id := newIdentity(t)
	good := seal(t, "good", id.Recipient())
	whole := seal(t, canary, id.Recipient())
	phrase, err := age.NewScryptRecipient(canary)
	if err != nil {
		t.Fatal(err)
	}
	phrase.SetWorkFactor(1)
	costly := strings.Replace(seal(t, canary, phrase), " 1\n", " 30\n", 1)
	flipped := []byte(whole)
	flipped[len(flipped)-1] ^= 1
	mac := []byte(whole)
	mac[bytes.Index(mac, []byte("--- "))+4] ^= 1
	for _, tc := range []struct{ name, want, sealed string }{
		{"empty file", "not an age file", ""},
		{"not encrypted", "not an age file", canary + "\n"},
		{"not encrypted, and no line", "not an age file", canary},
		{"an identity", "not an age file", id.String() + "\n"},
		{"secret after the first line", "not an age file", "age-encryption.org/v1\n" + canary + "\n"},
		{"secret in a stanza", "not an age file", "age-encryption.org/v1\n-> " + canary + "\n" + canary + "\n"},
		{"wrong identity", "no identity", seal(t, canary, newIdentity(t).Recipient())},
		{"passphrase", "passphrase", seal(t, canary, phrase)},
		{"costly passphrase", "passphrase", costly},
		{"bit flipped", "damaged", string(flipped)},
		{"header changed", "damaged", string(mac)},
		{"bytes after the end", "damaged", whole + "x"},
		{"two files", "damaged", whole + whole},
		{"half of the armor", "damaged", armored(t, whole)[:120]},
		{"armor with words after it", "damaged", armored(t, whole) + canary},
		{"armor around no age file", "not an age file", armored(t, canary+"\n")},
		{"holds nothing", "is empty", seal(t, "", id.Recipient())},
		{"holds too much", "holds more than 64 KiB", seal(t, canary+strings.Repeat("x", secret.MaxSize), id.Recipient())},
		{"is too large", "larger than 256 KiB", seal(t, canary+strings.Repeat("x", 1<<20), id.Recipient())},
		{"too many recipients", "more than 64 recipients", seal(t, canary, slices.Repeat([]age.Recipient{id.Recipient()}, 65)...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := ageTree(t, id.String(), good)
			s := open(t, dir)
			write(t, dir, "sealed/db.age", tc.sealed)
			refused(t, dir, tc.want)
			v, _, err := s.Get(t.Context(), "db")
			if v != nil {
				t.Error("Get returns something beside an error")
			}
			sayNothing(t, err)
		})
	}
}

// TestAgeTorn: no beginning of a file gives a secret, or a part of one.
func TestAgeTorn(t *testing.T) {
	id := newIdentity(t)
	dir := ageTree(t, id.String(), seal(t, "good", id.Recipient()))
	s := open(t, dir)
	long := seal(t, strings.Repeat(canary, 6000), id.Recipient()) // two chunks: no more than a secret is cut off in the second
	long = long[:len(long)-100]
	short := seal(t, canary, id.Recipient())
	files := []string{long, long[:len(long)-10]}
	for n := range len(short) {
		files = append(files, short[:n])
	}
	for _, file := range files {
		write(t, dir, "sealed/db.age", file)
		v, _, err := s.Get(t.Context(), "db")
		if v != nil {
			t.Errorf("%d bytes of a file give a secret", len(file))
		}
		sayNothing(t, err)
	}
}

func TestAgeRefusesIdentities(t *testing.T) {
	id := newIdentity(t)
	text := id.String()
	sealed := seal(t, canary, id.Recipient())
	for _, tc := range []struct{ name, want, identity string }{
		{"empty", "holds no identity", ""},
		{"a comment", "holds no identity", "# " + text},
		{"not an identity", "line 2 is not an age identity", "#\n" + canary},
		{"a typing error", "line 1 is not", strings.Replace(text, "1", "1"+canary+"1", 1)},
		{"one character less", "line 1 is not", text[:len(text)-1]},
		{"lower case in the middle", "line 1 is not", text[:30] + strings.ToLower(text[30:])},
		{"of another kind", "line 1 is not", "AGE-PLUGIN-" + canary + "-1QQQ"},
		{"ssh", "line 1 is not", "-----BEGIN OPENSSH PRIVATE KEY-----\n" + canary},
		{"spaces", "line 1 is not", " " + text},
		{"encrypted", "is not an age identity", sealed},
		{"a recipient", "line 1 is not", id.Recipient().String()},
		{"not text", "line 1 is not", "\xff\xfe"},
		{"too many", "more than 16", strings.Repeat(text+"\n", 17)},
		{"too large", "larger than 64 KiB", text + strings.Repeat("\n", 64<<10)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := ageTree(t, text, sealed)
			open(t, dir)
			write(t, dir, "keys/id", tc.identity)
			refused(t, dir, "stores.vault: identity: ")
			refused(t, dir, tc.want)
		})
	}
}

func TestAgeRefusesModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of POSIX")
	}
	id := newIdentity(t)
	for name, mode := range map[string]os.FileMode{"keys/id": 0o640, "sealed": 0o770, "sealed/db.age": 0o622} {
		dir := ageTree(t, id.String(), seal(t, canary, id.Recipient()))
		open(t, dir)
		chmod(t, dir, name, mode)
		refused(t, dir, "lets others than its owner")
	}
}
