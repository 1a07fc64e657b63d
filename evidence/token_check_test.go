package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

// TestNonceSource: a policy is told what the nonces were compared with: an expectation,
// the log that they stand in, or nothing.
func TestNonceSource(t *testing.T) {
	bare := forge.Token{Nonces: []string{}}
	sev := forge.Machine{Technology: forge.AMDSEV}
	without := func(x evidence.Expect) evidence.Expect {
		x.Token.Without = []string{"nonce"}
		return x
	}
	nonced, none := mintToken(t, forge.Token{}), mintToken(t, bare)
	log := exportOf(t, forge.CloudLog{Runs: []forge.LogRun{{Machine: sev}}})
	raw := forged(t, sev)
	binary, err := raw.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		e    *forge.Evidence
		data []byte
		x    evidence.Expect
		want string
	}{
		"token":                 {nonced, nonced.Raw, forgeExpect(nonced), "expected"},
		"token without a nonce": {none, none.Raw, forgeExpect(none), "none"},
		"log":                   {log, log.Raw, logExpect(log), "log"},
		"log, by its challenge": {log, log.Raw, forgeExpect(log), "expected"},
		"raw":                   {raw, binary, evidence.Expect{Nonce: raw.Nonce, Now: raw.Now}, "expected"},
		"raw, and a token that is not there needs no nonce": {raw, binary, without(evidence.Expect{Nonce: raw.Nonce, Now: raw.Now}), "expected"},
	} {
		res, err := verify(c.data, forgeTrust(t, c.e), c.x)
		if err != nil || res.Claims.NonceSource != c.want {
			t.Errorf("%s: %v, %+v, want nonce_source %s", name, err, res.Claims, c.want)
		}
	}
}

// TestUnknownLack: a word that nothing is known by is not passed over: a token would be
// taken for less than was expected of it.
func TestUnknownLack(t *testing.T) {
	e := mintToken(t, forge.Token{})
	for _, word := range []string{"Nonce", "nonce ", "", "signature"} {
		want := forgeExpect(e)
		want.Token.Without = append(slices.Clone(want.Token.Without), word)
		res, err := verify(e.Raw, forgeTrust(t, e), want)
		if err == nil || res.Claims != nil || !slices.Equal(failing(res)[:1], []string{"token.form"}) || !strings.Contains(err.Error(), "is expected, which is none of") {
			t.Errorf("without %q: %v, failing %v", word, err, failing(res))
		}
		for _, check := range res.Checks {
			if check.ID == "token.signature" && check.Status != evidence.NotRun {
				t.Errorf("without %q: %s is %v", word, check.ID, check.Status)
			}
		}
	}
}
