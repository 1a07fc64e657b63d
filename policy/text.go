package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/attestctl/attestctl/internal/hint"
)

// Limits of a policy's text. The policies that ship stay a hundred times below.
const (
	maxFiles    = 256
	maxEntries  = 4096 // directory entries looked at, ignored ones included
	maxFileSize = 1 << 20
	maxSize     = 4 << 20
	maxDepth    = 8
	maxPath     = 200
)

// kind is what a file is to a policy, by its name alone.
type kind int

const (
	kindUnknown kind = iota // an error
	kindModule
	kindTest
	kindConfig
	kindIgnored
)

// libraryDir is the folder of a bundle that holds attestctl's own modules.
const libraryDir = "attestctl"

func kindOf(name string) kind {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, "_test.rego"):
		return kindTest
	case strings.HasSuffix(base, ".rego"):
		return kindModule
	case slices.Contains([]string{"config.json", "config.yaml", "config.yml"}, name):
		return kindConfig
	case strings.HasSuffix(base, ".md"):
		return kindIgnored
	}
	return kindUnknown
}

// adviceFor says what to do about a file that a policy cannot hold.
func adviceFor(name string) string {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".wasm"):
		return "attestctl compiles the .rego files itself, so that the two cannot differ; remove the compiled policy"
	case kindOf(base) == kindConfig:
		return "the config stands at the top of the policy"
	case strings.HasPrefix(base, "data."):
		return "the only data of a policy is data.config: name the file config.json or config.yaml"
	}
	return "a policy holds *.rego, one config.json or config.yaml, and *.md; test data goes below fixtures or testdata"
}

// checkPath refuses every path that is not plainly relative. Its letters are
// those that need no quoting anywhere.
func checkPath(name string) error {
	if len(name) > maxPath {
		return fmt.Errorf("a path of %d bytes; the limit is %d", len(name), maxPath)
	}
	for i, part := range strings.Split(name, "/") {
		if i >= maxDepth {
			return fmt.Errorf("%q: deeper than %d folders", name, maxDepth)
		}
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%q: not a plain relative path", name)
		}
		for _, r := range part {
			if r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r) {
				return fmt.Errorf("%q: a path holds letters, digits, dots, dashes and underscores", name)
			}
		}
	}
	return nil
}

// checkText refuses a module that two readers could read differently: by its
// encoding, its line ends, or characters that nobody sees.
func checkText(name, text string) error {
	switch {
	case len(text) > maxFileSize:
		return fmt.Errorf("%s: %d bytes; the limit is %d", name, len(text), maxFileSize)
	case strings.HasPrefix(text, "\ufeff"):
		return hint.New(fmt.Errorf("%s:1:1: begins with a byte order mark", name), "save the file as UTF-8 without BOM")
	case !utf8.ValidString(text):
		return hint.New(fmt.Errorf("%s: not UTF-8", name), "save the file as UTF-8")
	}
	line, column := 1, 0
	for _, r := range text {
		column++
		switch {
		case r == '\n':
			line, column = line+1, 0
		case r == '\r':
			return hint.New(fmt.Errorf("%s:%d:%d: a carriage return", name, line, column),
				"lines end with LF: in git, put `*.rego text eol=lf` into .gitattributes")
		case r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)):
			return hint.New(fmt.Errorf("%s:%d:%d: the invisible character U+%04X", name, line, column, r),
				`write it as an escape inside a string, such as "\u00ad"`)
		}
	}
	return checkNesting(name, text)
}

// maxNesting bounds the brackets that are open at once: the parser and the
// compiler of OPA recurse, and a stack overflow cannot be recovered from.
const maxNesting = 64

var errNesting = errors.New("brackets nest too deeply")

// checkNesting counts brackets wherever they stand, in strings and comments
// too: what it refuses needs not be exact, only small.
func checkNesting(name, text string) error {
	depth, line := 0, 1
	for _, c := range []byte(text) {
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return fmt.Errorf("%s:%d: %w: the limit is %d", name, line, errNesting, maxNesting)
			}
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
	}
	return nil
}
