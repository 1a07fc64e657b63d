package report

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile holds text that would act on a terminal, forge a line or hide a part
// of itself.
var hostile = []string{
	"\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "a\rb", "a\nACCEPTED", "\u202egnp.exe", "\u2028x", "\x7f", "\u009b31m",
	"bad\xff\xfeutf8", "\x00", "tab\there", "\ufeffbom", "\U000E0041tag", "zero\u200bwidth",
}

// actsOnTerminal reports whether s has a character that is not printable, line
// ends between lines left aside.
func actsOnTerminal(s string) bool {
	if !utf8.ValidString(s) {
		return true
	}
	return strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) })
}

func TestQuoteHostile(t *testing.T) {
	for _, s := range hostile {
		if got := Quote(s); actsOnTerminal(got) || strings.Contains(got, "\n") {
			t.Errorf("Quote(%q) = %q, want printable text on one line", s, got)
		}
		if got := Escape(s); actsOnTerminal(got) || strings.Contains(got, "\n") {
			t.Errorf("Escape(%q) = %q, want printable text on one line", s, got)
		}
	}
}

func TestQuoteLeavesTextAlone(t *testing.T) {
	for _, s := range []string{"", "quote.dat", "Zürich 東京", `say "hi"`, `C:\dir`, "a b"} {
		if got := Quote(s); got != s {
			t.Errorf("Quote(%q) = %q, want it unchanged", s, got)
		}
		if got := Escape(s); got != s {
			t.Errorf("Escape(%q) = %q, want it unchanged", s, got)
		}
	}
}

// FuzzQuote states that quoting loses nothing and lets nothing through.
func FuzzQuote(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add(`"quoted"`)
	f.Fuzz(func(t *testing.T, s string) {
		got := Quote(s)
		if actsOnTerminal(got) || strings.Contains(got, "\n") {
			t.Errorf("Quote(%q) = %q acts on a terminal", s, got)
		}
		back := got
		if strings.HasPrefix(got, `"`) {
			var err error
			if back, err = strconv.Unquote(got); err != nil {
				t.Fatal(err)
			}
		}
		if back != s {
			t.Errorf("Quote(%q) = %q reads back as %q", s, got, back)
		}
		if got := Escape(s); actsOnTerminal(got) || strings.Contains(got, "\n") {
			t.Errorf("Escape(%q) = %q acts on a terminal", s, got)
		}
	})
}
