package token_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/corpus"
)

// today is long after every token of the corpus.
var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func genuine(tb testing.TB, name string) []byte {
	tb.Helper()
	return corpus.Read(tb, "f-jwt/"+name)
}

func date(tb testing.TB, s string) time.Time {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

func syndJWKS(tb testing.TB) *token.JWKS {
	tb.Helper()
	set, err := token.ParseJWKS(genuine(tb, "synddb-jwks.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func googlePin(tb testing.TB) *token.Roots {
	tb.Helper()
	roots, err := token.PinRoots(token.GoogleRootSHA256)
	if err != nil {
		tb.Fatal(err)
	}
	return roots
}

// headerKey is the key that a token brings along, or keeps in its payload: only
// a test would ask for it.
func headerKey(tb testing.TB, raw []byte, segment int) *token.Key {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(string(raw), ".")[segment])
	if err != nil {
		tb.Fatal(err)
	}
	var h struct{ JWK json.RawMessage }
	if err := json.Unmarshal(b, &h); err != nil {
		tb.Fatal(err)
	}
	k, err := token.ParseKey(h.JWK)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func earKey(tb testing.TB) *token.Key {
	tb.Helper()
	k, err := token.ParseKey(genuine(tb, "ear-pkey.jwk.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// google is an expectation with every key of Google's at hand.
func google(tb testing.TB, aud, nonce, at string) token.Expect {
	tb.Helper()
	return token.Expect{
		Issuer: token.GoogleIssuer, Audience: aud, Nonce: nonce, NoNonce: nonce == "", Now: date(tb, at),
		Keys: token.Keys{Issuer: token.GoogleIssuer, JWKS: syndJWKS(tb), Roots: googlePin(tb)},
	}
}

func foreign(issuer, aud, nonce string, at time.Time, keys *token.JWKS) token.Expect {
	return token.Expect{
		Issuer: issuer, Audience: aud, NoAudience: aud == "", Nonce: nonce, NoNonce: nonce == "",
		Now: at, Keys: token.Keys{Issuer: issuer, JWKS: keys},
	}
}

func ear(key *token.Key, at time.Time) token.Expect {
	return token.Expect{
		Profile: token.EAR, NoIssuer: true, NoAudience: true, NoNonce: true, Now: at, Keys: token.Keys{Key: key},
	}
}

const (
	oakNonce   = "a nonce between 10 and 74 characters"
	oakAud     = "https://echo.oak.dev"
	itaIssuer  = "https://portal.trustauthority.intel.com"
	maaIssuer  = "https://sharedweu.weu.test.attest.azure.net"
	oakAt      = "2025-06-23T14:23:00Z"
	flareNonce = "ddc4a47a2e998f5fd3e9b87fd3aa89b3176308a27f851dbb705d849c3d55248c"
)

// verdict is what becomes of one token of the corpus.
type verdict struct {
	id, file string
	want     token.Expect
	failed   []string // steps; none means verified
	notRun   []string
}

func verdicts(tb testing.TB) []verdict {
	tb.Helper()
	afterKey := []string{token.StepChain, token.StepRevocation, token.StepSignature}
	atDate := func(s string) time.Time { return date(tb, s) }
	synd := syndJWKS(tb)
	return []verdict{
		{"f-synddb-token0", "synddb-token0.jwt", google(tb, "https://synddb-sequencer.example.com", "", "2025-12-02T20:51:00Z"), nil, nil},
		{
			"f-synddb-token0", "synddb-token0.jwt", google(tb, "https://synddb-sequencer.example.com", "", "2026-11-23T12:00:00Z"),
			[]string{token.StepTime},
			nil,
		},
		{"f-oak-pki-valid", "oak-pki-valid.jwt", google(tb, oakAud, oakNonce, oakAt), nil, nil},
		{
			"f-oak-pki-valid", "oak-pki-valid.jwt", google(tb, oakAud, oakNonce, "2026-11-23T12:00:00Z"),
			[]string{token.StepChain, token.StepTime},
			[]string{token.StepRevocation, token.StepSignature},
		},
		{"f-oak-pki-invalid", "oak-pki-invalid-signature.jwt", google(tb, oakAud, oakNonce, oakAt), []string{token.StepSignature}, nil},
		{
			"f-oak-selfsigned-valid", "oak-selfsigned-minimal.jwt",
			google(tb, "https://test-attester-project.session.oak", "5c87f751c1b2f41af55df1fbe5ba3335f7a0840ef7e2779006999303c6627f45", "2025-03-10T16:27:00Z"),
			[]string{token.StepKey, token.StepTime, token.StepIssuer, token.StepAudience},
			afterKey,
		},
		{"f-flare-pki-2", "flare-pki-2.jwt", google(tb, "https://sts.google.com", flareNonce, "2025-02-17T10:37:30Z"), nil, nil},
		{
			"f-salrashid-envoy", "salrashid-selfissued.jwt", google(tb, "https://some_audience", "othernonce", "2023-10-21T13:11:00Z"),
			[]string{token.StepKey, token.StepTime, token.StepIssuer},
			afterKey,
		},
		{
			"f-maa-msft-snp", "maa-sevsnp-2025.jwt", foreign(maaIssuer, "", "", atDate("2025-04-08T04:16:00Z"), synd),
			[]string{token.StepKey},
			afterKey,
		},
		{
			"f-ita-tdx-cli", "ita-amber-2022.jwt", foreign(itaIssuer, "", "", atDate("2022-12-23T12:47:00Z"), synd),
			[]string{token.StepKey, token.StepTime, token.StepIssuer},
			afterKey,
		},
		{
			"f-eigenx-ita", "eigenx-ita-gcp-tdx.jwt",
			foreign(itaIssuer, "EigenX KMS", "9ccb652b39639ed816c8860b33e45f2abf7880eee25db7fd0e3b6be78de53cb3", atDate("2025-10-24T21:43:00Z"), synd),
			[]string{token.StepKey},
			afterKey,
		},
		{
			"f-ear-trustee", "ear-trustee-2025.jwt", ear(headerKey(tb, genuine(tb, "ear-trustee-2025.jwt"), 0), atDate("2025-07-09T11:06:00Z")),
			nil, nil,
		},
		{"f-ear-trustee", "ear-trustee-2025.jwt", ear(earKey(tb), atDate("2025-07-09T11:06:00Z")), []string{token.StepSignature}, nil},
		{
			"f-ear-trustee", "ear-trustee-2025.jwt", google(tb, oakAud, oakNonce, "2025-07-09T11:06:00Z"),
			[]string{token.StepForm, token.StepAlgorithm, token.StepTime, token.StepIssuer, token.StepAudience, token.StepNonce},
			slices.Concat([]string{token.StepKey}, afterKey),
		},
		{"f-ear-veraison-1", "ear-veraison-1.jwt", ear(earKey(tb), atDate("2022-10-18T11:10:00Z")), nil, nil},
		{"f-ear-veraison-1", "ear-veraison-1.jwt", ear(earKey(tb), today), []string{token.StepTime}, nil},
		{
			"f-trustee-coco-as", "trustee-coco-as-2023.jwt",
			token.Expect{
				Profile: token.EAR, Issuer: "CoCo-Attestation-Service", NoAudience: true, NoNonce: true, Now: today,
				Keys: token.Keys{Issuer: "CoCo-Attestation-Service", Key: headerKey(tb, rs256Key(tb), 1)},
			},
			[]string{token.StepAlgorithm, token.StepTime},
			slices.Concat([]string{token.StepKey}, afterKey),
		},
	}
}

// rs256Key is the token of 2023 with a key of an algorithm that can be loaded.
func rs256Key(tb testing.TB) []byte {
	tb.Helper()
	parts := strings.Split(string(genuine(tb, "trustee-coco-as-2023.jwt")), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		tb.Fatal(err)
	}
	parts[1] = b64(bytes.Replace(payload, []byte(`"alg":"RS384"`), []byte(`"alg":"RS256"`), 1))
	return []byte(strings.Join(parts, "."))
}

func TestCorpus(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range verdicts(t) {
		seen[v.id] = true
		t.Run(v.id+"@"+v.want.Now.Format(time.DateOnly), func(t *testing.T) {
			result, steps := token.Appraise(parse(t, genuine(t, v.file)), v.want)
			failed, notRun := failing(steps)
			if !slices.Equal(failed, v.failed) || !slices.Equal(notRun, v.notRun) {
				t.Errorf("Appraise(%s) failed %v, not run %v; want %v and %v\n%v", v.file, failed, notRun, v.failed, v.notRun, steps)
			}
			if got, want := result != nil, len(v.failed) == 0; got != want {
				t.Errorf("Appraise(%s) has a result: %t, want %t", v.file, got, want)
			}
			_, err := token.Verify(parse(t, genuine(t, v.file)), v.want)
			if got, want := err == nil, len(v.failed) == 0; got != want {
				t.Errorf("Verify(%s) = %v, want an error: %t", v.file, err, !want)
			}
		})
	}
	for _, e := range corpus.Entries(t, "f") {
		if strings.HasSuffix(e.File, ".jwt") && !seen[e.ID] {
			t.Errorf("%s has no verdict: %s", e.ID, e.Verdict)
		}
	}
}

// A given root certificate is worth what its pin is, and another is worth nothing.
func TestCorpusRoot(t *testing.T) {
	block, _ := pem.Decode(genuine(t, "confidential_space_root.pem"))
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	want := google(t, oakAud, oakNonce, oakAt)
	oak := parse(t, genuine(t, "oak-pki-valid.jwt"))
	if want.Keys.Roots, err = token.NewRoots([]*x509.Certificate{root}); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Verify(oak, want); err != nil {
		t.Errorf("Verify with the root certificate = %v, want nil", err)
	}
	want.Keys.Roots, err = token.NewRoots([]*x509.Certificate{newPKI(t, nil).root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Verify(oak, want); !errors.Is(err, token.ErrUntrusted) {
		t.Errorf("Verify with another root = %v, want %v", err, token.ErrUntrusted)
	}
	want.Keys.Roots = nil
	if _, err := token.Verify(oak, want); !errors.Is(err, token.ErrNoRoots) {
		t.Errorf("Verify without a root = %v, want %v", err, token.ErrNoRoots)
	}
}

// What is decoded of the genuine tokens is what encoding/json sees in them.
func TestCorpusClaims(t *testing.T) {
	for _, v := range verdicts(t) {
		raw := genuine(t, v.file)
		tok := parse(t, raw)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(raw), ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decodeJSON(t, payload), tok.UntrustedClaims()); diff != "" {
			t.Errorf("%s: claims differ from encoding/json's (-want +got):\n%s", v.file, diff)
		}
	}
	v, err := token.Verify(parse(t, genuine(t, "oak-pki-valid.jwt")), google(t, oakAud, oakNonce, oakAt))
	if err != nil {
		t.Fatal(err)
	}
	yes, no, oem, nbf, exp := true, false, int64(11129), int64(1750688551), int64(1750692151)
	want := token.Claims{
		Issuer: token.GoogleIssuer, Audience: []string{oakAud}, IssuedAt: 1750688551, NotBefore: &nbf, Expires: &exp,
		Subject:  "https://www.googleapis.com/compute/v1/projects/oak-ci/zones/us-west1-b/instances/oak-session-echo-debug",
		EATNonce: []string{oakNonce}, SecBoot: &yes, OEMID: &oem, HWModel: "GCP_AMD_SEV", SWName: "CONFIDENTIAL_SPACE",
		EATProfile: "https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims",
		SWVersion:  []string{"250301"}, DbgStat: "enabled",
		GoogleServiceAccounts: []string{"691249393555-compute@developer.gserviceaccount.com"},
		Submods: &token.Submods{
			ConfidentialSpace: &token.ConfidentialSpace{MonitoringMemory: &no},
			GCE:               &token.GCE{"us-west1-b", "oak-ci", "691249393555", "oak-session-echo-debug", "6256007950053693934"},
			Container: &token.Container{
				ImageReference: "europe-west2-docker.pkg.dev/oak-ci/example-enclave-apps/echo_enclave_app:latest",
				ImageDigest:    "sha256:313b8a83d3c8bfc9abcffee4f538424473e2705383a7e46f16d159faf0e5ef34",
				ImageID:        "sha256:7b5cbc3256c1c8b8b2d9add4b6540b26fa7f71ec61b07b86629fa20f5475d647",
				RestartPolicy:  "Never", Args: []string{"/usr/local/bin/oak_gcp_examples_echo_enclave_app"},
				Env: map[string]string{
					"HOSTNAME": "oak-session-echo-debug", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
					"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				},
			},
		},
	}
	if diff := cmp.Diff(want, v.Claims); diff != "" {
		t.Errorf("claims of oak-pki-valid (-want +got):\n%s", diff)
	}
	if got := v.ValidUntil.Unix(); got != exp || len(v.Chain) != 3 || v.KeyID != "" || v.Profile != token.Google {
		t.Errorf("Verified = valid until %d, %d certificates, kid %q, profile %s", got, len(v.Chain), v.KeyID, v.Profile)
	}
}

func decodeJSON(tb testing.TB, in []byte) map[string]any {
	tb.Helper()
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		tb.Fatal(err)
	}
	return m
}

// Every byte of a genuine token counts.
func TestCorpusFlipped(t *testing.T) {
	for _, c := range []struct {
		file string
		want token.Expect
	}{
		{"synddb-token0.jwt", google(t, "https://synddb-sequencer.example.com", "", "2025-12-02T20:51:00Z")},
		{"oak-pki-valid.jwt", google(t, oakAud, oakNonce, oakAt)},
		{"ear-veraison-1.jwt", ear(earKey(t), date(t, "2022-10-18T11:10:00Z"))},
	} {
		raw := genuine(t, c.file)
		raw = bytes.TrimRight(raw, "\r\n")
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= []byte{1, 2, 4, 32}[i/2%4]
			if tok, err := token.Parse(bad); err == nil {
				if v, _ := token.Appraise(tok, c.want); v != nil {
					t.Errorf("%s with byte %d changed verifies", c.file, i)
				}
			}
		}
	}
}
