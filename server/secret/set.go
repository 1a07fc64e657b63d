package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
	"github.com/attestctl/attestctl/internal/strictyaml"
)

// ConfigFile is the name of the configuration in the folder given to Open.
const ConfigFile = "secrets.yaml"

// Set is one reading of secrets.yaml with its stores. It does not change, and is
// safe for concurrent use. The zero Set has no secrets.
type Set struct {
	def     string
	names   []string
	secrets map[string]Secret
	stores  map[string]Store
}

// Open reads secrets.yaml in the folder dir and opens what it names: relative paths
// start in dir. It fails unless all of it can be used: every store exists, every
// secret of a store on this machine can be read now, every file has a safe mode and
// is no link. Vault is not asked, since a server must start while Vault does not
// answer; the files that it needs are checked. Policies are only named here.
//
// Modes are checked where a system has them, that is not on Windows.
func Open(dir string) (*Set, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, hint.New(fmt.Errorf("opening the folder of secrets: %w", err), "it is the folder in which "+ConfigFile+" lies")
	}
	defer root.Close() //nolint:errcheck // nothing was written
	info, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	if err := ownfile.Unwritable(dir, info); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	data, err := ownfile.Read(root, ConfigFile, strictyaml.MaxSize, ownfile.AnyMode, ownfile.Unwritable)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	c, err := decodeConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	s := &Set{def: c.Default, secrets: map[string]Secret{}, stores: map[string]Store{}}
	if err := s.open(dir, c); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", ConfigFile, err), s.Close())
	}
	return s, nil
}

// open opens the stores and tries the secrets.
func (s *Set) open(dir string, c config) error {
	for _, sc := range c.Stores {
		store, err := kindOf(sc.Kind).open(sc, dir)
		if err != nil {
			return &keyError{"stores", &keyError{sc.Name, err}}
		}
		s.stores[sc.Name] = store
	}
	for _, x := range c.Secrets {
		x.Policy, x.Config = from(dir, x.Policy), from(dir, x.Config)
		s.secrets[x.Name] = x
		s.names = append(s.names, x.Name)
		if !kindOf(c.store(x.Store).Kind).local {
			continue
		}
		v, err := s.stores[x.Store].Get(context.Background(), x.Path)
		if err != nil {
			return &keyError{"secrets", &keyError{x.Name, err}}
		}
		v.Close()
	}
	return nil
}

// from returns the path of a file that is named in the configuration.
func from(dir, file string) string {
	if file == "" || strings.HasPrefix(file, builtinPrefix) || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// Get reads a secret from its store. Every call reads anew: what is changed in a
// store counts at once. Its caller closes the Value. A name that is not configured
// is ErrNotFound.
func (s *Set) Get(ctx context.Context, name string) (*Value, Secret, error) {
	x, ok := s.secrets[name]
	if !ok {
		return nil, Secret{}, ErrNotFound
	}
	v, err := s.stores[x.Store].Get(ctx, x.Path)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("secret %q of store %q: %w", name, x.Store, err)
	}
	return v, x, nil
}

// Secret returns what is configured for a secret.
func (s *Set) Secret(name string) (Secret, bool) {
	x, ok := s.secrets[name]
	x.Binding = slices.Clone(x.Binding)
	return x, ok
}

// Default returns the name of the secret that GET / releases, or "".
func (s *Set) Default() string { return s.def }

// Names returns the names of all secrets, sorted.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Close closes the stores. A Get that comes later fails. Who replaces a Set that is
// still in use may leave it to the garbage collector instead.
func (s *Set) Close() error {
	var errs []error
	for _, store := range s.stores {
		if c, ok := store.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
