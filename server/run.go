package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Run serves until ctx ends, then takes no more connections, finishes the requests
// under way and returns nil. It is called once.
func (s *Server) Run(ctx context.Context) error {
	defer s.draining.Store(true)
	ends := make(chan error, 2)
	var servers []*http.Server
	start := func(what string, h http.Handler, l net.Listener) {
		srv := s.httpServer(h)
		servers = append(servers, srv)
		go func() { ends <- serving(what, srv.Serve(l)) }()
	}
	start("public", s, s.secured())
	if s.admin != nil {
		start("admin", s.adminHandler(), s.admin)
	}
	background, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	seen := s.fingerprint()
	others.Go(func() { s.watch(background, seen) })
	others.Go(func() { s.rotate(background) })
	defer others.Wait()
	defer stop()
	select {
	case err := <-ends: // a listener has failed
		return errors.Join(err, s.drain(servers)) //nolint:contextcheck // it ends by a time of its own
	case <-ctx.Done():
		return s.drain(servers) //nolint:contextcheck // as above
	}
}

func serving(what string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s listener: %w", what, err)
}

// httpServer speaks HTTP/1.1 only.
func (s *Server) httpServer(h http.Handler) *http.Server {
	l := s.o.Limits
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler: h, Protocols: &protocols,
		ReadHeaderTimeout: l.ReadHeader, ReadTimeout: l.Read, WriteTimeout: l.Write + l.Read, IdleTimeout: l.Idle,
		MaxHeaderBytes: l.Header, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}

// drain ends the servers, the public one first, so that whoever asks /readyz learns of
// it.
func (s *Server) drain(servers []*http.Server) error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Limits.Drain)
	defer cancel()
	var errs []error
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("requests were cut off: %w", err), srv.Close())
		}
	}
	return errors.Join(errs...)
}

// adminHandler answers on the admin listener.
func (s *Server) adminHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.ready(); err != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
		say(w, http.StatusOK, "ready")
	})
	m.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: 5 * time.Second, DisableCompression: true,
	}))
	return m
}

func say(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n") //nolint:errcheck,gosec // the client has left
}

var errDraining = errors.New("the server is ending")

// ready says why the server should get no requests, or is not as its files say.
func (s *Server) ready() error {
	if s.draining.Load() {
		return errDraining
	}
	if err := s.o.Audit.Err(); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if err := s.current.problem(); err != nil {
		return fmt.Errorf("the last reload was refused, all stays as it was: %w", err)
	}
	return nil
}
