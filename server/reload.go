package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Reload reads policies, secrets, trust and TLS files anew and puts all of them in
// force together. If anything is wrong, all stays as it was, the error says why, and
// so does /readyz until a reload is taken. Requests under way keep what they began
// with.
func (s *Server) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	err := s.reload()
	if err != nil {
		s.current.refuse(err)
		err = fmt.Errorf("loading: %w", err)
	}
	s.metrics.reloaded(err)
	return err
}

func (s *Server) reload() error {
	var config *tls.Config
	if s.o.CertFile != "" {
		var err error
		if config, err = readTLS(&s.o); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	snap, err := LoadSnapshot(s.o)
	if err != nil {
		return err
	}
	if config != nil {
		if s.tls == nil {
			s.tls = &tlsFiles{} // the first time, before anybody listens
		}
		s.tls.inForce.Store(config)
	}
	s.metrics.inForce(snap)
	s.current.swap(snap, s.o.Now(), func(err error) { s.o.Log.Error("closing what was replaced", "error", err.Error()) })
	return nil
}

// watch reloads when a file has changed, until ctx ends. What does not load is tried
// again when a file changes.
func (s *Server) watch(ctx context.Context, before string) {
	if s.o.Limits.Poll < 0 {
		return
	}
	tick := time.NewTicker(s.o.Limits.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.fingerprint()
		if now == before {
			continue
		}
		before = now
		if err := s.Reload(); err != nil { //nolint:contextcheck // a reload is not given up half-way
			s.o.Log.ErrorContext(ctx, "reload refused, all stays as it was", "error", err.Error())
			continue
		}
		s.o.Log.InfoContext(ctx, "reloaded")
	}
}

// maxWatched bounds the files that are looked at.
const maxWatched = 20_000

// fingerprint sums up names, sizes and times of all files that were read.
func (s *Server) fingerprint() string {
	snap, done := s.current.use()
	paths := append(snap.files(), s.o.Secrets, s.o.CertFile, s.o.KeyFile, s.o.ClientCAFile, s.o.Config, s.o.ShadowConfig)
	done()
	paths = append(paths, s.o.Watch...)
	slices.Sort(paths)
	h, n := sha256.New(), 0
	for _, p := range slices.Compact(paths) {
		if p == "" || strings.HasPrefix(p, "builtin:") {
			continue
		}
		// What cannot be read is a change, too: the error goes into the sum.
		_ = filepath.WalkDir(p, func(name string, e fs.DirEntry, err error) error {
			if n++; n > maxWatched {
				return fs.SkipAll
			}
			if err != nil {
				fmt.Fprintf(h, "%q: %v\n", name, err)
				return nil
			}
			info, err := e.Info()
			if err != nil {
				fmt.Fprintf(h, "%q: %v\n", name, err)
				return nil
			}
			fmt.Fprintf(h, "%q %d %d %v\n", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
			return nil
		})
	}
	return string(h.Sum(nil))
}

// rotate changes the key for challenges now and then, unless replicas share it.
func (s *Server) rotate(ctx context.Context) {
	if len(s.o.ChallengeKeys) > 0 {
		return
	}
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.issuer.Rotate(); err != nil {
			s.o.Log.ErrorContext(ctx, "the key for challenges stays", "error", err.Error())
		}
	}
}
