package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
	"github.com/attestctl/attestctl/server/audit"
)

// auditVerify is the command and its flags.
type auditVerify struct {
	sys         *system
	key, output string
}

func newAuditVerify(sys *system) *cobra.Command {
	v := &auditVerify{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "verify FILE --key FILE [flags]",
		Short: "Prove that nobody changed an audit log",
		Long: `Verify reads an audit log to its end and wants every line to be as the server wrote
it: its number, the hash of the line before, and checkpoints signed with the key.
It names the first line that is not right.

A last line without its end is what a crash leaves, or a server that writes at this
moment; no secret left for it. Two things no log can show: that its end was cut off
at a whole line, and changes of the records behind the last checkpoint. Compare the
number of the last line with one that was noted elsewhere.

FILE may be - for standard input. Exit codes: 0 proven, 1 not readable, 2 wrong usage,
3 broken.`,
		Example: `  attestctl audit verify audit.log --key audit.pub
  attestctl audit verify audit.log --key audit.pub -o json`,
		Args: arguments(1, 1, "FILE"),
	}, v.run)
	c.Flags().StringVar(&v.key, "key", "", "public key `FILE` that audit keygen printed, PEM")
	textOrJSON(c, &v.output)
	return c
}

const schemaAudit = "attestctl.audit/v1"

// auditSummary is what a log was found to be.
type auditSummary struct {
	Schema      string `json:"schema"`
	Records     uint64 `json:"records"`
	Checkpoints uint64 `json:"checkpoints"`
	Seq         uint64 `json:"seq"`  // of the last whole line
	Head        string `json:"head"` // SHA-256 of that line
	Bytes       int64  `json:"bytes"`
	Signed      bool   `json:"signed"`
	Unsigned    int    `json:"unsigned"` // records behind the last checkpoint
	Closed      bool   `json:"closed"`
	Cuts        uint64 `json:"cuts"`
	Torn        int    `json:"torn"` // bytes
}

func (v *auditVerify) run(args []string) error {
	if v.key == "" {
		return hint.New(usagef("--key is missing"), "name the file of the public key, which audit keygen printed")
	}
	if countStdin([]string{args[0], v.key}) > 1 {
		return usagef("standard input (-) is named twice and can be read once")
	}
	public, err := v.sys.auditPublic(v.key)
	if err != nil {
		return err
	}
	f, err := v.sys.openAny(args[0])
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	sum, err := audit.Verify(f, public)
	if err != nil {
		return auditBroken(args[0], err)
	}
	return v.print(sum)
}

// auditPublic reads the key that --key names.
func (sys *system) auditPublic(name string) (ed25519.PublicKey, error) {
	wrong := func(err error) error {
		return &exitError{exitTool, fmt.Errorf("--key %s: %w", report.Quote(name), err)}
	}
	f, err := sys.openAny(name)
	if err != nil {
		return nil, wrong(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := readKeyText(f)
	if err != nil {
		return nil, wrong(err)
	}
	key, err := parseAuditPublic(data)
	if err != nil {
		return nil, wrong(err)
	}
	return key, nil
}

// auditBroken is the error for a log that does not hold together, which is not one
// that cannot be read.
func auditBroken(name string, err error) error {
	if _, unreadable := errors.AsType[*fs.PathError](err); unreadable {
		return err
	}
	err = &exitError{exitRefused, fmt.Errorf("%s: %w", report.Quote(name), err)}
	if _, line := errors.AsType[*audit.LineError](err); !line {
		return err
	}
	return hint.New(err, "somebody changed the log, or the key is another; what stands before this line is intact")
}

func (v *auditVerify) print(s audit.Summary) error {
	d := auditSummary{
		schemaAudit, s.Records, s.Checkpoints, s.Seq, s.Head.String(), s.Bytes, s.Signed, s.Unsigned, s.Closed, s.Cuts, s.Torn,
	}
	if v.output == "json" {
		return v.sys.writeJSON(d)
	}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	end := "closed by the server"
	if !s.Closed {
		end = "open: a server writes it, or ended by a crash"
	}
	rows := [][]string{
		{"decisions", number(s.Records)},
		{"checkpoints", number(s.Checkpoints) + ", all signed with the key"},
		{"last line", number(s.Seq) + " " + s.Head.String()},
		{"end", end},
	}
	for _, r := range []struct {
		n    uint64
		what string
		text string
	}{
		{uint64(max(0, s.Unsigned)), "not signed yet", "decisions behind the last checkpoint"},
		{s.Cuts, "cut", "lines that a crash tore, and a later server removed"},
		{uint64(max(0, s.Torn)), "torn", "bytes of a last line without its end"},
	} {
		if r.n > 0 {
			rows = append(rows, []string{r.what, number(r.n) + " " + r.text})
		}
	}
	return v.sys.writeTable(rows)
}
