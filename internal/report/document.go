// Package report writes what a command found, as text for a person and as JSON
// and YAML for a program.
//
// Text from evidence is hostile. Here it is escaped where it is written, not
// where it is found: every line of text goes through [Quote], and JSON and YAML
// carry no character that a terminal would act on.
package report

import (
	"fmt"
	"io"
)

// Document is one answer of one command. Its exported fields are its JSON form.
type Document interface {
	text(*page)
}

// Style says how text is laid out. The zero value is for a file or a pipe.
type Style struct {
	Color bool
	Width int // columns of the terminal; 0 neither wraps nor clips
}

// format is one row of the table of output formats.
type format struct {
	name    string
	encode  func(Document, Style) ([]byte, error)
	results func(io.Writer, Run) Results
}

// formats lists the output formats. A new one is a file and a row here.
func formats() []format {
	return []format{
		{"text", encodeText, newTextResults},
		{"json", encodeJSON, newJSONResults},
		{"yaml", encodeYAML, newYAMLResults},
	}
}

// Formats lists the names of the output formats, the default first.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

func formatOf(name string) (format, error) {
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
	}
	return format{}, fmt.Errorf("unknown output format %q", name)
}

// Write writes a document in the named format, one of [Formats].
func Write(w io.Writer, name string, d Document, s Style) error {
	f, err := formatOf(name)
	if err != nil {
		return err
	}
	return write(w, f, d, s)
}

func write(w io.Writer, f format, d Document, s Style) error {
	out, err := f.encode(d, s)
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	_, err = w.Write(out)
	return err
}
