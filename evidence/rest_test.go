package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-sev-guest/abi"
	tdxabi "github.com/google/go-tdx-guest/abi"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/hint"
)

var (
	plainVM = forge.Machine{Technology: forge.AMDSEV}
	snpVM   = forge.Machine{Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{}}
	tdxVM   = forge.Machine{Technology: forge.IntelTDX, Hardware: &forge.Hardware{}}
)

// verifyForged verifies evidence as its forge expects it.
func verifyForged(tb testing.TB, b Bundle, e *forge.Evidence) (*Result, error) {
	tb.Helper()
	return b.Verify(ForgeTrust(tb, e), Expect{Nonce: e.Nonce, Now: e.Now})
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// request writes a request as gotpm's REST client does.
func request(tb testing.TB, e *forge.Evidence) map[string]any {
	tb.Helper()
	a := e.Attestation
	var quotes []any
	for _, q := range a.GetQuotes() {
		values := map[string]any{}
		for i, v := range q.GetPcrs().GetPcrs() {
			values[strconv.Itoa(int(i))] = v
		}
		quotes = append(quotes, map[string]any{
			"hashAlgo": int(q.GetPcrs().GetHash()), "pcrValues": values, "rawQuote": q.GetQuote(), "rawSignature": q.GetRawSig(),
		})
	}
	r := map[string]any{
		"challenge":      "projects/p/locations/us-central1/challenges/947b4f7b",
		"gcpCredentials": map[string]any{"serviceAccountIdTokens": []string{"eyJ.secret.token"}},
		"tpmAttestation": map[string]any{
			"quotes": quotes, "tcgEventLog": a.GetEventLog(), "akCert": a.GetAkCert(), "certChain": a.GetIntermediateCerts(),
			"canonicalEventLog": a.GetCanonicalEventLog(),
		},
		"confidentialSpaceInfo": map[string]any{"signedEntities": []any{map[string]any{}}},
		"tokenOptions":          map[string]any{"audience": "my-aud", "nonce": []string{"nonce-1234"}, "tokenType": 1},
	}
	if s := a.GetSevSnpAttestation(); s != nil {
		report, err := abi.ReportToAbiBytes(s.GetReport())
		if err != nil {
			tb.Fatal(err)
		}
		r["sevSnpAttestation"] = map[string]any{"report": report, "auxBlob": abi.CertsFromProto(s.GetCertificateChain()).Marshal()}
	}
	if q := a.GetTdxAttestation(); q != nil {
		raw, err := tdxabi.QuoteToAbiBytes(q)
		if err != nil {
			tb.Fatal(err)
		}
		r["tdCcel"] = map[string]any{"tdQuote": raw}
	}
	return r
}

// TestRESTVerifies wants the request of a machine to prove what its attestation
// does, which has no public area of the key either.
func TestRESTVerifies(t *testing.T) {
	for name, m := range map[string]forge.Machine{"sev": plainVM, "snp": snpVM, "tdx": tdxVM, "space": {Technology: forge.AMDSEV, Container: forge.DefaultContainer()}} {
		t.Run(name, func(t *testing.T) {
			e := Forged(t, m)
			b, err := Load(bytes.NewReader(marshal(t, request(t, e))))
			if err != nil || b.Format() != formatREST {
				t.Fatalf("Load = %v, %v", b, err)
			}
			got, err := verifyForged(t, b, e)
			if err != nil {
				t.Fatalf("Verify = %v", err)
			}
			e.Attestation.AkPub = nil
			want, err := verifyForged(t, &Attestation{format: formatBinary, msg: e.Attestation}, e)
			if err != nil {
				t.Fatal(err)
			}
			got.Claims.Format, want.Claims.Format = "", ""
			if !bytes.Equal(marshal(t, got.Claims), marshal(t, want.Claims)) {
				t.Errorf("the request proves\n%s\nthe attestation\n%s", marshal(t, got.Claims), marshal(t, want.Claims))
			}
		})
	}
}

// TestRESTHardwareAlone verifies a request without a vTPM.
func TestRESTHardwareAlone(t *testing.T) {
	for name, m := range map[string]forge.Machine{"snp": snpVM, "tdx": tdxVM} {
		m.Hardware = &forge.Hardware{Binding: forge.BindNonce}
		e := Forged(t, m)
		r := request(t, e)
		delete(r, "tpmAttestation")
		b, err := decodeREST(marshal(t, r))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res, err := verifyForged(t, b, e)
		if err != nil || res.Claims.TEE == nil || res.Claims.TPM != nil {
			t.Errorf("%s: Verify = %v, want a report and no TPM", name, err)
		}
	}
}

// TestRESTUntrusted wants what was asked for to be named as that, and no secret.
func TestRESTUntrusted(t *testing.T) {
	b, err := decodeREST(marshal(t, request(t, Forged(t, plainVM))))
	if err != nil {
		t.Fatal(err)
	}
	text := string(marshal(t, b.Untrusted()))
	for _, want := range []string{"challenges/947b4f7b", "my-aud", "nonce-1234", "oidc", "not checked", "1 id tokens", "quotes[0].nonce"} {
		if !strings.Contains(text, want) {
			t.Errorf("Untrusted() lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret.token") {
		t.Error("Untrusted() shows an id token")
	}
}

func TestRESTSpellings(t *testing.T) {
	bytesOf := func(text string) string {
		return `{"tpmAttestation":{"quotes":[{"hashAlgo":11,"pcrValues":{"0":"` + text + `"}}]}}`
	}
	for _, tc := range []struct {
		in   string
		want string // part of the error, or "" if it decodes
	}{
		{bytesOf("+/8="), ""},
		{bytesOf("+/8"), ""},
		{bytesOf("-_8="), ""},
		{bytesOf("-_8"), ""},
		{bytesOf("+_8"), "canonical"},
		{bytesOf("+/9="), "canonical"},
		{bytesOf(`+/8=\n`), "canonical"},
		{bytesOf(`+/\n8=`), "canonical"},
		{bytesOf("+/8=="), "canonical"},
		{bytesOf("A"), "canonical"},
		{`{"tpm_attestation":{"tcg_event_log":"AA","cert_chain":["AA"]},"token_options":{"token_type":"TOKEN_TYPE_PKI"}}`, ""},
		{`{"tpmAttestation":{},"tpm_attestation":{}}`, "one member"},
		{`{"tpmAttestation":{},"tpmattestation":{}}`, "of one object"},
		{`{"tpmAttestation":{},"tpmAttestation":{}}`, "of one object"},
		{`{"tpmAttestation":null}`, "no evidence"},
		{`{"challenge":"c"}`, "no evidence"},
		{`{"tdCcel":{},"sevSnpAttestation":{}}`, "one of them"},
		{`{"tpmAttestation":{"quotes":{}}}`, "want an array"},
		{`{"tpmAttestation":{"quotes":[null]}}`, "want an object"},
		{`{"tpmAttestation":{"akCert":7}}`, "want a string"},
		{`{"tpmAttestation":{"quotes":[{"hashAlgo":"11"}]}}`, "want a number"},
		{`{"tpmAttestation":{"quotes":[{"hashAlgo":1.1e1}]}}`, "integer"},
		{`{"tpmAttestation":{"quotes":[{"hashAlgo":65547}]}}`, "not a TPM algorithm"},
		{`{"tpmAttestation":{"quotes":[{"hashAlgo":-11}]}}`, "not a TPM algorithm"},
		{`{"tpmAttestation":{"quotes":[{"pcrValues":{"00":""}}]}}`, "number of a PCR"},
		{`{"tpmAttestation":{"quotes":[{"pcrValues":{"-1":""}}]}}`, "number of a PCR"},
		{`{"tpmAttestation":{"quotes":[{"pcrValues":{"+1":""}}]}}`, "number of a PCR"},
		{`{"tpmAttestation":{"quotes":[{"pcrValues":{"2147483648":""}}]}}`, "number of a PCR"},
		{`{"tpmAttestation":{"quotes":[{"pcrValues":{"1":"","1":""}}]}}`, "of one object"},
		{`{"tpmAttestation":{"quotes":[{},{},{},{},{},{},{},{},{}]}}`, "at most 8"},
		{`{"tpmAttestation":{},"challenge":1}`, "challenge"},
		{`{"tpmAttestation":{},"tokenOptions":{"tokenType":"OIDC"}}`, "none of"},
		{`{"tpmAttestation":{},"tokenOptions":{"tokenType":1e10}}`, "integer"},
		{`{"tpmAttestation":{},"gcpCredentials":{"serviceAccountIdTokens":[1]}}`, "want a string"},
		{`{"tpmAttestation":{}} x`, "after the object"},
		{`{"tpmAttestation":{},"attester":true}`, "attester"},
		{`{"tpmAttestation":{},"nvidiaAttestation":[]}`, "nvidiaAttestation"},
	} {
		_, err := decodeREST([]byte(tc.in))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("decodeREST(%s) = %v, want %q", tc.in, err, tc.want)
		}
	}
}

// TestRESTUnknown counts members that the API does not have, wherever they are.
func TestRESTUnknown(t *testing.T) {
	b, err := decodeREST([]byte(`{"tpmAttestation":{"x":{"y":1},"quotes":[{"z":1}]},"tpm_Attestation":{},"_challenge":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := b.(*restRequest); !ok || r.unknown != 4 || r.parts().unknown != 4 {
		t.Errorf("unknown = %+v, want 4", b)
	}
}

// TestRESTMalformed wants structures that do not decode to be said, not dropped.
func TestRESTMalformed(t *testing.T) {
	e := Forged(t, snpVM)
	for _, tc := range []struct{ in, want string }{
		{`{"tpmAttestation":{"quotes":[{}]}}`, "tpmAttestation.quotes[0]"},
		{`{"sevSnpAttestation":{"report":"AA","auxBlob":""},"challenge":""}`, "sevSnpAttestation.report"},
		{`{"sevSnpAttestation":{"report":"` + base64.StdEncoding.EncodeToString(e.SNP.Raw) + `","auxBlob":"AAAA"}}`, "auxBlob"},
		{`{"tdCcel":{}}`, "tdCcel.tdQuote"},
		{`{"tdCcel":{"tdQuote":"` + base64.StdEncoding.EncodeToString(Forged(t, tdxVM).TDX.Raw) + `","canonicalEventLog":"AA"},"tpmAttestation":{"canonicalEventLog":"BA"}}`, "different canonical"},
	} {
		b, err := decodeREST([]byte(tc.in))
		if err != nil {
			t.Errorf("%.60s: %v", tc.in, err)
			continue
		}
		if err := UntrustedError(b); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60s: malformed = %v, want %q", tc.in, err, tc.want)
		}
		if res, err := b.Verify(new(Trust), Expect{}); err == nil || res.Failures()[0].ID != "format.strict" {
			t.Errorf("%.60s: Verify = %v, want format.strict", tc.in, err)
		}
	}
}

// TestTellJSON wants every JSON format to be told from the others, or a question.
func TestTellJSON(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"akPub":"","quotes":[]}`, formatJSON},
		{`{"quotes":[{"challenge":1}],"sevSnpAttestation":{}}`, formatJSON},
		{`{"surprise":1}`, formatJSON},
		{`{}`, formatJSON},
		{`{"report":{}}`, formatSNPJSON},
		{`{"product":{},"report":{}}`, formatSNPJSON},
		{`{"challenge":"","tpmAttestation":{}}`, formatREST},
		{`{"sevSnpAttestation":{},"challenge":""}`, formatREST},
		{`{"x":{"report":1},"td_ccel":{}}`, formatREST},
		{`[`, formatCloudLog},
		{` [{"a":1}]`, formatCloudLog},
		{`{"insertId":"1","jsonPayload":{"quotes":1}}` + "\n{}", formatCloudLog},
		{`{"sevSnpAttestation":{}}`, formatJSON + " and " + formatREST},
		{`{"quotes":[],"challenge":""}`, formatJSON + " and " + formatREST},
		{`{"report":{},"timestamp":""}`, formatSNPJSON + " and " + formatCloudLog},
	} {
		var names []string
		for _, f := range []format{{formatJSON, fitsJSON, nil}, {formatSNPJSON, fitsSNPJSON, nil}, {formatREST, fitsREST, nil}, {formatCloudLog, fitsCloudLog, nil}} {
			if f.fits([]byte(tc.in)) {
				names = append(names, f.name)
			}
		}
		if got := strings.Join(names, " and "); got != tc.want {
			t.Errorf("%s fits %q, want %q", tc.in, got, tc.want)
		}
	}
}

// goodChallenge is one as the service answers it.
const goodChallenge = `{"name":"projects/p/locations/us-central1/challenges/947b4f7b-e6d4-4cfe-971c-39ffe00268ba",
 "createTime":"2023-09-21T01:04:48.230111757Z","expireTime":"2023-09-21T02:04:48.230111757Z","used":false,
 "tpmNonce":"R29vZ0F0dGVzdFYxeGtJUGlRejFPOFRfTzg4QTRjdjRpQQ=="}`

func TestParseChallenge(t *testing.T) {
	c, err := ParseChallenge([]byte(goodChallenge))
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Nonce) != "GoogAttestV1xkIPiQz1O8T_O88A4cv4iA" || !strings.HasSuffix(c.Name, "268ba") || c.Used || c.ExpireTime.Sub(c.CreateTime).Hours() != 1 {
		t.Errorf("ParseChallenge = %+v", c)
	}
	for in, want := range map[string]string{
		``:                               "json",
		`[]`:                             "want an object",
		`{"name":"n"}`:                   "no tpmNonce",
		`{"name":"n","tpmNonce":""}`:     "no tpmNonce",
		`{"tpmNonce":"AAAA"}`:            "no name",
		`{"name":1,"tpmNonce":"AAAA"}`:   "want a string",
		`{"name":"n","tpmNonce":"AAB="}`: "canonical",
		`{"name":"n","tpmNonce":"AAAA","tpm_nonce":"AAAA"}`:    "one member",
		`{"name":"n","tpmNonce":"AAAA","TpmNonce":"AAAA"}`:     "of one object",
		`{"name":"n","tpmNonce":"AAAA","used":"no"}`:           "want a boolean",
		`{"name":"n","tpmNonce":"AAAA","expireTime":"now"}`:    "RFC 3339",
		`{"name":"n","tpmNonce":"AAAA"}{}`:                     "after the object",
		`{"name":"` + strings.Repeat("n", maxChallenge) + `"}`: "KiB",
	} {
		if c, err := ParseChallenge([]byte(in)); err == nil || !strings.Contains(err.Error(), want) || !reflect.ValueOf(c).IsZero() {
			t.Errorf("ParseChallenge(%.80s) = %+v, %v, want %q", in, c, err, want)
		}
	}
	if _, err := ParseChallenge([]byte(`{"name":"n"}`)); hint.Of(err) == "" {
		t.Error("no hint for a challenge without a nonce")
	}
}

// wantNoSecondReading walks the tokens of JSON that was accepted: no object has a
// name twice.
func wantNoSecondReading(tb testing.TB, in []byte) {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(in))
	var open []map[string]bool // nil for an array
	name := false
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			tb.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		switch tok {
		case json.Delim('{'):
			open, name = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name {
				key, _ := tok.(string)
				if open[len(open)-1][key] {
					tb.Fatalf("accepts %q twice", key)
				}
				open[len(open)-1][key] = true
				name = false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

func FuzzREST(f *testing.F) {
	for _, m := range []forge.Machine{snpVM, tdxVM} {
		e := Forged(f, m)
		e.Attestation.EventLog, e.Attestation.Quotes = []byte("log"), e.Attestation.GetQuotes()[:1]
		f.Add(marshal(f, request(f, e)))
	}
	f.Add([]byte(`{"challenge":"c","gcpCredentials":{"serviceAccountIdTokens":["t"]},"confidentialSpaceInfo":{"signedEntities":[{"containerImageSignatures":[` +
		`{"payload":"AA","signature":"AA","publicKey":"AA","sigAlg":1}]}]},"tokenOptions":{"audience":"a","nonce":["n"],"tokenType":2,` +
		`"awsPrincipalTagsOptions":{"allowedPrincipalTags":{"containerImageSignatures":{"keyIds":["k"]}}}},"attester":"a","nvidiaAttestation":{},"instance":"i","sevSnpAttestation":{"report":"AA","auxBlob":""}}`))
	f.Add([]byte(`{"tpm_attestation":{"quotes":[{"hashAlgo":11,"pcrValues":{"0":"-_8"}}]},"x":{"a":[1,null]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := decodeREST(in)
		if err != nil {
			if b != nil {
				t.Error("a request beside an error")
			}
			return
		}
		wantNoSecondReading(t, in)
		again, err := decodeREST(in)
		if err != nil || !reflect.DeepEqual(b, again) {
			t.Errorf("decoded twice: %+v and %+v, %v", b, again, err)
		}
		b.Untrusted()
		if res, err := b.Verify(new(Trust), Expect{}); err == nil || res.Claims != nil {
			t.Error("accepted by an empty trust")
		}
	})
}

func FuzzParseChallenge(f *testing.F) {
	f.Add([]byte(goodChallenge))
	f.Add([]byte(`{"name":"n","tpm_nonce":"-_8","extra":[{}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ParseChallenge(in)
		if err != nil {
			if !reflect.ValueOf(c).IsZero() {
				t.Error("a challenge beside an error")
			}
			return
		}
		wantNoSecondReading(t, in)
		out := marshal(t, map[string]any{"name": c.Name, "tpmNonce": c.Nonce, "createTime": c.CreateTime, "expireTime": c.ExpireTime, "used": c.Used})
		if again, err := ParseChallenge(out); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v encodes to %s, which is %+v, %v", c, out, again, err)
		}
	})
}
