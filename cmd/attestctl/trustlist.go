package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/report"
)

// trustList is the command and its flags.
type trustList struct {
	sys    *system
	dir    string
	at     time.Time
	output string
}

func newTrustList(sys *system) *cobra.Command {
	l := &trustList{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "list [flags]",
		Short: "List trust material with its age and validity",
		Long: `List prints every file with what it is for, its subject (of a revocation list the
issuer), the SHA-256 of its DER form, its validity, its age and where it comes
from: the embedded anchors, or the files of a directory.

Its status at the time of --at is valid, not yet valid, expired (certificates) or
stale (revocation lists and collateral past their next update). Whether the
files fit together is the business of trust check.`,
		Example: `  attestctl trust list
  attestctl trust list --trust anchors/ --at 2026-02-24 -o json`,
		Args: arguments(0, 0, "argument"),
	}, l.run)
	c.Flags().StringVar(&l.dir, "trust", "", "list the files in `DIR` instead of the embedded anchors")
	c.Flags().Var(&parsed[time.Time]{&l.at, parseTime, "TIME", ""}, "at", "time of the status: RFC 3339, a date, or Unix seconds (default now)")
	outputFlag(c, &l.output)
	return c
}

func (l *trustList) run([]string) error {
	load := evidence.EmbeddedTrust
	if l.dir != "" {
		load = func() (*evidence.Trust, error) { return loadTrust(l.dir) }
	}
	t, err := load()
	if err != nil {
		return err
	}
	if l.at.IsZero() {
		l.at = l.sys.now()
	}
	return report.Write(l.sys.stdout, l.output, report.NewTrustList(t, l.at), l.sys.style())
}
