package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
)

// object is a JSON object to mint.
type object = map[string]any

var (
	rsaKey      = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	ecKey       = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	ec384Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P384()) })
)

func newRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

const (
	mintKid = "0123456789abcdef0123456789abcdef01234567"
	mintAud = "https://verifier.example"
	mintIat = 1764708636
)

var mintTime = time.Unix(mintIat+60, 0)

// googleClaims are the claims of a Confidential Space token.
func googleClaims() object {
	return object{
		"iss": token.GoogleIssuer, "aud": mintAud, "iat": mintIat, "nbf": mintIat, "exp": mintIat + 3600,
		"sub":       "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i",
		"eat_nonce": "nonce-of-the-test", "eat_profile": "https://profile.example",
		"secboot": true, "oemid": 11129, "hwmodel": "GCP_INTEL_TDX", "swname": "CONFIDENTIAL_SPACE",
		"swversion": []string{"250800"}, "attester_tcb": []string{"INTEL"}, "dbgstat": "disabled-since-boot",
		"google_service_accounts": []string{"a@p.iam.gserviceaccount.com"},
		"tdx":                     object{"gcp_attester_tcb_status": "UpToDate", "gcp_attester_tcb_date": "2024-03-13T00:00:00Z"},
		"submods": object{
			"gce": object{"zone": "z", "project_id": "p", "project_number": "1", "instance_name": "i", "instance_id": "9007199254740993"},
			"confidential_space": object{
				"support_attributes": []string{"LATEST", "STABLE", "USABLE"}, "monitoring_enabled": object{"memory": false},
			},
			"container": object{
				"image_reference": "r", "image_digest": "sha256:00", "image_id": "sha256:01", "restart_policy": "Never",
				"args": []string{"a"}, "env": object{"HTTP_PROXY": "1", "http_proxy": "2"},
				"env_override": object{"K": "V"}, "cmd_override": []string{"c"},
				"image_signatures": []object{{"key_id": "k", "signature": "s", "signature_algorithm": "ECDSA_P256_SHA256"}},
			},
			"nvidia_gpu": object{"cc_mode": "ON"},
		},
		"new_claim": 9007199254740993,
	}
}

// with returns a copy of o with changes; nil deletes.
func with(o object, changes object) object {
	o = maps.Clone(o)
	for k, v := range changes {
		if v == nil {
			delete(o, k)
		} else {
			o[k] = v
		}
	}
	return o
}

func header(alg string, changes object) object {
	return with(object{"alg": alg, "kid": mintKid, "typ": "JWT"}, changes)
}

func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func b64std(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mint signs a compact token with the algorithm, whatever its header says.
func mint(alg string, key crypto.Signer, header, claims any) []byte {
	return mintRaw(alg, key, jsonOf(header), jsonOf(claims))
}

func mintRaw(alg string, key crypto.Signer, header, payload []byte) []byte {
	input := b64(header) + "." + b64(payload)
	return []byte(input + "." + b64(sign(alg, key, []byte(input))))
}

func sign(alg string, key crypto.Signer, input []byte) []byte {
	d256, d384 := sha256.Sum256(input), sha512.Sum384(input)
	digest, options := d256[:], crypto.SignerOpts(crypto.SHA256)
	switch alg {
	case "PS384":
		digest, options = d384[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA384}
	case "RS384", "ES384":
		digest, options = d384[:], crypto.SHA384
	}
	sig, err := key.Sign(rand.Reader, digest, options)
	if err != nil {
		panic(err)
	}
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return sig
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &rs); err != nil {
		panic(err)
	}
	size := (k.Curve.Params().BitSize + 7) / 8
	return append(rs.R.FillBytes(make([]byte, size)), rs.S.FillBytes(make([]byte, size))...)
}

func rsaJWK(k *rsa.PublicKey, changes object) object {
	return with(object{
		"kty": "RSA", "kid": mintKid, "alg": "RS256", "use": "sig",
		"n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes()),
	}, changes)
}

func ecJWK(tb testing.TB, k *ecdsa.PublicKey, changes object) object {
	tb.Helper()
	point, err := k.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return with(object{
		"kty": "EC", "kid": mintKid, "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:]),
	}, changes)
}

func keySet(tb testing.TB, keys ...object) *token.JWKS {
	tb.Helper()
	set, err := token.ParseJWKS(jsonOf(object{"keys": keys}))
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// googleWant is what a token of googleClaims under rsaKey meets.
func googleWant(tb testing.TB) token.Expect {
	tb.Helper()
	return token.Expect{
		Issuer: token.GoogleIssuer, Audience: mintAud, Nonce: "nonce-of-the-test", Now: mintTime,
		Keys: token.Keys{Issuer: token.GoogleIssuer, JWKS: keySet(tb, rsaJWK(&rsaKey().PublicKey, nil))},
	}
}

// pki is a chain of leaf, intermediate and root with their keys.
type pki struct {
	leaf, intermediate, root *x509.Certificate
	rootKey, caKey, leafKey  *rsa.PrivateKey
}

func template(name string, ca bool) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(mintIat-86400, 0), NotAfter: time.Unix(mintIat+86400, 0),
		BasicConstraintsValid: true, IsCA: ca, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	if ca {
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	return t
}

var ekPurpose = asn1.ObjectIdentifier{2, 23, 133, 8, 1}

// newPKI makes a chain in the shape of Google's; change edits the templates of
// leaf, intermediate and root.
func newPKI(tb testing.TB, change func(leaf, intermediate, root *x509.Certificate)) *pki {
	tb.Helper()
	p := &pki{rootKey: otherRSAKey(), caKey: otherRSAKey(), leafKey: rsaKey()}
	leaf, intermediate, root := template("test leaf", false), template("test intermediate", true), template("test root", true)
	intermediate.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ekPurpose}
	if change != nil {
		change(leaf, intermediate, root)
	}
	p.root = certify(tb, root, root, p.rootKey, p.rootKey)
	p.intermediate = certify(tb, intermediate, p.root, p.caKey, p.rootKey)
	p.leaf = certify(tb, leaf, p.intermediate, p.leafKey, p.caKey)
	return p
}

func certify(tb testing.TB, t, parent *x509.Certificate, key, by *rsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, by)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func x5c(certs ...*x509.Certificate) []string {
	var list []string
	for _, c := range certs {
		list = append(list, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return list
}

func (p *pki) token() []byte {
	return mint("RS256", p.leafKey, header("RS256", object{"x5c": x5c(p.leaf, p.intermediate, p.root)}), googleClaims())
}

func (p *pki) want(tb testing.TB) token.Expect {
	tb.Helper()
	roots, err := token.NewRoots([]*x509.Certificate{p.root})
	if err != nil {
		tb.Fatal(err)
	}
	want := googleWant(tb)
	want.Keys = token.Keys{Issuer: token.GoogleIssuer, Roots: roots}
	return want
}

func parse(tb testing.TB, raw []byte) *token.Token {
	tb.Helper()
	t, err := token.Parse(raw)
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return t
}

// failing returns the IDs of the steps that failed and, apart, of those not run.
func failing(steps []token.Step) (failed, notRun []string) {
	for _, s := range steps {
		switch s.Status {
		case token.Fail:
			failed = append(failed, s.ID)
		case token.NotRun:
			notRun = append(notRun, s.ID)
		case token.Pass, token.Skip:
		}
	}
	return failed, notRun
}
