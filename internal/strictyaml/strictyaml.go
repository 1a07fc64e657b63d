// Package strictyaml decodes small YAML documents without what makes YAML dangerous.
package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/attestctl/attestctl/internal/hint"
)

// MaxSize is the most bytes that a document may have.
const MaxSize = 64 << 10

const maxDepth = 8 // nested brackets, or list dashes on one line

// Decode reads one document of at most MaxSize bytes that is a map with something
// in it, as a map without an order or one that keeps it. Keys are text and stand once.
// What makes YAML dangerous or ambiguous is refused: anchors, aliases, merge keys,
// tags, directives, and more than one document. Numbers are read as YAML 1.1 does, 010 as
// 8: what depends on one is to look at its range. An error is one line and shows no value.
func Decode[M map[string]any | yaml.MapSlice](data []byte) (M, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("larger than %d KiB", MaxSize>>10)
	case !utf8.Valid(data):
		return nil, errors.New("not UTF-8")
	}
	if err := checkTokens(string(data)); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, plain(err)
	}
	if err := checkKeys(file); err != nil {
		return nil, err
	}
	var doc M
	options := []yaml.DecodeOption{yaml.Strict()}
	if _, ok := any(doc).(yaml.MapSlice); ok {
		options = append(options, yaml.UseOrderedMap())
	}
	if err := yaml.UnmarshalWithOptions(data, &doc, options...); err != nil {
		return nil, plain(err)
	}
	if len(doc) == 0 {
		return nil, errors.New("empty")
	}
	return doc, nil
}

// texts are the tokens that a key may be.
var texts = []token.Type{token.StringType, token.SingleQuoteType, token.DoubleQuoteType}

func notText(t *token.Token) error {
	return hint.New(fmt.Errorf("line %d: a key is not text", t.Position.Line), "write it in quotes")
}

// checkTokens bounds the depth before a parser recurses, and finds keys that the
// parser has words of its own for.
func checkTokens(text string) error {
	depth, dashes, before := 0, 0, token.UnknownType
	for _, t := range lexer.Tokenize(text) {
		last := before
		before = t.Type
		dashes++
		switch t.Type { //nolint:exhaustive // all others are harmless
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType:
			return fmt.Errorf("line %d: anchors, aliases, merge keys, tags and directives are not allowed", t.Position.Line)
		case token.DocumentHeaderType, token.DocumentEndType:
			return fmt.Errorf("line %d: more than one document", t.Position.Line)
		case token.MappingKeyType, token.MappingValueType: // "?" and ":"
			if t.Type == token.MappingKeyType || !slices.Contains(texts, last) {
				return notText(t)
			}
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if dashes > maxDepth {
				return fmt.Errorf("line %d: nested too deeply", t.Position.Line)
			}
			continue
		}
		if dashes = 0; depth > maxDepth {
			return fmt.Errorf("line %d: nested too deeply", t.Position.Line)
		}
	}
	return nil
}

// checkKeys wants the keys of all maps to be text: the decoder makes text of others,
// of 0x10 and true. Those that have no colon no token tells.
func checkKeys(file *ast.File) error {
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return errors.New("empty")
	}
	for _, n := range ast.FilterFile(ast.MappingValueType, file) {
		if pair, ok := n.(*ast.MappingValueNode); !ok || pair.Key.Type() != ast.StringType {
			return notText(n.GetToken())
		}
	}
	return nil
}

// plain leaves out how a parser draws the line that it does not like.
func plain(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}
