package replay_test

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// refused are the files of kind a and e that are not TCG logs, or not in our
// strict sense; all others parse.
var refused = map[string]string{
	"a-keylime-bm-bogus":            "event data needs 1919248394 bytes",
	"a-t2t-specid-vendordata":       "vendor info needs 4 bytes",
	"a-immune-ev-test-pcrs":         "event data needs",
	"e-gel-ccel":                    "event data needs", // the ACPI table
	"e-gel-cos-113-intel-tdx-table": "event data needs",
}

// padded need LogOptions.AllowPadding.
var padded = []string{
	"e-gel-cos-113-intel-tdx", "e-gel-event-log", "e-gel-gdc-tdx", "e-gel-cs251200ccel", "e-gel-ubuntu-2404-intel-tdx",
	"e-trustee-ccel-data-grub", "e-trustee-ccel-data-ovmf", "e-trustee-ccel-aael-alibabacloud", "e-trustee-ccel-data",
}

type corpusFile struct {
	id, file string
	raw      []byte
}

// corpusLogs returns the rows of kind a and e that are binary logs.
func corpusLogs(t *testing.T) []corpusFile {
	t.Helper()
	needCorpus(t)
	r := csv.NewReader(bytes.NewReader(readFile(t, filepath.Join(corpus, "MANIFEST.tsv"))))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var files []corpusFile
	for _, row := range rows {
		id, kind, file := row[0], row[1], row[2]
		if kind != "a" && kind != "e" || strings.Contains(file, "/pcrs/") || strings.Contains(file, "/rtmr/") ||
			strings.Contains(file, "cel.bin") || strings.Contains(file, "cs-cel") {
			continue
		}
		files = append(files, corpusFile{id, file, readFile(t, filepath.Join(corpus, file))})
	}
	if len(files) < 40 {
		t.Fatalf("the manifest lists %d logs, want at least 40", len(files))
	}
	return files
}

func TestCorpusParses(t *testing.T) {
	for _, f := range corpusLogs(t) {
		t.Run(f.id, func(t *testing.T) {
			l, err := replay.ParseLog(f.raw, replay.LogOptions{})
			if want, ok := refused[f.id]; ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("ParseLog = %v, want an error with %q", err, want)
				}
				return
			}
			if slices.Contains(padded, f.id) {
				if err == nil {
					t.Fatalf("ParseLog = nil, want an error about padding")
				}
				l, err = replay.ParseLog(f.raw, replay.LogOptions{AllowPadding: true})
			}
			if err != nil {
				t.Fatalf("ParseLog = %v, want nil", err)
			}
			if got := l.Encode(f.raw[len(f.raw)-1]); !bytes.Equal(got, f.raw) {
				t.Errorf("Encode gives %d bytes that are not the %d of the input", len(got), len(f.raw))
			}
			if boot, _ := l.Boot(l.Algs()); boot == nil {
				t.Error("Boot = nil")
			}
		})
	}
}

// replayDiffers are the banks of REPLAY.json that cannot be right.
var replayDiffers = map[string]string{
	"a-gel-host-gmes sha256":                     "computed without the H-CRTM start value of PCR 0; TestStartValue has it",
	"a-t2t-event-uefiaction sha384":              "no event has a SHA-384 digest",
	"a-immune-tpm2-windows-lenovo-yogax1v2 sha1": "Windows leaves SHA-1 out of its own events",
}

// TestCorpusReplays compares with values that other implementations computed.
func TestCorpusReplays(t *testing.T) {
	needCorpus(t)
	var want map[string]struct {
		File   string                       `json:"file"`
		Values map[string]map[string]string `json:"pcrs_or_mrs"`
	}
	readJSON(t, filepath.Join(corpus, "REPLAY.json"), &want)
	if len(want) < 40 {
		t.Fatalf("REPLAY.json has %d logs, want at least 40", len(want))
	}
	for id, w := range want {
		if _, ok := refused[id]; ok {
			continue
		}
		t.Run(id, func(t *testing.T) {
			l, err := replay.ParseLog(readFile(t, filepath.Join(corpus, w.File)), replay.LogOptions{AllowPadding: true})
			if err != nil {
				t.Fatalf("ParseLog = %v, want nil", err)
			}
			for bank, values := range w.Values {
				if why, ok := replayDiffers[id+" "+bank]; ok {
					t.Logf("%s: %s", bank, why)
					continue
				}
				checkBank(t, mustReplay(t, l, algOf(t, bank)), values)
			}
		})
	}
}

// TestCorpusMatchesTPM compares with values that TPMs reported.
func TestCorpusMatchesTPM(t *testing.T) {
	needCorpus(t)
	files, err := filepath.Glob(filepath.Join(corpus, "a-eventlogs/pcrs/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			var want struct {
				Log    string                       `json:"log"`
				Values map[string]map[string]string `json:"values"`
			}
			readJSON(t, f, &want)
			l := mustParse(t, readFile(t, filepath.Join(corpus, "a-eventlogs", want.Log)))
			for bank, values := range want.Values {
				b := mustReplay(t, l, algOf(t, bank))
				quoted := map[int][]byte{}
				for index, value := range values {
					pcr, err := strconv.Atoi(index)
					if err != nil {
						t.Fatal(err)
					}
					quoted[pcr] = hexBytes(t, value)
				}
				for _, c := range b.Compare(quoted) {
					// IMA extends PCR 10 without an event, and the table leaves some PCRs out.
					if c.Outcome == replay.Mismatch && c.Events > 0 {
						t.Errorf("%s: %s", bank, c.Explain())
					}
				}
			}
		})
	}
}

func checkBank(t *testing.T, b *replay.Bank, values map[string]string) {
	t.Helper()
	for index, value := range values {
		pcr, err := strconv.Atoi(index)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := b.Value(pcr), hexBytes(t, value); !bytes.Equal(got, want) {
			t.Errorf("%v Value(%d) = %x, want %x", b.Alg, pcr, got, want)
		}
	}
}

func algOf(t *testing.T, name string) tpm.Alg {
	t.Helper()
	for _, alg := range tpm.Banks {
		if strings.EqualFold(alg.String(), name) {
			return alg
		}
	}
	t.Fatalf("no bank %q", name)
	return 0
}
