package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// File is one text of a policy: a path relative to the policy, with slashes,
// and its content.
type File struct {
	Path string
	Text string
}

// Source is the text of a policy: its modules, its tests, its config and the
// project's library. It is immutable; nothing in it has been compiled. Its zero
// value is not a policy, and Compile says so.
type Source struct {
	name    string
	modules []File // of the policy, sorted by path
	tests   []File // *_test.rego, sorted by path; no part of any decision
	library []File // of attestctl, sorted by path
	config  map[string]any
	raw     []byte // config as canonical JSON
}

// Name says where the source was read from, for people.
func (s *Source) Name() string { return s.name }

// Modules returns the modules that decide, sorted by path.
func (s *Source) Modules() []File { return slices.Clone(s.modules) }

// Tests returns the modules named *_test.rego, sorted by path. They decide
// nothing and are no part of the digest.
func (s *Source) Tests() []File { return slices.Clone(s.tests) }

// Library returns the modules of package attestctl that every policy may use.
func (s *Source) Library() []File { return slices.Clone(s.library) }

// Config returns data.config as canonical JSON, "{}" if there is none.
func (s *Source) Config() []byte { return slices.Clone(s.raw) }

// Digest identifies everything that can change a decision: "sha256:" and the
// hex SHA-256 of the text that Sums returns.
func (s *Source) Digest() string {
	sum := sha256.Sum256([]byte(s.Sums()))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Sums lists what the digest covers, in the form of sha256sum(1): a line for
// each library module, each module, and the config as canonical JSON. Paths
// hold no white space, so that the text has one reading.
func (s *Source) Sums() string {
	b := strings.Builder{}
	b.WriteString("attestctl.policy/v1\n")
	line := func(path string, content []byte) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(content), path)
	}
	for _, f := range s.library {
		line(f.Path, []byte(f.Text))
	}
	for _, f := range s.modules {
		line(f.Path, []byte(f.Text))
	}
	line("data.config", s.raw)
	return b.String()
}

// WithConfig returns the source with another config: the text of a JSON or YAML
// file whose name tells which. It is how a policy that ships with attestctl
// learns what it shall accept.
func (s *Source) WithConfig(name, text string) (*Source, error) {
	config, err := parseConfig(name, text)
	if err != nil {
		return nil, err
	}
	changed := *s
	return &changed, changed.setConfig(config)
}

func (s *Source) setConfig(config map[string]any) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encoding the config: %w", err)
	}
	s.config, s.raw = config, raw
	return nil
}

// assemble makes a source of files that were read from anywhere: it checks
// their names and texts, and tells modules, tests and config apart.
func assemble(name string, files map[string]string) (*Source, error) {
	s := &Source{name: name}
	config, configPath := map[string]any{}, ""
	for _, path := range slices.Sorted(maps.Keys(files)) {
		text := files[path]
		if strings.HasPrefix(path, libraryDir+"/") {
			return nil, fmt.Errorf("%s: %s: the folder %s is for attestctl's own modules", name, path, libraryDir)
		}
		switch kindOf(path) {
		case kindConfig:
			if configPath != "" {
				return nil, fmt.Errorf("%s: %s and %s: a policy has one config", name, configPath, path)
			}
			var err error
			if config, err = parseConfig(path, text); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			configPath = path
		case kindModule, kindTest:
			if err := checkText(path, text); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if kindOf(path) == kindTest {
				s.tests = append(s.tests, File{path, text})
			} else {
				s.modules = append(s.modules, File{path, text})
			}
		case kindUnknown, kindIgnored:
			return nil, fmt.Errorf("%s: %s: not a file of a policy", name, path)
		}
	}
	if len(s.modules) == 0 {
		return nil, fmt.Errorf("%s: %w", name, errNoModules)
	}
	s.library = library(s.modules)
	return s, s.setConfig(config)
}

var errNoModules = errors.New("no policy: there is no .rego file that is not a test")
