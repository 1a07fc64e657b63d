package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence"
)

// tcbDocuments gives every kind of TCB document with s wherever evidence, a
// certificate or a file name could put it.
func tcbDocuments(s string) map[string]Document {
	level := evidence.TCBLevel{Raw: "04", Components: evidence.TCBComponents{{Name: s, SPL: 4}, {Name: "snp", SPL: 8}}}
	snp := func() *evidence.TCBs {
		return &evidence.TCBs{SNP: &evidence.SNPTCBs{
			SigningKey: s, Product: s, ProductFrom: s, NoProduct: s, ChipID: s, Reported: level, Launch: evidence.TCBLevel{Raw: s, Error: s},
			FirmwareCurrent: s, Provisional: true, VCEKURL: s, NoVCEK: s,
			Certificate: &evidence.SNPKeyTCB{Key: s, ProductName: s, TCB: &level, ChipID: s, CSPID: s, WhyNot: []string{s, s}},
		}}
	}
	tdx := &evidence.TCBs{TDX: &evidence.TDXTCBs{
		TeeTCBSVN2: &[16]uint8{1}, Module2: &evidence.TDXModule{Major: 1}, PCK: evidence.PCK{FMSPC: s, PCEID: s, SGXComponents: &[16]uint8{2}, CPUSVN: s},
	}}
	broken := &evidence.TCBs{TDX: &evidence.TDXTCBs{PCK: evidence.PCK{Error: s}}}
	list := NewTCBList(true)
	list.Add(NewTCB(s, s, snp(), &evidence.Floor{}))
	list.AddError(s, errors.New(s), true)
	list.AddError(s, errors.New(s), false)
	one := NewTCB(s, s, snp(), nil)
	one.Floor = &TCBFloor{Below: []string{s}}
	return map[string]Document{
		"snp": one, "tdx": NewTCB(s, s, tdx, nil), "broken pck": NewTCB(s, s, broken, &evidence.Floor{}), "list": list,
	}
}

// TestHostileTCB writes every document with hostile text in every format.
func TestHostileTCB(t *testing.T) {
	for _, s := range hostile {
		plain := tcbDocuments("harmless")
		for name, d := range tcbDocuments(s) {
			for _, format := range Formats() {
				var out bytes.Buffer
				if err := Write(&out, format, d, Style{Width: 40}); err != nil {
					t.Fatalf("Write(%s, %s) with %q: %v", name, format, s, err)
				}
				if actsOnTerminal(out.String()) {
					t.Errorf("Write(%s, %s) with %q lets it through: %q", name, format, s, out.String())
				}
			}
			if got, want := lines(t, d), lines(t, plain[name]); got != want {
				t.Errorf("%s with %q has %d lines of text, want %d", name, s, got, want)
			}
			var want, got any
			unmarshal(t, d, "json", json.Unmarshal, &want)
			unmarshal(t, d, "yaml", yaml.Unmarshal, &got)
			if diff := cmp.Diff(normal(t, want), normal(t, got)); diff != "" {
				t.Errorf("%s with %q: YAML differs from JSON:\n%s", name, s, diff)
			}
		}
	}
}

// TestTCBSaysUnverified looks for the warning in every form.
func TestTCBSaysUnverified(t *testing.T) {
	for name, d := range tcbDocuments("x") {
		for format, want := range map[string]string{"text": "decoded, not verified", "json": `"verified": false`, "yaml": "verified: false"} {
			var out bytes.Buffer
			if err := Write(&out, format, d, Style{Width: 80}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s as %s does not say %q:\n%s", name, format, want, out.String())
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); format == "text" && n > 80 {
					t.Errorf("%s: line of %d columns on a terminal of 80: %q", name, n, line)
				}
			}
		}
	}
}

func TestTCBSummary(t *testing.T) {
	list := NewTCBList(true)
	tcbs := &evidence.TCBs{TDX: new(evidence.TDXTCBs)}
	list.Add(NewTCB("a", "x", tcbs, &evidence.Floor{}))
	list.Add(&TCB{File: "b", TCBs: tcbs, Floor: &TCBFloor{Reached: true}})
	list.AddError("c", errors.New("no"), true)
	list.AddError("d", errors.New("no"), false)
	const want = "4 files: 2 hardware reports, 1 without, 1 could not be read; 1 of 2 reports would fail the floor"
	if got := list.Summary.String(); got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	without := NewTCBList(false)
	without.Add(NewTCB("a", "x", tcbs, nil))
	if got := without.Summary.String(); strings.Contains(got, "floor") || without.Summary.Below != nil {
		t.Errorf("summary %q speaks of a floor", got)
	}
}
