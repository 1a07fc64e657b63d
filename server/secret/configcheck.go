package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// check refuses a secret whose conditions contradict each other.
func (s Secret) check() error {
	switch {
	case s.Plaintext && s.Requires(Key):
		return &keyError{"plaintext", hint.New(errors.New("contradicts the binding to a key, which the secret is encrypted to"),
			"leave out plaintext, or key and ak in binding")}
	case !s.Plaintext && !s.Requires(Key):
		return &keyError{"binding", hint.New(errors.New("names no key to encrypt the secret to"),
			"add key or ak, or say plaintext: true")}
	case s.Reuse && s.Requires(Nonce):
		return &keyError{"reuse", hint.New(errors.New("contradicts the binding to a nonce, which is good for one answer"),
			"leave out reuse, or nonce, key and ak in binding")}
	case s.Config != "" && s.Policy == "":
		return &keyError{"config", errors.New("belongs to a policy, and none is named")}
	}
	return nil
}

// complete gives every secret its store, and refuses what the parts of a
// configuration cannot mean together.
func (c *config) complete() error {
	switch {
	case len(c.Stores) == 0:
		return hint.New(errors.New("stores: there is none"), "stores: {files: {dir: PATH}} is one")
	case len(c.Secrets) == 0:
		return hint.New(errors.New("secrets: there is none"), "secrets: {NAME: {}} is one, in the file NAME of the first store")
	}
	for i := range c.Secrets {
		if err := c.place(&c.Secrets[i]); err != nil {
			return &keyError{"secrets", &keyError{c.Secrets[i].Name, err}}
		}
	}
	if err := c.checkDefault(); err != nil {
		return &keyError{"default", err}
	}
	return nil
}

// place gives a secret its store.
func (c *config) place(s *Secret) error {
	if s.Store == "" {
		s.Store = c.Stores[0].Name
	}
	store := c.store(s.Store)
	if store == nil {
		return &keyError{"store", fmt.Errorf("there is no store %q", s.Store)}
	}
	if strings.Contains(s.Path, "#") && !kindOf(store.Kind).fields {
		return &keyError{"path", fmt.Errorf("names a field, and a %s store has none", store.Kind)}
	}
	return nil
}

func (c *config) store(name string) *storeConfig {
	i := slices.IndexFunc(c.Stores, func(s storeConfig) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Stores[i]
}

// checkDefault wants a secret that GET / can release: there is no challenge in
// that request, and no key.
func (c *config) checkDefault() error {
	if c.Default == "" {
		return nil
	}
	i := slices.IndexFunc(c.Secrets, func(s Secret) bool { return s.Name == c.Default })
	switch {
	case i < 0:
		return fmt.Errorf("there is no secret %q", c.Default)
	case !c.Secrets[i].Plaintext || len(c.Secrets[i].Binding) > 0:
		return hint.New(fmt.Errorf("secret %q cannot answer GET /, which brings a token and neither challenge nor key", c.Default),
			"it would need plaintext: true and binding: []")
	}
	return nil
}
