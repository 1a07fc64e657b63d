package server

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// route is one endpoint.
type route struct {
	label  string // of metrics and audit lines
	method string
	bearer bool // the token is all that is asked for: a denial is a 401
	serve  func(*Server, *call) (*answer, error)
}

// call is one request that passed the gate.
type call struct {
	*http.Request

	id     string
	route  string // its label
	remote netip.Addr
	name   string // of the secret, in the path
}

const secretsPath = "/v1/secrets/"

// routeOf finds the route of a path, and the rest of a path that ends in a name.
func (s *Server) routeOf(path string) (*route, string) {
	if name, ok := strings.CutPrefix(path, secretsPath); ok {
		return &routeSecret, name
	}
	switch {
	case path == "/":
		return &routeDefault, ""
	case path == "/v1/challenge":
		return &routeChallenge, ""
	case path == "/v1/appraise" && s.o.Appraise:
		return &routeAppraise, ""
	}
	return nil, ""
}

// single are the headers of which a request may have one at the most.
var single = []string{
	"Authorization", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Host", "Expect",
	headerChallenge, headerKey, headerEK, headerEKCertificate,
}

// gate refuses what is no plain request to one of the routes.
func (s *Server) gate(r *http.Request, at *route) error {
	switch {
	case at == nil:
		return reject(http.StatusNotFound, "")
	case r.Method != at.method:
		p := reject(http.StatusMethodNotAllowed, "")
		p.allow = at.method
		return p
	case !r.ProtoAtLeast(1, 1):
		return reject(http.StatusHTTPVersionNotSupported, "")
	case len(r.TransferEncoding) > 0:
		// Without chunks there is one reading of where a body ends (RFC 9112 6.3).
		return reject(http.StatusLengthRequired, "send the body with its length, not in chunks")
	case len(r.Header.Values("Content-Encoding")) > 0 && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
		return reject(http.StatusUnsupportedMediaType, "send the body as it is, not encoded")
	case r.Header.Get("Upgrade") != "" || r.Header.Get("Trailer") != "":
		return reject(http.StatusBadRequest, "")
	}
	for _, name := range single {
		if len(r.Header.Values(name)) > 1 {
			return reject(http.StatusBadRequest, name+" is there twice")
		}
	}
	return s.gateOrigin(r)
}

// gateOrigin refuses what a browser sends for somebody else's page. No page of this
// server's own exists.
func (s *Server) gateOrigin(r *http.Request) error {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case !s.answersFor(r.Host):
		return reject(http.StatusMisdirectedRequest, "")
	case len(r.Header.Values("Origin")) > 0, site != "" && site != "none":
		return reject(http.StatusBadRequest, "this is not for browsers")
	}
	return nil
}

// answersFor reports whether a host is the server's. A page elsewhere can have a
// name of its own that leads to the loopback: there only addresses count.
func (s *Server) answersFor(host string) bool {
	if len(s.o.Hosts) > 0 {
		return slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
	}
	if !s.o.InsecureHTTP {
		return host != ""
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || err == nil && a.IsLoopback()
}

// plainPath reports whether the target of the request is its path, byte for byte: no
// host, no query, nothing encoded, nothing to clean.
func plainPath(r *http.Request) bool {
	return r.RequestURI == r.URL.Path && strings.HasPrefix(r.URL.Path, "/") && r.URL.Host == ""
}

// body reads the body of a request, of one of the types. All of them are such that a
// browser asks before it sends one to another site.
func (s *Server) body(c *call, types ...string) ([]byte, error) {
	limit := s.o.Limits.Body
	if c.ContentLength > limit {
		return nil, reject(http.StatusRequestEntityTooLarge, "")
	}
	media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(types, media) {
		return nil, reject(http.StatusUnsupportedMediaType, "want content-type "+types[0])
	}
	data, err := io.ReadAll(io.LimitReader(c.Body, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, reject(http.StatusRequestEntityTooLarge, "")
	case err != nil || int64(len(data)) != c.ContentLength:
		p := reject(http.StatusBadRequest, "the body ends too early")
		p.err = errors.Join(errCut, err)
		return nil, p
	case len(data) == 0:
		return nil, reject(http.StatusBadRequest, "there is no body")
	}
	return data, nil
}

var errCut = errors.New("the body was cut")
