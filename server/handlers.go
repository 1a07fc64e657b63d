package server

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/server/seal"
	"github.com/attestctl/attestctl/server/secret"
)

// The headers of the challenge flow.
const (
	headerChallenge = "Attestctl-Challenge" // the text of the challenge
	headerKey       = "Attestctl-Key"       // the client's key: base64url of its JWK
	headerNonce     = "Attestctl-Nonce"     // none: a client does not choose what counts as fresh

	// The endorsement key of the client's TPM: base64url of its TPMT_PUBLIC, and of
	// its certificate in DER.
	headerEK            = "Attestctl-EK"
	headerEKCertificate = "Attestctl-EK-Certificate"
)

// The routes.
var (
	routeDefault   = route{"default", http.MethodGet, true, (*Server).getDefault}
	routeChallenge = route{"challenge", http.MethodPost, false, (*Server).postChallenge}
	routeSecret    = route{"secret", http.MethodPost, false, (*Server).postSecret}
	routeAppraise  = route{"appraise", http.MethodPost, false, (*Server).postAppraise}
)

const formatToken = "jwt" // as package evidence names it

// maxToken is the size of the longest token in a header, in bytes.
const maxToken = 16 << 10

var errNoToken = errors.New("no token of the right form")

// bearer returns the token of a request: three parts of base64url after one space
// (RFC 6750 2.1, RFC 7515 7.1).
func bearer(r *http.Request) ([]byte, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || len(token) > maxToken || !compact(token) {
		return nil, denied(errNoToken)
	}
	return []byte(token), nil
}

// compact reports whether a text has the form of a compact JWS.
func compact(text string) bool {
	parts, size := 1, 0 // size of the part so far
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			size++
		case c == '.' && size > 0:
			parts, size = parts+1, 0
		default:
			return false
		}
	}
	return parts == 3 && size > 0
}

// getDefault releases the default secret for a token, as the codelab does.
func (s *Server) getDefault(c *call) (*answer, error) {
	if !s.hasDefault() {
		return nil, reject(http.StatusNotFound, "")
	}
	if c.ContentLength != 0 {
		return nil, reject(http.StatusBadRequest, "this request has no body")
	}
	if c.Header.Get(headerChallenge) != "" || c.Header.Get(headerKey) != "" || namesEK(c.Request) {
		return nil, reject(http.StatusBadRequest, "a challenge is answered at "+secretsPath+"NAME")
	}
	token, err := bearer(c.Request)
	if err != nil {
		return nil, err
	}
	return s.release(c.Context(), &ask{id: c.id, route: c.route, remote: c.remote, any: true, format: formatToken, evidence: token})
}

func (s *Server) hasDefault() bool {
	snap, done := s.current.use()
	defer done()
	return snap.secrets.Default() != ""
}

// postSecret releases a secret for evidence that answers a challenge, or for a token
// alone where the secret is content with it.
func (s *Server) postSecret(c *call) (*answer, error) {
	if !secret.ValidName(c.name) {
		return nil, reject(http.StatusBadRequest, "not the name of a secret")
	}
	a, err := s.ask(c)
	if err != nil {
		return nil, err
	}
	a.name = c.name
	return s.release(c.Context(), a)
}

// postAppraise tells what the server's policy says of evidence.
func (s *Server) postAppraise(c *call) (*answer, error) {
	if namesEK(c.Request) {
		return nil, reject(http.StatusBadRequest, "there is nothing to wrap for a TPM in a decision")
	}
	a, err := s.ask(c)
	if err != nil {
		return nil, err
	}
	return s.release(c.Context(), a)
}

// ask reads evidence, challenge and keys.
func (s *Server) ask(c *call) (*ask, error) {
	if c.Header.Get(headerNonce) != "" {
		return nil, reject(http.StatusBadRequest, "the nonce is that of the challenge")
	}
	a := &ask{id: c.id, route: c.route, remote: c.remote, answers: c.Header.Get(headerChallenge)}
	var err error
	if a.key, err = keyOf(c.Request); err != nil {
		return nil, err
	}
	if a.ek, err = ekOf(c.Request); err != nil {
		return nil, err
	}
	switch {
	case c.Header.Get("Authorization") == "":
		a.evidence, err = s.body(c, "application/octet-stream", "application/json", "application/jwt")
	case c.ContentLength != 0:
		err = reject(http.StatusBadRequest, "there is evidence in the header and in the body")
	default:
		a.format = formatToken
		a.evidence, err = bearer(c.Request)
	}
	if a.answers == "" {
		a.format = formatToken // nothing else can be fresh without a challenge
	}
	return a, err
}

func keyOf(r *http.Request) (*seal.ClientKey, error) {
	text := r.Header.Get(headerKey)
	if text == "" {
		return nil, nil //nolint:nilnil // no key
	}
	jwk, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, reject(http.StatusBadRequest, headerKey+" is not base64url")
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		return nil, badKey(err)
	}
	return key, nil
}

func badKey(err error) error {
	p := reject(http.StatusBadRequest, "the key is not a public jwk on P-256 or P-384")
	p.err = err
	return p
}

// challengeForm is {"secret": NAME, "key": JWK}.
var challengeForm = strictjson.Form{Depth: 2, Values: 32, Members: 16, Plain: true}

const maxChallengeBody = 8 << 10

// postChallenge makes a challenge, whether there is such a secret or not.
func (s *Server) postChallenge(c *call) (*answer, error) {
	raw, err := s.body(c, "application/json")
	if err != nil {
		return nil, err
	}
	if len(raw) > maxChallengeBody {
		return nil, reject(http.StatusRequestEntityTooLarge, "")
	}
	name, key, err := readChallenge(raw)
	if err != nil {
		return nil, err
	}
	var thumbprint [32]byte
	if key != nil {
		thumbprint = key.Thumbprint()
	}
	made, err := s.issuer.Issue(name, thumbprint)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(struct {
		Challenge string `json:"challenge"`
		Nonce     string `json:"nonce"`
		Expires   int64  `json:"expires"`
	}{made.Text, hex.EncodeToString(made.Nonce[:]), made.Expires.Unix()})
	if err != nil {
		return nil, err
	}
	return &answer{contentType: "application/json", body: append(body, '\n')}, nil
}

// readChallenge reads what a challenge is asked for.
func readChallenge(raw []byte) (name string, key *seal.ClientKey, err error) {
	n, err := challengeForm.Parse(raw)
	if err != nil || n.Kind != strictjson.Object {
		return "", nil, reject(http.StatusBadRequest, "not an object of plain json")
	}
	name = forAppraisal
	for _, m := range n.Members {
		switch {
		case m.Name == "secret" && m.Value.Kind == strictjson.Text && secret.ValidName(m.Value.Text):
			name = m.Value.Text
		case m.Name == "secret":
			return "", nil, reject(http.StatusBadRequest, "not the name of a secret")
		case m.Name == "key" && m.Value.Kind == strictjson.Object:
			if key, err = seal.ParseKey([]byte(m.Value.Raw)); err != nil {
				return "", nil, badKey(err)
			}
		default:
			return "", nil, reject(http.StatusBadRequest, `want {"secret": NAME, "key": JWK}`)
		}
	}
	return name, key, nil
}
