package forge_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/corpus"
	"github.com/attestctl/attestctl/internal/forge"
)

func mintToken(tb testing.TB, d forge.Token) *forge.Evidence {
	tb.Helper()
	e, err := d.Mint()
	if err != nil {
		tb.Fatalf("Mint() error = %v", err)
	}
	return e
}

func verifyToken(tb testing.TB, e *forge.Evidence) *token.Verified {
	tb.Helper()
	parsed, err := token.Parse(e.Raw)
	if err != nil {
		tb.Fatalf("Parse() error = %v", err)
	}
	v, err := token.Verify(parsed, expectation(tb, e))
	if err != nil {
		tb.Fatalf("Verify() error = %v", err)
	}
	return v
}

// Honest tokens of every profile verify, and are the same bytes every time.
func TestTokenProfiles(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys("profiles")
	tokens := map[string]forge.Token{"google with certificates": {Keys: keys, PKI: true}}
	for _, p := range forge.TokenProfiles() {
		tokens[string(p)] = forge.Token{Keys: keys, Profile: p}
		tokens[string(p)+" with nonces"] = forge.Token{Keys: keys, Profile: p, Nonces: []string{"nonce-number-1", "nonce-number-2"}}
		tokens[string(p)+" without nonce"] = forge.Token{Keys: keys, Profile: p, Nonces: []string{}}
		tokens[string(p)+" of another time"] = forge.Token{Keys: keys, Profile: p, Issued: forge.Now().AddDate(1, 0, 0)}
	}
	for name, d := range tokens {
		t.Run(name, func(t *testing.T) {
			e := mintToken(t, d)
			v := verifyToken(t, e)
			want := map[forge.TokenProfile]string{"": "google", forge.VeraisonEAR: "ear", forge.TrusteeEAR: "ear", forge.DraftEAR: "ear"}[d.Profile]
			if want == "" {
				want = string(d.Profile)
			}
			if v.Profile != want || e.Token.Profile != want {
				t.Errorf("profile = %q, demanded %q, want %q", v.Profile, e.Token.Profile, want)
			}
			if d.Nonces != nil && len(v.Claims.EATNonce) != len(d.Nonces) {
				t.Errorf("nonces = %q, want %q", v.Claims.EATNonce, d.Nonces)
			}
			if got := (len(v.Chain) == 3); got != d.PKI {
				t.Errorf("token has a chain: %t, want %t", got, d.PKI)
			}
			d.Keys = forge.NewKeys("profiles")
			if again := mintToken(t, d); !bytes.Equal(again.Raw, e.Raw) || !cmp.Equal(again.TrustFiles(), e.TrustFiles()) {
				t.Error("two keys of one seed give two tokens")
			}
		})
	}
	if a, b := mintToken(t, tokens["google"]), mintToken(t, forge.Token{}); bytes.Equal(a.Raw, b.Raw) {
		t.Error("two seeds give one token")
	}
}

func TestTokenRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, d := range []forge.Token{
		{Profile: "x"},
		{Profile: forge.AzureProfile, PKI: true},
		{Profile: forge.IntelProfile, Machine: &forge.Machine{}},
	} {
		if e, err := d.Mint(); err == nil {
			t.Errorf("Mint of %+v = %s, want an error", d, e.Raw)
		}
	}
}

// What a token says has the members of the genuine ones, in their order and of
// their types.
func TestTokenIsShapedAsGenuineOnes(t *testing.T) {
	t.Parallel()
	container := forge.DefaultContainer()
	hardened := forge.Boot{CommandLine: forge.HardenedCommandLine}
	production := forge.Machine{Technology: forge.AMDSEV, Container: container, Boot: hardened}
	debug := production
	debug.Boot.CommandLine = strings.Replace(forge.HardenedCommandLine, "=true", "=false", 1)
	for _, c := range []struct {
		file  string
		token forge.Token
		more  []string // that the forge's machine has, and the genuine one has not
	}{
		{"synddb-token0.jwt", forge.Token{Machine: &debug, Nonces: []string{}}, []string{"cmd_override"}},
		{"flare-pki-2.jwt", forge.Token{Machine: &debug, PKI: true, Nonces: []string{"nonce-number-1", "nonce-number-2"}}, []string{"cmd_override", "env_override"}},
		{"oak-pki-valid.jwt", forge.Token{Machine: &debug, PKI: true}, []string{"cmd_override", "env_override"}},
		{"eigenx-ita-gcp-tdx.jwt", forge.Token{Profile: forge.IntelProfile}, []string{"cmd_override", "env_override"}},
		{"ear-trustee-2025.jwt", forge.Token{Profile: forge.TrusteeEAR}, nil},
		{"ear-veraison-1.jwt", forge.Token{Profile: forge.VeraisonEAR}, nil},
	} {
		genuine, forged := corpus.Read(t, "f-jwt/"+c.file), mintToken(t, c.token).Raw
		for segment := range 2 {
			want, got := shape(t, genuine, segment, nil), shape(t, forged, segment, c.more)
			if strings.HasPrefix(c.file, "ear-") && segment == 1 { // of devices that are not the forge's
				want, got = top(want), top(got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, segment %d (-genuine +forged):\n%s", c.file, segment, diff)
			}
		}
	}
}

// top keeps the members of the outermost object.
func top(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return strings.Count(s, "/") > 1 })
}

// shape lists the paths of a segment's members with the types of their values,
// in order, without those named and without the names in maps.
func shape(tb testing.TB, compact []byte, segment int, skip []string) []string {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(strings.TrimSpace(string(compact)), ".")[segment])
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	d := json.NewDecoder(bytes.NewReader(raw))
	var walk func(path string)
	walk = func(path string) {
		tok, err := d.Token()
		if err != nil {
			tb.Fatal(err)
		}
		kind := fmt.Sprintf("%s: %T", path, tok)
		if !slices.ContainsFunc(skip, func(s string) bool { return strings.Contains(kind, s) }) && !slices.Contains(out, kind) {
			out = append(out, kind)
		}
		switch tok {
		case json.Delim('{'):
			for d.More() {
				name, err := d.Token()
				if err != nil {
					tb.Fatal(err)
				}
				if strings.HasSuffix(path, "env") || strings.HasSuffix(path, "env_override") {
					name = "*"
				}
				walk(fmt.Sprintf("%s/%v", path, name))
			}
		case json.Delim('['):
			for d.More() {
				walk(path + "/[]")
			}
		default:
			return
		}
		if _, err := d.Token(); err != nil {
			tb.Fatal(err)
		}
	}
	walk("")
	return out
}

// One description gives the token of a machine, whatever it is.
func TestTokenOfMachines(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys(forge.DefaultSeed)
	other := forge.Instance{Zone: "us-central1-a", ProjectID: "other", Name: "other-vm", ProjectNumber: 7, ID: 9007199254740993}
	for _, c := range []struct {
		machine         forge.Machine
		hwmodel, swname string
		secboot         bool
		attesters       []string
		dbgstat         string
	}{
		{forge.Machine{}, "GCP_SHIELDED_VM", "GCE", true, nil, ""},
		{forge.Machine{Technology: forge.AMDSEV, Instance: other}, "GCP_AMD_SEV", "GCE", true, nil, ""},
		{forge.Machine{Technology: forge.AMDSEVES, Boot: forge.Boot{SecureBoot: forge.SecureBootOff}}, "GCP_AMD_SEV_ES", "GCE", false, nil, ""},
		{forge.Machine{Technology: forge.AMDSEVSNP}, "GCP_AMD_SEV_SNP", "GCE", true, []string{"AMD", "GOOGLE"}, ""},
		{forge.Machine{Technology: forge.IntelTDX}, "GCP_INTEL_TDX", "GCE", true, []string{"INTEL"}, ""},
		{
			forge.Machine{Technology: forge.IntelTDX, Container: forge.DefaultContainer()},
			"GCP_INTEL_TDX", "CONFIDENTIAL_SPACE", true,
			[]string{"INTEL"},
			"disabled-since-boot",
		},
	} {
		c.machine.Keys = keys
		e := mintToken(t, forge.Token{Machine: &c.machine})
		got := verifyToken(t, e).Claims
		if got.HWModel != c.hwmodel || got.SWName != c.swname || *got.SecBoot != c.secboot || *got.OEMID != 11129 ||
			!slices.Equal(got.AttesterTCB, c.attesters) || got.DbgStat != c.dbgstat {
			t.Errorf("%s: claims = %+v", c.hwmodel, got)
		}
		if c.machine.Instance == other {
			if want := (token.GCE{Zone: "us-central1-a", ProjectID: "other", ProjectNumber: "7", InstanceName: "other-vm", InstanceID: "9007199254740993"}); *got.Submods.GCE != want {
				t.Errorf("submods.gce = %+v, want %+v", *got.Submods.GCE, want)
			}
		}
		if got.Submods.Container != nil && (got.Submods.Container.Env["HOSTNAME"] != "forged-vm" || got.Submods.Container.EnvOverride["MODE"] != "test") {
			t.Errorf("submods.container = %+v", got.Submods.Container)
		}
	}
}

func TestTokenDemand(t *testing.T) {
	t.Parallel()
	e := mintToken(t, forge.Token{Audience: "a", Nonces: []string{"nonce-number-1", "nonce-number-2"}})
	want := forge.TokenDemand{Issuer: forge.GoogleIssuer, Profile: "google", Audience: "a", Nonce: "nonce-number-2"}
	if diff := cmp.Diff(want, *e.Token); diff != "" || !e.Now.Equal(forge.Now().Add(time.Minute)) {
		t.Errorf("demand at %v (-want +got):\n%s", e.Now, diff)
	}
	if raw, err := e.Binary(); err != nil || !bytes.Equal(raw, e.Raw) {
		t.Errorf("Binary() = %s, %v, want the token", raw, err)
	}
	ear := mintToken(t, forge.Token{Profile: forge.TrusteeEAR}).Token
	if diff := cmp.Diff([]string{"issuer", "audience", "nonce"}, ear.Without); diff != "" || ear.Key == nil || ear.Issuer != "" {
		t.Errorf("demand of an EAR = %+v", ear)
	}
}
