package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// ChallengeNonce is the nonce of a challenge of Google Cloud Attestation:
// "GoogAttestV1" and 16 random bytes in base64url, which the TPM quotes as they
// are. Another name gives another nonce.
func ChallengeNonce(keys *Keys, name string) []byte {
	return []byte("GoogAttestV1" + base64url(keys.bytes("challenge nonce "+name, 16)))
}

// REST is a request of the Confidential Computing API, projects.locations.
// challenges.verifyAttestation, beside the evidence in it. The zero value is what
// `gotpm token --event-log` sends.
type REST struct {
	// ID names the challenge; "" is one that follows from Keys.
	ID       string
	Keys     *Keys // nil stands for NewKeys(DefaultSeed)
	Instance Instance
	Audience string   // "" is DefaultAudience
	Nonces   []string // of the token that is asked for
	// PKI asks for a token with certificates.
	PKI bool
	// EnumNames writes names for enums, where gotpm asks for numbers.
	EnumNames bool
	// NoEventLog leaves out the log of the firmware, as gotpm does without
	// --event-log.
	NoEventLog bool
	// Edit edits the body before it is encoded.
	Edit func(*Object) error
}

func (r REST) orDefault() REST {
	if r.Keys == nil {
		r.Keys = NewKeys(DefaultSeed)
	}
	r.ID = cmp.Or(r.ID, uuid(r.Keys, "challenge"))
	r.Audience = cmp.Or(r.Audience, DefaultAudience)
	return r
}

// challengeName is the resource name of a challenge.
func challengeName(i Instance, id string) string {
	return "projects/" + i.orDefault().ProjectID + "/locations/europe-west4/challenges/" + id
}

// ChallengeJSON is the challenge as the API answers it, whose nonce a quote has
// to carry.
func (r REST) ChallengeJSON(nonce []byte) ([]byte, error) {
	r = r.orDefault()
	return encodeJSON(&Object{
		{"name", challengeName(r.Instance, r.ID)},
		{"createTime", Now().Format(time.RFC3339Nano)},
		{"expireTime", Now().Add(time.Hour).Format(time.RFC3339Nano)},
		{"used", false},
		{"tpmNonce", nonce},
	})
}

// RESTBody encodes the message as the body of such a request. ak_pub and
// instance_info have no place in it.
func (e *Evidence) RESTBody(r REST) ([]byte, error) {
	r = r.orDefault()
	id, err := r.identity()
	if err != nil {
		return nil, err
	}
	body := &Object{
		{"challenge", challengeName(r.Instance, r.ID)},
		{"gcpCredentials", &Object{{"serviceAccountIdTokens", []string{id}}}},
		{"tpmAttestation", e.restTPM(r)},
		{"confidentialSpaceInfo", &Object{{"signedEntities", []*Object{{}}}}},
		{"tokenOptions", r.options()},
	}
	switch {
	case e.TDX != nil:
		body.Set("tdCcel", &Object{{"tdQuote", e.TDX.Raw}})
	case e.SNP != nil:
		body.Set("sevSnpAttestation", &Object{{"report", e.SNP.Raw}, {"auxBlob", e.SNP.CertTable()}})
	}
	if err := apply(r.Edit, body); err != nil {
		return nil, fmt.Errorf("editing the request: %w", err)
	}
	return encodeJSON(body)
}

func (e *Evidence) restTPM(r REST) *Object {
	a := e.Attestation
	quotes := []*Object{}
	for _, q := range a.GetQuotes() {
		values := map[string][]byte{}
		for index, value := range q.GetPcrs().GetPcrs() {
			values[strconv.FormatUint(uint64(index), 10)] = value
		}
		quotes = append(quotes, &Object{
			{"hashAlgo", int32(q.GetPcrs().GetHash())},
			{"pcrValues", values},
			{"rawQuote", q.GetQuote()},
			{"rawSignature", q.GetRawSig()},
		})
	}
	o := &Object{{"quotes", quotes}}
	for _, m := range []struct {
		name string
		data []byte
	}{{"tcgEventLog", a.GetEventLog()}, {"canonicalEventLog", a.GetCanonicalEventLog()}, {"akCert", a.GetAkCert()}} {
		if len(m.data) > 0 && (m.name != "tcgEventLog" || !r.NoEventLog) {
			o.Set(m.name, m.data)
		}
	}
	if chain := a.GetIntermediateCerts(); len(chain) > 0 {
		o.Set("certChain", chain)
	}
	return o
}

func (r REST) options() *Object {
	number, name := 1, "TOKEN_TYPE_OIDC"
	if r.PKI {
		number, name = 2, "TOKEN_TYPE_PKI"
	}
	kind := json.RawMessage(strconv.Itoa(number))
	if r.EnumNames {
		kind = json.RawMessage(strconv.Quote(name))
	}
	o := &Object{{"audience", r.Audience}, {"nonce", texts(r.Nonces)}, {"tokenType", kind}}
	return o.strip()
}

// identity is a token in the shape of those that the metadata server makes for a
// service account, with the challenge as audience. Nothing here verifies it.
func (r REST) identity() (string, error) {
	key, err := r.Keys.Key("token service account", P256)
	if err != nil {
		return "", err
	}
	raw, err := TokenEdits{}.sign(
		&Object{{"alg", "ES256"}, {"typ", "JWT"}},
		&Object{{"aud", challengeName(r.Instance, r.ID)}, {"iss", "https://accounts.google.com"}, {"email", r.Instance.serviceAccounts()[0]}},
		&Signing{Algorithm: "ES256", Key: key})
	return string(raw), err
}
