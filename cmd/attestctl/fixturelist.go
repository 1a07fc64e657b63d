package main

import (
	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/fixture"
)

// schemaFixtures is the schema of what fixture list writes as JSON.
const schemaFixtures = "attestctl.fixtures/v1"

// fixtureSummary is one case of a list.
type fixtureSummary struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Verdict  string   `json:"verdict"`
	Failing  []string `json:"failing,omitempty"`
	Policies []string `json:"policies,omitempty"`
}

func newFixtureList(sys *system) *cobra.Command {
	var output string
	c := leaf(&cobra.Command{
		Use:   "list [DIR] [flags]",
		Short: "List the cases of a folder with their verdicts",
		Long: `List reads every case of DIR (default fixtures) strictly and prints its name, the
verdict that it expects, and its title. Nothing is verified. A case that does not
read, and a folder without a case, are errors.`,
		Example: `  attestctl fixture list
  attestctl fixture list testdata/evidence -o json`,
		Args: arguments(0, 1, "DIR"),
	}, func(args []string) error {
		dir := fixturesDir
		if len(args) == 1 {
			dir = args[0]
		}
		cases, err := fixture.Load(dir)
		if err != nil {
			return err
		}
		return sys.listFixtures(cases, output)
	})
	textOrJSON(c, &output)
	return c
}

func (sys *system) listFixtures(cases []fixture.Case, output string) error {
	var list []fixtureSummary
	var rows [][]string
	for _, c := range cases {
		s := fixtureSummary{Name: c.Name, Title: c.Spec.Title, Verdict: verdictOf(c), Policies: policyNames(c)}
		if c.Want != nil {
			s.Failing = c.Want.Failing()
		}
		list = append(list, s)
		rows = append(rows, []string{s.Name, s.Verdict, s.Title})
	}
	if output == "json" {
		return sys.writeJSON(struct {
			Schema   string           `json:"schema"`
			Fixtures []fixtureSummary `json:"fixtures"`
		}{schemaFixtures, list})
	}
	return sys.writeTable(rows)
}
