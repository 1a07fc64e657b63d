package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/attestctl/attestctl/evidence"
)

const (
	maxFloor = 64 << 10 // bytes of a floor
	// maxNesting bounds what the YAML parser may nest: a floor has three levels.
	// The parser's memory grows with the square of the levels that one line opens.
	maxNesting = 256
)

var errFloorSize = fmt.Errorf("larger than %d KiB", maxFloor>>10)

// readFloor reads a floor, JSON or YAML. Text that is valid JSON is JSON.
func readFloor(sys *system, name string) (evidence.Floor, error) {
	f, err := sys.open(name)
	switch {
	case codeOf(err) == exitRefused:
		return evidence.Floor{}, errFloorSize // larger than any evidence, too
	case err != nil:
		return evidence.Floor{}, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxFloor+1))
	switch {
	case err != nil:
		return evidence.Floor{}, err
	case len(data) > maxFloor:
		return evidence.Floor{}, errFloorSize
	case !utf8.Valid(data):
		return evidence.Floor{}, errors.New("not UTF-8")
	}
	if !json.Valid(data) && filepath.Ext(name) != ".json" {
		if data, err = floorJSON(data); err != nil {
			return evidence.Floor{}, err
		}
	}
	return evidence.ParseFloor(data)
}

// floorJSON turns the part of YAML that means the same as JSON into JSON: maps,
// lists, strings and numbers as they stand. What is none of them is an error,
// among it anchors, aliases, tags and merges.
func floorJSON(text []byte) ([]byte, error) {
	if err := checkNesting(text); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n") // the rest draws the line
		return nil, fmt.Errorf("not YAML: %s", first)
	}
	switch {
	case len(file.Docs) == 0 || len(file.Docs) == 1 && file.Docs[0].Body == nil:
		return []byte("{}"), nil
	case len(file.Docs) > 1:
		return nil, errors.New("more than one document")
	}
	return appendJSON(nil, file.Docs[0].Body)
}

func checkNesting(text []byte) error {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxNesting {
		return fmt.Errorf("more than %d brackets", maxNesting)
	}
	for line := range bytes.Lines(text) {
		for _, opens := range []string{"- ", "? ", ": "} {
			if bytes.Count(line, []byte(opens)) > maxNesting {
				return fmt.Errorf("a line nests more than %d deep", maxNesting)
			}
		}
	}
	return nil
}

func appendJSON(b []byte, n ast.Node) ([]byte, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return appendObject(b, n.Values)
	case *ast.MappingValueNode:
		return appendObject(b, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		b = append(b, '[')
		for i, item := range n.Values {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *ast.StringNode:
		text, err := json.Marshal(n.Value)
		return append(b, text...), err
	case *ast.IntegerNode:
		return appendNumber(b, n)
	}
	return nil, yamlError(n, "is neither a number, a string, a list nor a map")
}

// appendNumber takes a number as it is written: 010 is eight to some readers and
// ten to others.
func appendNumber(b []byte, n *ast.IntegerNode) ([]byte, error) {
	word := n.GetToken().Value
	if v, err := strconv.ParseUint(word, 10, 64); err != nil || strconv.FormatUint(v, 10) != word {
		return nil, yamlError(n, "is no plain decimal number; put hex digits in quotes")
	}
	return append(b, word...), nil
}

func appendObject(b []byte, values []*ast.MappingValueNode) ([]byte, error) {
	b = append(b, '{')
	for i, pair := range values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return nil, yamlError(pair.Key, "is not the name of a product or a component")
		}
		name, err := json.Marshal(key.Value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(append(append(b, name...), ':'), pair.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func yamlError(n ast.Node, what string) error {
	t := n.GetToken()
	return fmt.Errorf("line %d, column %d: %.40q %s", t.Position.Line, t.Position.Column, t.Value, what)
}
