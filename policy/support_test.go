package policy_test

import (
	"flag"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/policy"
)

var update = flag.Bool("update", false, "rewrite policy/claims.schema.json")

// head begins a policy that allows what its body allows.
const head = "package attest\n\ndefault allow := false\n\n"

// sev is a policy as short as one can be.
const sev = head + "allow if input.hwmodel == \"GCP_AMD_SEV\"\n"

// claimsSEV is a claims document that sev allows.
const claimsSEV = `{"schema":"attestctl.claims/v1","format":"tpm2-quote","verified_at":1700000000,"checks":{},"hwmodel":"GCP_AMD_SEV"}`

// files makes a file system of pairs of a path and a text.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o644}
	}
	return fsys
}

func source(tb testing.TB, pairs ...string) *policy.Source {
	tb.Helper()
	s, err := policy.ReadFS(files(pairs...))
	if err != nil {
		tb.Fatalf("ReadFS(%q) = %v", pairs, err)
	}
	return s
}

func compiled(tb testing.TB, pairs ...string) *policy.Policy {
	tb.Helper()
	p, err := policy.Compile(source(tb, pairs...))
	if err != nil {
		tb.Fatalf("Compile: %v", err)
	}
	return p
}

func engine(tb testing.TB, p *policy.Policy, l policy.Limits) policy.Engine {
	tb.Helper()
	e, err := p.Topdown(l)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func input(tb testing.TB, raw string) policy.Input {
	tb.Helper()
	in, err := policy.ParseInput([]byte(raw))
	if err != nil {
		tb.Fatalf("ParseInput(%s) = %v", raw, err)
	}
	return in
}

// decide compiles a policy and decides over claims with it.
func decide(tb testing.TB, claims string, pairs ...string) policy.Decision {
	tb.Helper()
	d, err := engine(tb, compiled(tb, pairs...), policy.Limits{}).Decide(tb.Context(), input(tb, claims))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// wantError checks that err holds the words, in its text or in its hint.
func wantError(t *testing.T, name string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: accepted", name)
		return
	}
	text := err.Error() + "\nhint: " + hint.Of(err)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: got %s\nwant %q in it", name, text, w)
		}
	}
}
