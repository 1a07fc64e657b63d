package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// results judges every piece of evidence in the files: one a file, or one for each
// run that an export of Cloud Logging holds.
func (v *verify) results(a appraise.Appraiser, files []string) iter.Seq[*report.Result] {
	return func(yield func(*report.Result) bool) {
		for _, name := range files {
			for r := range v.resultsOf(a, name) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (v *verify) resultsOf(a appraise.Appraiser, name string) iter.Seq[*report.Result] {
	return func(yield func(*report.Result) bool) {
		f, err := v.sys.openEvidence(name, v.format)
		if err != nil {
			r := &report.Result{File: name, Err: err}
			if codeOf(err) == exitRefused {
				r.Evidence, r.Err = evidence.RefuseInput(err)
			}
			yield(r)
			return
		}
		defer f.Close() //nolint:errcheck // nothing was written
		if !f.log {
			r := &report.Result{File: name}
			r.Evidence, r.Err = v.judge(a, f)
			yield(v.decided(a, r))
			return
		}
		if err := v.fitsLog(); err != nil {
			yield(&report.Result{File: name, Err: err})
			return
		}
		n := 0
		a.Expect.Nonce = v.asked // --nonce is the token's
		for res, err := range a.AppraiseLog(f) {
			n++
			r := &report.Result{File: fmt.Sprintf("%s#%d", name, n), Evidence: res, Err: err}
			if !yield(v.decided(a, r)) {
				return
			}
		}
	}
}

// judgeOne judges a file that must hold one piece of evidence.
func (v *verify) judgeOne(a appraise.Appraiser, name string) (*report.Result, error) {
	var only *report.Result
	for r := range v.resultsOf(a, name) {
		if only != nil {
			return nil, hint.New(usagef("%s holds several runs of gotpm token", report.Quote(name)), "export one of them alone")
		}
		only = r
	}
	return only, nil
}

// fitsLog refuses files that belong to other evidence than a log.
func (v *verify) fitsLog() error {
	if v.parts.given() || v.parts.ccel != "" {
		return usagef("--sig, --pcrs, --log and --ccel belong to other evidence than an export of Cloud Logging")
	}
	return nil
}

// fits refuses a nonce that evidence of the format cannot have been made for.
func (v *verify) fits(format string) error {
	if format == evidence.FormatToken && v.asked != nil {
		return hint.New(usagef("--challenge gives the nonce of a quote, and this is a token"), "give the nonce that the token was asked for: --nonce, or --without nonce")
	}
	if v.asked != nil && v.nonce.text != "" && !evidence.TakesTextNonce(format) {
		return usagef("--nonce and --challenge contradict each other: both say the nonce of the quotes")
	}
	return v.nonce.fits(format)
}

// decided asks the policy about a result that was accepted.
func (v *verify) decided(a appraise.Appraiser, r *report.Result) *report.Result {
	if r.Evidence != nil && r.Evidence.Format != "" {
		if err := v.fits(r.Evidence.Format); err != nil {
			r.Evidence, r.Err = nil, err
			return r
		}
	}
	if r.Err == nil && a.Engine != nil {
		r.Policy = v.policy.ref
		r.Decision, r.Err = a.Decide(context.Background(), r.Evidence)
	}
	return r
}

// evidenceFile is an open file of evidence.
type evidenceFile struct {
	io.Reader
	io.Closer

	log bool // is an export of Cloud Logging, which may be larger than any evidence
}

// logHead is how much of a file is read to tell an export of Cloud Logging.
const logHead = 4 << 10

// openEvidence opens evidence. A file that is larger than any is refused before
// more than its head is read, unless it is an export of Cloud Logging.
func (sys *system) openEvidence(name, format string) (*evidenceFile, error) {
	in, err := sys.openAny(name)
	if err != nil {
		return nil, err
	}
	f, err := peek(in, format)
	if err != nil {
		in.Close() //nolint:errcheck,gosec // the earlier error counts
		return nil, err
	}
	return f, nil
}

func peek(in io.ReadCloser, format string) (*evidenceFile, error) {
	var unfit error
	if file, ok := in.(*os.File); ok {
		unfit = checkFile(file)
	}
	if _, large := errors.AsType[*evidence.FormatError](unfit); unfit != nil && !large {
		return nil, unfit
	}
	r := bufio.NewReaderSize(in, logHead)
	head, err := r.Peek(logHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if format == evidence.FormatCloudLog || format == "" && evidence.BeginsCloudLog(head) {
		return &evidenceFile{r, in, true}, nil
	}
	return &evidenceFile{r, in, false}, unfit
}
