package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attestctl/attestctl/server/challenge"
)

// Server releases secrets. New makes it, Run serves.
type Server struct {
	o Options

	current    current
	reloading  sync.Mutex
	issuer     *challenge.Issuer
	used       challenge.Used
	usedTokens challenge.Used // tokens that answer no challenge
	closeUsed  func() error

	random  sync.Mutex // guards o.Random
	work    *queue
	rates   *rates
	metrics *metrics
	tls     *tlsFiles // nil: plain http
	public  *listener
	admin   *listener // nil: none

	draining atomic.Bool
}

const (
	defaultLife = 5 * time.Minute
	rotateEvery = time.Hour
)

// New checks the options, reads all that they name and opens the listeners, so that
// what is wrong shows before anything is served. Close ends what it opened.
func New(o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Limits = o.Limits.withDefaults()
	if o.ChallengeLife == 0 {
		o.ChallengeLife = defaultLife
	}
	s := &Server{o: o, metrics: newMetrics(), closeUsed: func() error { return nil }}
	s.work = newQueue(o.Limits.Workers, o.Limits.Queue)
	s.rates = newRates(o.Now, o.Limits.Rate, o.Limits.Burst)
	for _, step := range []func() error{s.openChallenges, s.Reload, s.listen} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.metrics.gauge("requests_open", "Requests that were admitted and are not answered.", s.work.waiting)
	s.metrics.gauge("workers_busy", "Requests that are verified at this moment.", s.work.working)
	s.metrics.gauge("connections_open", "Connections of the public listener.", s.public.open)
	return s, nil
}

func (s *Server) openChallenges() (err error) {
	o := &s.o
	random := lockedReader{&s.random, o.Random}
	if len(o.ChallengeKeys) > 0 {
		s.issuer, err = challenge.NewSharedIssuer(o.Now, random, o.ChallengeLife, o.ChallengeKeys)
	} else {
		s.issuer, err = challenge.NewIssuer(o.Now, random, o.ChallengeLife)
	}
	if err != nil {
		return err
	}
	var closeUsed func() error
	if s.used, s.usedTokens, closeUsed, err = openUsed(o); err != nil {
		return err
	}
	s.closeUsed = closeUsed
	return nil
}

// lockedReader lets many read from a source that is for one.
type lockedReader struct {
	mu *sync.Mutex
	r  io.Reader
}

// Read implements io.Reader.
func (l lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// Close gives up listeners, policies and folders. Run must have returned, or never
// have been called.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []*listener{s.public, s.admin} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // Run has
			errs = append(errs, err)
		}
	}
	if s.current.snap != nil {
		s.current.snap.users.Wait()
		errs = append(errs, s.current.snap.Close())
	}
	return errors.Join(append(errs, s.closeUsed())...)
}

// ServeHTTP answers a request of the public listener. Nothing else here writes to a
// client: handlers return an answer or an error.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.o.Now()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	c := &call{Request: r, remote: remoteOf(r.RemoteAddr), route: "none"}
	at, name := s.routeOf(r.URL.Path)
	if at != nil {
		c.name, c.route = name, at.label
	}
	out, err := s.answer(c, at)
	status := http.StatusOK
	if err == nil {
		write(w, status, out.contentType, out.body)
		out.close()
	} else {
		p := asProblem(err)
		status = writeError(w, c.id, p, at != nil && at.bearer)
		s.logProblem(r.Context(), c, p, status)
	}
	s.metrics.served(c.route, status, s.o.Now().Sub(start).Seconds())
}

// logProblem tells operators of what the audit log does not say: why a request was
// none, and what failed on this side.
func (s *Server) logProblem(ctx context.Context, c *call, p *problem, status int) {
	attrs := []any{"request", c.id, "route", c.route, "remote", c.remote.String(), "status", status}
	switch {
	case errors.Is(p, errShed) || status == http.StatusTooManyRequests:
		s.o.Log.DebugContext(ctx, "request sent away", attrs...)
	case status >= http.StatusInternalServerError:
		s.o.Log.ErrorContext(ctx, "request failed", append(attrs, "error", p.Error())...)
	case p.title != denied(nil).title:
		s.o.Log.DebugContext(ctx, "request refused", append(attrs, "error", p.Error())...)
	}
}

// answer calls the handler of the route. What panics on the way is an error like any
// other.
func (s *Server) answer(c *call, at *route) (out *answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.metrics.panics.Inc()
			out, err = nil, fmt.Errorf("panic: %s", describePanic(v))
		}
	}()
	if c.id, err = s.newID(); err != nil {
		return nil, err
	}
	if !s.rates.allow(clientOf(c.remote)) {
		s.metrics.shed.WithLabelValues("rate").Inc()
		return nil, busy(http.StatusTooManyRequests, "")
	}
	if !plainPath(c.Request) {
		return nil, reject(http.StatusBadRequest, "the target is not a plain path")
	}
	if err := s.gate(c.Request, at); err != nil {
		return nil, err
	}
	leave, err := s.work.admit()
	if err != nil {
		s.metrics.shed.WithLabelValues("queue").Inc()
		return nil, err
	}
	defer leave()
	out, err = at.serve(s, c)
	if err == nil && out == nil {
		err = errors.New("a handler without an answer")
	}
	return out, err
}

// newID makes the ID of a request.
func (s *Server) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(lockedReader{&s.random, s.o.Random}, b[:]); err != nil {
		return "", fmt.Errorf("making the id of a request: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// describePanic names the functions that a panic came through. Of its value it says
// only what the runtime itself words: anything else could hold a secret.
func describePanic(v any) string {
	what := fmt.Sprintf("a value of type %T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	const skip, most = 3, 16
	pcs := make([]uintptr, most)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skip, pcs)])
	var at []string
	for {
		f, more := frames.Next()
		at = append(at, f.Function+":"+strconv.Itoa(f.Line))
		if !more {
			return what + " at " + strings.Join(at, " < ")
		}
	}
}

// write is the one place from which bytes leave.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck,gosec // the client has left
}
