package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/report"
)

func newInspect(sys *system) *cobra.Command {
	var format, output string
	c := leaf(&cobra.Command{
		Use:   "inspect FILE [flags]",
		Short: "Show what evidence says, without verifying any of it",
		Long: `Inspect decodes any supported evidence and prints it. It checks no signature, no
digest and no nonce: every line says so. Whatever it shows may be made up.

Of a token it shows header, certificates and claims, the dates in words, and as
notes what is wrong with it whatever is expected of it.`,
		Example: `  attestctl inspect quote.dat
  attestctl inspect quote.dat -o json
  attestctl inspect token.jwt
  gotpm attest | attestctl inspect -`,
		Args: arguments(1, 1, "FILE"),
	}, func(args []string) error {
		b, err := sys.load(args[0], format)
		if err != nil {
			return err
		}
		if err := report.Write(sys.stdout, output, report.NewInspection(args[0], b, sys.now()), sys.style()); err != nil {
			return err
		}
		if err := evidence.UntrustedError(b); err != nil {
			return inFile(args[0], &evidence.FormatError{Format: b.Format(), Err: err})
		}
		return nil
	})
	formatFlag(c, &format)
	outputFlag(c, &output)
	return c
}

// load decodes one piece of evidence. Nothing in it is trusted.
func (sys *system) load(name, format string) (evidence.Bundle, error) {
	f, err := sys.open(name)
	if err != nil {
		return nil, inFile(name, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b, err := evidence.LoadAs(f, format)
	return b, inFile(name, err)
}

// inFile puts the name of the file before an error about its content.
func inFile(name string, err error) error {
	if err == nil || codeOf(err) != exitRefused {
		return err // the operating system names the file
	}
	return fmt.Errorf("%s: %w", report.Quote(name), err)
}
