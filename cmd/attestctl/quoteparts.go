package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

// quoteParts are the files of a tpm2_quote beside its message.
type quoteParts struct {
	sig, pcrs, log string
	ccel           string
}

func (q *quoteParts) add(f *pflag.FlagSet) {
	f.StringVar(&q.sig, "sig", "", "signature `FILE` of a tpm2_quote (-s), whose message is FILE")
	f.StringVar(&q.pcrs, "pcrs", "", "PCR values `FILE` of a tpm2_quote (-o)")
	f.StringVar(&q.log, "log", "", "event log `FILE` beside a tpm2_quote")
	f.StringVar(&q.ccel, "ccel", "", "event log `FILE` (CCEL) beside a TDX quote, of RTMR 0 to 2")
}

func (q *quoteParts) given() bool { return q.sig != "" || q.pcrs != "" || q.log != "" }

func (q *quoteParts) names() []string { return []string{q.sig, q.pcrs, q.log, q.ccel} }

// formatTPM2Quote is the only format that consists of parts.
const formatTPM2Quote = "tpm2-quote"

// formatTDX is the format that a CCEL goes with.
const formatTDX = "tdx-quote"

func (q *quoteParts) check(args []string, format string) error {
	if q.ccel != "" {
		return q.checkCCEL(args, format)
	}
	switch {
	case !q.given():
		return nil
	case q.sig == "" || q.pcrs == "":
		return hint.New(usagef("a tpm2_quote needs --sig and --pcrs"), "tpm2_quote -m MESSAGE -s SIGNATURE -o PCRS writes the three files")
	case len(args) != 1:
		return usagef("--sig and --pcrs belong to one message, and %d files are named", len(args))
	case format != "" && format != formatTPM2Quote:
		return usagef("--sig and --pcrs are of format %s, not %s", formatTPM2Quote, format)
	}
	return nil
}

// checkCCEL wants a TDX quote beside the log, and nothing of a tpm2_quote.
func (q *quoteParts) checkCCEL(args []string, format string) error {
	switch {
	case q.given():
		return usagef("--ccel belongs to a TDX quote, --sig, --pcrs and --log to a tpm2_quote")
	case format != "" && format != formatTDX:
		return usagef("--ccel belongs to a TDX quote, which is of format %s, not %s", formatTDX, format)
	case len(args) != 1:
		return usagef("--ccel belongs to one TDX quote, and %d files are named", len(args))
	}
	return nil
}

// open opens the parts. What it returns must be closed even after an error.
func (q *quoteParts) open(sys *system, message io.Reader) (evidence.TPM2Quote, func(), error) {
	parts := evidence.TPM2Quote{Message: message}
	var opened []io.Closer
	closeAll := func() {
		for _, c := range opened {
			c.Close() //nolint:errcheck,gosec // nothing was written
		}
	}
	for _, part := range []struct {
		flag, name string
		to         *io.Reader
	}{{"--sig", q.sig, &parts.Signature}, {"--pcrs", q.pcrs, &parts.PCRs}, {"--log", q.log, &parts.EventLog}} {
		if part.name == "" {
			continue
		}
		f, err := sys.open(part.name)
		if err != nil {
			return parts, closeAll, fmt.Errorf("%s: %w", part.flag, err)
		}
		opened = append(opened, f)
		*part.to = f
	}
	return parts, closeAll, nil
}
