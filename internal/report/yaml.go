package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// YAML is made from the JSON form, so that both say the same in the same order.
// Strings are always double-quoted: plain ones have too many second readings
// ("no", "1e3", "? x", ".inf"), and only quoted ones can hold any character.
func encodeYAML(d Document, _ Style) ([]byte, error) { return marshalYAML(d) }

func marshalYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	y := &yamlWriter{in: json.NewDecoder(&b)}
	y.in.UseNumber()
	if err := y.value(0, true); err != nil {
		return nil, err
	}
	return []byte(strings.TrimPrefix(y.out.String(), "\n")), nil
}

type yamlWriter struct {
	in  *json.Decoder
	out strings.Builder
}

// value copies one JSON value. A filled object or list starts on a new line,
// except the first line of an object in a list; anything else stays on its own.
func (y *yamlWriter) value(depth int, newLine bool) error {
	t, err := y.in.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return y.collection(t, depth, newLine)
	case string:
		y.out.WriteString(" " + quoteYAML(t) + "\n")
	case nil:
		y.out.WriteString(" null\n")
	default: // json.Number or bool
		fmt.Fprintf(&y.out, " %v\n", t)
	}
	return nil
}

func (y *yamlWriter) collection(open json.Delim, depth int, newLine bool) error {
	object := open == '{'
	if !y.in.More() {
		y.out.WriteString(map[bool]string{true: " {}\n", false: " []\n"}[object])
	} else if newLine || !object {
		y.out.WriteByte('\n')
		newLine = true
	} else {
		y.out.WriteByte(' ')
	}
	for y.in.More() {
		if newLine {
			y.out.WriteString(strings.Repeat("  ", depth))
		}
		newLine = true
		if err := y.entry(object, depth); err != nil {
			return err
		}
	}
	_, err := y.in.Token() // the closing delimiter
	return err
}

func (y *yamlWriter) entry(object bool, depth int) error {
	if !object {
		y.out.WriteByte('-')
		return y.value(depth+1, false)
	}
	key, err := y.in.Token()
	if err != nil {
		return err
	}
	name := fmt.Sprint(key)
	if !plainKey.MatchString(name) || reservedYAML[name] {
		name = quoteYAML(name)
	}
	y.out.WriteString(name + ":")
	return y.value(depth+1, true)
}

// plainKey matches names that need no quotes, such as the fields of our own
// documents. A single letter does: "y" and "n" were booleans once.
var plainKey = regexp.MustCompile(`^[a-z][a-z0-9_.]+$`)

var reservedYAML = map[string]bool{
	"yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true,
}

// quoteYAML writes a double-quoted scalar (YAML 1.2, 7.3.1), whose escapes for
// characters that are not printable are those of Go.
func quoteYAML(s string) string { return strconv.Quote(s) }

// yamlResults writes one document for one result, and for many the list as it
// grows.
type yamlResults struct {
	w   io.Writer
	run Run
	n   int
}

func newYAMLResults(w io.Writer, run Run) Results { return &yamlResults{w: w, run: run} }

// Add implements Results.
func (y *yamlResults) Add(r *Result) error {
	out, err := marshalYAML(r)
	if err != nil {
		return err
	}
	text := string(out)
	if y.run.Many {
		text = "  - " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
	}
	if y.run.Many && y.n == 0 {
		text = "schema: " + quoteYAML(SchemaResults) + "\nresults:\n" + text
	}
	y.n++
	_, err = io.WriteString(y.w, text)
	return err
}

// Close implements Results.
func (y *yamlResults) Close(s Summary) error {
	if !y.run.Many {
		return nil
	}
	out, err := marshalYAML(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(y.w, "summary:\n  %s\n", strings.ReplaceAll(strings.TrimSuffix(string(out), "\n"), "\n", "\n  "))
	return err
}
