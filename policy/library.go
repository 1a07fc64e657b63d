package policy

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/rego"
)

// shippedLibrary is the folder of package rego that holds the library.
const shippedLibrary = "lib"

var (
	libraryPackage = regexp.MustCompile(`(?m)^package attestctl\.([a-z_]+)`)
	libraryUse     = regexp.MustCompile(`\battestctl(?:\.([a-z_]+))?`)
)

// library returns the modules of package attestctl that some modules need: the
// entrypoint, the packages that they name, and those that these name. A policy
// does not pay for helpers that it does not use, and its digest does not follow
// their changes. What names the library in any other way gets all of it. Only a
// broken build can fail to hold a module, and then no policy that needs it
// compiles.
func library(users []File) []File {
	all, needed := shippedModules(), map[string]bool{}
	add := func(text string) (more bool) {
		for _, m := range libraryUse.FindAllStringSubmatch(text, -1) {
			if !needed[m[1]] {
				needed[m[1]], more = true, true
			}
		}
		return more
	}
	for _, f := range users {
		add(f.Text)
	}
	for more := true; more; {
		more = false
		for _, f := range all {
			if needed[packageOf(f)] && add(f.Text) {
				more = true
			}
		}
	}
	files := []File{{libraryDir + "/entry.rego", entryModule}}
	for _, f := range all {
		if needed[packageOf(f)] || needed[""] {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// packageOf returns the last part of the name of a library module's package.
func packageOf(f File) string {
	m := libraryPackage.FindStringSubmatch(f.Text)
	if m == nil {
		return ""
	}
	return m[1]
}

// shippedModules are the modules of the library, without the entrypoint.
func shippedModules() []File {
	names, err := fs.Glob(rego.FS, shippedLibrary+"/*.rego")
	if err != nil {
		return nil
	}
	var files []File
	for _, name := range names {
		if text, err := fs.ReadFile(rego.FS, name); err == nil && kindOf(name) == kindModule {
			files = append(files, File{path.Join(libraryDir, path.Base(name)), string(text)})
		}
	}
	return files
}
