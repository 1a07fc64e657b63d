package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/claims"
)

// documents gives every kind of document with s wherever evidence, a file name
// or a key could put it.
func documents(s string) map[string]Document {
	return map[string]Document{
		"accepted":    accepted(s),
		"refused":     refused(s),
		"error":       &Result{File: s, Err: errors.New(s)},
		"inspect":     &Inspection{Schema: SchemaInspection, File: s, Format: "x", Fields: []evidence.Field{{Path: s, Value: s}}},
		"replay":      replayed(s),
		"trust":       &TrustList{Schema: SchemaTrust, Files: []TrustFile{{Path: s, Kind: "certificate", Purpose: s, Status: s, Subject: s, Origin: s}}},
		"trust check": NewTrustCheck(s, time.Unix(0, 0), []evidence.Finding{{Path: s, Severity: evidence.SeverityError, Code: s, Detail: s}}),
		"checks":      NewCheckList(evidence.Checks...),
		"one check":   NewCheckList(evidence.Checks[0]),
		"version":     NewVersion(nil),
		"denied":      denied(s),
		"decision":    &Decision{Decision: *denied(s).Decision, Policy: s, File: s},
		"diff":        policyDiff(s),
		"audit diff":  auditDiff(s),
		"bench":       &PolicyBench{Schema: SchemaPolicyBench, Policy: s, Engines: []Measurement{{Engine: s}}},
	}
}

func accepted(s string) *Result {
	c := &claims.Claims{
		Schema: claims.Schema, Format: s, HWModel: s, SWName: s, Checks: map[string]string{s: "pass"}, Insecure: []string{s},
		Submods: &claims.Submods{
			GCE:       &claims.GCE{InstanceName: s, InstanceID: s, ProjectID: s, ProjectNumber: s, Zone: s},
			Container: &claims.Container{ImageReference: s, ImageDigest: s, Env: map[string]string{s: s}, Args: []string{s}},
		},
		Boot: &claims.Boot{
			Technology: s, Firmware: &claims.Firmware{CRTMVersion: s}, Kernel: &claims.Kernel{CommandLine: s},
			SecureBoot: &claims.SecureBoot{Enabled: new(true)}, UnexplainedPCRs: []int{10}, Forgeable: []string{"boot.kernel", s},
			UnknownEvents: []claims.UnknownEvent{{Type: s}},
		},
		TPM: &claims.TPM{AK: claims.AK{Trust: s, Certificate: &claims.Certificate{Subject: s}}, Banks: []string{s}, Nonce: s},
	}
	return &Result{File: s, Evidence: &evidence.Result{
		Format: s, Verdict: evidence.Accepted, Claims: c, Insecure: []string{s},
		Checks: []evidence.Check{{ID: "format.strict", Status: evidence.Pass, Detail: s}},
	}}
}

func refused(s string) *Result {
	check := evidence.Check{ID: "tpm.quote.nonce", Status: evidence.Fail, Detail: s, Hint: s}
	return &Result{
		File: s, Err: &evidence.Refusal{Check: check},
		Evidence: &evidence.Result{Format: s, Checks: []evidence.Check{check, {ID: "cel.cos", Status: evidence.NotRun, Detail: s}}},
	}
}

func replayed(s string) *Replay {
	return &Replay{
		Schema: SchemaReplay, File: s, Format: s, Bank: "sha256", Findings: []string{s}, Compared: s, Matches: new(false),
		Events: []ReplayEvent{{UntrustedType: s, Digest: "00", Description: s}, {PCR: -1}},
		Banks: []ReplayBank{{Alg: "sha256", Error: s, PCRs: []ReplayPCR{
			{Outcome: OutcomeMismatch, Explanation: s, Required: true},
			{Outcome: OutcomeMatch},
			{Outcome: OutcomeNotGiven},
			{Outcome: OutcomeReset},
		}}},
	}
}

// TestHostileText writes every document in every format with hostile text in
// every place, and lets nothing through that acts on a terminal.
func TestHostileText(t *testing.T) {
	for _, s := range hostile {
		plain := map[string]int{}
		for name, d := range documents("harmless") {
			plain[name] = lines(t, d)
		}
		for name, d := range documents(s) {
			for _, format := range Formats() {
				for _, style := range []Style{{}, {Width: 40}} {
					var out bytes.Buffer
					if err := Write(&out, format, d, style); err != nil {
						t.Fatalf("Write(%s, %s) with %q: %v", name, format, s, err)
					}
					if actsOnTerminal(out.String()) {
						t.Errorf("Write(%s, %s) with %q lets it through: %q", name, format, s, out.String())
					}
				}
			}
			if got := lines(t, d); got != plain[name] {
				t.Errorf("%s with %q has %d lines of text, want %d", name, s, got, plain[name])
			}
		}
	}
}

func lines(t *testing.T, d Document) int {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, "text", d, Style{}); err != nil {
		t.Fatal(err)
	}
	return strings.Count(out.String(), "\n")
}

// TestYAMLSaysTheSameAsJSON reads both back. What JSON loses, invalid UTF-8, is
// lost in both.
func TestYAMLSaysTheSameAsJSON(t *testing.T) {
	texts := append([]string{
		"no", "1e3", "? x", ".inf", "- a", "a: b", "#c", "0x12", " lead", "012", "", "~", "<<", "'", `"`, `\`, "é", "%", "|", "@", "true",
	}, hostile...)
	for _, s := range texts {
		for name, d := range documents(s) {
			var want, got any
			unmarshal(t, d, "json", json.Unmarshal, &want)
			unmarshal(t, d, "yaml", yaml.Unmarshal, &got)
			if diff := cmp.Diff(normal(t, want), normal(t, got)); diff != "" {
				t.Errorf("%s with %q: YAML differs from JSON:\n%s", name, s, diff)
			}
		}
	}
}

func unmarshal(t *testing.T, d Document, format string, decode func([]byte, any) error, to any) {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, format, d, Style{}); err != nil {
		t.Fatal(err)
	}
	if err := decode(out.Bytes(), to); err != nil {
		t.Fatalf("%s does not read back: %v\n%s", format, err, out.String())
	}
}

// normal gives numbers one type.
func normal(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWriteUnknownFormat(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "xml", NewVersion(nil), Style{}); err == nil {
		t.Error("Write(xml) succeeded")
	}
	if _, err := NewResults(&bytes.Buffer{}, "xml", Run{}); err == nil {
		t.Error("NewResults(xml) succeeded")
	}
}

func TestWidth(t *testing.T) {
	long := strings.Repeat("word ", 60)
	for name, d := range documents(long) {
		if name == "version" {
			continue
		}
		var out bytes.Buffer
		if err := Write(&out, "text", d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: line of %d columns on a terminal of 80: %q", name, n, line)
			}
		}
	}
}

func TestColor(t *testing.T) {
	for name, d := range documents("x") {
		var plain, colored bytes.Buffer
		if err := errors.Join(Write(&plain, "text", d, Style{}), Write(&colored, "text", d, Style{Color: true})); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("%s: colour without asking for it", name)
		}
		stripped := colored.String()
		for _, c := range []string{"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"} {
			stripped = strings.ReplaceAll(stripped, c, "")
		}
		if stripped != plain.String() {
			t.Errorf("%s: colour changes the text:\n%q\n%q", name, stripped, plain.String())
		}
	}
}

func TestWrapKeepsEverything(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("ab cd ", 30), strings.Repeat("f", 100), "a " + strings.Repeat("0", 50) + " b"} {
		for _, n := range []int{0, 20, 33} {
			got := wrap(text, n)
			join := strings.Join(got, "")
			if strings.ReplaceAll(join, " ", "") != strings.ReplaceAll(text, " ", "") {
				t.Errorf("wrap(%q, %d) = %q loses text", text, n, got)
			}
			if n >= minWrap && slices.ContainsFunc(got, func(l string) bool { return len(l) > n }) {
				t.Errorf("wrap(%q, %d) = %q has a longer line", text, n, got)
			}
		}
	}
}

func TestIndexes(t *testing.T) {
	for want, pcrs := range map[string][]int{
		"": nil, "PCR 7": {7}, "PCR 7, 8": {7, 8}, "PCR 0-2": {0, 1, 2}, "PCR 10, 13-16, 23": {10, 13, 14, 15, 16, 23},
	} {
		if got := indexes(pcrs); got != want {
			t.Errorf("indexes(%v) = %q, want %q", pcrs, got, want)
		}
	}
}
