package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/server"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
)

// soakTime: go test ./server -run TestSoak -soak 10m -v
var soakTime = flag.Duration("soak", 0, "how long TestSoak goes on; 0 is a few rounds")

// guest is a client that knows what it must get. Its methods may be called away from
// the test's goroutine.
type guest struct {
	w    *world
	keys *forge.Keys
	key  clientKey

	thumbprint [32]byte // of key

	reused string                     // a token that may be used again
	right  map[string]int             // answers as they must be, by kind
	took   map[string][]time.Duration // the same
	shed   int                        // sent away with 503
	gave   int                        // secrets that came
}

var (
	errWrong = errors.New("a wrong answer")
	errShed  = errors.New("sent away")
)

// want sends a request of a kind and wants the status. A secret comes with 200 and
// never otherwise.
func (g *guest) want(kind string, status int, method, path string, body []byte, headers ...string) (string, error) {
	start := time.Now()
	req, err := http.NewRequestWithContext(context.Background(), method, g.w.url(path), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := g.w.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("%s: %w", kind, err)
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", kind, err)
	}
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		g.shed++
		return "", errShed
	case resp.StatusCode != status, status != 200 && bytes.Contains(data, []byte("canary")):
		return "", fmt.Errorf("%s: %w: %d %.300s", kind, errWrong, resp.StatusCode, data)
	}
	g.right[kind]++
	g.took[kind] = append(g.took[kind], time.Since(start))
	return string(data), nil
}

func (g *guest) mint(t forge.Token) (string, error) {
	t.Keys = g.keys
	if t.Audience == "" {
		t.Audience = audience
	}
	if t.Nonces == nil {
		t.Nonces = []string{}
	}
	t.Edits.Claims = func(o *forge.Object) error {
		o.Set("jti", rand.Text())
		return nil
	}
	e, err := t.Mint()
	if err != nil {
		return "", err
	}
	return string(e.Raw), nil
}

// secret wants a secret.
func (g *guest) secret(kind, want, method, path string, body []byte, headers ...string) error {
	got, err := g.want(kind, 200, method, path, body, headers...)
	if err == nil {
		g.gave++
		if got != want {
			err = fmt.Errorf("%s: %w: %q", kind, errWrong, got)
		}
	}
	return err
}

// again uses one token as often as it likes.
func (g *guest) again() error {
	return g.secret("token again", helloSecret, "POST", "/v1/secrets/again", nil, "Authorization", "Bearer "+g.reused)
}

// once uses a token of its own, twice.
func (g *guest) once() error {
	token, err := g.mint(forge.Token{})
	if err != nil {
		return err
	}
	if err := g.secret("token", helloSecret, "GET", "/", nil, "Authorization", "Bearer "+token); err != nil {
		return err
	}
	_, err = g.want("token twice", 401, "GET", "/", nil, "Authorization", "Bearer "+token)
	return err
}

// bad shows tokens that are wrong in one way each.
func (g *guest) bad() error {
	old := forge.Now().Add(-48 * time.Hour)
	theirs := forge.DefaultInstance()
	theirs.ProjectID = "somebody-else"
	for kind, t := range map[string]forge.Token{
		"expired":           {Issued: old},
		"other audience":    {Audience: "https://other.example"},
		"denied by policy":  {Machine: &forge.Machine{Technology: forge.AMDSEV, Instance: theirs}},
		"nonce unasked for": {Nonces: []string{"0123456789abcdef"}},
	} {
		token, err := g.mint(t)
		if err != nil {
			return err
		}
		if _, err := g.want("token "+kind, 401, "GET", "/", nil, "Authorization", "Bearer "+token); err != nil {
			return err
		}
	}
	_, err := g.want("token forged", 401, "GET", "/", nil, "Authorization", "Bearer "+lastChar(g.reused))
	return err
}

// challenged takes a challenge for a secret and the key.
func (g *guest) challenged(name string) (text string, nonce []byte, err error) {
	body, err := json.Marshal(map[string]any{"secret": name, "key": json.RawMessage(g.key.jwk)})
	if err != nil {
		return "", nil, err
	}
	got, err := g.want("challenge", 200, "POST", "/v1/challenge", body, "Content-Type", "application/json")
	if err != nil {
		return "", nil, err
	}
	var made struct{ Challenge, Nonce string }
	if err := json.Unmarshal([]byte(got), &made); err != nil {
		return "", nil, err
	}
	sum := challenge.Nonce(made.Challenge, g.thumbprint)
	return made.Challenge, sum[:], nil
}

// machine takes a secret for the evidence of a machine, and then tries to take it by
// the same evidence, by a challenge that was made for another, and by rubbish.
func (g *guest) machine() error {
	text, nonce, err := g.challenged("db")
	if err != nil {
		return err
	}
	e, err := forge.Machine{Technology: forge.AMDSEV, Keys: g.keys}.Attest(nonce)
	if err != nil {
		return err
	}
	raw, err := e.Binary()
	if err != nil {
		return err
	}
	headers := []string{"Content-Type", octets, "Attestctl-Challenge", text, "Attestctl-Key", g.key.header()}
	sealed, err := g.want("evidence", 200, "POST", "/v1/secrets/db", raw, headers...)
	if err != nil {
		return err
	}
	g.gave++
	if plain, err := seal.Open(g.key.priv, []byte(sealed)); err != nil || string(plain) != dbSecret {
		return fmt.Errorf("evidence: %w: %q, %w", errWrong, plain, err)
	}
	if _, err := g.want("evidence twice", 403, "POST", "/v1/secrets/db", raw, headers...); err != nil {
		return err
	}
	if headers[3], _, err = g.challenged("db"); err != nil {
		return err
	}
	if _, err := g.want("evidence for another challenge", 403, "POST", "/v1/secrets/db", raw, headers...); err != nil {
		return err
	}
	_, err = g.want("rubbish", 403, "POST", "/v1/secrets/db", raw[:len(raw)/2], headers...)
	return err
}

// round does everything once, in an order of its own.
func (g *guest) round() error {
	acts := []func() error{g.again, g.again, g.again, g.again, g.once, g.bad, g.machine}
	mathrand.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	for _, act := range acts {
		if err := act(); err != nil && !errors.Is(err, errShed) {
			return err
		}
	}
	return nil
}

// soaked is a world whose clock goes on, and its guests.
func soaked(t *testing.T, n int) (*world, []*guest) {
	t.Helper()
	start := time.Now()
	w := started(t, func(w *world) {
		w.o.Limits = server.Limits{Rate: 1e9, Burst: 1e9, Poll: -1}
		w.o.Log = slog.New(slog.DiscardHandler)
		w.o.Now = func() time.Time { return forge.Now().Add(time.Minute).Add(time.Since(start)) }
	})
	if tr, ok := w.client.Transport.(*http.Transport); ok {
		tr.MaxIdleConnsPerHost = n
	}
	keys, reused, key := forge.NewKeys(forge.DefaultSeed), w.token(nil), newClientKey(t)
	guests := make([]*guest, n)
	for i := range guests {
		guests[i] = &guest{w: w, keys: keys, key: key, thumbprint: key.thumbprint(t), reused: reused, right: map[string]int{}, took: map[string][]time.Duration{}}
	}
	return w, guests
}

// TestSoak wants every answer right, nothing but a 503 with Retry-After when there is
// too much, one record for each decision, and memory that does not grow.
func TestSoak(t *testing.T) {
	const clients, rounds = 8, 3
	w, guests := soaked(t, clients)
	end := time.Now().Add(*soakTime)
	var wg sync.WaitGroup
	for _, g := range guests {
		wg.Go(func() {
			for i := 0; i < rounds || time.Now().Before(end); i++ {
				if err := g.round(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	if *soakTime > 0 {
		watchMemory(t, *soakTime)
	}
	wg.Wait()
	total := &guest{right: map[string]int{}, took: map[string][]time.Duration{}}
	for _, g := range guests {
		total.add(g)
	}
	total.report(t)
	total.checkRecords(t, w)
}

func (g *guest) add(o *guest) {
	g.shed, g.gave = g.shed+o.shed, g.gave+o.gave
	for kind, n := range o.right {
		g.right[kind] += n
		g.took[kind] = append(g.took[kind], o.took[kind]...)
	}
}

func (g *guest) report(t *testing.T) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(g.took)) {
		times := g.took[kind]
		slices.Sort(times)
		n := len(times)
		t.Logf("%-32s %8d right  p50 %v  p99 %v  worst %v", kind, n, times[n/2], times[n*99/100], times[n-1])
	}
	t.Logf("%d secrets; %d requests sent away with 503", g.gave, g.shed)
}

// checkRecords wants the audit log to be whole, with a record for each decision, and a
// release for each secret that came.
func (g *guest) checkRecords(t *testing.T, w *world) {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(w.path("audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, f)
	var records, released int
	_, err = audit.Visit(f, w.verifier, func(r audit.Record) error {
		records++
		if r.Released {
			released++
		}
		if r.Outcome() == audit.Failed {
			t.Errorf("audit %s: error %q", r.DecisionID, r.Error)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := -g.right["challenge"]
	for _, n := range g.right {
		want += n
	}
	if records != want || released != g.gave {
		t.Errorf("%d records of %d decisions, %d releases of %d secrets", records, want, released, g.gave)
	}
}

// watchMemory compares what is in use after a tenth of the time with what is near its
// end.
func watchMemory(t *testing.T, whole time.Duration) {
	t.Helper()
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	var first, last uint64
	for i := range 10 {
		time.Sleep(whole / 11) // this is what the flag asks for
		last = inUse()
		if i == 0 {
			first = last
		}
		t.Logf("%v: %d MiB in use, %d goroutines", whole/11*time.Duration(i+1), last>>20, runtime.NumGoroutine())
	}
	const slack = 64 << 20 // what the guests write down
	if last > first+first/2+slack {
		t.Errorf("memory in use grew from %d to %d MiB", first>>20, last>>20)
	}
}
