package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// starter holds the files of a new policy, without its cases.
//
//go:embed starter
var starter embed.FS

const starterDir = "starter"

// starterCases are minted for a new policy: one that it allows and one that only
// its rule about projects denies.
var starterCases = []struct{ name, title, project string }{
	{"ours", "a machine of ours: AMD SEV, Secure Boot on", ""},
	{"someone-elses", "a genuine machine of another project", "someone-elses-project"},
}

func newPolicyInit(sys *system) *cobra.Command {
	return leaf(&cobra.Command{
		Use:   "init DIR",
		Short: "Write a small policy with config, tests and fixtures that pass",
		Long: `Init makes a folder with a policy to start from: commented Rego, its config, unit
tests, and two cases of evidence that was minted for it, one of which it denies.
attestctl policy test passes in it at once. A folder that holds anything is left
alone.`,
		Example: "  attestctl policy init my-policy && cd my-policy && attestctl policy test",
		Args:    arguments(1, 1, "DIR"),
	}, func(args []string) error { return sys.initPolicy(args[0]) })
}

func (sys *system) initPolicy(dir string) error {
	if err := makeEmpty(dir); err != nil {
		return err
	}
	written, err := writeStarter(dir)
	if err != nil {
		return err
	}
	policies := newPolicySet([]string{engineRego})
	defer policies.close()
	for _, c := range starterCases {
		if err := mintStarter(dir, c.name, c.title, c.project, policies.decide); err != nil {
			return fmt.Errorf("minting the case %s: %w", c.name, err)
		}
		written = append(written, path.Join(fixturesDir, c.name)+"/")
	}
	slices.Sort(written)
	for _, name := range written {
		if _, err := fmt.Fprintf(sys.stdout, "wrote %s\n", report.Quote(filepath.ToSlash(filepath.Join(dir, name)))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(sys.stdout, `
next:
  cd %s
  attestctl policy test
  attestctl policy mutate .
  attestctl fixture add ../quote.dat --name web-1 --nonce HEX
`, report.Quote(dir))
	return err
}

// makeEmpty makes the folder, or wants it to be empty.
func makeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o755) //nolint:gosec // policies are committed
	case err != nil:
		return err
	case len(entries) > 0:
		return hint.New(usagef("%s is not empty", report.Quote(dir)), "name a new folder; nothing is overwritten")
	}
	return nil
}

// writeStarter writes the embedded files and returns their names.
func writeStarter(dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // every file was closed by then
	entries, err := fs.ReadDir(starter, starterDir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		data, err := fs.ReadFile(starter, path.Join(starterDir, e.Name()))
		if err != nil {
			return nil, err
		}
		f, err := root.OpenFile(e.Name(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		_, err = f.Write(data)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// mintStarter mints one case, judges it and records what comes out.
func mintStarter(dir, name, title, project string, decide fixture.Decider) error {
	machine := forge.Machine{Technology: forge.AMDSEV, Instance: forge.DefaultInstance()}
	if project != "" {
		machine.Instance.ProjectID = project
	}
	e, err := machine.Attest(fixture.MintNonce(name))
	if err != nil {
		return err
	}
	c, err := fixture.Mint(e, fixture.Minting{Name: name, Format: "textproto", Spec: fixture.Spec{
		Title: title, Policies: []fixture.Policy{{Policy: "../.."}},
	}})
	if err != nil {
		return err
	}
	cases := filepath.Join(dir, fixturesDir)
	if err := c.Write(cases); err != nil {
		return err
	}
	if c, err = fixture.LoadCase(filepath.Join(cases, name)); err != nil {
		return err
	}
	got, err := c.Run(context.Background(), decide)
	if err != nil {
		return err
	}
	return c.Update(got)
}
