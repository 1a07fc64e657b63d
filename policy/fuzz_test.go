package policy_test

import (
	"bytes"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

// What ParseInput accepts has one reading: its canonical form parses to itself.
func FuzzParseInput(f *testing.F) {
	for _, seed := range []string{claimsSEV, benchClaims, `{}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "\ufeff{}", `{"a":1e999999999}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := policy.ParseInput(raw)
		if err != nil {
			if in.Bytes() != nil {
				t.Error("an input beside the error")
			}
			return
		}
		again, err := policy.ParseInput(in.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), in.Bytes()) {
			t.Errorf("the canonical form %s parses to %s, %v", in.Bytes(), again.Bytes(), err)
		}
	})
}

// What ReadBundle accepts, WriteBundle writes as a bundle of the same policy.
func FuzzReadBundle(f *testing.F) {
	f.Add(bundleOf(f, source(f, "p.rego", sev)))
	f.Add(bundleOf(f, source(f, "p.rego", sev, "a/q.rego", "package q\n", "config.json", `{"a":[1]}`)))
	f.Add([]byte(sev))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := policy.ReadBundle(bytes.NewReader(raw))
		if err != nil {
			if s != nil {
				t.Error("a policy beside the error")
			}
			return
		}
		again, err := policy.ReadBundle(bytes.NewReader(bundleOf(t, s)))
		if err != nil || again.Digest() != s.Digest() {
			t.Errorf("written and read again: %v, %v; want %s", again, err, s.Digest())
		}
	})
}

// A config that is accepted is an object, in its only encoding.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: [b, {c: d}]\n", "{a: 1}", "a: |\n  b\n", "a: 'b'\n", "- a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := policy.ReadFS(files("p.rego", sev, "config.yaml", text))
		if err != nil {
			return
		}
		again := source(t, "p.rego", sev, "config.json", string(s.Config()))
		if !bytes.Equal(again.Config(), s.Config()) {
			t.Errorf("%q is %s, and that is %s", text, s.Config(), again.Config())
		}
	})
}
