package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/evidence"
)

func results(t *testing.T, format string, many bool, list ...*Result) string {
	t.Helper()
	var out bytes.Buffer
	r, err := NewResults(&out, format, Run{Many: many})
	if err != nil {
		t.Fatal(err)
	}
	var sum Summary
	for _, one := range list {
		sum.Count(one)
		if err := r.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(sum); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestManyResults(t *testing.T) {
	type document struct {
		Schema  string `json:"schema"`
		Results []struct {
			Schema  string         `json:"schema"`
			File    string         `json:"file"`
			Verdict string         `json:"verdict"`
			Claims  map[string]any `json:"claims"`
		} `json:"results"`
		Summary Summary `json:"summary"`
	}
	untrusted := refused("u")
	untrusted.Evidence.Verdict = evidence.Untrusted
	list := []*Result{accepted("a"), refused("b"), {File: "c"}, untrusted}
	for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": func(b []byte, v any) error {
		return yaml.UnmarshalWithOptions(b, v, yaml.UseJSONUnmarshaler())
	}} {
		var doc document
		if err := decode([]byte(results(t, format, true, list...)), &doc); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		want := Summary{Files: 4, Accepted: 1, Untrusted: 1, Refused: 1, Errors: 1}
		if doc.Schema != SchemaResults || doc.Summary != want || len(doc.Results) != 4 {
			t.Fatalf("%s: schema %q, summary %+v, %d results; want %q, %+v, 4", format, doc.Schema, doc.Summary, len(doc.Results), SchemaResults, want)
		}
		for i, verdict := range []string{"accepted", "refused", "error", "untrusted"} {
			r := doc.Results[i]
			if r.Schema != SchemaResult || r.Verdict != verdict || (r.Claims != nil) != (verdict == "accepted") {
				t.Errorf("%s: result %d is %q %q with claims %t, want %q", format, i, r.Schema, r.Verdict, r.Claims != nil, verdict)
			}
		}
	}
	text := results(t, "text", true, list...)
	for _, want := range []string{"ACCEPTED   a\n", "REFUSED    b  tpm.quote.nonce: b\n", "ERROR      c\n", "UNTRUSTED  u", "\n4 files: 1 accepted, 1 untrusted, 1 refused, 1 could not be read\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("text has no %q:\n%s", want, text)
		}
	}
}

// TestClaimsOnlyIfAccepted holds even for a result that should not exist.
func TestClaimsOnlyIfAccepted(t *testing.T) {
	for _, verdict := range []evidence.Verdict{evidence.Refused, evidence.Untrusted, 7} {
		r := accepted("secret-claim")
		r.Evidence.Verdict = verdict
		r.File, r.Evidence.Format, r.Evidence.Insecure, r.Evidence.Checks = "f", "x", nil, nil
		for _, format := range Formats() {
			if out := results(t, format, false, r); strings.Contains(out, "secret-claim") || strings.Contains(strings.ToLower(out), "accepted") {
				t.Errorf("%s of a result with verdict %v shows claims:\n%s", format, verdict, out)
			}
		}
	}
}

// TestForgeableIsNoted wants a note at every claim shown that can be forged.
func TestForgeableIsNoted(t *testing.T) {
	r := accepted("a")
	for _, test := range []struct {
		forgeable []string
		want      int
	}{{nil, 0}, {[]string{"boot.grub"}, 0}, {[]string{"boot.kernel", "submods.container", "swname"}, 3}} {
		r.Evidence.Claims.Boot.Forgeable = test.forgeable
		if out := results(t, "text", false, r); strings.Count(out, "               forgeable after boot\n") != test.want {
			t.Errorf("with %q, want %d notes:\n%s", test.forgeable, test.want, out)
		}
	}
}

func TestVerdictIsTheLastLine(t *testing.T) {
	for want, r := range map[string]*Result{"\nACCEPTED\n": accepted("a"), "\nREFUSED\n": refused("a")} {
		if out := results(t, "text", false, r); !strings.HasSuffix(out, want) {
			t.Errorf("text does not end in %q:\n%s", want, out)
		}
	}
}
