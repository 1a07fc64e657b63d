package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/report"
)

// fixturesDir is where cases lie unless --dir says otherwise.
const fixturesDir = "fixtures"

func newFixture(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "fixture",
		Short: "Record, mint and show evidence kept as regression tests",
		Long: `Fixture keeps evidence with what must come out of it. A case is a folder below
fixtures/ with evidence.*, case.yaml (nonce, time, trust, policies) and want.json
(verdict, every check, claims, decisions). What changes the meaning of evidence
shows as a diff of want.json in review.`,
		Example: `  attestctl fixture list
  attestctl fixture add quote.dat --name web-1 --nonce 30c1f2...
  attestctl fixture mint --name tdx-no-secure-boot --technology tdx --secure-boot off`,
	})
	c.AddCommand(newFixtureList(sys), newFixtureShow(sys), newFixtureAdd(sys), newFixtureMint(sys))
	return c
}

// textOrJSON adds -o for what has these two forms.
func textOrJSON(c *cobra.Command, value *string) {
	forms := []string{"text", "json"}
	*value = forms[0]
	choice(c, value, "output", "o", "output format: "+strings.Join(forms, ", "), forms)
}

func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", fixturesDir, "`FOLDER` of the cases")
}

// writeJSON writes one document.
func (sys *system) writeJSON(v any) error {
	out, err := fixture.Encode(v)
	if err != nil {
		return err
	}
	_, err = sys.stdout.Write(out)
	return err
}

// writeTable writes rows as columns that are aligned, without the last.
func (sys *system) writeTable(rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(report.Quote(cell))))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = report.Quote(cell)
			line.WriteString(cell + strings.Repeat(" ", widths[i]-len([]rune(cell))+2))
		}
		if _, err := fmt.Fprintln(sys.stdout, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// verdictOf says what must come out of a case.
func verdictOf(c fixture.Case) string {
	if c.Want == nil {
		return "unrecorded"
	}
	return c.Want.Verdict
}

// policyNames lists the policies that decide a case.
func policyNames(c fixture.Case) []string {
	names := []string{}
	for _, p := range c.Spec.Policies {
		names = append(names, p.Policy)
	}
	return slices.Clip(names)
}
