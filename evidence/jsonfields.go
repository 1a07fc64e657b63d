package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// members decodes the members of a JSON object that stands for a protobuf message,
// each by its name. What has no decoder is counted and not used.
type members map[string]func(strictjson.Node) error

// decode takes every member by its name in lowerCamelCase, which is the one in the
// table, or in snake_case. null is a member that is not there.
func (m members) decode(n strictjson.Node, unknown *int) error {
	if n.Kind != strictjson.Object {
		return fmt.Errorf("%v, want an object", n.Kind)
	}
	seen := make(map[string]string, len(n.Members))
	for _, v := range n.Members {
		name := camelName(v.Name)
		take := m[name]
		if take == nil {
			*unknown++
			continue
		}
		if other, twice := seen[name]; twice {
			return fmt.Errorf("%s and %s are one member", other, v.Name)
		}
		seen[name] = v.Name
		if v.Value.Kind == strictjson.Null {
			continue
		}
		if err := take(v.Value); err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return nil
}

// camelName gives the lowerCamelCase of a name in snake_case, and no known name for
// one that is neither.
func camelName(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			return ""
		case c != '_':
			b.WriteByte(c)
		case i+1 == len(name) || i == 0 || name[i+1] < 'a' || name[i+1] > 'z':
			return ""
		default:
			i++
			b.WriteByte(name[i] - 'a' + 'A')
		}
	}
	return b.String()
}

// intoText, intoBytes and so on give the decoder of one member.
func intoText(out *string) func(strictjson.Node) error {
	return func(n strictjson.Node) (err error) {
		*out, err = stringOf(n)
		return err
	}
}

func intoBytes(out *[]byte) func(strictjson.Node) error {
	return func(n strictjson.Node) (err error) {
		*out, err = bytesOf(n)
		return err
	}
}

func intoTime(out *time.Time) func(strictjson.Node) error {
	return func(n strictjson.Node) (err error) {
		*out, err = timeOf(n)
		return err
	}
}

func intoBool(out *bool) func(strictjson.Node) error {
	return func(n strictjson.Node) error {
		if n.Kind != strictjson.Boolean {
			return fmt.Errorf("%v, want a boolean", n.Kind)
		}
		*out = n.Yes
		return nil
	}
}

// intoList decodes at most limit items of an array.
func intoList(limit int, item func(strictjson.Node) error) func(strictjson.Node) error {
	return func(n strictjson.Node) error {
		switch {
		case n.Kind != strictjson.Array:
			return fmt.Errorf("%v, want an array", n.Kind)
		case len(n.Items) > limit:
			return fmt.Errorf("%d items, at most %d are read", len(n.Items), limit)
		}
		for i, v := range n.Items {
			if err := item(v); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
}

// appendText and appendBytes decode one item of an array.
func appendText(out *[]string) func(strictjson.Node) error {
	return func(n strictjson.Node) error {
		text, err := stringOf(n)
		*out = append(*out, text)
		return err
	}
}

func appendBytes(out *[][]byte) func(strictjson.Node) error {
	return func(n strictjson.Node) error {
		data, err := bytesOf(n)
		*out = append(*out, data)
		return err
	}
}

func stringOf(n strictjson.Node) (string, error) {
	if n.Kind != strictjson.Text {
		return "", fmt.Errorf("%v, want a string", n.Kind)
	}
	return n.Text, nil
}

func timeOf(n strictjson.Node) (time.Time, error) {
	text, err := stringOf(n)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is no time of RFC 3339", strictjson.Quote(text))
	}
	return t.UTC(), nil
}

// int32Of decodes an integer, or an enum by its number.
func int32Of(n strictjson.Node) (int32, error) {
	if n.Kind != strictjson.Number {
		return 0, fmt.Errorf("%v, want a number", n.Kind)
	}
	v, err := strconv.ParseInt(n.Text, 10, 32)
	if err != nil || n.Text == "-0" {
		return 0, fmt.Errorf("%s is not an integer of 32 bits", n.Text)
	}
	return int32(v), nil
}

// enumOf decodes an enum, by its number or by one of its names, and gives the name
// where it is known. No names at all allow any.
func enumOf(n strictjson.Node, names []string) (string, error) {
	if n.Kind == strictjson.Text {
		if names != nil && !slices.Contains(names, n.Text) {
			return "", fmt.Errorf("%s is none of %v", strictjson.Quote(n.Text), names)
		}
		return n.Text, nil
	}
	v, err := int32Of(n)
	if err != nil || v < 0 || int(v) >= len(names) {
		return n.Text, err
	}
	return names[v], nil
}

// bytesOf decodes bytes as protobuf's JSON form has them: base64 in the standard or
// the URL alphabet, padded or not.
func bytesOf(n strictjson.Node) ([]byte, error) {
	text, err := stringOf(n)
	if err != nil {
		return nil, err
	}
	enc := base64.StdEncoding
	if strings.ContainsAny(text, "-_") {
		enc = base64.URLEncoding
	}
	if len(text)%4 != 0 {
		enc = enc.WithPadding(base64.NoPadding)
	}
	return decodeBase64(enc, text)
}

var errBase64 = errors.New("not canonical base64")

// decodeBase64 refuses what the library takes and no encoder writes: bits behind
// the last byte, and line ends.
func decodeBase64(enc *base64.Encoding, text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errBase64
	}
	data, err := enc.Strict().DecodeString(text)
	if err != nil {
		return nil, errBase64
	}
	return data, nil
}
