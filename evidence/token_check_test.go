package evidence_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// TestPinBesideSets: the key of a directory stands in for sets that are not there, and
// one that is given for the run is for tokens of profile ear alone.
func TestPinBesideSets(t *testing.T) {
	draft, pinned := mintToken(t, forge.Token{Profile: forge.DraftEAR}), mintToken(t, forge.Token{Profile: forge.VeraisonEAR, Keys: forge.NewKeys("pinned")})
	trust, err := evidence.LoadTrust(fstest.MapFS{
		"token/keys/a.json": &fstest.MapFile{Data: keysOf(t, draft)},
		"token/pins/a.json": &fstest.MapFile{Data: pinned.Token.Key},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*forge.Evidence{"of the issuer with a set": draft, "of nobody": pinned} {
		if _, err := verify(e.Raw, trust, forgeExpect(e)); err != nil {
			t.Errorf("a token %s: %v", name, err)
		}
	}
	google := mintToken(t, forge.Token{})
	given, err := forgeTrust(t, google).WithTokenKey(pinned.Token.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*forge.Evidence{"of Google's": google, "of nobody": pinned} {
		if _, err := verify(e.Raw, given, forgeExpect(e)); err != nil {
			t.Errorf("with a key for the run, a token %s: %v", name, err)
		}
	}
}

// TestKeySetOfOne: a key set that is given takes the place of those of its issuer and of
// nobody else's, and changes nothing of the trust it is added to.
func TestKeySetOfOne(t *testing.T) {
	google, draft := mintToken(t, forge.Token{}), mintToken(t, forge.Token{Profile: forge.DraftEAR})
	trust, err := evidence.LoadTrust(fstest.MapFS{
		"token/keys/a.json": &fstest.MapFile{Data: keysOf(t, google)},
		"token/keys/b.json": &fstest.MapFile{Data: keysOf(t, draft)},
	})
	if err != nil {
		t.Fatal(err)
	}
	paths := func(t *evidence.Trust) (list []string) {
		for _, a := range t.Anchors() {
			list = append(list, a.Path)
		}
		return list
	}
	given, err := trust.WithJWKS("", keysOf(t, mintToken(t, forge.Token{Keys: forge.NewKeys("later")})))
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(trust); !slices.Equal(got, []string{"token/keys/a.json", "token/keys/b.json"}) {
		t.Errorf("the trust it was added to has %q", got)
	}
	if got := paths(given); len(got) != 2 || !slices.Contains(got, "token/keys/b.json") || slices.Contains(got, "token/keys/a.json") {
		t.Errorf("the new one has %q", got)
	}
	if _, err := verify(draft.Raw, given, forgeExpect(draft)); err != nil {
		t.Errorf("a token of the other issuer: %v", err)
	}
	if _, err := verify(google.Raw, given, forgeExpect(google)); err == nil {
		t.Error("a token by a key that was taken away")
	}
}

// TestTokenNumbers: a number of a token that an engine could round reaches policies as
// the digits that were signed.
func TestTokenNumbers(t *testing.T) {
	e := mintToken(t, forge.Token{Edits: forge.TokenEdits{Claims: func(o *forge.Object) error {
		o.Set("large", json.Number("9007199254740993"))
		o.Set("small", json.Number("7"))
		return nil
	}}})
	res, err := verify(e.Raw, forgeTrust(t, e), forgeExpect(e))
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Claims.Token["large"]; got != "9007199254740993" {
		t.Errorf("large = %#v, want its digits as text", got)
	}
	if got := res.Claims.Token["small"]; got != json.Number("7") {
		t.Errorf("small = %#v, want a number", got)
	}
}

// TestUnfinishedKeySets: what fetch-keys has not written to its end is passed over, and
// no other file is.
func TestUnfinishedKeySets(t *testing.T) {
	e := mintToken(t, forge.Token{})
	whole := &fstest.MapFile{Data: keysOf(t, e)}
	for name, loads := range map[string]bool{
		"token/keys/.b.json.part": true, "token/keys/b.json.part": false, "token/keys/.b.json": false, "token/keys/.b.part": false, ".b.json.part": true, "token/keys/.json.part.x": false,
	} {
		for what, data := range map[string][]byte{"half": whole.Data[:len(whole.Data)/2], "nothing": nil} {
			trust, err := evidence.LoadTrust(fstest.MapFS{"token/keys/a.json": whole, name: &fstest.MapFile{Data: data}})
			if (err == nil) != loads {
				t.Errorf("%s of %s: LoadTrust = %v, want it to load: %t", name, what, err, loads)
			}
			if err == nil && len(trust.Anchors()) != 1 {
				t.Errorf("%s: %d anchors", name, len(trust.Anchors()))
			}
		}
	}
}
