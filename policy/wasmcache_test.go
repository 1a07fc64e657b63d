package policy

import "testing"

// TestWASMCache: engines from one cache decide by their own module and config, one
// after the other is closed too.
func TestWASMCache(t *testing.T) {
	const wants = `package attest
default allow := false
allow if input.hwmodel in data.config.models
deny contains {"code": "model", "msg": "not ours"} if not input.hwmodel in data.config.models
`
	const other = `package attest
default allow := false
allow if input.hwmodel != "GCP_AMD_SEV"
`
	cache := NewWASMCache()
	defer func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}()
	in := inputOf(t, map[string]any{"hwmodel": "GCP_AMD_SEV"})
	for _, c := range []struct {
		module, config string
		allow          bool
	}{
		{wants, `{"models": ["GCP_AMD_SEV"]}`, true},
		{wants, `{"models": ["GCP_INTEL_TDX"]}`, false},
		{other, `{}`, false},
		{wants, `{"models": ["GCP_AMD_SEV", "GCP_INTEL_TDX"]}`, true},
	} {
		p := policyOf(t, c.module, c.config)
		reference, err := p.Topdown(Limits{})
		if err != nil {
			t.Fatal(err)
		}
		engine, err := p.WASMFrom(cache, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := decide(t, engine, in)
		if want := decide(t, reference, in); got.Allow != c.allow || text(t, got) != text(t, want) {
			t.Errorf("%s: %s, want %s", c.config, text(t, got), text(t, want))
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(cache.modules); n != 2 {
		t.Errorf("%d modules are compiled, want 2", n)
	}
}
