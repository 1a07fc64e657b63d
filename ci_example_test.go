package attestctl_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// workflow is what the example for GitHub consists of.
type workflow struct {
	Name        string
	On          map[string]any // YAML 1.2: the word is no boolean
	Permissions map[string]string
	Jobs        map[string]struct {
		RunsOn string `yaml:"runs-on"`
		Steps  []workflowStep
	}
}

type workflowStep struct {
	Name, Uses, Run, If string
	With                map[string]any
}

const workflowExample = "docs/examples/github-workflow.yml"

func readWorkflow(t *testing.T) []workflowStep {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(workflowExample))
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	job := w.Jobs["policy"]
	_, pullRequest := w.On["pull_request"]
	if w.Name == "" || !pullRequest || len(w.Jobs) != 1 || job.RunsOn == "" || len(job.Steps) < 6 {
		t.Fatalf("the workflow reads as %+v", w)
	}
	if w.Permissions["security-events"] != "write" || w.Permissions["contents"] != "read" {
		t.Errorf("permissions %v do not let it upload SARIF, or let it do more", w.Permissions)
	}
	for i, s := range job.Steps {
		if (s.Uses == "") == (s.Run == "") {
			t.Errorf("step %d has uses %q and run %q, want one of the two", i, s.Uses, s.Run)
		}
	}
	return job.Steps
}

// TestWorkflowExample runs the steps of the example in an empty folder in which
// policy init has been run, then with a policy that fails its tests.
func TestWorkflowExample(t *testing.T) {
	needShell(t)
	build(t)
	steps := readWorkflow(t)
	dir := t.TempDir()
	if out, code := shellIn(t, dir, "attestctl policy init policy"); code != 0 {
		t.Fatalf("policy init ends with %d: %s", code, out)
	}
	if codes := runSteps(t, dir, steps); len(codes) < 4 || slices.Max(codes) != 0 {
		t.Errorf("the steps end with %v, want 0 four times", codes)
	}
	checkUploads(t, dir, steps, "")

	config := filepath.Join(dir, "policy", "config.yaml")
	if err := os.WriteFile(config, []byte("project_ids: [another]\nhwmodels: [GCP_AMD_SEV]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if codes := runSteps(t, dir, steps); !slices.Equal(codes, []int{0, 5, 0, 0}) {
		t.Errorf("with another config the steps end with %v, want 0 5 0 0: only the test itself judges", codes)
	}
	checkUploads(t, dir, steps, "fixtures")

	for i := range steps {
		steps[i].Run = strings.Replace(steps[i].Run, " -o ", " --no-such-flag -o ", 1)
	}
	if codes := runSteps(t, dir, steps); len(codes) != 4 || slices.Contains(codes[1:], 0) {
		t.Errorf("with a wrong flag the steps end with %v: writing a report hides the error", codes)
	}
}

// runSteps runs the steps that call attestctl as GitHub's runner does, and
// returns how they end.
func runSteps(t *testing.T, dir string, steps []workflowStep) []int {
	t.Helper()
	var codes []int
	for _, s := range steps {
		if !strings.HasPrefix(s.Run, "attestctl ") {
			continue
		}
		_, code := shellIn(t, dir, s.Run)
		codes = append(codes, code)
	}
	return codes
}

// checkUploads wants the files that the steps upload to be reports that name
// what is said.
func checkUploads(t *testing.T, dir string, steps []workflowStep, says string) {
	t.Helper()
	formats := map[string]string{"path": "<testsuites ", "sarif_file": "sarif-schema-2.1.0.json"}
	for setting, begins := range formats {
		found := 0
		for _, s := range steps {
			name, ok := s.With[setting].(string)
			if !ok {
				continue
			}
			found++
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Contains(text, []byte(begins)) || !bytes.Contains(text, []byte(says)) {
				t.Errorf("%s: %v, want %q and %q in\n%s", name, err, begins, says, text)
			}
		}
		if found != 1 {
			t.Errorf("%d steps have the setting %s, want one", found, setting)
		}
	}
}

var (
	indented = regexp.MustCompile(`(?m)^    (attestctl .*)$`)
	inTable  = regexp.MustCompile("(?m)^\\| `(attestctl [^`]*)` \\|")
)

// TestRecipeCommands runs every command of docs/ci.md in one folder, from top to
// bottom, and wants it to name the example.
func TestRecipeCommands(t *testing.T) {
	needShell(t)
	build(t)
	text, err := os.ReadFile(filepath.Join("docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("("+strings.TrimPrefix(workflowExample, "docs/")+")")) {
		t.Error("docs/ci.md does not link the example")
	}
	dir := t.TempDir()
	copyEvidence(t, dir)
	names := strings.NewReplacer("DIR", "policy", "OLD", "policy", "NEW", "policy", "quote.dat", "quote.dat --trust trust --at 2026-01-01T00:00:00Z")
	ran := 0
	for _, m := range slices.Concat(indented.FindAllStringSubmatch(string(text), -1), inTable.FindAllStringSubmatch(string(text), -1)) {
		ran++
		if out, code := shellIn(t, dir, names.Replace(m[1])); code != 0 {
			t.Errorf("%s ends with %d:\n%s", m[1], code, out)
		}
	}
	if ran < 7 {
		t.Errorf("docs/ci.md has %d commands, want seven or more", ran)
	}
}

// copyEvidence puts a recorded case's evidence and trust where the recipe's
// reader has their own, and its nonce into the environment.
func copyEvidence(t *testing.T, dir string) {
	t.Helper()
	from := filepath.Join("fixtures", "gce-sev")
	data, err := os.ReadFile(filepath.Join(from, "evidence.textproto"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "quote.dat"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "trust"), os.DirFS(filepath.Join("fixtures", "trust"))); err != nil {
		t.Fatal(err)
	}
	spec, err := os.ReadFile(filepath.Join(from, "case.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ Nonce string }
	if err := yaml.Unmarshal(spec, &c); err != nil || c.Nonce == "" {
		t.Fatalf("the case has the nonce %q, %v", c.Nonce, err)
	}
	t.Setenv("NONCE", c.Nonce)
}

// shellIn runs a command in a folder, ending at the first that fails.
func shellIn(t *testing.T, dir, command string) ([]byte, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}
