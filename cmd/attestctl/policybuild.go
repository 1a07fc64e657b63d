package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/policy"
)

// policyBuild is the command and its flags.
type policyBuild struct {
	sys    *system
	policy policyFlags
	output string
	force  bool
}

func newPolicyBuild(sys *system) *cobra.Command {
	b := &policyBuild{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "build POLICY -o (FILE.tar.gz | FILE.wasm) [flags]",
		Short: "Write a policy as an OPA bundle or a WebAssembly module",
		Long: `Build checks a policy and writes it as one file. FILE.tar.gz is an OPA bundle with
the digest of every file, which attestctl and OPA read. FILE.wasm is a WebAssembly
module with OPA's ABI 1.3 and the digest of the source it was made from; attestctl
itself decides from sources and bundles. Tests are left out of both.

The digest that is printed is the one that every decision carries.`,
		Example: `  attestctl policy build rego/ -o policy.tar.gz
  attestctl policy build builtin:gce-cvm --config config.json -o gce-cvm.wasm`,
		Args: arguments(1, 1, "POLICY"),
	}, b.run)
	c.ValidArgsFunction = completeBuiltins
	c.Flags().StringVarP(&b.output, "output", "o", "", "`FILE` to write: *.tar.gz or *.wasm")
	c.Flags().BoolVar(&b.force, "force", false, "overwrite the file")
	b.policy.addConfig(c)
	return c
}

func (b *policyBuild) run(args []string) error {
	wasm := strings.HasSuffix(b.output, ".wasm")
	if !wasm && !strings.HasSuffix(b.output, ".tar.gz") {
		return hint.New(usagef("policy build needs -o with a name that ends in .tar.gz or .wasm"), "the name says which of the two is written")
	}
	b.policy.ref = args[0]
	if inPolicy(b.output, args[0]) {
		return hint.New(usagef("%s would lie in the policy itself, which could then not be read", report.Quote(b.output)), "write it beside the folder")
	}
	p, err := b.policy.compile(b.sys)
	if err != nil {
		return err
	}
	if err := p.CheckEngines(); err != nil {
		return fmt.Errorf("policy %s: %w", report.Quote(b.policy.ref), err)
	}
	var data []byte
	if wasm {
		data, err = wasmOf(p)
	} else {
		data, err = bundleOf(p)
	}
	if err != nil {
		return err
	}
	if err := writeAtomic(b.output, data, b.force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.sys.stdout, "%s  %s\n", p.Digest(), report.Quote(b.output))
	return err
}

// inPolicy reports whether a file is in the folder of a policy.
func inPolicy(file, dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	rel, err := filepath.Rel(identity(dir), filepath.Join(identity(filepath.Dir(file)), filepath.Base(file)))
	return err == nil && filepath.IsLocal(rel)
}

// wasmOf compiles the policy and checks what came out as whoever gets it can.
func wasmOf(p *policy.Policy) ([]byte, error) {
	data, err := p.WASMModule()
	if err != nil {
		return nil, err
	}
	return data, p.CheckWASM(data)
}

// bundleOf writes the bundle and reads it back: its digest must be the policy's.
func bundleOf(p *policy.Policy) ([]byte, error) {
	var b bytes.Buffer
	if err := p.Source().WriteBundle(&b); err != nil {
		return nil, err
	}
	back, err := policy.ReadBundle(bytes.NewReader(b.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("reading the bundle back: %w", err)
	}
	if back.Digest() != p.Digest() {
		return nil, errors.New("internal error: the bundle has another digest than the policy")
	}
	return b.Bytes(), nil
}

// writeAtomic writes a whole file or nothing. Without force it never replaces
// one.
func writeAtomic(name string, data []byte, force bool) (err error) {
	if _, err := os.Lstat(name); err == nil && !force {
		return hint.New(fmt.Errorf("%s exists", report.Quote(name)), "--force overwrites it")
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".attestctl-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone if all went well
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if force {
		return os.Rename(f.Name(), name)
	}
	err = os.Link(f.Name(), name) // unlike a rename it fails where somebody was faster
	if errors.Is(err, fs.ErrExist) {
		return hint.New(fmt.Errorf("%s exists", report.Quote(name)), "--force overwrites it")
	}
	return err
}
