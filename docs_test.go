package attestctl_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/server"
)

var update = flag.Bool("update", false, "rewrite what is generated")

// TestChecksDocumented makes docs/checks.md from the table of checks, so that
// every check is documented and nothing else is.
func TestChecksDocumented(t *testing.T) {
	want := checksPage(t)
	path := filepath.Join("docs", "checks.md")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table of checks says: go test . -run TestChecksDocumented -update", path)
	}
}

func checksPage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`# Checks

Every result lists every check below, as one of four words:

- **pass**: decided in favour of the evidence
- **fail**: decided against it; the detail says what was seen and expected
- **skip**: does not apply to this evidence; the detail says why
- **not-run**: an earlier failure made it meaningless

Evidence is accepted only if no check has failed and none was left out. A check
that is made for each PCR bank appears once a bank, with the bank in brackets:
` + "`tpm.quote.signature[sha256]`" + `. The IDs are stable.

This page is made from the tables in ` + "`evidence/checks.go` and `server/checks.go`" + ` by a test.
`)
	describe(t, &b, evidence.Checks)
	b.WriteString(`
# Checks of the server

` + "`attestctl serve`" + ` makes these beside the others, for the demands of a secret. They
stand in its audit log where they failed.
`)
	describe(t, &b, server.Checks)
	return b.Bytes()
}

// describe writes a section a check.
func describe(t *testing.T, b *bytes.Buffer, checks []evidence.CheckInfo) {
	t.Helper()
	for _, c := range checks {
		for _, text := range []string{c.ID, c.Proves, c.Fails, c.Remedy, c.Spec} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("check %q leaves a field empty", c.ID)
			}
		}
		id := c.ID
		if c.PerBank {
			id += "[bank]"
		}
		fmt.Fprintf(b, "\n## %s\n\n%s\n\n- **fails when**: %s\n- **what to do**: %s\n- **follows**: %s\n", id, c.Proves, c.Fails, c.Remedy, c.Spec)
	}
}
