package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func encodeJSON(d Document, _ Style) ([]byte, error) { return marshal(d) }

// marshal encodes v as indented JSON without a character that a terminal would
// act on. Invalid UTF-8 becomes U+FFFD.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeJSON(b.Bytes()), nil
}

// escapeJSON writes every character that is not printable as \u. JSON has such
// characters only inside of strings, and encoding/json has escaped those below
// U+0020 already.
func escapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		switch {
		case r == '\n' || strconv.IsPrint(r):
			out = append(out, in[:n]...)
		case r > 0xFFFF:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		in = in[n:]
	}
	return out
}

// jsonResults writes one document for one result. For many it writes the list
// as it grows, so that memory does not grow with it.
type jsonResults struct {
	w   io.Writer
	run Run
	n   int
}

func newJSONResults(w io.Writer, run Run) Results { return &jsonResults{w: w, run: run} }

// Add implements Results.
func (j *jsonResults) Add(r *Result) error {
	out, err := marshal(r)
	if err != nil {
		return err
	}
	if j.run.Many {
		lead := ",\n    "
		if j.n == 0 {
			lead = "{\n  \"schema\": \"" + SchemaResults + "\",\n  \"results\": [\n    "
		}
		out = append([]byte(lead), bytes.ReplaceAll(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"), []byte("\n    "))...)
	}
	j.n++
	_, err = j.w.Write(out)
	return err
}

// Close implements Results.
func (j *jsonResults) Close(s Summary) error {
	if !j.run.Many {
		return nil
	}
	out, err := marshal(s)
	if err != nil {
		return err
	}
	out = bytes.ReplaceAll(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"), []byte("\n  "))
	_, err = fmt.Fprintf(j.w, "\n  ],\n  \"summary\": %s\n}\n", out)
	return err
}
