package evidence

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

// FormatError is the error for input that does not decode. Format is "" where
// the format itself could not be told.
type FormatError struct {
	Format string
	Err    error
}

// Error says what is wrong with the input.
func (e *FormatError) Error() string { return clip(e.Err.Error()) }

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// Load reads one piece of evidence, of at most MaxSize bytes, tells its format
// and decodes it strictly. Nothing in the Bundle is trusted. Input that no
// format or more than one fits is an error that says so. What is wrong with the
// input is a *FormatError; an error of r is returned as it is.
func Load(r io.Reader) (Bundle, error) { return LoadAs(r, "") }

// LoadAs is Load with the format given by name, one of Formats; "" detects it.
func LoadAs(r io.Reader, name string) (Bundle, error) {
	data, err := readInput(r, "")
	if err != nil {
		return nil, err
	}
	f, err := formatOf(data, name)
	if err != nil {
		return nil, &FormatError{Err: err}
	}
	b, err := f.decodeGuarded(data)
	if err != nil {
		return nil, &FormatError{Format: f.name, Err: err}
	}
	return b, nil
}

// readInput reads what a format, or "" for one not told yet, is decoded from.
func readInput(r io.Reader, format string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxSize:
		return nil, &FormatError{format, ErrTooLarge()}
	case len(data) == 0:
		return nil, &FormatError{format, hint.New(errors.New("the input is empty"), "check that the command that made the evidence succeeded")}
	}
	return data, nil
}

// ErrTooLarge is the error for input beyond MaxSize.
func ErrTooLarge() error {
	return hint.New(fmt.Errorf("input is larger than %d MiB", MaxSize>>20),
		"evidence is 30 to 300 KiB: check that this is the right file")
}

// format is one row of the table of evidence formats.
type format struct {
	name   string
	fits   func([]byte) bool // looks at the first bytes and the alphabet only
	decode func([]byte) (Bundle, error)
}

// formats lists the evidence formats. A new one is a file and a row here.
var formats = []format{
	{formatBinary, fitsBinary, decodeBinary},
	{formatTextproto, fitsTextproto, decodeTextproto},
	{formatJSON, fitsJSON, decodeJSON},
	{formatEventLog, fitsEventLog, decodeEventLog},
	{formatTPM2Quote, fitsTPM2Quote, decodeTPM2QuoteAlone},
	{formatSNP, fitsSNP, decodeSNPReport},
	{formatSNPBinary, fitsSNPBinary, decodeSNPBinary},
	{formatSNPText, fitsSNPText, decodeSNPText},
	{formatSNPJSON, fitsSNPJSON, decodeSNPJSON},
	{formatTDX, fitsTDX, decodeTDXQuote},
	{formatREST, fitsREST, decodeREST},
	{formatToken, fitsToken, decodeToken},
	{formatCloudLog, fitsCloudLog, decodeCloudLog},
}

// Formats lists the names of the formats that Load can tell.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

func formatOf(data []byte, name string) (format, error) {
	var fitting []format
	for _, f := range formats {
		if f.name == name || name == "" && f.fits(data) {
			fitting = append(fitting, f)
		}
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case name != "":
		return format{}, hint.New(fmt.Errorf("unknown format %q", name), "the formats are "+strings.Join(Formats(), ", "))
	case len(fitting) == 0:
		return format{}, hint.New(fmt.Errorf("no format fits: the input begins with %s", preview(data)),
			"the formats are "+strings.Join(Formats(), ", "))
	}
	names := make([]string, len(fitting))
	for i, f := range fitting {
		names[i] = f.name
	}
	return format{}, hint.New(fmt.Errorf("the input fits %s", strings.Join(names, " and ")), "name the format with --format")
}

// preview shows the first bytes so that a person can tell what the file is.
func preview(data []byte) string {
	head := data[:min(len(data), 16)]
	if isText(head) {
		return fmt.Sprintf("%q", head)
	}
	return fmt.Sprintf("% x", head)
}

// decodeGuarded decodes and turns a panic of a decoder into an error: together
// with guard in vtpm.go it is the boundary that no panic crosses.
func (f format) decodeGuarded(data []byte) (b Bundle, err error) {
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("internal error while decoding: %v", p)
		}
	}()
	return f.decode(data)
}
