package server_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// uses lists where the code below a folder uses such names of a package, as FILE:LINE
// NAME. Tests, and the command line, which no request reaches, are left out.
func uses(tb testing.TB, root, pkg string, names *regexp.Regexp) []string {
	tb.Helper()
	var list []string
	files := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "cmd" || len(name) > 2 && name[0] == '.') {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		list = append(list, usesIn(tb, p, pkg, names)...)
		return nil
	})
	if err != nil || files < 10 {
		tb.Fatalf("%d files, %v", files, err)
	}
	return list
}

// usesIn is uses for one file.
func usesIn(tb testing.TB, file, pkg string, names *regexp.Regexp) []string {
	tb.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		tb.Fatal(err)
	}
	called := map[string]bool{} // the names of the package here
	for _, s := range f.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err != nil || p != pkg {
			continue
		}
		called[path.Base(pkg)] = s.Name == nil
		if s.Name != nil {
			called[s.Name.Name] = true
		}
	}
	var list []string
	if called["."] {
		list = append(list, filepath.ToSlash(file)+":1 ."+pkg)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		x, ok := n.(*ast.SelectorExpr)
		if !ok || !names.MatchString(x.Sel.Name) {
			return true
		}
		if of, ok := x.X.(*ast.Ident); ok && called[of.Name] {
			list = append(list, fmt.Sprintf("%s:%d %s.%s", filepath.ToSlash(file), set.Position(x.Pos()).Line, pkg, x.Sel.Name))
		}
		return true
	})
	return list
}
