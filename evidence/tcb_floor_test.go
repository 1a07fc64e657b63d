package evidence_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
)

func floorOf(tb testing.TB, text string) evidence.Floor {
	tb.Helper()
	f, err := evidence.ParseFloor([]byte(text))
	if err != nil {
		tb.Fatalf("ParseFloor(%s): %v", text, err)
	}
	return f
}

func TestParseFloorRefuses(t *testing.T) {
	sixteen := "[" + strings.Repeat("0,", 15) + "0]"
	for text, want := range map[string]string{
		``:                                 "too early",
		`{`:                                "too early",
		`{"Milan": {"snp": 1}`:             "too early",
		`[]`:                               "not an object",
		`null`:                             "not an object",
		`{}`:                               "asks for nothing",
		`{"Milan": {}}`:                    "asks for nothing",
		`{"TDX": {}}`:                      "asks for nothing",
		`{"Milan": null}`:                  "not an object",
		`{"milan": {"snp": 1}}`:            "unknown product",
		`{"Bergamo": {"snp": 1}}`:          "unknown product",
		`{"": {"snp": 1}}`:                 "unknown product",
		`{"Milan": {"fmc": 1}}`:            "Milan has no such component",
		`{"Genoa": {"fmc": 1}}`:            "Genoa has no such component",
		`{"Milan": {"SNP": 1}}`:            "no such component",
		`{"Milan": {"ucode": 1}}`:          "no such component",
		`{"Milan": {"snp": 256}}`:          "from 0 to 255",
		`{"Milan": {"snp": -1}}`:           "from 0 to 255",
		`{"Milan": {"snp": 1.0}}`:          "from 0 to 255",
		`{"Milan": {"snp": 1e1}}`:          "from 0 to 255",
		`{"Milan": {"snp": "1"}}`:          "from 0 to 255",
		`{"Milan": {"snp": null}}`:         "from 0 to 255",
		`{"Milan": {"snp": 01}}`:           "invalid",
		`{"Milan": {"snp": 9, "snp": 1}}`:  "twice",
		`{"TDX":{"pcesvn":9}, "TDX":{}}`:   "twice",
		`{"Milan": {"snp": 1}} {}`:         "follows",
		`{"TDX": {"pce_svn": 1}}`:          "no such component",
		`{"TDX": {"pcesvn": 65536}}`:       "from 0 to 65535",
		`{"TDX": {"qe_svn": [1]}}`:         "from 0 to 65535",
		`{"TDX": {"tee_tcb_svn": [1, 2]}}`: "list of 16 numbers",
		`{"TDX": {"tee_tcb_svn": null}}`:   "list of 16 numbers",
		`{"TDX": {"tee_tcb_svn": 5}}`:      "list of 16 numbers",
		`{"TDX": {"tee_tcb_svn": "0501"}}`: "16 bytes in hex",
		`{"TDX": {"tee_tcb_svn": "zz"}}`:   "16 bytes in hex",
		`{"TDX": {"tee_tcb_svn": [` + strings.Repeat("0,", 15) + `256]}}`:           "from 0 to 255",
		`{"TDX": {"tee_tcb_svn": ` + sixteen + `, "tee_tcb_svn": ` + sixteen + `}}`: "twice",
	} {
		f, err := evidence.ParseFloor([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFloor(%s): %v, want an error with %q", text, err, want)
		}
		if below := tcbsOf(t, snpFile(t, "layr-snp-dbg-report.bin"), nil).Below(f); below == nil {
			t.Errorf("ParseFloor(%s) gives a floor that is reached", text)
		}
	}
}

// TestBelow takes floors at and just above what the manifest says of a report.
func TestBelow(t *testing.T) {
	for _, c := range []struct{ id, product string }{
		{"c-layr-snp-dbg-report", "Milan"}, {"c-lunal-genoa-v5", "Genoa"}, {"c-oak-turin-oc-report", "Turin"},
	} {
		entry, m := manifestOf(t, c.id)
		got := tcbsOf(t, corpus.Read(t, entry.File), nil)
		at := named(c.product, m.reported)
		exact, err := json.Marshal(map[string]any{c.product: at})
		if err != nil {
			t.Fatal(err)
		}
		if below := got.Below(floorOf(t, string(exact))); below != nil {
			t.Errorf("%s: below its own TCB: %q", c.id, below)
		}
		for _, comp := range at {
			floor := floorOf(t, fmt.Sprintf(`{%q: {%q: %d}}`, c.product, comp.Name, comp.SPL+1))
			var want []string
			for _, level := range []string{"reported", "committed", "launch"} {
				want = append(want, fmt.Sprintf("%s: %s %d < %d", level, comp.Name, comp.SPL, comp.SPL+1))
			}
			if below := got.Below(floor); !slices.Equal(below, want) {
				t.Errorf("%s: below %q, want %q", c.id, below, want)
			}
		}
		if below := got.Below(floorOf(t, `{"TDX": {"pcesvn": 0}}`)); !slices.Equal(below, []string{"no floor for " + c.product}) {
			t.Errorf("%s: without a floor below %q", c.id, below)
		}
	}
}

// TestBelowEachLevel lowers one TCB of a report at a time.
func TestBelowEachLevel(t *testing.T) {
	const snpByte = 6 // of a Milan
	floor := floorOf(t, `{"Milan": {"bootloader": 4, "tee": 0, "snp": 24, "microcode": 219}}`)
	for at, want := range map[int][]string{
		reportedAt: {"reported: snp 8 < 24"}, committedAt: {"committed: snp 8 < 24"}, launchAt: {"launch: snp 8 < 24"}, currentAt: nil,
	} {
		data := snpFile(t, "layr-snp-dbg-report.bin")
		data[at+snpByte] = 8
		if below := tcbsOf(t, data, nil).Below(floor); !slices.Equal(below, want) {
			t.Errorf("offset 0x%x lowered: below %q, want %q", at, below, want)
		}
	}
	data := snpFile(t, "layr-snp-dbg-report.bin")
	data[launchAt+3] = 1
	got := tcbsOf(t, data, nil)
	if below := got.Below(floor); len(below) != 1 || !strings.HasPrefix(below[0], "launch: ") || !strings.Contains(below[0], "reserved") {
		t.Errorf("reserved byte in the launch TCB: below %q", below)
	}
}

func TestBelowTDX(t *testing.T) {
	data := corpus.Read(t, "d-tdx/gtg-quote_v5_sample.dat")
	got := tcbsOf(t, data, nil)
	x := pckExtensions(t, data)
	svn := data[48+6 : 48+6+16]
	floor := func(i int, add byte) evidence.Floor {
		list := make([]int, 16)
		list[i] = int(svn[i] + add)
		out, err := json.Marshal(map[string]any{"TDX": map[string]any{"tee_tcb_svn": list}})
		if err != nil {
			t.Fatal(err)
		}
		return floorOf(t, string(out))
	}
	for i := range 16 {
		if below := got.Below(floor(i, 0)); below != nil {
			t.Errorf("component %d at the floor: below %q", i, below)
		}
		below := got.Below(floor(i, 1))
		if len(below) == 0 || !strings.HasPrefix(below[0], fmt.Sprintf("tee_tcb_svn[%d]", i)) || !strings.HasSuffix(below[0], fmt.Sprintf(" %d < %d", svn[i], svn[i]+1)) {
			t.Errorf("component %d below the floor: %q", i, below)
		}
	}
	if below := got.Below(floorOf(t, fmt.Sprintf(`{"TDX": {"tee_tcb_svn": "%x", "pcesvn": %d, "qe_svn": %d}}`, svn, x.TCB.PCESvn, got.TDX.QESVN))); below != nil {
		t.Errorf("at the floor: below %q", below)
	}
	want := []string{
		fmt.Sprintf("pcesvn %d < %d", x.TCB.PCESvn, x.TCB.PCESvn+1), fmt.Sprintf("qe_svn %d < %d", got.TDX.QESVN, got.TDX.QESVN+1),
	}
	if below := got.Below(floorOf(t, fmt.Sprintf(`{"TDX": {"pcesvn": %d, "qe_svn": %d}}`, x.TCB.PCESvn+1, got.TDX.QESVN+1))); !slices.Equal(below, want) {
		t.Errorf("below %q, want %q", below, want)
	}
	const second = 48 + 6 + 584
	data[second] = 0 // the module that runs now
	want = []string{fmt.Sprintf("tee_tcb_svn_2[0] (tdx module minor) 0 < %d", svn[0])}
	if below := tcbsOf(t, data, nil).Below(floor(0, 0)); !slices.Equal(below, want) {
		t.Errorf("below %q, want %q", below, want)
	}
}

// TestZeroFloor is reached by nothing.
func TestZeroFloor(t *testing.T) {
	for want, tcbs := range map[string]*evidence.TCBs{
		"no floor for Milan": tcbsOf(t, snpFile(t, "layr-snp-dbg-report.bin"), nil),
		"no floor for TDX":   tcbsOf(t, corpus.Read(t, "d-tdx/qvl-tdx_quote"), nil),
		"no hardware report": {},
	} {
		if below := tcbs.Below(evidence.Floor{}); !slices.Equal(below, []string{want}) {
			t.Errorf("zero floor: below %q, want %q", below, want)
		}
	}
	if below := (*evidence.TCBs)(nil).Below(floorOf(t, `{"Milan": {"snp": 0}}`)); below == nil {
		t.Error("no TCBs reach a floor")
	}
}
