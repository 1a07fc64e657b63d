package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
)

var (
	zeros = strings.Repeat("00", 32)
	ones  = strings.Repeat("fF", 32)
)

func TestParsePCRValues(t *testing.T) {
	want := []evidence.PCRBank{{Alg: tpm.AlgSHA256, Values: map[int][]byte{0: make([]byte, 32), 17: []byte(strings.Repeat("\xff", 32))}}}
	for name, text := range map[string]string{
		"tpm2_pcrread":     "  sha1:\n  sha256:\n    0 : 0x" + zeros + "\n    17: 0x" + ones + "\n",
		"without indent":   "sha256:\n0: " + zeros + "\n17: " + ones,
		"carriage returns": "sha256:\r\n  0 : 0x" + zeros + "\r\n\r\n  17: 0x" + ones + "\r\n",
		"JSON":             `{"sha256": {"0": "` + zeros + `", "17": "` + ones + `"}}`,
		"JSON of corpus":   `{"log": "x.bin", "register": "PCR", "values": {"SHA256": {"17": "` + ones + `", "0": "0x` + zeros + `"}}}`,
	} {
		got, err := parsePCRValues([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: values differ (-want +got):\n%s", name, diff)
		}
	}
}

func TestParsePCRValuesRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":          {"", "no PCR values"},
		"empty banks":      {"sha1:\nsha256:\n", "no PCR values"},
		"no bank":          {"0 : 0x" + zeros, "before the name of its bank"},
		"unknown bank":     {"md5:\n", `unknown bank "md5"`},
		"bank twice":       {"sha256:\nSHA256:\n", "comes twice"},
		"PCR twice":        {"sha256:\n0: " + zeros + "\n00: " + zeros, "PCR 0 comes twice"},
		"PCR 24":           {"sha256:\n24: " + zeros, `"24" is not a PCR`},
		"length":           {"sha1:\n0: " + zeros, "has 32 bytes, want 20"},
		"not hex":          {"sha256:\n0: zz", "invalid byte"},
		"words":            {"hello", "line 1: neither"},
		"JSON bank twice":  {`{"sha256": {"0": "` + zeros + `"}, "SHA256": {}}`, "comes twice"},
		"JSON PCR twice":   {`{"sha256": {"0": "` + zeros + `", "0": "` + zeros + `"}}`, `"0" comes twice`},
		"JSON key twice":   {`{"values": {}, "values": {}}`, "comes twice"},
		"JSON trailing":    {`{"sha256": {"0": "` + zeros + `"}} x`, "invalid character"},
		"JSON wrong shape": {`{"sha256": ["` + zeros + `"]}`, "want a JSON object"},
		"JSON number":      {`{"sha256": {"0": 1}}`, "cannot unmarshal"},
	} {
		got, err := parsePCRValues([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: parsePCRValues = %v, %v; want an error with %q", name, got, err, test.want)
		}
	}
}

// TestParsePCRValuesCorpus reads the values that belong to the corpus' logs.
func TestParsePCRValuesCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "a-eventlogs/pcrs/*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("the corpus is not here: %s", corpusDir)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsePCRValues(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// FuzzPCRValues states that every value has the size of its bank.
func FuzzPCRValues(f *testing.F) {
	f.Add([]byte("sha256:\n 0 : 0x" + zeros))
	f.Add([]byte(`{"values": {"SHA256": {"0": "` + zeros + `"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		banks, err := parsePCRValues(data)
		if err != nil && banks != nil || err == nil && len(banks) == 0 {
			t.Errorf("parsePCRValues = %v, %v", banks, err)
		}
		for _, b := range banks {
			for pcr, v := range b.Values {
				if pcr < 0 || pcr > tpm.MaxPCR || len(v) != b.Alg.Size() {
					t.Errorf("%v PCR %d has %d bytes", b.Alg, pcr, len(v))
				}
			}
		}
	})
}
