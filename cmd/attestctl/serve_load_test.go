//go:build unix

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server/audit"
)

var errNotSecret = errors.New("neither the secret nor the end")

// loader takes the secret for one new token after the other, until nobody answers.
type loader struct {
	s    *served
	used []string // every token that was sent
	gave int
}

func (l *loader) run(gave func()) error {
	for {
		e, err := forge.Token{Keys: loadKeys, Audience: serveAudience, Nonces: []string{}, Edits: forge.TokenEdits{
			Claims: func(o *forge.Object) error {
				o.Set("jti", rand.Text())
				return nil
			},
		}}.Mint()
		if err != nil {
			return err
		}
		l.used = append(l.used, string(e.Raw))
		req, err := http.NewRequestWithContext(l.s.Context(), http.MethodGet, l.s.url+"/", http.NoBody)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+string(e.Raw))
		resp, err := l.s.client.Do(req)
		if err != nil {
			return nil //nolint:nilerr // the server has ended
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return fmt.Errorf("an answer that was cut: %w", err)
		}
		if resp.StatusCode != http.StatusOK || string(body) != helloSecret {
			return fmt.Errorf("%w: %d %q", errNotSecret, resp.StatusCode, body)
		}
		l.gave++
		gave()
	}
}

var loadKeys = forge.NewKeys(forge.DefaultSeed)

// TestServeEndsUnderLoad: SIGTERM amid many requests answers those under way, writes
// each release down, and nothing that was used is good for a server that comes after.
func TestServeEndsUnderLoad(t *testing.T) {
	const clients, enough = 8, 40
	s := startServe(t)
	loaders := make([]*loader, clients)
	var gave atomic.Int64
	end := make(chan struct{})
	var wg sync.WaitGroup
	for i := range loaders {
		loaders[i] = &loader{s: s}
		wg.Go(func() {
			err := loaders[i].run(func() {
				if gave.Add(1) == enough {
					close(end)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-end
	s.end(syscall.SIGTERM)
	wg.Wait()
	if got := s.releases(); len(got) != int(gave.Load()) {
		t.Errorf("%d releases on record, %d secrets came", len(got), gave.Load())
	}
	again := startServeIn(t, s.dir, s.ca, func(args []string) []string { return args })
	spent := 0
	for _, l := range loaders {
		for _, token := range l.used[:l.gave] {
			if got := again.get(again.url+"/", token); got.status != http.StatusUnauthorized {
				t.Errorf("a token that was used: %d %q", got.status, got.body)
			}
			spent++
		}
	}
	again.end(syscall.SIGTERM)
	again.checkAudit(map[string]string{"refused": "challenge.unused"})
	for token, n := range again.releases() {
		if n != 1 {
			t.Errorf("%d releases for the token %s", n, token)
		}
	}
	if spent < enough {
		t.Errorf("%d tokens were tried again, want at least %d", spent, enough)
	}
}

// releases proves the log and counts what was released, by what it was released for.
func (s *served) releases() map[string]int {
	s.Helper()
	f, err := os.Open(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	released := map[string]int{}
	_, err = audit.Visit(f, nil, func(r audit.Record) error {
		if r.Released {
			released[r.EvidenceSHA256]++
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return released
}
