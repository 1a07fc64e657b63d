package main

import (
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/replay"
)

// Exit codes.
const (
	exitAccepted = 0
	exitTool     = 1 // the tool or its environment failed; nothing was decided
	exitUsage    = 2
	exitRefused  = 3 // malformed or not genuine
	exitDenied   = 4 // genuine, denied by the policy
	exitFailed   = 5 // tests of a policy or of fixtures failed, or a TCB is below a floor
)

// exitError is an error whose exit code has been decided.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usagef makes an error of a wrong command line.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// codeOf returns the exit code for an error that a command met.
func codeOf(err error) int {
	_, refusal := errors.AsType[*evidence.Refusal](err)
	_, malformed := errors.AsType[*evidence.FormatError](err)
	_, badLog := errors.AsType[*replay.ParseError](err)
	if refusal || malformed || badLog {
		return exitRefused
	}
	if _, denied := errors.AsType[*appraise.DenialError](err); denied {
		return exitDenied
	}
	return exitTool
}

// fail prints an error and the advice it carries, and returns its exit code.
// Errors of no command are of cobra, which only judges usage.
func (sys *system) fail(err error) int {
	code := exitUsage
	if coded, ok := errors.AsType[*exitError](err); ok {
		code = coded.code
	}
	sys.say("error", err.Error())
	if advice := hint.Of(err); advice != "" {
		sys.say("hint", advice)
	}
	return code
}

// warn prints a warning.
func (sys *system) warn(text string) { sys.say("warning", text) }

// say is the one place that writes to standard error.
func (sys *system) say(kind, text string) {
	fmt.Fprintf(sys.stderr, "attestctl: %s: %s\n", kind, report.Escape(text))
}
