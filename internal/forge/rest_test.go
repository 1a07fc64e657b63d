package forge_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	sevabi "github.com/google/go-sev-guest/abi"
	tdxabi "github.com/google/go-tdx-guest/abi"

	"github.com/attestctl/attestctl/internal/forge"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// restRequest has the members of a request under their names.
type restRequest struct {
	Challenge      string
	GcpCredentials struct{ ServiceAccountIDTokens []string }
	TpmAttestation struct {
		Quotes []struct {
			HashAlgo               int32
			PcrValues              map[string][]byte
			RawQuote, RawSignature []byte
		}
		TcgEventLog, CanonicalEventLog, AkCert []byte
		CertChain                              [][]byte
	}
	TokenOptions struct {
		Audience  string
		Nonce     []string
		TokenType any
	}
	TdCcel            struct{ TdQuote []byte }
	SevSnpAttestation struct{ Report, AuxBlob []byte }
}

func request(tb testing.TB, e *forge.Evidence, r forge.REST) (body restRequest, raw []byte) {
	tb.Helper()
	raw, err := e.RESTBody(r)
	if err != nil {
		tb.Fatalf("RESTBody() error = %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&body); err != nil {
		tb.Fatal(err)
	}
	return body, raw
}

func TestREST(t *testing.T) {
	t.Parallel()
	keys := forge.NewKeys(forge.DefaultSeed)
	nonce := forge.ChallengeNonce(keys, "test")
	for _, m := range []forge.Machine{
		{Keys: keys, Technology: forge.AMDSEV, Container: forge.DefaultContainer()},
		{Keys: keys, Technology: forge.AMDSEVSNP, Hardware: &forge.Hardware{Binding: forge.BindNonce}},
		{Keys: keys, Technology: forge.IntelTDX, Hardware: &forge.Hardware{Binding: forge.BindNonce}},
	} {
		e, err := m.Attest(nonce)
		if err != nil {
			t.Fatal(err)
		}
		body, raw := request(t, e, forge.REST{Keys: keys, Nonces: []string{"nonce-number-1"}})
		tpm, a := body.TpmAttestation, e.Attestation
		if len(tpm.Quotes) != len(a.GetQuotes()) || !bytes.Equal(tpm.AkCert, a.GetAkCert()) || !bytes.Equal(tpm.TcgEventLog, a.GetEventLog()) ||
			!bytes.Equal(tpm.CanonicalEventLog, a.GetCanonicalEventLog()) || len(tpm.CertChain) != 1 {
			t.Errorf("tpmAttestation = %+v", tpm)
		}
		for i, q := range tpm.Quotes {
			want := a.GetQuotes()[i]
			if q.HashAlgo != int32(want.GetPcrs().GetHash()) || !bytes.Equal(q.RawQuote, want.GetQuote()) || len(q.PcrValues) != 24 ||
				!bytes.Equal(q.RawSignature, want.GetRawSig()) || !bytes.Equal(q.PcrValues["23"], want.GetPcrs().GetPcrs()[23]) {
				t.Errorf("quote %d = %+v", i, q)
			}
		}
		if body.TokenOptions.TokenType != 1.0 || body.TokenOptions.Audience != forge.DefaultAudience || len(body.TokenOptions.Nonce) != 1 {
			t.Errorf("tokenOptions = %+v", body.TokenOptions)
		}
		if e.SNP != nil {
			report, err := sevabi.ReportToAbiBytes(a.GetSevSnpAttestation().GetReport())
			if err != nil || !bytes.Equal(report, body.SevSnpAttestation.Report) {
				t.Errorf("report is not the message's (error %v)", err)
			}
			if err := new(sevabi.CertTable).Unmarshal(body.SevSnpAttestation.AuxBlob); err != nil {
				t.Errorf("auxBlob: %v", err)
			}
		}
		if e.TDX != nil {
			quote, err := tdxabi.QuoteToAbiBytes(a.GetTdxAttestation())
			if err != nil || !bytes.Equal(quote, body.TdCcel.TdQuote) {
				t.Errorf("quote is not the message's (error %v)", err)
			}
		}
		if again, err := e.RESTBody(forge.REST{Keys: keys, Nonces: []string{"nonce-number-1"}}); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("two bodies differ (error %v)", err)
		}
	}
}

func TestRESTOptions(t *testing.T) {
	t.Parallel()
	e, err := forge.Machine{}.Attest(forge.ChallengeNonce(forge.NewKeys(forge.DefaultSeed), "test"))
	if err != nil {
		t.Fatal(err)
	}
	body, raw := request(t, e, forge.REST{
		ID: "an-id", Audience: "a", PKI: true, EnumNames: true, NoEventLog: true,
		Edit: func(o *forge.Object) error { o.Set("attester", "x"); return nil },
	})
	if body.TokenOptions.TokenType != "TOKEN_TYPE_PKI" || body.TpmAttestation.TcgEventLog != nil || body.TokenOptions.Audience != "a" ||
		!strings.HasSuffix(body.Challenge, "/challenges/an-id") || !bytes.HasSuffix(raw, []byte(`"attester":"x"}`)) {
		t.Errorf("body = %s", raw)
	}
	challenge, err := forge.REST{ID: "an-id"}.ChallengeJSON(e.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Name, CreateTime, ExpireTime string
		Used                         bool
		TpmNonce                     []byte
	}
	if err := json.Unmarshal(challenge, &c); err != nil || c.Name != body.Challenge || !bytes.Equal(c.TpmNonce, e.Nonce) || len(c.TpmNonce) != 34 {
		t.Errorf("challenge = %s (error %v)", challenge, err)
	}
}
