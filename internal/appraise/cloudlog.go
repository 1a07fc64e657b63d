package appraise

import (
	"errors"
	"io"
	"iter"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

var errNoRun = hint.New(errors.New("no entry of the export is of `gotpm token --cloud-log`"),
	"export the log gotpm of the project: gcloud logging read 'log_id(\"gotpm\")' --format=json")

// AppraiseLog judges every run of `gotpm token --cloud-log` in an export of Cloud
// Logging, in the order of the export, and of any size. What is wrong with the
// export itself is the last result, a refusal. An error of the reader comes without
// a result, as with [Appraiser.Appraise]. Format is not used.
func (a Appraiser) AppraiseLog(r io.Reader) iter.Seq2[*evidence.Result, error] {
	return func(yield func(*evidence.Result, error) bool) {
		found := false
		for group, err := range evidence.ReadLogGroups(r) {
			found = true
			if !yield(a.verify(group, err)) || err != nil {
				return
			}
		}
		if !found {
			yield(evidence.RefuseInput(&evidence.FormatError{Format: evidence.FormatCloudLog, Err: errNoRun}))
		}
	}
}
