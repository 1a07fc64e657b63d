package policy

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/rego"
)

// builtinPrefix names a policy that ships with attestctl.
const builtinPrefix = "builtin:"

// Open reads a policy by the word a user gives: "builtin:NAME", a folder, or a
// bundle file.
func Open(ref string) (*Source, error) {
	if name, ok := strings.CutPrefix(ref, builtinPrefix); ok {
		return openBuiltin(name)
	}
	info, err := os.Stat(ref)
	if err != nil {
		return nil, hint.New(fmt.Errorf("opening the policy: %w", err),
			"a policy is a folder, a bundle file, or one of "+strings.Join(Builtins(), ", "))
	}
	switch {
	case info.IsDir():
		return ReadDir(ref)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a folder or regular file", ref)
	case strings.HasSuffix(ref, ".rego"):
		return nil, hint.New(fmt.Errorf("%s: a single module", ref), fmt.Sprintf("name its folder: %q", path.Dir(ref)))
	}
	f, err := os.Open(ref) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("opening the policy: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	s, err := readBundle(ref, f)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Builtins lists the policies that ship with attestctl, as Open takes them.
func Builtins() []string {
	names := rego.Names()
	for i, name := range names {
		names[i] = builtinPrefix + name
	}
	return names
}

func openBuiltin(name string) (*Source, error) {
	known := Builtins()
	if !slices.Contains(known, builtinPrefix+name) {
		return nil, hint.New(fmt.Errorf("%s%s: no such policy", builtinPrefix, name), "there are "+strings.Join(known, ", "))
	}
	sub, err := fs.Sub(rego.FS, name)
	if err != nil {
		return nil, err
	}
	return readFS(builtinPrefix+name, sub)
}
