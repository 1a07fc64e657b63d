package server

import (
	"regexp"
	"testing"
)

// FuzzCompact wants a compact JWS to be what RFC 7515 7.1 says.
func FuzzCompact(f *testing.F) {
	form := regexp.MustCompile(`\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\z`)
	for _, text := range []string{"", "a.b.c", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b.", "a.b.c\n", "a.b.c,", "a. b.c", "a.b.c=", "a/b.c.d", "ä.b.c", "aZ09-_.x.y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := compact(text), form.MatchString(text); got != want {
			t.Errorf("compact(%q) = %v, want %v", text, got, want)
		}
	})
}
