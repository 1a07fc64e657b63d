package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server"
)

// expectOf is what a case expects, without the options that a server does not have.
func expectOf(c fixture.Case) evidence.Expect {
	s := c.Spec
	x := evidence.Expect{
		Nonce: s.Nonce, Now: s.At, RequirePCRs: s.RequirePCRs,
		TEENonce: s.TEENonce, ReportData: s.ReportData, TEEExtra: s.TEEExtra, Binding: s.TEEBinding, VMPL: s.VMPL,
	}
	if s.Token != nil {
		x.Token = evidence.TokenExpect(*s.Token)
	}
	return x
}

// engines compiles each policy with each config once, for both engines.
type engines map[string]pair

type pair struct{ reference, wasm policy.Engine }

func (e engines) get(t *testing.T, c fixture.Case, p fixture.Policy) pair {
	t.Helper()
	ref, config := c.PolicyRef(p.Policy), configOf(t, c, p.Config)
	key := ref + "\x00" + config
	if found, ok := e[key]; ok {
		return found
	}
	src, err := policy.Open(ref)
	if err == nil && config != "" {
		src, err = src.WithConfig("config.json", config)
	}
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	limits := policy.Limits{Deadline: 5 * time.Second}
	reference, err := compiled.Topdown(limits)
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := compiled.WASM(limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, wasm) })
	e[key] = pair{reference, wasm}
	return e[key]
}

func configOf(t *testing.T, c fixture.Case, config any) string {
	t.Helper()
	switch config := config.(type) {
	case nil:
		return ""
	case string:
		raw, err := os.ReadFile(filepath.Join(c.Dir, config))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := policy.ParseConfig(config, string(raw))
		if err != nil {
			t.Fatal(err)
		}
		return configOf(t, c, doc)
	default:
		raw, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
}

// TestDecisionsAreTheCommandLines: for every fixture and each of its policies, the
// server's decision document is that of the command line and of WASM, byte for byte,
// and says what the fixture wants.
func TestDecisionsAreTheCommandLines(t *testing.T) {
	cases, err := fixture.Load("../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	all, decided, refused := engines{}, 0, 0
	for i, c := range cases {
		if testing.Short() && i%8 != 0 {
			continue // the whole is for a run without the race detector
		}
		policies := c.Spec.Policies
		if len(policies) == 0 {
			policies = []fixture.Policy{{Policy: "builtin:codelab"}}
		}
		a := appraise.Appraiser{Trust: c.Trust, Expect: expectOf(c), Request: c.Spec.Request}
		res, refusal := a.Appraise(byteReader(c.Evidence))
		for _, p := range policies {
			both := all.get(t, c, p)
			// Where the engines differ, the server denies, and that is no document of either.
			a.Engine = policy.Both(both.reference, both.wasm)
			got, err := server.Judge(t.Context(), a, c.Evidence)
			if refusal != nil {
				refused++
				if got != nil || !server.IsDenial(err) {
					t.Errorf("%s: the server says %s, %v of what is refused", c.Name, got, err)
				}
				continue
			}
			decided++
			a.Engine = both.reference
			if want := commandLine(t, a, res); err != nil || string(got) != string(want) {
				t.Errorf("%s, %s\nserver %s %v\nwant   %s", c.Name, p.Policy, got, err, want)
			}
			asWanted(t, c, p.Policy, got)
		}
	}
	part := 1
	if testing.Short() {
		part = 8
	}
	if decided < 100/part || refused < 50/part {
		t.Errorf("%d decided, %d refused", decided, refused)
	}
}

// commandLine decides as verify does.
func commandLine(t *testing.T, a appraise.Appraiser, res *evidence.Result) []byte {
	t.Helper()
	d, err := a.Decide(t.Context(), res)
	if d == nil {
		t.Fatalf("no decision: %v", err)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func asWanted(t *testing.T, c fixture.Case, ref string, got []byte) {
	t.Helper()
	want, ok := c.Want.Decisions[ref]
	if !ok {
		return
	}
	var d struct {
		Allow   bool             `json:"allow"`
		Reasons []fixture.Reason `json:"reasons"`
	}
	if err := json.Unmarshal(got, &d); err != nil {
		t.Fatal(err)
	}
	if d.Allow != want.Allow || !slices.Equal(d.Reasons, want.Reasons) {
		t.Errorf("%s, %s: %s, want.json has %v", c.Name, ref, got, want)
	}
}

// TestServedAsVerified sends evidence and tokens through the whole server, with both
// engines, and wants the document that the command line prints for the same.
func TestServedAsVerified(t *testing.T) {
	var documents []string
	for _, wasm := range []bool{false, true} {
		w := started(t, func(w *world) { w.o.WASM = wasm })
		text, nonce := w.challenge("", nil)
		ev := w.attest(nonce)
		r := w.answer("/v1/appraise", text, nil, ev)
		trust, err := loadTrust(w.trust)
		if err != nil {
			t.Fatal(err)
		}
		res, err := appraise.Appraiser{Trust: trust, Expect: evidence.Expect{Nonce: nonce, Now: w.clock.now()}}.Appraise(byteReader(ev))
		if err != nil {
			t.Fatal(err)
		}
		src, err := policy.Open("builtin:codelab")
		if err != nil {
			t.Fatal(err)
		}
		if src, err = src.WithConfig("config.json", w.read("config.json")); err != nil {
			t.Fatal(err)
		}
		compiled, err := policy.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		engine, err := compiled.Topdown(policy.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := appraise.Decide(t.Context(), engine, res.Claims, map[string]any{"remote": "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if r.body != string(want)+"\n" || !d.Allow {
			t.Errorf("served %s, want %s", r.body, want)
		}
		documents = append(documents, r.body)
	}
	if documents[0] != documents[1] {
		t.Errorf("engines differ: %q", documents)
	}
}
