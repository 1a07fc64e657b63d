package evidence_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/forge"
)

func mintToken(tb testing.TB, t forge.Token) *forge.Evidence {
	tb.Helper()
	e, err := t.Mint()
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// keysOf returns the one saved key set among the trust files of a token.
func keysOf(tb testing.TB, e *forge.Evidence) []byte {
	tb.Helper()
	for name, data := range e.TrustFiles() {
		if strings.HasPrefix(name, "token/keys/") {
			return data
		}
	}
	tb.Fatal("no key set")
	return nil
}

// plainSet leaves the keys alone of a saved set, as the issuer serves them.
func plainSet(tb testing.TB, saved []byte) []byte {
	tb.Helper()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(saved, &set); err != nil {
		tb.Fatal(err)
	}
	out, err := json.Marshal(set)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestHostileKeySets is row 12 of the acceptance table: no door takes a key set
// with one key in it that could not be meant for tokens.
func TestHostileKeySets(t *testing.T) {
	if testing.Short() {
		t.Skip("a set of 100,000 keys: the run without the race detector has it")
	}
	sets := forge.HostileKeySets()
	if len(sets) < 20 {
		t.Fatalf("%d hostile key sets", len(sets))
	}
	for _, s := range sets {
		if trust, err := new(evidence.Trust).WithJWKS("", s.Data); err == nil || trust != nil {
			t.Errorf("%s: WithJWKS takes it", s.Name)
		}
		dir := fstest.MapFS{"token/keys/a.json": &fstest.MapFile{Data: s.Data}}
		if trust, err := evidence.LoadTrust(dir); err == nil || trust != nil {
			t.Errorf("%s: LoadTrust takes it", s.Name)
		}
	}
	honest := keysOf(t, mintToken(t, forge.Token{}))
	if _, err := new(evidence.Trust).WithJWKS("", honest); err != nil {
		t.Errorf("an honest set: %v", err)
	}
	if _, err := evidence.LoadTrust(fstest.MapFS{"token/keys/a.json": &fstest.MapFile{Data: honest}}); err != nil {
		t.Errorf("an honest set in a directory: %v", err)
	}
}

// TestKeysAreTheirIssuers: a key set counts for the one issuer it was given for,
// and a set without issuer for none.
func TestKeysAreTheirIssuers(t *testing.T) {
	e := mintToken(t, forge.Token{})
	saved := keysOf(t, e)
	plain := plainSet(t, saved)
	const other = "https://portal.trustauthority.intel.com"
	for name, c := range map[string]struct {
		issuer string
		data   []byte
		want   string // "" is that the token verifies, "load" that nothing loads
	}{
		"saved":                 {"", saved, ""},
		"saved, named":          {evidence.GoogleIssuer, saved, ""},
		"saved, another named":  {other, saved, "load"},
		"plain, named":          {evidence.GoogleIssuer, plain, ""},
		"plain, another named":  {other, plain, "token.key"},
		"plain, nobody named":   {"", plain, "load"},
		"plain, spelled closer": {evidence.GoogleIssuer + "/", plain, "token.key"},
	} {
		trust, err := new(evidence.Trust).WithJWKS(c.issuer, c.data)
		if (err != nil) != (c.want == "load") {
			t.Errorf("%s: WithJWKS: %v", name, err)
		}
		if err != nil {
			continue
		}
		res, err := verify(e.Raw, trust, forgeExpect(e))
		if (err == nil) != (c.want == "") || c.want != "" && (len(failing(res)) == 0 || failing(res)[0] != c.want) {
			t.Errorf("%s: %v, failing %v, want %q", name, err, failing(res), c.want)
		}
	}
	without := fstest.MapFS{"token/keys/a.json": &fstest.MapFile{Data: plain}}
	if _, err := evidence.LoadTrust(without); err == nil || !strings.Contains(err.Error(), "whose keys") {
		t.Errorf("LoadTrust of a set without issuer: %v", err)
	}
}

// TestKeySetsOfSeveralTimes: the sets of one issuer add up, and one kid is never
// two keys. A set that is given replaces those of the directory.
func TestKeySetsOfSeveralTimes(t *testing.T) {
	now, later := mintToken(t, forge.Token{}), mintToken(t, forge.Token{Keys: forge.NewKeys("later")})
	dir := fstest.MapFS{
		"token/keys/a.json": &fstest.MapFile{Data: keysOf(t, now)},
		"token/keys/b.json": &fstest.MapFile{Data: keysOf(t, later)},
	}
	trust, err := evidence.LoadTrust(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*forge.Evidence{now, later} {
		if _, err := verify(e.Raw, trust, forgeExpect(e)); err != nil {
			t.Errorf("a token of one of the times: %v", err)
		}
	}
	only, err := trust.WithJWKS("", keysOf(t, later))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(now.Raw, only, forgeExpect(now)); err == nil {
		t.Error("a set that is given leaves those of the directory in force")
	}
	if n := len(only.Anchors()); n != 1 {
		t.Errorf("%d anchors, want the one set", n)
	}
	if _, err := verify(now.Raw, trust, forgeExpect(now)); err != nil {
		t.Errorf("WithJWKS has changed its receiver: %v", err)
	}

	first, second := kidsOf(t, keysOf(t, now)), kidsOf(t, keysOf(t, later))
	clash := bytes.ReplaceAll(keysOf(t, later), []byte(second[0]), []byte(first[0]))
	dir["token/keys/b.json"] = &fstest.MapFile{Data: clash}
	if _, err := evidence.LoadTrust(dir); err == nil || !strings.Contains(err.Error(), "two keys") {
		t.Errorf("LoadTrust of two keys of one kid: %v", err)
	}
}

func kidsOf(tb testing.TB, saved []byte) []string {
	tb.Helper()
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(saved, &set); err != nil {
		tb.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

// TestPinsAreForEAR: the key of an issuer without a name verifies its tokens and
// those of no issuer that has a profile; two would have to be tried in turn.
func TestPinsAreForEAR(t *testing.T) {
	e := mintToken(t, forge.Token{Profile: forge.VeraisonEAR})
	trust := forgeTrust(t, e)
	if _, err := verify(e.Raw, trust, forgeExpect(e)); err != nil {
		t.Fatalf("an EAR by its pinned key: %v", err)
	}
	want := forgeExpect(e)
	want.Token.Profile, want.Token.Issuer, want.Token.Without = "", evidence.GoogleIssuer, nil
	if res, err := verify(e.Raw, trust, want); err == nil || res.Claims != nil {
		t.Error("an EAR counts as a token of Google's")
	}
	google := mintToken(t, forge.Token{})
	if res, err := verify(google.Raw, trust, forgeExpect(google)); err == nil || failing(res)[0] != "token.key" {
		t.Errorf("a token of Google's by the pin of an EAR: %v", err)
	}
	pin := &fstest.MapFile{Data: e.Token.Key}
	if _, err := evidence.LoadTrust(fstest.MapFS{"token/pins/a.json": pin}); err != nil {
		t.Errorf("one pin: %v", err)
	}
	if _, err := evidence.LoadTrust(fstest.MapFS{"token/pins/a.json": pin, "token/pins/b.json": pin}); err == nil {
		t.Error("two pins load")
	}
	again, err := trust.WithTokenKey(e.Token.Key)
	if err != nil || len(again.Anchors()) != len(trust.Anchors()) {
		t.Errorf("WithTokenKey over a pin: %v", err)
	}
}

// TestTokenRoots: a root counts by itself or by its digest, and a list that names
// a certificate of the chain refuses the token.
func TestTokenRoots(t *testing.T) {
	e := mintToken(t, forge.Token{PKI: true})
	var root []byte
	for name, data := range e.TrustFiles() {
		if strings.HasPrefix(name, "token/roots/") {
			root = data
		}
	}
	byFile, err := evidence.LoadTrust(fstest.MapFS{"token/roots/root.pem": &fstest.MapFile{Data: root}})
	if err != nil {
		t.Fatal(err)
	}
	digest := byFile.Anchors()[0].SHA256()
	byDigest, err := evidence.LoadTrust(fstest.MapFS{"token/roots/root.sha256": &fstest.MapFile{Data: []byte(digest + "\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]*evidence.Trust{"file": byFile, "digest": byDigest} {
		if _, err := verify(e.Raw, trust, forgeExpect(e)); err != nil {
			t.Errorf("by its %s: %v", name, err)
		}
		if got := trust.Anchors()[0].SHA256(); got != digest {
			t.Errorf("by its %s: the anchor is %s, want %s", name, got, digest)
		}
	}
	for name, bad := range map[string]string{"short": digest[:62], "long": digest + "00", "words": "not a digest", "two": digest + "\n" + digest} {
		if _, err := evidence.LoadTrust(fstest.MapFS{"token/roots/root.sha256": &fstest.MapFile{Data: []byte(bad)}}); err == nil {
			t.Errorf("%s: a digest that is none loads", name)
		}
	}
	if res, err := verify(e.Raw, embeddedTrust(t), forgeExpect(e)); err == nil || failing(res)[0] != "token.chain" {
		t.Errorf("the forge's root under the embedded trust: %v", err)
	}
}

// TestPinWins: the one key that is given for a run stands alone, whatever the
// directory has of the issuer.
func TestPinWins(t *testing.T) {
	e := mintToken(t, forge.Token{Profile: forge.DraftEAR})
	trust := forgeTrust(t, e)
	if _, err := verify(e.Raw, trust, forgeExpect(e)); err != nil {
		t.Fatalf("by its issuer's set: %v", err)
	}
	other := mintToken(t, forge.Token{Profile: forge.VeraisonEAR})
	pinned, err := trust.WithTokenKey(other.Token.Key)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := verify(e.Raw, pinned, forgeExpect(e)); err == nil || res.Claims != nil {
		t.Error("a set counts beside the one key that was given")
	}
}

// TestTokenNonceFloor: a nonce that can be guessed is refused unless an option says
// otherwise, and one that is not compared is never accepted.
func TestTokenNonceFloor(t *testing.T) {
	short := mintToken(t, forge.Token{Nonces: []string{"1234567"}})
	bare := mintToken(t, forge.Token{Nonces: []string{}})
	for name, c := range map[string]struct {
		e       *forge.Evidence
		edit    func(*evidence.Expect)
		verdict evidence.Verdict
	}{
		"short":                 {short, func(*evidence.Expect) {}, evidence.Refused},
		"short, by an option":   {short, func(x *evidence.Expect) { x.InsecureShortNonce = true }, evidence.Accepted},
		"not compared":          {short, func(x *evidence.Expect) { x.InsecureNoNonce, x.InsecureShortNonce = true, true }, evidence.Untrusted},
		"none":                  {bare, func(*evidence.Expect) {}, evidence.Accepted},
		"none and not compared": {bare, func(x *evidence.Expect) { x.InsecureNoNonce = true }, evidence.Untrusted},
	} {
		want := forgeExpect(c.e)
		c.edit(&want)
		res, err := verify(c.e.Raw, forgeTrust(t, c.e), want)
		if res.Verdict != c.verdict || (err == nil) != (c.verdict == evidence.Accepted) || (res.Claims != nil) != (err == nil) {
			t.Errorf("%s: %v, %v, want %v", name, res.Verdict, err, c.verdict)
		}
	}
}
