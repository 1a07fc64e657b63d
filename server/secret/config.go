package secret

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/strictyaml"
)

const (
	maxStores  = 32
	maxSecrets = 1000
)

// config is what secrets.yaml says, complete and without contradictions. Paths are
// as they were written.
type config struct {
	Default string
	Stores  []storeConfig // in the order of the file: the first is the default
	Secrets []Secret      // sorted by name
}

// storeConfig is one store. Which fields are set is up to its kind.
type storeConfig struct {
	Name, Kind   string
	Location     string // a path, or the address of a server
	Identity     string
	Mount, Field string
	TokenFile    string
	CAFile       string
	InsecureHTTP bool
}

var configOptions = []option[config]{
	{"default", into(func(c *config) *string { return &c.Default }, parseName)},
	{"stores", into(func(c *config) *[]storeConfig { return &c.Stores }, decodeStores)},
	{"secrets", into(func(c *config) *[]Secret { return &c.Secrets }, decodeSecrets)},
}

var storeOptions = []option[storeConfig]{
	{"dir", into(func(c *storeConfig) *string { return &c.Location }, parseFile)},
	{"age", into(func(c *storeConfig) *string { return &c.Location }, parseFile)},
	{"vault", into(func(c *storeConfig) *string { return &c.Location }, parseAddress)},
	{"identity", into(func(c *storeConfig) *string { return &c.Identity }, parseFile)},
	{"mount", into(func(c *storeConfig) *string { return &c.Mount }, parsePath)},
	{"field", into(func(c *storeConfig) *string { return &c.Field }, parseField)},
	{"token_file", into(func(c *storeConfig) *string { return &c.TokenFile }, parseFile)},
	{"ca_file", into(func(c *storeConfig) *string { return &c.CAFile }, parseFile)},
	{"insecure_http", into(func(c *storeConfig) *bool { return &c.InsecureHTTP }, parseBool)},
}

var secretOptions = []option[Secret]{
	{"store", into(func(s *Secret) *string { return &s.Store }, parseName)},
	{"path", into(func(s *Secret) *string { return &s.Path }, parseFieldPath)},
	{"plaintext", into(func(s *Secret) *bool { return &s.Plaintext }, parseBool)},
	{"binding", into(func(s *Secret) *[]Binding { return &s.Binding }, parseBindings)},
	{"policy", into(func(s *Secret) *string { return &s.Policy }, parsePolicy)},
	{"config", into(func(s *Secret) *string { return &s.Config }, parseFile)},
	{"max_age", into(func(s *Secret) *time.Duration { return &s.MaxAge }, parseMaxAge)},
	{"reuse", into(func(s *Secret) *bool { return &s.Reuse }, parseBool)},
	{"content_type", into(func(s *Secret) *string { return &s.ContentType }, parseContentType)},
}

// kind is a kind of store. The key of its name says where it is.
type kind struct {
	name   string
	needs  []string // further keys
	may    []string // keys it can have beside those
	fields bool     // whether a path may end in #FIELD
	local  bool     // whether its secrets can be tried when it is opened
	open   func(c storeConfig, dir string) (Store, error)
}

var kinds = []kind{
	{name: "dir", local: true, open: openDir},
	{name: "age", needs: []string{"identity"}, local: true, open: openAge},
	{name: "vault", needs: []string{"mount", "token_file"}, may: []string{"field", "ca_file", "insecure_http"}, fields: true, open: openVault},
}

func kindOf(name string) kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	return kinds[i] // decodeStores has looked it up
}

// decodeConfig reads secrets.yaml. It opens nothing.
func decodeConfig(data []byte) (config, error) {
	doc, err := strictyaml.Decode[yaml.MapSlice](data)
	if err != nil {
		return config{}, err
	}
	var c config
	if _, err := fill(&c, doc, configOptions); err != nil {
		return config{}, err
	}
	if err := c.complete(); err != nil {
		return config{}, err
	}
	return c, nil
}

func decodeStores(value any) ([]storeConfig, error) {
	entries, err := mapOf(value)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxStores {
		return nil, fmt.Errorf("more than %d", maxStores)
	}
	stores := make([]storeConfig, len(entries))
	for i, e := range entries {
		if stores[i], err = decodeStore(e); err != nil {
			return nil, &keyError{e.key, err}
		}
	}
	return stores, nil
}

func decodeStore(e entry) (storeConfig, error) {
	name, err := parseName(e.key)
	if err != nil {
		return storeConfig{}, err
	}
	c := storeConfig{Name: name}
	keys, err := fill(&c, e.value, storeOptions)
	if err != nil {
		return storeConfig{}, err
	}
	for _, k := range kinds {
		if !slices.Contains(keys, k.name) {
			continue
		}
		if c.Kind != "" {
			return storeConfig{}, fmt.Errorf("is both %s and %s, want one of them", c.Kind, k.name)
		}
		c.Kind = k.name
	}
	if c.Kind == "" {
		return storeConfig{}, hint.New(errors.New("has no place"), "dir: PATH, age: PATH, or vault: URL says where it is")
	}
	if err := kindOf(c.Kind).check(keys); err != nil {
		return storeConfig{}, err
	}
	return c, c.checkAddress()
}

// check wants the keys that a kind of store has.
func (k kind) check(keys []string) error {
	for _, key := range k.needs {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("%s is missing, a %s store needs it", key, k.name)
		}
	}
	for _, key := range keys {
		if key != k.name && !slices.Contains(k.needs, key) && !slices.Contains(k.may, key) {
			return &keyError{key, fmt.Errorf("does not belong to a %s store", k.name)}
		}
	}
	return nil
}

// checkAddress lets http pass only where it was asked for.
func (c storeConfig) checkAddress() error {
	plaintext := strings.HasPrefix(c.Location, "http://") && c.Kind == "vault"
	switch {
	case plaintext && !c.InsecureHTTP:
		return &keyError{"vault", hint.New(errors.New("http would show token and secret to anybody on the way"),
			"use https; for a server on this machine, insecure_http: true allows it")}
	case !plaintext && c.InsecureHTTP:
		return &keyError{"insecure_http", errors.New("belongs to an address with http")}
	case plaintext && c.CAFile != "":
		return &keyError{"ca_file", errors.New("belongs to an address with https")}
	}
	return nil
}

func decodeSecrets(value any) ([]Secret, error) {
	entries, err := mapOf(value)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxSecrets {
		return nil, fmt.Errorf("more than %d", maxSecrets)
	}
	secrets := make([]Secret, len(entries))
	for i, e := range entries {
		if secrets[i], err = decodeSecret(e); err != nil {
			return nil, &keyError{e.key, err}
		}
	}
	slices.SortFunc(secrets, func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) })
	return secrets, nil
}

func decodeSecret(e entry) (Secret, error) {
	name, err := parseName(e.key)
	if err != nil {
		return Secret{}, err
	}
	s := Secret{Name: name, Path: name, ContentType: defaultContentType}
	keys, err := fill(&s, e.value, secretOptions)
	if err != nil {
		return Secret{}, err
	}
	if !slices.Contains(keys, "binding") {
		if s.Plaintext {
			return Secret{}, &keyError{"plaintext", hint.New(errors.New("needs to be told what ties the evidence to the client"),
				"binding: [nonce] wants a challenge answered; binding: [] releases to whoever holds a token that the policy allows")}
		}
		s.Binding = []Binding{Key, Nonce}
	}
	return s, s.check()
}
