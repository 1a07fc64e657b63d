package appraise

import (
	"io"

	"github.com/attestctl/attestctl/evidence"
)

// Load is [evidence.LoadAs], but it tells input that cannot be read from input
// that is not evidence: an error of the reader is returned as it is, and only
// the others are *[evidence.FormatError].
func Load(r io.Reader, format string) (evidence.Bundle, error) {
	in := &input{r: r}
	b, err := evidence.LoadAs(in, format)
	if in.err != nil {
		return nil, in.err
	}
	return b, err
}

// LoadTPM2Quote is [evidence.LoadTPM2Quote] with the distinction that [Load]
// makes.
func LoadTPM2Quote(q evidence.TPM2Quote) (evidence.Bundle, error) {
	parts := []*io.Reader{&q.Message, &q.Signature, &q.PCRs, &q.EventLog}
	inputs := make([]input, len(parts))
	for i, part := range parts {
		if *part != nil {
			inputs[i].r = *part
			*part = &inputs[i]
		}
	}
	b, err := evidence.LoadTPM2Quote(q)
	for i := range inputs {
		if inputs[i].err != nil {
			return nil, inputs[i].err
		}
	}
	return b, err
}

// input remembers the error of a reader.
type input struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}
