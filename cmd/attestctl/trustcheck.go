package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/report"
)

// trustCheck is the command and its flags.
type trustCheck struct {
	sys    *system
	at     time.Time
	maxAge time.Duration
	output string
}

func newTrustCheck(sys *system) *cobra.Command {
	k := &trustCheck{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "check DIR [flags]",
		Short: "Find what is wrong with a trust directory",
		Long: `Check reads every file of a trust directory and lists all that is wrong with it at
the time of --at, in one run. Exit codes: 0 no errors, 3 errors; notes do not count.

Findings:
` + findingList(),
		Example: `  attestctl trust check anchors/
  attestctl trust check anchors/ --at 2026-02-24 --max-age 30d -o json`,
		Args: arguments(1, 1, "DIR"),
	}, k.run)
	f := c.Flags()
	f.Var(&parsed[time.Time]{&k.at, parseTime, "TIME", ""}, "at", "time to check at: RFC 3339, a date, or Unix seconds (default now)")
	f.Var(&parsed[time.Duration]{&k.maxAge, parseAge, "AGE", ""}, "max-age", "find revocation lists and collateral older than AGE: 36h, 30d")
	outputFlag(c, &k.output)
	return c
}

// findingList describes the findings for the help text.
func findingList() string {
	lines := make([]string, 0, len(evidence.FindingCodes))
	for _, c := range evidence.FindingCodes {
		lines = append(lines, fmt.Sprintf("  %-15s%s", c.Code, wrap(c.Meaning, 66, strings.Repeat(" ", 17))))
	}
	return strings.Join(lines, "\n")
}

func (k *trustCheck) run(args []string) error {
	if k.at.IsZero() {
		k.at = k.sys.now()
	}
	findings, err := evidence.CheckTrust(os.DirFS(args[0]), k.at, k.maxAge)
	if err != nil {
		return fmt.Errorf("checking %s: %w", report.Quote(args[0]), err)
	}
	doc := report.NewTrustCheck(args[0], k.at, findings)
	if err := report.Write(k.sys.stdout, k.output, doc, k.sys.style()); err != nil {
		return err
	}
	if doc.Errors > 0 {
		return &exitError{exitRefused, fmt.Errorf("%s: errors: %d", report.Quote(args[0]), doc.Errors)}
	}
	return nil
}
