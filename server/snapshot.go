package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/seal"
	"github.com/attestctl/attestctl/server/secret"
)

// Snapshot is all that a decision rests on: whose signatures count, which secrets
// there are, and the compiled policies. It does not change; a request uses one from
// start to end.
type Snapshot struct {
	trust    *evidence.Trust
	secrets  *secret.Set
	policies map[policyRef]*decider
	def      *decider
	shadow   *decider // nil: none
	users    sync.WaitGroup
}

// policyRef names a policy with its config, a file or "".
type policyRef struct{ policy, config string }

// decider is a compiled policy.
type decider struct {
	policyRef

	digest string
	engine policy.Engine
}

// LoadSnapshot reads all of it anew. Whatever cannot be read, compiled or used is an
// error, so that nothing is found out by a client.
func LoadSnapshot(o Options) (*Snapshot, error) {
	s := &Snapshot{policies: map[policyRef]*decider{}}
	if err := s.load(&o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Snapshot) load(o *Options) (err error) {
	if o.Trust == nil || o.Random == nil {
		return errors.New("nothing says whose signatures count, or there is no source of randomness")
	}
	if s.trust, err = o.Trust(); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if s.trust == nil {
		return errors.New("trust: nobody's signatures count")
	}
	if s.secrets, err = secret.Open(o.Secrets); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if s.def, err = s.compile(policyRef{o.Policy, o.Config}, o); err != nil {
		return err
	}
	for _, name := range s.secrets.Names() {
		x, _ := s.secrets.Secret(name)
		if err := s.add(x, o); err != nil {
			return fmt.Errorf("secret %q: %w", name, err)
		}
	}
	if o.ShadowPolicy != "" {
		if s.shadow, err = s.compile(policyRef{o.ShadowPolicy, o.ShadowConfig}, o); err != nil {
			return fmt.Errorf("shadow policy: %w", err)
		}
	}
	return nil
}

// add compiles the policy of a secret and refuses conditions that cannot be met.
func (s *Snapshot) add(x secret.Secret, o *Options) error {
	switch {
	case x.Requires(secret.AK) && !s.trust.TrustsEKs():
		return hint.New(errors.New("binding ak: no endorsement key is trusted"), "ek/roots and ek/pins of the trust directory say which TPMs count")
	case takesBareToken(x) && o.Issuer == "":
		return hint.New(errors.New("it is for whoever brings a token, and no issuer is trusted with that"), "name issuer and audience of the tokens")
	case takesBareToken(x) && !x.Reuse && o.UsedDir == "":
		return hint.New(errors.New("a token is good for it once, and what was used would be forgotten with the process"),
			"name a folder for what was used, or say reuse: true")
	}
	if !x.Plaintext {
		if err := checkSealed(x.ContentType, o.Random); err != nil {
			return err
		}
	}
	if x.Policy == "" {
		return nil
	}
	_, err := s.compile(policyRef{x.Policy, x.Config}, o)
	return err
}

// takesBareToken reports whether a token that answers no challenge can be enough.
func takesBareToken(x secret.Secret) bool { return x.Plaintext && !x.Requires(secret.Nonce) }

// checkSealed tries what a request will need.
func checkSealed(contentType string, random io.Reader) error {
	_, jwk, err := seal.NewKey(random)
	if err != nil {
		return err
	}
	key, err := seal.ParseKey(jwk)
	if err != nil {
		return err
	}
	_, err = key.Seal([]byte{0}, contentType)
	return err
}

// compile returns the decider of a policy, one for each policy and config.
func (s *Snapshot) compile(ref policyRef, o *Options) (*decider, error) {
	if d := s.policies[ref]; d != nil {
		return d, nil
	}
	src, err := policy.Open(ref.policy)
	if err != nil {
		return nil, err
	}
	if ref.config != "" {
		text, err := readCapped(ref.config)
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if src, err = src.WithConfig(filepath.Base(ref.config), string(text)); err != nil {
			return nil, fmt.Errorf("config %s: %w", ref.config, err)
		}
	}
	compiled, err := policy.Compile(src)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", ref.policy, err)
	}
	d := &decider{policyRef: ref, digest: compiled.Digest()}
	if o.WASM {
		d.engine, err = compiled.WASM(o.Limits.Decision)
	} else {
		d.engine, err = compiled.Topdown(o.Limits.Decision)
	}
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", ref.policy, err)
	}
	s.policies[ref] = d
	return d, nil
}

// decider returns the policy of a secret.
func (s *Snapshot) decider(x secret.Secret) *decider {
	if x.Policy == "" {
		return s.def
	}
	return s.policies[policyRef{x.Policy, x.Config}] // nil if there is none: nobody decides, and that denies
}

// files are what the policies were read from.
func (s *Snapshot) files() []string {
	var list []string
	for ref := range s.policies {
		list = append(list, ref.policy)
		if ref.config != "" {
			list = append(list, ref.config)
		}
	}
	return list
}

// Close frees the engines and the stores. Nobody may use the Snapshot any more.
func (s *Snapshot) Close() error {
	var errs []error
	for _, d := range s.policies {
		if c, ok := d.engine.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	if s.secrets != nil {
		errs = append(errs, s.secrets.Close())
	}
	return errors.Join(errs...)
}

// readCapped reads a file of at most 1 MiB that the operator names.
func readCapped(name string) ([]byte, error) {
	const limit = 1 << 20
	f, err := os.Open(name) //nolint:gosec // as above
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d KiB", name, limit>>10)
	}
	return data, nil
}

// current is the Snapshot in force.
type current struct {
	mu   sync.RWMutex
	snap *Snapshot
	err  error // why the last reload was refused
	at   time.Time
}

// use returns the Snapshot, and what its user calls in the end.
func (c *current) use() (snap *Snapshot, done func()) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	c.snap.users.Add(1)
	return c.snap, c.snap.users.Done
}

// swap puts another Snapshot in force and closes the old one after its last user.
func (c *current) swap(snap *Snapshot, at time.Time, report func(error)) {
	c.mu.Lock()
	old := c.snap
	c.snap, c.err, c.at = snap, nil, at
	c.mu.Unlock()
	if old == nil {
		return
	}
	go func() {
		old.users.Wait()
		if err := old.Close(); err != nil {
			report(err)
		}
	}()
}

// refuse keeps what is in force and remembers why.
func (c *current) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *current) problem() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.err
}
