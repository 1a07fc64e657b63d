package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/server/audit"
)

// auditQuery is the command query or show and its flags.
type auditQuery struct {
	sys    *system
	filter audit.Filter
	output string
	row    func(audit.Record) [][]string // what the text says of a record
	gap    bool                          // there is an empty line behind it
}

const queryNote = `

The lines must fit together, and the first that does not ends it (exit 3). Who signed
them is not looked at: that is for audit verify. FILE may be - for standard input.
With -o json every record is a line, as it is in the log.`

func newAuditShow(sys *system) *cobra.Command {
	q := &auditQuery{sys: sys, row: auditLines, gap: true}
	c := leaf(&cobra.Command{
		Use:   "show FILE [flags]",
		Short: "Print decisions in full",
		Long: `Show prints what an audit log says of each decision: what was asked for and by whom,
what the evidence was and which checks failed, what the policy said and why. With
--request it prints that of one request, whose ID the client was told.` + queryNote,
		Example: `  attestctl audit show audit.log
  attestctl audit show audit.log --request 5e0d6a92c7f34b1f8e63b1a1f7d2c4e0`,
		Args: arguments(1, 1, "FILE"),
	}, q.run)
	c.Flags().StringVar(&q.filter.RequestID, "request", "", "print the decision about the request `ID` alone")
	textOrJSON(c, &q.output)
	return c
}

func newAuditQuery(sys *system) *cobra.Command {
	q := &auditQuery{sys: sys, row: auditRow}
	c := leaf(&cobra.Command{
		Use:   "query FILE [flags]",
		Short: "List the decisions that meet all conditions",
		Long: `Query prints a line for each decision in an audit log that meets every condition
given: its number, time, outcome, route, secret, client, and why nothing was
released.

Outcomes: ` + strings.Join(audit.Outcomes, ", ") + `. Denied is by the policy; refused is
evidence that was not accepted.` + queryNote,
		Example: `  attestctl audit query audit.log --outcome denied --since 2026-11-01
  attestctl audit query audit.log --secret db-password --remote 192.0.2.7 -o json
  attestctl audit query audit.log --check tpm.quote.nonce`,
		Args: arguments(1, 1, "FILE"),
	}, q.run)
	auditFilterFlags(c, &q.filter)
	textOrJSON(c, &q.output)
	return c
}

// auditFilterFlags add the conditions for decisions.
func auditFilterFlags(c *cobra.Command, x *audit.Filter) {
	f := c.Flags()
	f.StringVar(&x.Secret, "secret", "", "decisions about the secret `NAME`")
	choice(c, &x.Outcome, "outcome", "", "decisions with this outcome", audit.Outcomes)
	f.Var(&parsed[time.Time]{&x.Since, parseTime, "TIME", ""}, "since", "decisions from this time on: RFC 3339, a date, or Unix seconds")
	f.Var(&parsed[time.Time]{&x.Until, parseTime, "TIME", ""}, "until", "decisions before this time")
	f.StringVar(&x.Check, "check", "", "decisions for which the check `ID` failed")
	f.StringVar(&x.Remote, "remote", "", "decisions about requests from the `ADDRESS`")
	f.StringVar(&x.RequestID, "request", "", "the decision about the request `ID`")
}

// run prints records as they come: a log may be of any size.
func (q *auditQuery) run(args []string) error {
	f, err := q.sys.openAny(args[0])
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	for r, err := range audit.Read(f) {
		if err != nil {
			return auditBroken(args[0], err)
		}
		if !q.filter.Match(r) {
			continue
		}
		if err := q.print(r); err != nil {
			return err
		}
	}
	return nil
}

func (q *auditQuery) print(r audit.Record) error {
	if q.output == "json" {
		line, err := r.Line()
		if err != nil {
			return err
		}
		_, err = q.sys.stdout.Write(append(line, '\n'))
		return err
	}
	if err := q.sys.writeTable(q.row(r)); err != nil || !q.gap {
		return err
	}
	_, err := fmt.Fprintln(q.sys.stdout)
	return err
}

// auditRow is a record in one line.
func auditRow(r audit.Record) [][]string {
	row := []string{strconv.FormatUint(r.Seq, 10), auditTime(r), r.Outcome(), r.Route, auditWord(r.Secret), auditWord(r.Remote)}
	if r.Error != "" {
		row = append(row, r.Error)
	}
	row = append(row, r.Failed...)
	for _, reason := range r.Result.Reasons {
		row = append(row, reason.Code)
	}
	return [][]string{row}
}

func auditTime(r audit.Record) string { return r.Time.UTC().Format(time.RFC3339) }

func auditWord(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// auditLines is all of a record but the input of the policy.
func auditLines(r audit.Record) [][]string {
	rows := [][]string{{"decision " + strconv.FormatUint(r.Seq, 10), auditTime(r) + " " + r.Outcome()}}
	for _, f := range []struct{ name, value string }{
		{"request", r.RequestID},
		{"route", r.Route},
		{"secret", r.Secret},
		{"remote", r.Remote},
		{"evidence", r.EvidenceSHA256},
		{"format", r.Format},
		{"verdict", r.Verdict},
		{"bound by", r.Binding},
		{"challenge", r.Challenge},
		{"policy", r.Policy},
		{"policy digest", r.PolicyDigest},
		{"input digest", r.InputDigest},
		{"error", r.Error},
	} {
		if f.value != "" {
			rows = append(rows, []string{"  " + f.name, f.value})
		}
	}
	for _, id := range r.Failed {
		rows = append(rows, []string{"  failed", id})
	}
	rows = append(rows, auditReasons("reason", r.Result.Reasons)...)
	if s := r.Shadow; s != nil {
		word := "denies"
		if s.Allow {
			word = "allows"
		}
		rows = append(rows, []string{"  shadow policy", s.Policy + " " + word})
		rows = append(rows, auditReasons("shadow reason", s.Reasons)...)
	}
	return rows
}

func auditReasons(name string, list []audit.Reason) [][]string {
	var rows [][]string
	for _, r := range list {
		rows = append(rows, []string{"  " + name, r.Code + ": " + r.Msg})
	}
	return rows
}
