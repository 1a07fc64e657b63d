package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/replay"
)

// replayLog is the command and its flags.
type replayLog struct {
	sys                         *system
	pcrs, quote, format, output string
	require                     []int
	options                     replay.LogOptions
}

func newReplay(sys *system) *cobra.Command {
	r := &replayLog{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "replay LOG [--pcrs FILE | --quote FILE] [flags]",
		Short: "Replay an event log and compare it with PCR values",
		Long: `Replay prints the events of a TCG event log, the PCR values they lead to, and
what contradicts itself. LOG is a bare log or evidence that carries one.

With --pcrs or --quote it says which values the log explains and, where it can,
after which event log and value part. It exits with 3 unless all of them match:
with --pcrs every value in the file, with --quote those that verify requires.
The values are not verified: only verify proves anything. As JSON they are
written {"sha256": {"0": "hex"}}.`,
		Example: `  attestctl replay /sys/kernel/security/tpm0/binary_bios_measurements
  tpm2_pcrread | attestctl replay binary_bios_measurements --pcrs -
  attestctl replay quote.dat --quote quote.dat`,
		Args: arguments(1, 1, "LOG"),
	}, r.run)
	f := c.Flags()
	f.StringVar(&r.pcrs, "pcrs", "", "compare with the PCR values in `FILE`: output of tpm2_pcrread, or JSON")
	f.StringVar(&r.quote, "quote", "", "compare with the PCR values that the evidence in `FILE` gives, unverified")
	f.Var(&parsed[[]int]{&r.require, parsePCRs, "LIST", ""}, "require-pcrs", "PCRs that must match (default all of --pcrs, 0-9,14 of --quote)")
	f.BoolVar(&r.options.AllowPadding, "allow-padding", false, "accept 0xFF or 0x00 bytes after the last event, as CCEL tables have them")
	formatFlag(c, &r.format)
	outputFlag(c, &r.output)
	return c
}

func (r *replayLog) run(args []string) error {
	switch {
	case r.pcrs != "" && r.quote != "":
		return usagef("--pcrs and --quote both give the values to compare with: use one")
	case countStdin([]string{args[0], r.pcrs, r.quote}) > 1:
		return usagef("standard input (-) is named twice and can be read once")
	case r.require != nil && r.pcrs == "" && r.quote == "":
		return hint.New(usagef("--require-pcrs needs values to compare with"), "give them with --pcrs or --quote")
	}
	log, format, err := r.readLog(args[0])
	if err != nil {
		return inFile(args[0], err)
	}
	with, err := r.given()
	if err != nil {
		return err
	}
	doc := report.NewReplay(args[0], format, log, with)
	if err := report.Write(r.sys.stdout, r.output, doc, r.sys.style()); err != nil {
		return err
	}
	if doc.Matches != nil && !*doc.Matches {
		return hint.New(&exitError{exitRefused, fmt.Errorf("the log does not explain the values in %s", report.Quote(with.Name))},
			"log and values must be of one boot of one machine; take them together")
	}
	return nil
}

// readLog finds the event log in a file. A log with padding is one that
// evidence may not carry, so it is parsed here again, with the options.
func (r *replayLog) readLog(name string) (*replay.Log, string, error) {
	data, err := r.sys.readFile(name)
	if err != nil {
		return nil, "", err
	}
	raw, format := data, formatEventLog
	bundle, err := evidence.LoadAs(bytes.NewReader(data), r.format)
	malformed, ok := errors.AsType[*evidence.FormatError](err)
	switch {
	case err == nil:
		raw, format = evidence.UntrustedEventLog(bundle), bundle.Format()
	case !ok || malformed.Format != formatEventLog:
		return nil, "", err
	}
	if len(raw) == 0 {
		return nil, "", &exitError{exitRefused, fmt.Errorf("evidence of format %s without an event log", format)}
	}
	log, err := replay.ParseLog(raw, r.options)
	if _, bad := errors.AsType[*replay.ParseError](err); bad && !r.options.AllowPadding {
		err = hint.New(err, "if the log is followed by unused bytes, as in a CCEL table, use --allow-padding")
	}
	return log, format, err
}

// formatEventLog is the format of a bare log.
const formatEventLog = "tcg-eventlog"

// given reads the values to compare with.
func (r *replayLog) given() (report.Comparison, error) {
	switch {
	case r.pcrs != "":
		data, err := r.sys.readFile(r.pcrs)
		if err != nil {
			return report.Comparison{}, inFile(r.pcrs, err)
		}
		banks, err := parsePCRValues(data)
		if err != nil {
			return report.Comparison{}, &exitError{exitRefused, fmt.Errorf("%s: %w", report.Quote(r.pcrs), err)}
		}
		return report.Comparison{Name: r.pcrs, Given: banks, Required: r.require}, nil
	case r.quote != "":
		bundle, err := r.sys.load(r.quote, "")
		if err != nil {
			return report.Comparison{}, err
		}
		banks := evidence.UntrustedPCRs(bundle)
		if len(banks) == 0 {
			return report.Comparison{}, &exitError{exitRefused, fmt.Errorf("%s gives no PCR values", report.Quote(r.quote))}
		}
		with := report.Comparison{Name: r.quote, Given: banks, Required: r.require}
		if with.Required == nil {
			with.Required = evidence.DefaultPCRs()
		}
		return with, nil
	default:
		return report.Comparison{}, nil
	}
}
