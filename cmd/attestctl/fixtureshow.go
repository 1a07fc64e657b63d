package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/report"
)

// schemaFixture is the schema of what fixture show writes as JSON.
const schemaFixture = "attestctl.fixture/v1"

func newFixtureShow(sys *system) *cobra.Command {
	var dir, output string
	c := leaf(&cobra.Command{
		Use:   "show CASE [flags]",
		Short: "Show what a case is about and what must come out of it",
		Long: `Show prints the title of a case, how it is judged, the verdict, the checks that
fail, and the claims that most policies read. Nothing is verified. JSON has all.

CASE is the name of a case, or the path of its folder.`,
		Example: `  attestctl fixture show gce-sev
  attestctl fixture show testdata/evidence/web-1 -o json`,
		Args: arguments(1, 1, "CASE"),
	}, func(args []string) error {
		path := args[0]
		if filepath.Base(path) == path {
			path = filepath.Join(dir, path)
		}
		loaded, err := fixture.LoadCase(path)
		if err != nil {
			return err
		}
		return sys.showFixture(loaded, output)
	})
	dirFlag(c, &dir)
	textOrJSON(c, &output)
	return c
}

func (sys *system) showFixture(c fixture.Case, output string) error {
	if output == "json" {
		return sys.writeJSON(struct {
			Schema   string           `json:"schema"`
			Name     string           `json:"name"`
			Evidence string           `json:"evidence"`
			Bytes    int              `json:"bytes"`
			Case     fixture.Spec     `json:"case"`
			Want     *fixture.Outcome `json:"want"`
		}{schemaFixture, c.Name, c.File, len(c.Evidence), c.Spec, c.Want})
	}
	if _, err := fmt.Fprintf(sys.stdout, "%s: %s\n\n", report.Quote(c.Name), report.Quote(c.Spec.Title)); err != nil {
		return err
	}
	var rows [][]string
	for _, row := range append(howJudged(c), wanted(c)...) {
		if row[1] != "" {
			rows = append(rows, []string{"  " + row[0], row[1]})
		}
	}
	if err := sys.writeTable(rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(sys.stdout, "\n%s\n", strings.ToUpper(verdictOf(c)))
	return err
}

// howJudged lists what case.yaml says.
func howJudged(c fixture.Case) [][2]string {
	return [][2]string{
		{"evidence", c.File + ", " + strconv.Itoa(len(c.Evidence)) + " bytes"},
		{"nonce", hex.EncodeToString(c.Spec.Nonce)},
		{"at", c.Spec.At.UTC().Format(time.RFC3339)},
		{"trust", c.Spec.Trust},
		{"pinned key", c.Spec.AKPub},
		{"insecure", strings.Join(c.Spec.Insecure, ", ")},
		{"policies", strings.Join(policyNames(c), ", ")},
	}
}

// wanted lists what want.json says.
func wanted(c fixture.Case) [][2]string {
	if c.Want == nil {
		return nil
	}
	rows := [][2]string{{"fails", strings.Join(c.Want.Failing(), ", ")}}
	if c.Want.Claims != nil {
		rows = append(rows, mainClaims(c.Want.Claims)...)
	}
	for _, name := range policyNames(c) {
		if d, ok := c.Want.Decisions[name]; ok {
			rows = append(rows, [2]string{"decision", name + ": " + decisionWords(d)})
		}
	}
	return rows
}

func decisionWords(d fixture.Decision) string {
	if d.Allow {
		return "allow"
	}
	var codes []string
	for _, r := range d.Reasons {
		codes = append(codes, r.Code)
	}
	return "deny: " + strings.Join(codes, ", ")
}

// mainClaims lists the claims that most policies read.
func mainClaims(c *claims.Claims) [][2]string {
	rows := [][2]string{{"hardware", c.HWModel}, {"software", c.SWName}}
	if c.SecBoot != nil {
		rows = append(rows, [2]string{"secure boot", map[bool]string{true: "on", false: "off"}[*c.SecBoot]})
	}
	if s := c.Submods; s != nil && s.GCE != nil {
		rows = append(rows, [2]string{"instance", s.GCE.InstanceName + " of " + s.GCE.ProjectID + " in " + s.GCE.Zone})
	}
	if s := c.Submods; s != nil && s.Container != nil {
		rows = append(rows, [2]string{"image", s.Container.ImageDigest})
	}
	if c.Boot == nil {
		return rows
	}
	rows = append(rows, [2]string{"technology", c.Boot.Technology})
	if c.Boot.Kernel != nil {
		rows = append(rows, [2]string{"kernel", c.Boot.Kernel.CommandLine})
	}
	return append(rows, [2]string{"forgeable", strings.Join(c.Boot.Forgeable, ", ")})
}

// exists tells whether there is something at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
