package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/hint"
)

// testPlan is what one run tests.
type testPlan struct {
	policies []string // as the user or a case named them
	suites   []caseSuite
	folders  []string // that are watched
}

// caseSuite is a folder of cases.
type caseSuite struct {
	dir   string
	cases []fixture.Case
}

// plan finds the policies and the cases.
func (t *policyTest) plan(args []string) (testPlan, error) {
	p := testPlan{policies: unique(args)}
	if len(args) == 0 && holdsPolicy(".") {
		p.policies = []string{"."}
	}
	named := len(p.policies) > 0
	dirs := []string{t.fixtures}
	if t.fixtures == "" {
		dirs = defaultFixtures(p.policies)
	}
	var err error
	if p.suites, err = t.load(dirs); err != nil {
		return p, err
	}
	if !named {
		p.policies = policiesOf(p.suites)
	}
	for _, ref := range slices.Concat(p.policies, dirs) {
		if !strings.HasPrefix(ref, "builtin:") {
			p.folders = append(p.folders, ref)
		}
	}
	if len(p.policies) == 0 && len(p.suites) == 0 {
		err = &exitError{exitFailed, errors.New("there is no policy and no case to test")}
		return p, hint.New(err, "name a policy, such as builtin:gce-cvm, or run where *.rego files or a folder fixtures are")
	}
	return p, nil
}

// load reads the cases. A folder that nobody named may hold none.
func (t *policyTest) load(dirs []string) ([]caseSuite, error) {
	var suites []caseSuite
	for _, dir := range dirs {
		cases, err := fixture.Load(dir)
		if errors.Is(err, fixture.ErrNoCases) && t.fixtures == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		suites = append(suites, caseSuite{dir, cases})
	}
	return suites, nil
}

// unique keeps the first of the names for one policy.
func unique(refs []string) []string {
	seen := map[string]bool{}
	var list []string
	for _, ref := range refs {
		if id := identity(ref); !seen[id] {
			seen[id] = true
			list = append(list, ref)
		}
	}
	return list
}

func holdsPolicy(dir string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*.rego"))
	return err == nil && len(files) > 0
}

// defaultFixtures lists the folders of cases that exist here and in policies.
func defaultFixtures(policies []string) []string {
	var dirs []string
	for _, base := range append([]string{"."}, policies...) {
		dir := filepath.Join(base, fixturesDir)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return unique(dirs)
}

// policiesOf lists the policies that cases name, sorted.
func policiesOf(suites []caseSuite) []string {
	var refs []string
	for _, s := range suites {
		for _, c := range s.cases {
			for _, p := range c.Spec.Policies {
				refs = append(refs, c.PolicyRef(p.Policy))
			}
		}
	}
	slices.Sort(refs)
	return unique(refs)
}

// snapshot sums up the files of the folders, so that a change shows.
func snapshot(folders []string) string {
	var b strings.Builder
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				b.WriteString(name + "?\n")
				return nil //nolint:nilerr // a file that is gone is a change
			}
			if info, err := d.Info(); err == nil && !d.IsDir() {
				fmt.Fprintln(&b, name, info.ModTime().UnixNano(), info.Size(), info.Mode())
			}
			return nil
		})
		if err != nil {
			b.WriteString(err.Error())
		}
	}
	return b.String()
}
