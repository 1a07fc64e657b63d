package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// floorFile writes a floor.
func floorFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadFloor(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"f.yaml", "# ours\nMilan: {bootloader: 4, tee: 0, snp: 28, microcode: 222}\nTurin:\n  fmc: 1\n"},
		{"f.yaml", "\"Milan\":\n  'snp': 28\nTDX:\n  tee_tcb_svn:\n    - 5\n    - 1\n" + strings.Repeat("    - 0\n", 14)},
		{"f.yaml", "TDX: {tee_tcb_svn: \"05010200000000000000000000000000\", pcesvn: 13}"},
		{"f.yaml", "TDX: {tee_tcb_svn: 05010200000000000000000000000000}"}, // too large for a number: as it is written
		{"f.json", "{\n\t\"Milan\": {\"snp\": 28}\n}\n"},
		{"floor", "{\n\t\"Milan\": {\"snp\": 28}\n}\n"},
		{"f.yaml", `{"Milan": {"snp": 28}}`},
	} {
		if _, err := readFloor(testSystem(), floorFile(t, c.name, c.text)); err != nil {
			t.Errorf("readFloor(%q): %v", c.text, err)
		}
	}
}

// TestReadFloorRefuses reads floors with a second reading, or none.
func TestReadFloorRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"f.yaml", "", "asks for nothing"},
		{"f.yaml", "# only this\n", "asks for nothing"},
		{"f.yaml", "Milan:\n", "neither a number"},
		{"f.yaml", "Milan: {}\n", "asks for nothing"},
		{"f.yaml", "Milan: {snp: 010}\n", "no plain decimal number"},
		{"f.yaml", "Milan: {snp: 0x1c}\n", "no plain decimal number"},
		{"f.yaml", "Milan: {snp: 0o34}\n", "no plain decimal number"},
		{"f.yaml", "Milan: {snp: +28}\n", ""},
		{"f.yaml", "Milan: {snp: 2_8}\n", "no plain decimal number"},
		{"f.yaml", "Milan: {snp: 28.0}\n", "neither a number"},
		{"f.yaml", "Milan: {snp: \"28\"}\n", "whole number"},
		{"f.yaml", "Milan: {snp: true}\n", "neither a number"},
		{"f.yaml", "Milan: {snp: ~}\n", "neither a number"},
		{"f.yaml", "Milan: {snp: .inf}\n", "neither a number"},
		{"f.yaml", "Milan: {snp: 99999999999999999999}\n", ""},
		{"f.yaml", "Milan: {snp: 9}\nMilan: {snp: 1}\n", "Milan"},
		{"f.yaml", "Milan:\n  snp: 9\n  snp: 1\n", "snp"},
		{"f.yaml", "Milan: &a {snp: 9}\nGenoa: *a\n", "neither a number"},
		{"f.yaml", "Milan: !!map {snp: 9}\n", "neither a number"},
		{"f.yaml", "Milan:\n  <<: {snp: 9}\n", "not the name"},
		{"f.yaml", "9: {snp: 9}\n", "not the name"},
		{"f.yaml", "Milan: {snp: 9}\n---\nGenoa: {snp: 9}\n", "more than one document"},
		{"f.yaml", "- Milan\n", "not an object"},
		{"f.yaml", "Milan\n", "not an object"},
		{"f.yaml", "Rome: {snp: 9}\n", "unknown product"},
		{"f.yaml", "Milan: {fmc: 1}\n", "no such component"},
		{"f.yaml", "Milan: {snp: 9", "not YAML"},
		{"f.yaml", "Milan: {snp: \xff}", "not UTF-8"},
		{"f.yaml", strings.Repeat("[", 60_000), "brackets"},
		{"f.yaml", strings.Repeat("- ", 30_000), "nests"},
		{"f.yaml", strings.Repeat("a: ", 20_000), "nests"},
		{"f.yaml", "Milan: {snp: 9}\n" + strings.Repeat("#\n", maxFloor/2), "larger than 64 KiB"},
		{"f.json", "Milan: {snp: 9}", ""},
	} {
		_, err := readFloor(testSystem(), floorFile(t, c.name, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("readFloor(%.60q): %v, want one line with %q", c.text, err, c.want)
		}
	}
}
