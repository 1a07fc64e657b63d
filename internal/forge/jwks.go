package forge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"time"
)

// publicJWK encodes a public key (RFC 7517 4, RFC 7518 6).
func publicJWK(key crypto.PublicKey) (*Object, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(key.E)).Bytes()
		return &Object{{"e", base64url(e)}, {"kty", "RSA"}, {"n", base64url(key.N.Bytes())}}, nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // SEC 1, 2.3.3: 04 || X || Y
		if err != nil {
			return nil, err
		}
		half := len(point) / 2
		return &Object{
			{"kty", "EC"},
			{"crv", key.Params().Name},
			{"x", base64url(point[1 : 1+half])},
			{"y", base64url(point[1+half:])},
		}, nil
	}
	return nil, fmt.Errorf("no JWK for a key of type %T", key)
}

// savedKeySet encodes a key set as it is kept in a trust directory: what the
// issuer serves, whose it is, and when it was fetched.
func savedKeySet(issuer, uri string, keys ...*Object) ([]byte, error) {
	raw, err := encodeJSON(&Object{
		{"issuer", issuer},
		{"jwks_uri", uri},
		{"fetched_at", Now().Format(time.RFC3339)},
		{"etag", `"forge"`},
		{"keys", keys},
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// GoogleKeySet is the saved key set of the forge's Google: the key that signs,
// and the next one.
func GoogleKeySet(keys *Keys) ([]byte, error) {
	var list []*Object
	for _, name := range []string{"google", "google next"} {
		jwk, err := googleJWK(keys, name)
		if err != nil {
			return nil, err
		}
		list = append(list, jwk)
	}
	return savedKeySet(GoogleIssuer, "https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@forge.iam.gserviceaccount.com", list...)
}

func googleJWK(keys *Keys, name string) (*Object, error) {
	key, err := keys.Key("token "+name, RSA2048)
	if err != nil {
		return nil, err
	}
	jwk, err := publicJWK(key.Public())
	if err != nil {
		return nil, err
	}
	e, _ := jwk.Get("e")
	n, _ := jwk.Get("n")
	return &Object{{"alg", "RS256"}, {"e", e}, {"kid", hexKid(name, 20)(keys)}, {"kty", "RSA"}, {"n", n}, {"use", "sig"}}, nil
}

func intelKeySet(keys *Keys) ([]byte, error) {
	key, err := keys.tokenKey(IntelProfile)
	if err != nil {
		return nil, err
	}
	jwk, err := publicJWK(key.Public())
	if err != nil {
		return nil, err
	}
	jwk.Set("alg", "PS384")
	jwk.Set("kid", hexKid("intel", 48)(keys))
	return savedKeySet(intelIssuer, intelIssuer+"/certs", jwk)
}

// azureKeySet has the key in a certificate alone, as Microsoft publishes it.
func azureKeySet(keys *Keys) ([]byte, error) {
	key, err := keys.tokenKey(AzureProfile)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(keys, "azure token"), Subject: pkix.Name{CommonName: azureIssuer},
		NotBefore: Now().AddDate(-1, 0, 0), NotAfter: Now().AddDate(10, 0, 0), SignatureAlgorithm: x509.SHA256WithRSA,
	}
	cert, err := certify(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return savedKeySet(azureIssuer, azureIssuer+"/certs", &Object{{"x5c", X5C(cert)}, {"kid", azureKid(keys)}, {"kty", "RSA"}})
}

func draftKeySet(keys *Keys) ([]byte, error) {
	key, err := keys.tokenKey(DraftEAR)
	if err != nil {
		return nil, err
	}
	jwk, err := publicJWK(key.Public())
	if err != nil {
		return nil, err
	}
	jwk.Set("alg", "ES384")
	jwk.Set("kid", hexKid("ear", 32)(keys))
	return savedKeySet(earIssuer, earIssuer+"/.well-known/jwks.json", jwk)
}
