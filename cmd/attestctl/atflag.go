package main

import (
	"cmp"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

// atFlag is the time to verify at, or the word for that of the log.
type atFlag struct {
	expect *evidence.Expect
	text   string
}

const atLogged = "logged"

// Set implements pflag.Value.
func (a *atFlag) Set(text string) (err error) {
	a.text, a.expect.AtLogged = text, text == atLogged
	if a.expect.AtLogged {
		a.expect.Now = time.Time{}
		return nil
	}
	if a.expect.Now, err = parseTime(text); err != nil {
		return hint.New(err, cmp.Or(hint.Of(err), "or logged, for an export of Cloud Logging"))
	}
	return nil
}

// String implements pflag.Value.
func (a *atFlag) String() string { return a.text }

// Type implements pflag.Value.
func (a *atFlag) Type() string { return "TIME" }

const atUsage = "time to verify at: RFC 3339, date, seconds, or logged: the log's (default now)"
