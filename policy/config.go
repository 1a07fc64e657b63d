package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/attestctl/attestctl/internal/hint"
)

// parseConfig reads data.config from the text of a JSON or YAML file; the name
// tells which. It must be an object.
func parseConfig(name, text string) (map[string]any, error) {
	doc, err := parseDocument("a config", name, text)
	if err != nil {
		return nil, err
	}
	config, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: not an object", name)
	}
	return config, nil
}

// parseDocument reads the text of a JSON or YAML file, with exactly one reading;
// what says what it is.
func parseDocument(what, name, text string) (any, error) {
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("%s: %d bytes; the limit is %d", name, len(text), maxFileSize)
	}
	var doc any
	var err error
	switch ext := path.Ext(name); ext {
	case ".json":
		doc, err = strictJSON([]byte(text), configNumber)
	case ".yaml", ".yml":
		doc, err = strictYAML(name, text)
	default:
		err = fmt.Errorf("%s is .json or .yaml, not %q", what, ext)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return doc, nil
}

// maxIndicators bounds what one line of YAML can nest: each "- ", "? " or ": "
// opens a level, and the parser's memory grows with the square of them.
const maxIndicators = 64

// strictYAML decodes the part of YAML that means the same as JSON. Anchors,
// aliases, merges, tags and second documents are refused, and so is every plain
// word that some version of YAML takes for something else than a string.
func strictYAML(name, text string) (any, error) {
	if err := checkText(name, text); err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		if max(strings.Count(line, "- "), strings.Count(line, "? "), strings.Count(line, ": ")) > maxIndicators {
			return nil, fmt.Errorf("%s: a line nests more than %d deep", name, maxIndicators)
		}
	}
	// The parser has texts on which it never ends.
	if len(text) > maxYAML {
		return nil, hint.New(fmt.Errorf("%s: YAML of more than %d KiB", name, maxYAML>>10), "write config.json: it may be larger")
	}
	file, err := within(maxParse, func() (*ast.File, error) {
		file, err := parser.ParseBytes([]byte(text), 0)
		if err != nil {
			err = plainYAMLError(err) // which takes its time too
		}
		return file, err
	})
	if err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if len(file.Docs) == 0 || len(file.Docs) == 1 && file.Docs[0].Body == nil {
		return map[string]any{}, nil
	}
	if len(file.Docs) != 1 {
		return nil, errors.New("more than one document")
	}
	return yamlValue(file.Docs[0].Body, 0)
}

func yamlValue(n ast.Node, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, yamlError(n, fmt.Sprintf("nests deeper than %d", maxJSONDepth))
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return yamlMap(n.Values, depth)
	case *ast.MappingValueNode:
		return yamlMap([]*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for _, item := range n.Values {
			v, err := yamlValue(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	return yamlScalar(n)
}

func yamlScalar(n ast.Node) (any, error) {
	word := n.GetToken().Value
	switch n := n.(type) {
	case *ast.StringNode:
		return yamlString(n, word)
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.BoolNode:
		if word == strconv.FormatBool(n.Value) {
			return n.Value, nil
		}
	case *ast.NullNode:
		if n.Token.Type == token.NullType && word == "null" {
			return nil, nil
		}
	case *ast.IntegerNode, *ast.FloatNode:
		return yamlNumber(n)
	}
	return nil, yamlError(n, fmt.Sprintf("%s %q: a config is what JSON can say too", strings.ToLower(n.Type().String()), word))
}

func yamlString(n *ast.StringNode, word string) (any, error) {
	switch {
	case plain(n) && json.Valid([]byte(word)): // a number too large for the parser
		return yamlNumber(n)
	case plain(n) && slices.Contains(ambiguous, strings.ToLower(word)):
		return nil, yamlError(n, fmt.Sprintf("%q is a string to some readers and a boolean to others: quote it, or write true or false", word))
	}
	return n.Value, nil
}

func yamlNumber(n ast.Node) (any, error) {
	word := n.GetToken().Value
	v, err := strictJSON([]byte(word), configNumber)
	if _, ok := v.(json.Number); err != nil || !ok {
		return nil, yamlError(n, fmt.Sprintf("%.60q is not a decimal number: quote it", word))
	}
	return v, nil
}

// maxYAML bounds a config in YAML, whose parser is slow with large ones.
const maxYAML = 256 << 10

// maxParse is how long a config may take to parse.
const maxParse = time.Second

// ambiguous lists what YAML 1.1 takes for a boolean and YAML 1.2 does not.
var ambiguous = []string{"y", "n", "yes", "no", "on", "off"}

func plain(n *ast.StringNode) bool { return !strings.Contains(n.Token.Type.String(), "Quote") }

func yamlMap(values []*ast.MappingValueNode, depth int) (any, error) {
	doc := make(map[string]any, len(values))
	for _, pair := range values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return nil, yamlError(pair.Key, fmt.Sprintf("the key %s is not a string: quote it", pair.Key))
		}
		if _, again := doc[key.Value]; again {
			return nil, yamlError(pair.Key, fmt.Sprintf("the key %q stands twice", key.Value))
		}
		v, err := yamlValue(pair.Value, depth+1)
		if err != nil {
			return nil, err
		}
		doc[key.Value] = v
	}
	return doc, nil
}

func yamlError(n ast.Node, what string) error {
	at := n.GetToken().Position
	return hint.New(fmt.Errorf("line %d, column %d: %s", at.Line, at.Column, what), "config.json says the same with fewer rules")
}

// plainYAMLError returns the parser's word without its picture of the text.
func plainYAMLError(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}
