package report

import (
	"time"
	"unicode/utf8"

	"github.com/attestctl/attestctl/evidence"
)

// SchemaInspection is the schema of an [Inspection].
const SchemaInspection = "attestctl.inspection/v1"

// Inspection is decoded evidence of which nothing was checked.
type Inspection struct {
	Schema   string           `json:"schema"`
	Verified bool             `json:"verified"` // always false
	File     string           `json:"file"`
	Format   string           `json:"format"`
	Fields   []evidence.Field `json:"fields"`
}

// NewInspection returns what a bundle says, and how its dates stand to a time.
func NewInspection(file string, b evidence.Bundle, now time.Time) *Inspection {
	fields := append(b.Untrusted(), evidence.UntrustedNotes(b, now)...)
	return &Inspection{Schema: SchemaInspection, File: file, Format: b.Format(), Fields: fields}
}

const maxPathColumn = 40

// text says on every line that nothing was verified.
func (in *Inspection) text(p *page) {
	width := len("file")
	for _, f := range in.Fields {
		if n := utf8.RuneCountInString(Quote(f.Path)); n <= maxPathColumn {
			width = max(width, n)
		}
	}
	p.unverified("file", in.File, width)
	for _, f := range in.Fields {
		p.unverified(f.Path, f.Value, width)
	}
}

func (p *page) unverified(path, value string, width int) {
	p.line(span{"unverified  ", yellow}, plain(pad(Quote(path), width)+"  "), plain(Quote(value)))
}
