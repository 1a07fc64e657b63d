package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/challenge"
)

// checkpointEvery is how long a decision waits for the signature that covers it, at
// the most.
const checkpointEvery = time.Minute

// serve runs the server until a signal ends it. The second signal ends the process.
func (s *serve) serve() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := prepareProcess(); err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	closeLog, err := s.openAudit()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	srv, err := server.New(s.o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	defer s.reloadBySignal(srv)()
	s.announce(srv)
	return srv.Run(ctx)
}

// complete fills in what flags only name.
func (s *serve) complete() (err error) {
	o := &s.o
	o.WASM = s.engine == engineWASM
	o.Trust = func() (*evidence.Trust, error) { return s.trust.load(s.sys, o.Issuer) }
	o.Watch = s.trust.names()
	o.Log = slog.New(slog.NewTextHandler(s.sys.stderr, nil))
	o.Now, o.Random = s.sys.now, rand.Reader
	if s.challengeKeys != "" {
		if o.ChallengeKeys, err = challenge.ReadKeys(s.challengeKeys); err != nil {
			return fmt.Errorf("--challenge-keys: %w", err)
		}
	}
	return nil
}

// openAudit takes up the log of decisions.
func (s *serve) openAudit() (closeLog func() error, err error) {
	key, err := readAuditKey(s.auditKey)
	if err != nil {
		return nil, fmt.Errorf("--audit-key %s: %w", report.Quote(s.auditKey), err)
	}
	tick := time.NewTicker(checkpointEvery)
	s.o.Audit, err = audit.Open(s.audit, key, audit.Options{Now: s.sys.now, Tick: tick.C})
	if err != nil {
		tick.Stop()
		return nil, fmt.Errorf("--audit %s: %w", report.Quote(s.audit), err)
	}
	return func() error {
		defer tick.Stop()
		return s.o.Audit.Close()
	}, nil
}

// reloadBySignal reloads at every SIGHUP until its end is called.
func (s *serve) reloadBySignal(srv *server.Server) (end func()) {
	asked, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range asked {
			if err := srv.Reload(); err != nil {
				s.o.Log.Error("reload refused, all stays as it was", "error", err.Error())
				continue
			}
			s.o.Log.Info("reloaded")
		}
	}()
	return func() {
		signal.Stop(asked)
		close(asked)
		<-done
	}
}

// announce says where the server is, which may have picked its port itself.
func (s *serve) announce(srv *server.Server) {
	scheme := "https"
	if s.o.InsecureHTTP {
		scheme = "http"
		s.sys.warn("--insecure-http: whoever can listen on this machine's loopback reads tokens and secrets")
	}
	if s.o.ShadowPolicy != "" {
		s.sys.warn("--shadow-policy: it is asked beside the policy that decides, and releases nothing")
	}
	if a := srv.AdminAddr(); a != nil {
		fmt.Fprintf(s.sys.stderr, "admin on http://%s\n", a)
	}
	fmt.Fprintf(s.sys.stderr, "serving on %s://%s\n", scheme, srv.Addr())
}
