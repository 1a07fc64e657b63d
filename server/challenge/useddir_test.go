package challenge_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/attestctl/attestctl/server/challenge"
)

func nameOf(id [32]byte) string { return hex.EncodeToString(id[:]) }

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	return got
}

// Two replicas, and one that was restarted.
func TestDirShared(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	until := c.now().Add(life)
	a, b := newDir(t, c, openRoot(t, dir)), newDir(t, c, openRoot(t, dir))
	uses(t, a, [32]byte{1}, until, nil)
	uses(t, b, [32]byte{1}, until, challenge.ErrUsed)
	uses(t, b, [32]byte{2}, until, nil)
	uses(t, a, [32]byte{2}, until, challenge.ErrUsed)
	uses(t, newDir(t, c, openRoot(t, dir)), [32]byte{1}, until, challenge.ErrUsed)

	var first atomic.Int32
	var wg sync.WaitGroup
	for n := range 100 {
		wg.Go(func() {
			u := []*challenge.DirUsed{a, b}[n%2]
			if u.Use([32]byte{3}, until) == nil {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if n := first.Load(); n != 1 {
		t.Errorf("two replicas used a challenge %d times", n)
	}
}

func TestDirFile(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	id := [32]byte{0xAB, 31: 0xCD}
	uses(t, newDir(t, c, openRoot(t, dir)), id, c.now().Add(life), nil)
	want := "ab" + strings.Repeat("0", 60) + "cd"
	if got := names(t, dir); !slices.Equal(got, []string{want}) {
		t.Fatalf("files %q, want %q", got, want)
	}
	path := filepath.Join(dir, want)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "1700000300\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
}

func TestDirCleans(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	u := newDir(t, c, openRoot(t, dir))
	for n := range 50 {
		uses(t, u, [32]byte{byte(n)}, c.now().Add(time.Duration(n+1)*time.Second), nil)
	}
	c.pass(time.Minute + 25*time.Second)
	uses(t, u, [32]byte{99}, c.now().Add(life), nil)
	got := names(t, dir)
	if len(got) != 26 || slices.Contains(got, nameOf([32]byte{24})) || !slices.Contains(got, nameOf([32]byte{25})) {
		t.Errorf("%d files are left: %q", len(got), got)
	}
	c.pass(time.Minute - 1) // too soon
	uses(t, u, [32]byte{98}, c.now().Add(life), nil)
	if got := names(t, dir); len(got) != 27 {
		t.Errorf("%d files are left", len(got))
	}
	c.pass(time.Hour)
	uses(t, newDir(t, c, openRoot(t, dir)), [32]byte{97}, c.now().Add(life), nil)
	if got := names(t, dir); !slices.Equal(got, []string{nameOf([32]byte{97})}) {
		t.Errorf("left: %q", got)
	}
}

// What lasts a day is known until after its end, and its directory, which holds more,
// is cleaned less often.
func TestDirLong(t *testing.T) {
	const day = 24 * time.Hour
	c := newClock()
	dir := t.TempDir()
	u, err := challenge.NewDirUsed(openRoot(t, dir), c.now, day)
	if err != nil {
		t.Fatal(err)
	}
	until := c.now().Add(day)
	uses(t, u, [32]byte{1}, until.Add(time.Minute+1), challenge.ErrExpired)
	uses(t, u, [32]byte{1}, until, nil)
	uses(t, u, [32]byte{2}, c.now().Add(time.Second), nil)
	c.pass(10*time.Minute - 1)
	uses(t, u, [32]byte{3}, c.now().Add(day), nil)
	if got := names(t, dir); len(got) != 3 {
		t.Errorf("cleaned too soon: %q", got)
	}
	c.pass(1)
	uses(t, u, [32]byte{4}, c.now().Add(day), nil)
	if got := names(t, dir); len(got) != 3 || slices.Contains(got, nameOf([32]byte{2})) {
		t.Errorf("not cleaned: %q", got)
	}
	c.pass(day - 10*time.Minute - 1)
	uses(t, u, [32]byte{1}, until, challenge.ErrUsed)
	uses(t, u, [32]byte{1}, until.Add(time.Hour), challenge.ErrUsed) // whatever is said of its end
	c.pass(1)
	uses(t, u, [32]byte{1}, until, challenge.ErrExpired)
	c.pass(time.Minute - 1) // for a replica whose clock is behind
	uses(t, newDir(t, c, openRoot(t, dir)), [32]byte{1}, c.now().Add(time.Second), challenge.ErrUsed)
	c.pass(10 * time.Minute)
	uses(t, u, [32]byte{5}, c.now().Add(day), nil)
	if got := names(t, dir); slices.Contains(got, nameOf([32]byte{1})) {
		t.Errorf("what was over is left: %q", got)
	}
}

// A request looks at some of the files only, and the next ones at the others.
func TestDirCleansInSteps(t *testing.T) {
	const many, others = 1000, 20
	c := newClock()
	dir := t.TempDir()
	u := newDir(t, c, openRoot(t, dir))
	for n := range many {
		name := filepath.Join(dir, nameOf([32]byte{1, byte(n), byte(n >> 8)}))
		if err := os.WriteFile(name, fmt.Appendf(nil, "%d\n", c.now().Unix()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(2 * time.Minute)
	uses(t, u, [32]byte{2}, c.now().Add(life), nil)
	if left := len(names(t, dir)); left < many/2 {
		t.Errorf("%d files are left of %d after one request", left, many)
	}
	for n := range others {
		uses(t, u, [32]byte{3, byte(n)}, c.now().Add(life), nil)
	}
	if left := len(names(t, dir)); left != 1+others {
		t.Errorf("%d files are left, want %d", left, 1+others)
	}
}

// A file that a crash left empty is over when nothing of its time can be good.
func TestDirUnfinished(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	name := filepath.Join(dir, nameOf([32]byte{1}))
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, c.now(), c.now()); err != nil {
		t.Fatal(err)
	}
	c.pass(challenge.MaxLife + time.Minute - 1)
	uses(t, newDir(t, c, openRoot(t, dir)), [32]byte{1}, c.now().Add(life), challenge.ErrUsed)
	c.pass(1)
	uses(t, newDir(t, c, openRoot(t, dir)), [32]byte{1}, c.now().Add(life), nil)
}

// What is not a file of the store is neither read, nor followed, nor removed, and
// where it has the name of a challenge, that one cannot be used.
func TestDirHostile(t *testing.T) {
	c := newClock()
	dir, outside := t.TempDir(), t.TempDir()
	old := fmt.Sprintf("%d\n", c.now().Add(-time.Hour).Unix())
	victim := filepath.Join(outside, "victim")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(victim, old)
	id := func(n byte) [32]byte { return [32]byte{0xAA, n} }
	in := func(name string) string { return filepath.Join(dir, name) }

	taken := []func(path string){
		func(p string) { must(os.Symlink(victim, p)) },
		func(p string) { must(os.Symlink(filepath.Join(outside, "none"), p)) },
		func(p string) { must(os.Symlink("none-inside", p)) },
		func(p string) { must(os.Symlink("/dev/zero", p)) },
		func(p string) { must(os.Symlink(filepath.Base(p), p)) }, // to itself
		func(p string) { must(os.Mkdir(p, 0o700)) },
		func(p string) { must(syscall.Mkfifo(p, 0o600)) },
		func(p string) { write(p, "") }, // torn when the power went
		func(p string) { write(p, "1") },
		func(p string) { write(p, "17") },
		func(p string) { write(p, "1 \n") },
		func(p string) { write(p, "1\n1\n") },
		func(p string) { write(p, "0x1\n") },
		func(p string) { write(p, "1e3\n") },
		func(p string) { write(p, strings.Repeat("1", 1<<20)) },
		func(p string) { write(p, "99999999999999999999\n") },
		func(p string) { write(p, "\x00\x00") },
	}
	for n, make := range taken {
		make(in(nameOf(id(byte(n)))))
	}
	for _, name := range []string{
		".lock", "README", strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("A", 64), strings.Repeat("g", 64),
		strings.Repeat("a", 62) + "\n\n", "..." + strings.Repeat("a", 61), strings.Repeat("\u0430", 64)[:64], "-rf", "%2e%2e%2f",
	} {
		write(in(name), old)
	}
	before := names(t, dir)

	u := newDir(t, c, openRoot(t, dir))
	for n := range taken {
		uses(t, u, id(byte(n)), c.now().Add(life), challenge.ErrUsed)
	}
	c.pass(time.Hour)
	for n := range taken {
		uses(t, u, id(byte(n)), c.now().Add(life), challenge.ErrUsed)
	}
	if got := names(t, dir); !slices.Equal(got, before) {
		t.Errorf("the directory changed:\n%q\n%q", before, got)
	}
	if got := names(t, outside); !slices.Equal(got, []string{"victim"}) {
		t.Errorf("outside of it: %q", got)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != old {
		t.Errorf("the victim holds %q, %v", text, err)
	}
	uses(t, u, [32]byte{1}, c.now().Add(life), nil) // and all that keeps nobody from using it
}

func TestDirRefuses(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	for _, mode := range []os.FileMode{0o777, 0o770, 0o720, 0o702} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if u, err := challenge.NewDirUsed(openRoot(t, dir), c.now, challenge.MaxLife); err == nil || u != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := openRoot(t, dir)
	if u, err := challenge.NewDirUsed(nil, c.now, challenge.MaxLife); err == nil || u != nil {
		t.Errorf("no directory: %v", err)
	}
	if u, err := challenge.NewDirUsed(r, nil, challenge.MaxLife); err == nil || u != nil {
		t.Errorf("no clock: %v", err)
	}
	for _, longest := range []time.Duration{0, -time.Hour} {
		if u, err := challenge.NewDirUsed(r, c.now, longest); err == nil || u != nil {
			t.Errorf("a longest life of %v: %v", longest, err)
		}
	}
	u := newDir(t, c, r)
	uses(t, u, [32]byte{1}, c.now().Add(life), nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := u.Use([32]byte{2}, c.now().Add(life)); err == nil {
		t.Error("a challenge was used that was not written down")
	}
	if u, err := challenge.NewDirUsed(r, c.now, challenge.MaxLife); err == nil || u != nil {
		t.Errorf("a closed directory: %v", err)
	}
}

// A directory that is gone, or full, lets nothing be used.
func TestDirGone(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "used")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	u := newDir(t, c, openRoot(t, dir))
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := u.Use([32]byte{1}, c.now().Add(life)); err == nil {
		t.Error("a challenge was used that was not written down")
	}
}

func BenchmarkDirUsed(b *testing.B) {
	c := newClock()
	u := newDir(b, c, openRoot(b, b.TempDir()))
	var id [32]byte
	for n := 0; b.Loop(); n++ {
		id[0], id[1], id[2], id[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
		if err := u.Use(id, c.now().Add(life)); err != nil {
			b.Fatal(err)
		}
	}
}
