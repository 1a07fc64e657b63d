package server

import (
	"encoding/json"
	"errors"
	"net/http"
)

// problem is an error with the words that its client may read. Everything else about
// it is for the log of operators and the audit log. An error that is no problem
// becomes an internal error.
type problem struct {
	status int
	title  string
	detail string // what the client can do; never anything about evidence
	allow  string // the method that there is, for 405
	err    error  // the cause, for operators
}

// Error implements error.
func (p *problem) Error() string {
	if p.err != nil {
		return p.title + ": " + p.err.Error()
	}
	if p.detail != "" {
		return p.title + ": " + p.detail
	}
	return p.title
}

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.err }

// reject is a problem with the shape of a request, which its client may know.
func reject(status int, detail string) *problem {
	return &problem{status: status, title: http.StatusText(status), detail: detail}
}

// busy is a problem of the server's own that passes.
func busy(status int, detail string) *problem {
	return &problem{status: status, title: http.StatusText(status), detail: detail}
}

// denied is the one denial. Its cause is for the audit log alone.
func denied(cause error) *problem {
	return &problem{status: http.StatusForbidden, title: "denied", err: cause}
}

// asProblem gives an error its public words.
func asProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	return &problem{status: http.StatusInternalServerError, title: "internal error", err: err}
}

// writeError is the one place that tells a client of an error (RFC 9457). A denial
// of a route that takes the token by itself is a 401, like all its denials, so that
// its client learns what kind of credentials are asked for (RFC 9110 11.6.1).
func writeError(w http.ResponseWriter, id string, p *problem, bearer bool) int {
	status := p.status
	h := w.Header()
	switch {
	case status == http.StatusForbidden && p.title == "denied" && bearer:
		status = http.StatusUnauthorized
		h.Set("WWW-Authenticate", "Bearer")
	case status == http.StatusLengthRequired, status == http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // the rest of the body is not worth reading
	case status == http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	body, err := json.Marshal(struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail,omitempty"`
		Instance string `json:"instance"`
	}{"about:blank", p.title, status, p.detail, id})
	if err != nil { // there is nothing in it that does not encode
		body = []byte(`{}`)
	}
	write(w, status, "application/problem+json", append(body, '\n'))
	return status
}
